"""What leaves the box, as the screen tells it: the badge, the reason, each picture's way, a person's say in it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.config.settings import Destination
from gateway.spool.queue.deliveries import JPEG_WANTED
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running, seal
from tests.unit.panel.exams_that_leave import move, paused, said_of_forward, sealed_exam


@pytest.mark.parametrize(("minutes", "mark"), [(20, "warn"), (61, "bad")])
def test_an_archive_that_does_not_answer_is_yellow_for_an_hour_then_red_on_every_screen(
    bench: Bench, minutes: int, mark: str
) -> None:
    sealed_exam(bench)
    paused(bench, minutes=minutes)
    page = bench.client.get("/").text
    assert f'class="badge {mark}"' in page
    assert "2 waiting" in page
    reason = bench.client.get("/delivery").text
    assert f'class="strip {mark}"' in reason
    for words in ("The archive pacs does not answer.", "On this box: 2.", "tried again by itself", "NET-02"):
        assert words in reason


def test_since_when_an_archive_is_away_is_claimed_only_when_it_took_something_since_forward_started(
    bench: Bench,
) -> None:
    sealed_exam(bench)
    paused(bench, minutes=5)
    assert "does not answer. At least since " in bench.client.get("/delivery").text
    paused(bench, minutes=5, bytes_per_s=1000)
    assert "does not answer. Since " in bench.client.get("/delivery").text


def test_what_was_wrong_goes_from_the_screen_when_it_is_over(bench: Bench) -> None:
    sealed_exam(bench)
    paused(bench, minutes=61)
    assert "NET-02" in bench.client.get("/delivery").text
    said_of_forward(bench, destinations=[{"name": "pacs", "state": "ok"}])
    page = bench.client.get("/delivery").text
    assert "NET-02" not in page
    assert 'class="badge going"' in page


def test_an_archive_that_refuses_is_red_and_says_that_trying_again_will_not_help(bench: Bench) -> None:
    sealed_exam(bench)
    said_of_forward(bench, destinations=[{"name": "pacs", "state": "ok"}])
    reason = "The archive pacs does not take this kind of object (status 0122). Call IT."
    move(bench, state="held", code="sop-class", reason=reason, status="0122", attempts=1)
    page = bench.client.get("/delivery").text
    assert 'class="badge bad"' in page
    for words in ("does not take this kind of picture", "On this box: 2.", "will not help", "PAC-01", "sop-class"):
        assert words in page
    assert page.count("does not take this kind of") == 1  # once, above the rows
    assert "0122" not in page


def test_a_stick_that_is_full_is_said_once_and_not_with_every_exam() -> None:
    with (
        folder_in_memory() as folder,
        running(folder, Destination(name="stick", kind="media", folder=folder)) as box,
    ):
        exams = [sealed_exam(box, 1, "pacs", "backup", "stick") for _ in range(2)]
        for name in ("pacs", "backup"):
            move(box, name, state="sent")
        again = box.clock.utc_ns() + 600_000_000_000
        for number, exam in enumerate(exams):  # each needs another room
            with box.spool.database.write() as connection:
                connection.execute(
                    "UPDATE delivery SET attempts = 1, code = 'media-full', reason = ?, next_attempt_ns = ? "
                    "WHERE destination = 'stick' AND exam = ?",
                    (f"The medium has too little room: {number + 2} MB are needed.", again, exam),
                )
        what = "The medium has too little room: 9 MB are needed."
        line = {
            "name": "stick",
            "state": "paused",
            "code": "media-full",
            "what": what,
            "action": "Make room on it.",
        }
        since = {"since": box.clock.utc().isoformat(), "attempt": 1, "next_attempt_in_s": 40}
        said_of_forward(box, destinations=[{**line, **since}])
        assert box.client.get("/delivery").text.count("too little room") == 1


def test_an_archive_that_does_not_confirm_is_yellow_for_ever(bench: Bench) -> None:
    sealed_exam(bench)
    proof = {"state": "silent", "code": "unconfirmed", "what": "pacs has not confirmed.", "action": "Tell IT."}
    said_of_forward(bench, destinations=[{"name": "pacs", "state": "ok", "proof": proof}])
    for name in ("pacs", "backup"):
        move(bench, name, state="sent")
    page = bench.client.get("/delivery").text
    assert 'class="badge warn"' in page
    assert "2 not confirmed" in page
    assert "PAC-02" in page
    assert "strip bad" not in page.replace('id="lost" class="strip bad"', "").replace(
        'id="problem" class="strip bad"', ""
    )


@pytest.mark.parametrize("clips", ["H.264", "JPEG"])
def test_an_archive_that_takes_no_such_clip_is_said_so_and_trying_again_is_not_offered(
    bench: Bench, clips: str
) -> None:
    exam = sealed_exam(bench, 1)
    move(bench, "backup", state="sent")
    said_of_forward(bench, destinations=[{"name": "pacs", "state": "ok"}])
    for path in ("/delivery", f"/delivery/{exam}"):
        assert "/deliveries/retry" in bench.client.get(path).text
    reason = f"The archive pacs does not take {clips} clips. Have it set up for the class 1.2.3."
    move(bench, state="held", code="no-context", reason=reason, attempts=1)
    for path in ("/delivery", f"/delivery/{exam}"):
        page = bench.client.get(path).text
        assert f"does not take clips of this kind ({clips})" in page
        assert "/deliveries/retry" not in page


def test_what_a_person_held_back_is_no_refusal(bench: Bench) -> None:
    exam = sealed_exam(bench, 1)
    said_of_forward(bench, destinations=[])
    for each in bench.spool.deliveries.list(exam=exam):
        bench.post(f"/deliveries/{each.id}/hold")
    page = bench.client.get("/delivery").text
    assert "Held back by a person." in page
    assert 'class="badge warn"' in page
    assert "PAC-01" not in page


def test_the_details_of_an_exam_say_of_each_picture_where_it_is_and_what_was_answered_last(bench: Bench) -> None:
    exam = sealed_exam(bench, 1)
    at = bench.clock.utc_ns() + 600_000_000_000
    move(
        bench,
        state="queued",
        attempts=4,
        reason="The archive pacs is out of resources (status A700).",
        code="out-of-resources",
        status="A700",
        next_attempt_ns=at,
    )
    move(bench, "backup", state="sent", attempts=1)
    page = bench.client.get(f"/delivery/{exam}").text
    for words in (
        "PACS · 127.0.0.1:11114",
        "BACKUP · 127.0.0.1:11115",
        "tried 4 times",
        "out of resources",
        "A700",
    ):
        assert words in page
    assert "next try" in page
    assert page.count("Hold back picture") == 1  # what arrived cannot be held back
    said, answered, code = (page.index(words) for words in ("cannot store pictures", "For IT: ", "A700</bdi>"))
    assert said < answered < code  # plain words first, the code at the end


def test_of_a_picture_that_arrived_the_details_name_no_code(bench: Bench) -> None:
    exam = sealed_exam(bench, 1)
    for name in ("pacs", "backup"):
        move(bench, name, state="sent", attempts=1, status="0000")
    page = bench.client.get(f"/delivery/{exam}").text
    assert page.count("tried once") == 2
    assert "0000" not in page


def test_what_is_on_this_box_says_whether_it_is_being_prepared_leaves_next_waits_or_is_stopped(
    bench: Bench,
) -> None:
    def words(exam: str) -> set[str]:
        paths = ("/delivery", f"/exam/{exam}", f"/delivery/{exam}")
        pages = [bench.client.get(path).text.split("<main>")[1].replace("On this box: ", "") for path in paths]
        return {each for page in pages for each in re.findall(r"On this box[\w, ]*", page)}

    said_of_forward(bench, destinations=[{"name": name, "state": "ok"} for name in ("pacs", "backup")])
    making = bench.open_exam()
    bench.still(making)
    bench.post(f"/exams/{making}/finish")
    bench.spool.exams.release(making)
    assert words(making) == {"On this box, being prepared"}
    seal(bench, making, bench.spool.captures.of_exam(making)[0].capture.sop_instance_uid)
    assert words(making) == {"On this box, leaves next"}
    paused(bench, minutes=5)
    assert words(making) == {"On this box, waits", "On this box, leaves next"}  # next to the other archive
    said_of_forward(bench, destinations=[])
    again = bench.clock.utc_ns() + 600_000_000_000
    for name in ("pacs", "backup"):
        move(bench, name, attempts=2, code="unreachable", reason="Nobody answered.", next_attempt_ns=again)
    assert words(making) == {"On this box, waits"}
    for name in ("pacs", "backup"):
        move(bench, name, state="held", code="sop-class", reason="It is not taken.", next_attempt_ns=0)
    assert words(making) == {"On this box, stopped"}  # of its exam stands how many


def test_the_answer_of_an_archive_stands_word_by_word_once_in_the_details_alone(bench: Bench) -> None:
    exam = sealed_exam(bench, 3)
    reason = "The archive pacs did not answer: nothing listens at 127.0.0.1:11114."
    again = bench.clock.utc_ns() + 600_000_000_000
    move(bench, state="queued", attempts=2, code="unreachable", reason=reason, next_attempt_ns=again)
    paused(bench, minutes=5)
    for path in ("/delivery", f"/exam/{exam}", "/"):
        assert "127.0.0.1" not in bench.client.get(path).text
    assert bench.client.get("/delivery").text.count("pacs does not answer.") == 1
    details = bench.client.get(f"/delivery/{exam}").text
    assert details.count(reason) == 1
    first, *_ = bench.spool.deliveries.list(exam=exam)
    with bench.spool.database.write() as connection:
        connection.execute("UPDATE delivery SET reason = 'Another one.' WHERE id = ?", (first.id,))
    assert bench.client.get(f"/delivery/{exam}").text.count(reason) == 2  # at each of those that it is about


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("tls-expired", "does not let this box in."),
        ("out-of-resources", "cannot store pictures at present."),
        ("no-context", "does not take this kind of picture."),
        ("refused", "refuses this picture."),
        ("too-large", "is larger than the archive pacs takes."),
        ("lost-by-archive", "It is gone there."),
    ],
)
def test_what_people_read_first_has_no_word_of_a_protocol(bench: Bench, code: str, words: str) -> None:
    sealed_exam(bench, 1)
    said_of_forward(bench, destinations=[{"name": "pacs", "state": "ok"}])
    move(bench, state="held", code=code, reason="It is gone there.", status="0122", attempts=1)
    assert words in bench.client.get("/delivery").text


def test_a_picture_that_is_held_can_be_sent_from_the_details(bench: Bench) -> None:
    exam = sealed_exam(bench, 1)
    move(bench, state="held", code="refused", reason="The archive pacs cannot understand it (status C000).")
    page = bench.client.get(f"/delivery/{exam}").text
    assert page.count("Send picture") == 1
    (held,) = bench.get("/deliveries?state=held")["deliveries"]
    assert f"/api/v1/deliveries/{held['id']}/release" in page
    assert f'{{"sop_instance_uid": "{held["sop_instance_uid"]}"}}' in page


def test_a_picture_of_which_no_object_can_be_made_stands_in_the_details_with_its_reason(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    bench.spool.exams.release(exam)
    assert "On this box, being prepared" in bench.client.get(f"/delivery/{exam}").text
    bench.spool.captures.set_problem(uid, "codestream-broken", "The picture is broken.")
    page = bench.client.get(f"/delivery/{exam}").text
    assert "The picture is broken." in page
    assert "codestream-broken" in page


def test_an_exam_that_arrived_says_since_when(bench: Bench) -> None:
    sealed_exam(bench)
    now = bench.clock.now().local
    for name in ("pacs", "backup"):
        move(bench, name, state="committed", proof="commitment", changed_ns=bench.clock.utc_ns())
    page = bench.client.get("/delivery").text
    assert "Safe in PACS" in page
    assert f"{now.hour:02d}:" in page.split("Safe in PACS")[1][:60]


# --- the badge counts pictures, and its sign is never better than what is known ----------------------------------


def badge(bench: Bench) -> tuple[str, str]:
    """Return the sign of the badge and its words."""
    page = bench.client.get("/more").text
    link = page.split('id="badge"')[1].split("</a>")[0]
    return link.split('class="badge ')[1].split('"')[0], link.split("</span>")[1].strip()


def test_a_picture_for_two_archives_is_one_picture(bench: Bench) -> None:
    sealed_exam(bench, 5)
    said_of_forward(bench, destinations=[{"name": name, "state": "ok"} for name in ("pacs", "backup")])
    assert badge(bench) == ("going", "5 on the way")
    for name in ("pacs", "backup"):
        move(bench, name, state="held", code="refused", reason="Refused.")
    assert badge(bench) == ("bad", "5 stopped")
    move(bench, "backup", state="held", code=JPEG_WANTED)
    move(bench, state="committed", code="")
    assert badge(bench)[0] == "ok"


def test_there_is_no_tick_before_anything_arrived_anywhere(bench: Bench) -> None:
    assert badge(bench) == ("none", "Delivery")
    sealed_exam(bench, 1)
    for name in ("pacs", "backup"):
        move(bench, name, state="sent")
    assert badge(bench) == ("ok", "Delivery")


def test_there_is_no_tick_while_pictures_of_the_open_exam_are_on_this_box_alone(bench: Bench) -> None:
    exam = sealed_exam(bench, 1)
    for name in ("pacs", "backup"):
        move(bench, name, state="sent")
    bench.post(f"/exams/{exam}/reopen")
    assert badge(bench) == ("ok", "Delivery")  # what it has was sent
    bench.still(exam)
    assert badge(bench) == ("none", "Delivery")


def test_what_was_tried_in_vain_is_not_on_the_way_even_before_the_sender_says_so(bench: Bench) -> None:
    exam = sealed_exam(bench, 2)
    said_of_forward(bench, destinations=[{"name": name, "state": "ok"} for name in ("pacs", "backup")])
    again = bench.clock.utc_ns() + 15_000_000_000
    reason = "The archive pacs did not answer: nothing listens at 127.0.0.1:11114."
    move(bench, state="queued", attempts=1, code="unreachable", reason=reason, next_attempt_ns=again)
    assert badge(bench) == ("warn", "2 waiting")
    page = bench.client.get("/delivery").text
    for words in ("The archive pacs does not answer.", "Next try ", "On this box: 2.", "unreachable"):
        assert words in page
    bench.post("/deliveries/retry")
    assert badge(bench) == ("going", "2 on the way")
    assert exam in page


def test_who_wants_that_everything_is_tried_at_once_is_answered_what_happens(bench: Bench) -> None:
    def said() -> str:
        return str(bench.post("/deliveries/retry")["said"])

    assert said() == "Nothing waits to be sent."
    sealed_exam(bench, 3)
    assert said().endswith("tried as soon as the delivery process runs again: 3.")
    said_of_forward(bench, destinations=[{"name": name, "state": "ok"} for name in ("pacs", "backup")])
    assert said() == "Asked for. Pictures that are tried again now: 3."  # each once, for two archives
    paused(bench, minutes=5)
    assert said().endswith("tried again now: 3. Whether pacs takes them is seen here within a minute.")
    asked = {"accept-language": "de"}
    assert (
        bench.client.post("/api/v1/deliveries/retry", json={}, headers=asked).json()["said"].endswith("zu sehen.")
    )
    for name in ("pacs", "backup"):
        move(bench, name, state="held", code="sop-class", reason="The archive does not take it.")
    assert said().startswith("Nothing waits for its next try. Stopped: 3:")


def test_nothing_is_tried_again_of_what_is_still_being_prepared(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    bench.spool.exams.release(exam)
    assert bench.post("/deliveries/retry")["said"].endswith("Being prepared, and sent by themselves: 1.")


def test_an_exam_that_was_never_tried_is_not_on_the_way_while_its_archive_is_away(bench: Bench) -> None:
    sealed_exam(bench, 1)
    paused(bench, minutes=5)
    (row,) = bench.client.get("/delivery").text.split('<a class="row"')[1:]
    assert 'class="mark warn"' in row
    (exam,) = bench.spool.exams.list()
    assert '<p class="strip warn" data-advance><span class="mark warn"' in bench.client.get(f"/exam/{exam.id}").text
    said_of_forward(bench, destinations=[{"name": "pacs", "state": "ok"}])
    (row,) = bench.client.get("/delivery").text.split('<a class="row"')[1:]
    assert 'class="mark going"' in row


def test_a_clip_that_is_still_made_counts_among_what_waits_for_an_archive_that_is_away(bench: Bench) -> None:
    sealed_exam(bench, 2)
    paused(bench, minutes=5)
    assert badge(bench) == ("warn", "2 waiting")
    exam = bench.open_exam()
    bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    assert badge(bench) == ("warn", "3 waiting")


@pytest.mark.parametrize(("minutes", "mark"), [(9, "warn"), (61, "bad")])
def test_who_finishes_while_the_archive_is_away_is_told_so_at_once_and_no_calmer_than_by_the_badge(
    bench: Bench, minutes: int, mark: str
) -> None:
    exam = bench.open_exam()
    bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    said_of_forward(bench, destinations=[{"name": "pacs", "state": "ok"}])
    assert "Saved. Will be sent." in bench.client.get(f"/exam/{exam}").text
    paused(bench, minutes=minutes)
    page = bench.client.get(f"/exam/{exam}").text
    assert "Saved. Will be sent." not in page
    assert badge(bench) == (mark, "1 waiting")
    strip = page.split(f'<p class="strip {mark}" data-advance><span class="mark {mark}"')[1].split("</p>")[0]
    for words in (
        "<b>On this box, waits.</b> The archive pacs does not answer. ",
        "ince ",
        "tried again by itself",
    ):
        assert words in strip


def test_a_stick_that_is_full_hides_no_archive_that_is_away(tmp_path: Path) -> None:
    stick = Destination(name="stick", kind="media", folder=Path("/media/stick"), required=False)
    with running(tmp_path, stick) as bench:
        exam = sealed_exam(bench, 1, "pacs", "backup", "stick")
        since = (bench.clock.utc() - timedelta(minutes=9)).isoformat()
        line = {"state": "paused", "action": "", "since": since, "attempt": 3, "next_attempt_in_s": 40}
        full = {"name": "stick", "code": "media-full", "what": "The stick has too little room."}
        silent = {"name": "pacs", "code": "unreachable", "what": "The archive pacs does not answer."}
        said_of_forward(bench, destinations=[{**line, **full}, {**line, **silent}])
        move(bench, "stick", attempts=2, code="media-full", reason=full["what"])
        page = bench.client.get(f"/exam/{exam}").text.split('id="sheet"')[1]
        assert page.index("The archive pacs does not answer.") < page.index("too little room")
        for name in ("pacs", "backup"):
            move(bench, name, state="sent")
        page = bench.client.get(f"/exam/{exam}").text.split('id="sheet"')[1]
        assert page.index('class="mark ok"') < page.index("too little room")
        assert "pacs" not in page


def test_how_many_of_an_exam_were_sent_cannot_be_read_as_the_one_that_is_sent_now(bench: Bench) -> None:
    exam = sealed_exam(bench, 2)
    said_of_forward(bench, destinations=[{"name": "pacs", "state": "ok"}])
    first = bench.spool.deliveries.list(exam=exam)[0].sop_instance_uid
    with bench.spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'sent' WHERE sop_instance_uid = ?", (first,))
    assert "1 of 2 sent" in bench.client.get(f"/exam/{exam}").text


def test_pictures_whose_objects_are_not_made_yet_are_on_the_way_and_wait_when_nobody_makes_them(
    bench: Bench,
) -> None:
    exam = bench.open_exam()
    bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    said_of_forward(bench, destinations=[])
    assert badge(bench) == ("going", "1 on the way")
    (bench.settings.station.runtime_dir / "forward.json").unlink()
    assert badge(bench) == ("bad", "1 waiting")
    page = bench.client.get("/delivery").text
    assert page.count("The delivery process does not run.") == 1
    assert "On this box: 1." in page


def test_a_picture_that_cannot_be_prepared_is_stopped_on_every_screen(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    bench.spool.exams.release(exam)
    bench.spool.captures.set_problem(uid, "codestream-broken", "The picture is broken.")
    assert badge(bench) == ("bad", "1 stopped")


def test_what_waits_for_an_archive_that_is_not_set_up_any_more_is_stopped_and_says_so(bench: Bench) -> None:
    sealed_exam(bench, 2)
    said_of_forward(bench, destinations=[{"name": "pacs", "state": "ok"}])
    move(bench, state="sent")
    with bench.spool.database.write() as connection:
        connection.execute("UPDATE delivery SET destination = 'old' WHERE destination = 'backup'")
    assert badge(bench) == ("bad", "2 stopped")
    page = bench.client.get("/delivery").text
    for words in ("old is not set up any more", "On this box: 2.", "destination-not-configured", "Call IT"):
        assert words in page
