import random
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

import gateway.panel
from gateway.model import Identity, Patient
from gateway.panel import fates, names, similar
from gateway.panel.views import Look
from gateway.spool.live import LiveState
from tests.unit.panel.conftest import Bench, item, seal

_FOLDER = Path(gateway.panel.__file__).parent
_PROMISE = "Saved. Will be sent."  # the one sentence of the rules that looks ahead


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("Meier^Anna", "MEIER, Anna", ""),
        ("Meier^Anna^Maria^Dr^jun.", "MEIER, Dr Anna Maria jun.", ""),
        ("Strauß^Botho", "STRAUẞ, Botho", ""),
        ("Παπαδόπουλος^Γιώργος", "ΠΑΠΑΔΟΠΟΥΛΟΣ, Γιώργος", ""),
        ("Wang^XiaoDong=王^小东", "王 小东", "WANG, XiaoDong"),
        ("=王^小东", "王 小东", ""),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "山田 太郎", "YAMADA, Tarou"),
        ("قباني^لنزار", "قباني, لنزار", ""),
        ("Madonna", "MADONNA", ""),
        ("^", "Name not given", ""),
    ],
)
def test_a_name_is_shown_as_people_read_it(name: str, first: str, second: str) -> None:
    assert names.person(name) == names.Shown(first=first, second=second)


def test_dates_are_shown_so_that_day_and_month_cannot_be_confused() -> None:
    assert names.birth_date("19680314") == "14-Mar-1968"
    assert names.birth_date("") == names.birth_date("1968") == "Birth date not given: ask"
    assert [
        names.age(born, date(2026, 11, 21)) for born in ("19680314", "20251120", "20261101", "", "20270101")
    ] == [
        "58 years",
        "12 months",
        "20 days",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Meier^Anna", "Meyer^Anna", True),
        ("Maier^A", "Mayr^B", True),
        ("Meier^Anna", "Meier^Berta", True),
        ("Müller^A", "Mueller^B", True),
        ("Schmidt^A", "Schmitt^B", True),
        ("Okonkwo^C", "Okonkow^C", True),
        ("Smith^J", "Jones^J", False),
        ("Li^A", "Lu^A", False),
        ("Wang^A=王^小", "Wong^B=王^大", True),
        ("", "", False),
    ],
)
def test_names_that_can_be_mistaken_are_found(one: str, other: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert similar.alike(one, other) is similar.alike(other, one) is expected


def test_of_a_list_the_same_names_are_found_as_by_comparing_each_with_each() -> None:
    draw = random.Random(7)
    made = ["".join(draw.choices("aemiyr", k=draw.randint(3, 6))) for _ in range(90)]
    items = [item(number, f"{family}^A") for number, family in enumerate(made)]
    listed = similar.Names(items)
    for one in items:
        others = {o.id for o in items if o is not one and similar.alike(one.patient.name, o.patient.name)}
        assert {found.id for found in listed.like(one.patient, most=len(items))} == others


def steps_of(work: Callable[[], object]) -> int:
    """Return how many calls `work` makes."""
    steps = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal steps
        steps += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return steps


@pytest.mark.parametrize("family", ["Doe", "Doe{}", "D" * 600])
def test_twice_as_long_a_list_costs_twice_as_much_and_not_four_times(family: str) -> None:
    def compare(count: int) -> None:
        items = [item(number, f"{family.format(number)}^A") for number in range(count)]
        listed = similar.Names(items)
        assert all(listed.like(each.patient) for each in items)

    assert steps_of(lambda: compare(200)) < 3 * steps_of(lambda: compare(100))


def test_the_same_patient_twice_on_the_list_is_no_similar_name() -> None:
    whole = item(1, "Meier^Anna")
    assert similar.Names([whole, item(2, "Meier^Anna")]).like(whole.patient)[0].id == "item-2"
    assert similar.Names([whole, whole]).like(whole.patient) == []
    assert isinstance(whole.patient, Patient)


def test_no_word_of_the_panel_promises_more_than_the_five_fates() -> None:
    for path in [*_FOLDER.rglob("*.html"), *_FOLDER.rglob("*.js"), *_FOLDER.rglob("*.py")]:
        if path.name == "fates.py":
            continue
        text = re.sub(r'"""(.|\n)*?"""', "", path.read_text("utf-8").replace(_PROMISE, ""))
        quoted = re.findall(r'"([^"\n]* [^"\n]*)"|>([^<{]+)<', text)  # sentences and page text, no keys of JSON
        for words in quoted:
            assert not re.search(r"\b(safe|sent)\b", " ".join(words), re.IGNORECASE), (path.name, words)
    assert list(fates.WORDS.values()) == ["On this box", "Sending", "Sent", "Found in PACS", "Safe in PACS"]


def test_what_a_server_wrote_into_a_name_stays_text(bench: Bench) -> None:
    evil = "<script>alert(1)</script>^\"'&"
    bench.spool.worklist.replace("ris", [item(1, evil)])
    exam = bench.post("/exams", {"worklist_item": "item-1"}, status=201)["id"]
    for path in ("/", "/confirm?item=item-1", f"/live/{exam}", f"/finish/{exam}", f"/exam/{exam}", "/delivery"):
        page = bench.client.get(path)
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text.lower()


@pytest.mark.parametrize(
    "path", ["/live/x", "/exam/x", "/finish/x", "/picture/1.2", "/confirm?item=x", "/?assign=x"]
)
def test_a_page_about_nothing_is_a_page_that_says_so(quiet: Bench, path: str) -> None:
    page = quiet.client.get(path)
    assert page.status_code == 404
    assert "Choose patient" in page.text


def test_a_finished_exam_has_no_live_page(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.post(f"/exams/{exam}/finish")
    answer = bench.client.get(f"/live/{exam}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/exam/{exam}")


def test_a_typed_name_cannot_smuggle_in_components(quiet: Bench) -> None:
    words = {"family": "A^B=C", "given": "D", "id": "1", "sex": "F", "year": "68", "month": "", "day": ""}
    page = quiet.client.post("/typed", data=words)
    assert page.status_code == 422
    assert "no day of the calendar" in page.text
    page = quiet.client.post("/typed", data={**words, "year": ""})
    assert "A B C, D" in page.text


def test_pages_ask_nothing_of_any_other_machine() -> None:
    for path in [*_FOLDER.rglob("*.html"), *_FOLDER.rglob("*.js"), *_FOLDER.rglob("*.css")]:
        assert not re.search(r"https?://|//cdn", path.read_text("utf-8")), path.name


def test_an_exam_without_pictures_asks_nobody_to_check_it(bench: Bench) -> None:
    bench.open_exam()
    second = str(bench.post("/exams", {"emergency": True, "close_open": True}, status=201)["id"])
    assert "Please check" not in bench.client.get("/").text
    bench.still(second)
    bench.post("/exams", {"emergency": True, "close_open": True}, status=201)
    assert "Please check" in bench.client.get("/").text
    assert "1 to check" in bench.client.get("/delivery").text


def test_what_waits_for_a_person_is_said_however_much_is_held_that_needs_nobody(bench: Bench) -> None:
    exam = bench.open_exam()
    for _ in range(2):
        seal(bench, exam, bench.still(exam), ("pacs",))
    clip, refused = bench.spool.deliveries.list()
    with bench.spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = 'held', code = 'sent-as-key-stills', reason = 'Stills.' WHERE id = ?",
            (clip.id,),
        )
        connection.executemany(
            "INSERT INTO delivery (id, sop_instance_uid, exam, destination, state, code, changed_ns) "
            "VALUES (?, ?, ?, ?, 'held', 'sent-as-key-stills', 0)",
            [(-number, clip.sop_instance_uid, exam, f"d{number}") for number in range(1, 600)],
        )
    live = LiveState(
        folder=bench.settings.station.runtime_dir, process="forward", files=bench.spool.files, clock=bench.clock
    )
    live.write({"destinations": [{"name": "pacs", "state": "ok", "sent_to_the_one_before": 3}]})
    assert bench.get("/health")["destinations"][0]["state"] == "ok"
    bench.spool.deliveries.hold(refused.id)
    health = bench.get("/health")["destinations"][0]
    assert (health["state"], health["code"], health["sent_to_the_one_before"]) == ("held", "held-by-person", 3)
    assert "Held back by a person." in bench.client.get("/delivery").text
    assert bench.spool.deliveries.unsettled()[0].id == refused.id


def test_the_delivery_screen_says_what_each_archive_waits_for(bench: Bench) -> None:
    exam = bench.open_exam()
    seal(bench, exam, bench.still(exam))
    live = LiveState(
        folder=bench.settings.station.runtime_dir, process="forward", files=bench.spool.files, clock=bench.clock
    )
    assert "The delivery process does not run." in bench.client.get("/delivery").text
    since = bench.clock.utc() - timedelta(hours=2)
    paused = {"name": "pacs", "state": "paused", "code": "try-later", "what": "PACS does not answer."}
    live.write({"destinations": [{**paused, "since": since.isoformat(), "attempt": 3, "next_attempt_in_s": 40}]})
    page = bench.client.get("/delivery").text
    assert "PACS does not answer. Since " in page
    assert "next try in 40 s." in page
    assert 'class="strip bad"><span class="mark bad"' in page
    health = bench.get("/health")["destinations"][0]
    assert (health["state"], health["since"], health["queued"]) == ("paused", since.isoformat(), 1)
    live.write({"destinations": [{"name": "pacs", "state": "ok"}]})
    assert "stay on this box" not in bench.client.get("/delivery").text
    number = bench.get("/deliveries?state=queued")["deliveries"][0]["id"]
    bench.post(f"/deliveries/{number}/hold")
    health = bench.get("/health")["destinations"][0]
    assert (health["state"], health["code"], health["what"]) == ("held", "held-by-person", "Held back by a person.")
    page = bench.client.get("/delivery").text
    assert "Held back by a person." in page
    assert "1 stopped" in page


def test_a_picture_that_no_archive_gets_says_that_it_stays_and_why(bench: Bench) -> None:
    rules = tuple(replace(to, types=("clip",)) for to in bench.settings.destinations)
    look = Look(bench.spool, replace(bench.settings, destinations=rules))
    exam = bench.open_exam()
    seal(bench, exam, bench.still(exam), ())
    bench.post(f"/exams/{exam}/finish")
    bench.spool.exams.release(exam)
    view = look.exam(bench.spool.exams.get(exam), bench.clock.utc().date())
    assert (view.fate.mark, view.fate.word) == ("none", "On this box")
    assert "stays on this box by the rules" in view.fate.detail
    assert "stays on this box by the rules" in view.captures[0].detail
    assert (
        Look(bench.spool, bench.settings).exam(bench.spool.exams.get(exam), bench.clock.utc().date()).fate.detail
        == ""
    )


def test_a_picture_that_left_at_once_is_not_offered_for_removal(bench: Bench) -> None:
    exam = bench.open_exam()
    left, free = bench.still(exam), bench.still(exam)
    assert bench.spool.releases.release(exam, left, tuple(Identity))
    assert "/reject" not in bench.client.get(f"/picture/{left}").text
    assert "/reject" in bench.client.get(f"/picture/{free}").text
    told = bench.refused(f"/captures/{left}/reject", {"reason": ""}, 409, "wrong-state")
    assert "may have left the box" in str(told["what"])
    body: dict[str, object] = {"patient": {"name": "Other^One", "id": "9"}}
    told = bench.refused(f"/exams/{exam}/assign", body, 409, "wrong-state")
    assert "under its patient" in str(told["what"])
    bench.post(f"/captures/{free}/reject", {"reason": ""})


@pytest.mark.parametrize(("state", "proof"), [("sent", ""), ("committed", "query"), ("committed", "commitment")])
def test_a_clip_that_went_as_key_stills_is_on_this_box_and_no_alarm(bench: Bench, state: str, proof: str) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    seal(bench, exam, uid, ("pacs",))
    bench.post(f"/exams/{exam}/finish")
    bench.spool.exams.release(exam)
    (clip,) = bench.spool.objects.of_exam(exam)
    sealed = replace(clip, sop_instance_uid="2.25.77", derived_from=clip.sop_instance_uid, decoded=True)
    bench.spool.objects.put_row(sealed, ["pacs"])
    with bench.spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = 'held', code = 'sent-as-key-stills', reason = 'It gets 3 stills.' "
            "WHERE sop_instance_uid = ?",
            (uid,),
        )
        connection.execute(
            "UPDATE delivery SET state = ?, proof = ? WHERE sop_instance_uid = '2.25.77'", (state, proof)
        )
    view = Look(bench.spool, bench.settings).exam(bench.spool.exams.get(exam), bench.clock.utc().date())
    assert (view.captures[0].fate, view.captures[0].detail) == ("On this box", "It gets 3 stills.")
    assert (view.fate.mark, view.fate.word, view.fate.detail) == ("ok", "On this box", "It gets 3 stills.")
    assert "stopped" not in bench.client.get("/delivery").text
    assert bench.get("/health")["destinations"][0]["state"] == "unknown"  # no forward process here
    (told,) = bench.get(f"/exams/{exam}")["captures"]
    assert told["fate"] == "On this box"
    assert bench.get(f"/days/{bench.clock.now().local.date()}")["total"]["on_this_box"] == 1
    assert [d["code"] for d in told["deliveries"]] == ["sent-as-key-stills"]


def test_an_archive_that_does_not_confirm_is_named_on_the_delivery_screen_and_in_the_health(bench: Bench) -> None:
    exam = bench.open_exam()
    seal(bench, exam, bench.still(exam))
    with bench.spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'sent'")
    live = LiveState(
        folder=bench.settings.station.runtime_dir, process="forward", files=bench.spool.files, clock=bench.clock
    )
    proof = {
        "state": "silent",
        "code": "commitment-silent",
        "what": "The archive pacs took the pictures but does not confirm that it keeps them.",
        "action": "Call IT.",
        "since": "2026-11-21T08:00:00+00:00",
    }
    live.write({"destinations": [{"name": "pacs", "state": "ok", "proof": proof}]})
    page = bench.client.get("/delivery").text
    assert "does not confirm that it keeps them.</b> 1 stay on this box. Call IT." in page
    assert "pacs</bdi>:" not in page, "it names the archive already"
    assert 'class="strip warn"' in page
    health = bench.get("/health")["destinations"][0]
    assert (health["state"], health["code"], health["since"]) == (
        "unconfirmed",
        "commitment-silent",
        proof["since"],
    )
    live.write({"destinations": [{"name": "pacs", "state": "ok", "proof": {"state": "ok"}}]})
    assert "does not confirm" not in bench.client.get("/delivery").text
    assert bench.get("/health")["destinations"][0]["state"] == "ok"


@pytest.mark.parametrize(("proof", "word"), [("commitment", "Safe in PACS"), ("query", "Found in PACS")])
def test_a_picture_is_safe_only_by_the_archives_own_word(bench: Bench, proof: str, word: str) -> None:
    exam = bench.open_exam()
    seal(bench, exam, bench.still(exam))
    with bench.spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = 'committed', proof = ? WHERE destination = 'pacs'", (proof,)
        )
    (capture,) = bench.get(f"/exams/{exam}")["captures"]
    assert capture["fate"] == word
    (delivery,) = [each for each in capture["deliveries"] if each["destination"] == "pacs"]
    assert (delivery["proof"], delivery["fate"]) == (proof, word)
