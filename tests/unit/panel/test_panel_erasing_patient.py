"""Everything of one patient, erased on the screen: found by ID and issuer alone, said and audited exam by exam."""

import html
import re

import httpx2
import pytest

from gateway.errors import ExamOpen
from gateway.model import DeliveryState, Identity, Patient
from gateway.panel.people.roles import Door, Role
from gateway.panel.shown import erasures
from gateway.spool.erasure import erasable, erasable_patient, erased
from gateway.spool.files import locked
from gateway.spool.states import Owner
from gateway.spool.subjects import Subject
from tests.unit.panel.conftest import Bench, seal
from tests.unit.panel.exams_that_leave import sealed_exam
from tests.unit.panel.test_panel_erasing import audited
from tests.unit.panel.who_may import people, signed_in

ANNA = Patient(name="MEIER^Anna", id="4711-0815", issuer="CLINIC", birth_date="19680314", sex="F")

NOTHING: dict[str, object] = {"others": [], "named": []}  # is left on the box that has to do with the patient


@pytest.fixture
def huber(bench: Bench) -> httpx2.Client:
    """The browser of an administrator who signed in at the box."""
    bench.client.headers.update(signed_in(bench, people(bench)[Role.ADMINISTRATOR], Door.FRONT))
    return bench.client


def ended(bench: Bench, patient: Patient, identity: Identity = Identity.TYPED) -> str:
    """Return a released exam of one picture."""
    exam = bench.spool.exams.open(Subject(identity=identity, patient=patient))[0].id
    seal(bench, exam, bench.still(exam))
    bench.spool.exams.finish(exam)
    return bench.spool.exams.release(exam).id


def words(browser: httpx2.Client, address: str) -> str:
    text = browser.get(address).raise_for_status().text
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", text).split()))


def page(browser: httpx2.Client, exam: str, more: str = "") -> str:
    return words(browser, f"/erase/{exam}/patient{more}")


def shown(browser: httpx2.Client, exam: str) -> str:
    """Return the exams that the page with the number names to the call."""
    text = browser.get(f"/erase/{exam}/patient/number").raise_for_status().text
    (exams,) = re.findall(r'name="exams" value="([^"]*)"', text)
    return exams


def ids(exams: str) -> set[str]:
    return {each.partition(":")[0] for each in exams.split()}


def erase(browser: httpx2.Client, exam: str, pictures: str, exams: str) -> httpx2.Response:
    return browser.post(f"/api/v1/exams/{exam}/erase-patient", json={"pictures": pictures, "exams": exams})


def being_sent(bench: Bench, exam: str) -> None:
    delivery = bench.spool.deliveries.list(exam=exam, states_wanted=(DeliveryState.QUEUED,))[0]
    bench.spool.deliveries.move(delivery, DeliveryState.SENDING, Owner.FORWARD)


def listed(bench: Bench) -> set[str]:
    return {each.id for each in bench.spool.exams.list()}


def test_the_page_of_one_exam_leads_to_everything_of_its_patient_if_it_has_one(
    bench: Bench, huber: httpx2.Client
) -> None:
    exam = sealed_exam(bench, 1)
    nobody = ended(bench, Patient(name="EMERG-1", id="EMERG-1"), Identity.TEMPORARY)
    assert f'href="/erase/{exam}/patient"' in huber.get(f"/erase/{exam}").text
    assert "/patient" not in huber.get(f"/erase/{nobody}").text
    for way in ("patient", "patient/number"):
        asked = huber.get(f"/erase/{nobody}/{way}", follow_redirects=False)
        assert (asked.status_code, asked.headers["location"]) == (303, f"/erase/{nobody}")
    assert erase(huber, nobody, "1", nobody).json()["code"] == "wrong-state"
    assert listed(bench) == {exam, nobody}


def test_every_exam_is_shown_with_what_is_lost_and_who_has_copies(bench: Bench, huber: httpx2.Client) -> None:
    first, second = sealed_exam(bench, 2), sealed_exam(bench, 1)
    one, two = (each.capture.sop_instance_uid for each in bench.spool.captures.of_exam(first))
    with bench.spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = 'committed' WHERE destination = 'pacs' AND sop_instance_uid = ?", (one,)
        )
    bench.spool.audit.note("exported", by="panel", exam=second, objects=1, to="/media/stick")
    for form in ("dicom", "media"):
        bench.spool.audit.note(
            "capture-downloaded", by="panel", person="Rossi", exam=first, capture=two, form=form, address="10.0.0.7"
        )
    said = page(huber, second)
    assert "Exams that can be erased: 2. Pictures that are erased for good: 3." in said
    assert ": 2. Sent or not, no archive said that it keeps them: 2." in said
    assert "Elsewhere: pacs : 1 , Rossi : 1 (fetched files with a browser) pictures: 2 never sent: 1" in said
    assert "Elsewhere: /media/stick : 1 pictures: 1 never sent: 1 not said to be kept: 1" in said
    assert "Stays on this box" not in said
    assert "Rossi fetched files with a browser objects: 1" in words(huber, f"/erase/{first}")


def test_the_number_of_all_pictures_erases_them_all_and_the_audit_has_each(
    bench: Bench, huber: httpx2.Client
) -> None:
    first, second, third = (sealed_exam(bench, pictures) for pictures in (2, 1, 0))
    exams = shown(huber, second)
    assert ids(exams) == {first, second, third}
    for number in ("2", "4", "two"):
        assert erase(huber, second, number, exams).json()["code"] == "other-number"
    assert erase(huber, second, "", exams).json()["code"] == "bad-value"
    assert listed(bench) == {first, second, third}
    assert erase(huber, second, "3", exams).json() == {"clean": True, "erased": 3, "left": [], **NOTHING}
    assert listed(bench) == set()
    lines = audited(bench)
    # The exam whose page it was goes last: until then its page says what is left.
    assert max(lines, key=lambda line: str(line["begun"]))["exam"] == second
    assert {(line["exam"], line["pictures"], line["person"], line["by"]) for line in lines} == {
        (exam, pictures, "Huber", "panel") for exam, pictures in ((first, 2), (second, 1), (third, 0))
    }
    assert "MEIER" not in str(lines)
    assert erase(huber, second, "3", exams).json()["code"] == "not-found"
    assert "The exams are erased from this box." in words(huber, "/erased?several=1")


def test_a_patient_is_an_id_and_its_issuer_and_never_a_name(bench: Bench, huber: httpx2.Client) -> None:
    exam = ended(bench, ANNA)
    renamed = ended(bench, Patient(name="MEIER^Annemarie", id=ANNA.id, issuer=ANNA.issuer))
    others = {
        ended(bench, Patient(name=ANNA.name, id="4711-08150", issuer=ANNA.issuer, birth_date=ANNA.birth_date)),
        ended(bench, Patient(name=ANNA.name, id=ANNA.id, issuer="ELSEWHERE")),
        ended(bench, Patient(name=ANNA.name, id=ANNA.id)),
        ended(bench, ANNA, Identity.TEMPORARY),
    }
    said = page(huber, exam)
    assert "Exams that can be erased: 2." in said
    assert "another name: MEIER, Annemarie" in said
    assert "Exams with the same ID by another issuer, perhaps of another person: 2." in said
    assert ids(shown(huber, exam)) == {exam, renamed}
    answer = erase(huber, exam, "2", shown(huber, exam)).json()
    assert listed(bench) == others
    assert (answer["left"], len(answer["others"]), answer["named"]) == ([], 2, [])
    after = f"/erased/others?others={'+'.join(answer['others'])}&named="
    assert "perhaps of another person: 2." in words(huber, after)
    for each in answer["others"]:
        assert f'href="/erase/{each}"' in huber.get(after).text


def test_an_exam_that_cannot_be_erased_is_said_and_stops_no_other(bench: Bench, huber: httpx2.Client) -> None:
    sent, goes, unchecked = sealed_exam(bench, 1), sealed_exam(bench, 2), bench.open_exam()
    being_sent(bench, sent)
    bench.spool.exams.finish(unchecked, please_check="reboot")
    said = page(huber, sent)
    assert "Exams that can be erased: 1. Pictures that are erased for good: 2." in said
    _, _, stays = said.partition("Stays on this box")
    assert "A picture of this exam is being sent at this moment. Try again in a minute." in stays
    assert "Nobody has confirmed the patient of this exam yet: it may be another's." in stays
    assert "Others that stay: 2." in huber.get(f"/erase/{sent}/patient/number").text
    assert ids(shown(huber, sent)) == {goes}
    answer = erase(huber, sent, "2", shown(huber, sent)).json()
    assert answer == {"clean": True, "erased": 1, "left": [sent, unchecked], **NOTHING}
    assert listed(bench) == {sent, unchecked}
    left = page(huber, answer["left"][0], "?after=1")
    assert "What could be erased is erased from this box. Still on it:" in left
    assert "A picture of this exam is being sent at this moment." in left
    assert "/number" not in huber.get(f"/erase/{sent}/patient").text


def test_other_exams_than_were_shown_are_never_erased(bench: Bench, huber: httpx2.Client) -> None:
    first, second = sealed_exam(bench, 1), sealed_exam(bench, 1)
    being_sent(bench, second)
    exams = shown(huber, first)
    third = sealed_exam(bench, 0)  # as many pictures as before
    answer = erase(huber, first, "1", exams)
    assert (answer.status_code, answer.json()["code"]) == (403, "other-number")
    assert "not the exams of the patient that can be erased now" in answer.json()["what"]
    assert listed(bench) == {first, second, third}


def test_of_a_page_that_is_old_nothing_of_another_patient_is_erased(bench: Bench, huber: httpx2.Client) -> None:
    exam = bench.spool.exams.open(Subject(identity=Identity.TYPED, patient=ANNA))[0].id
    bench.spool.exams.finish(exam)
    looked_at = shown(huber, exam)
    other = Patient(name="HUBER^Karl", id="1")
    bench.spool.exams.assign(exam, Subject(identity=Identity.TYPED, patient=other))
    answer = erase(huber, exam, "0", looked_at)
    assert (answer.status_code, answer.json()["code"]) == (403, "other-number")
    assert listed(bench) == {exam}
    assert erase(huber, exam, "0", shown(huber, exam)).json()["erased"] == 1


def test_a_file_that_cannot_be_removed_keeps_no_other_exam_on_the_box(bench: Bench, huber: httpx2.Client) -> None:
    exams = [sealed_exam(bench, 1) for _ in range(3)]
    for exam in exams[:2]:
        (bench.spool.layout.exam(exam) / "a folder that somebody made").mkdir()
    answer = erase(huber, exams[2], "3", shown(huber, exams[2])).json()
    assert answer == {"clean": False, "erased": 3, "left": [], **NOTHING}
    assert listed(bench) == set()
    assert [line["exam"] for line in audited(bench)] == [exams[2]]
    assert not bench.spool.layout.erased(exams[2]).exists()
    assert "Traces are left on the disk." in huber.get("/erased").text
    for exam in exams[:2]:
        (bench.spool.layout.erased(exam) / "a folder that somebody made").rmdir()
    with locked(bench.spool.layout.migration_lock):  # as the next start does
        assert erased.take_up(bench.spool)
    assert {line["exam"] for line in audited(bench)} == set(exams)


def test_nothing_is_erased_while_any_exam_is_open(bench: Bench, huber: httpx2.Client) -> None:
    exam = sealed_exam(bench, 1)
    exams = shown(huber, exam)
    bench.open_exam("HUBER^Karl", patient={"name": "HUBER^Karl", "id": "1"})
    assert "An exam is open on this box." in page(huber, exam)
    asked = huber.get(f"/erase/{exam}/patient/number", follow_redirects=False)
    assert asked.headers["location"] == f"/erase/{exam}/patient"
    assert erase(huber, exam, "1", exams).json()["code"] == "exam-open"


def test_an_exam_that_is_opened_in_the_middle_keeps_the_rest_on_the_box(
    bench: Bench, huber: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    exams = [sealed_exam(bench, 1) for _ in range(3)]
    agreed = shown(huber, exams[0])
    asked = iter((None, None, ExamOpen()))  # by the call, and then before each exam

    def refuse(_: object) -> None:
        if why := next(asked, ExamOpen()):
            raise why

    monkeypatch.setattr(erasable, "refuse_on_screen", refuse)
    answer = erase(huber, exams[0], "3", agreed).json()
    assert (answer["erased"], answer["left"]) == (1, [exams[0], exams[2]])
    assert listed(bench) == {exams[0], exams[2]}


def test_an_exam_that_was_this_patient_s_first_stays_and_is_named(bench: Bench, huber: httpx2.Client) -> None:
    exam, other = ended(bench, ANNA), bench.spool.exams.open(Subject(identity=Identity.TYPED, patient=ANNA))[0].id
    bench.still(other)
    bench.spool.exams.finish(other)
    bench.spool.exams.assign(other, Subject(identity=Identity.TYPED, patient=Patient(name="HUBER^Karl", id="1")))
    assert "Was this patient's first and is another's now" in page(huber, exam)
    assert f'href="/erase/{other}"' in huber.get(f"/erase/{exam}/patient").text
    assert ids(shown(huber, exam)) == {exam}
    assert erase(huber, exam, "1", shown(huber, exam)).json()["named"] == [other]
    after = f"/erased/others?others=&named={other}+{exam}"
    assert "HUBER, Karl" in words(huber, after)
    assert "Was this patient's first and is another's now" in words(huber, after)
    assert f'href="/erase/{other}"' in huber.get(after).text


def test_of_very_many_exams_some_are_shown_and_the_page_says_so(
    bench: Bench, huber: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    exams = [sealed_exam(bench, 0) for _ in range(3)]
    monkeypatch.setattr(erasures, "MOST", 3)
    assert "There are perhaps more." not in page(huber, exams[0])
    monkeypatch.setattr(erasures, "MOST", 2)
    assert "There are perhaps more." in page(huber, exams[0])
    assert ids(shown(huber, exams[2])) == set(exams[:2])
    answer = erase(huber, exams[2], "0", shown(huber, exams[2])).json()
    assert answer == {"clean": True, "erased": 2, "left": [exams[2]], **NOTHING}
    after = page(huber, exams[2], "?after=1")
    assert "Exams that can be erased: 1." in after
    assert "What could be erased is erased" not in after


def test_however_many_exams_stay_those_that_can_go_behind_them_are_found(
    bench: Bench, huber: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay = [sealed_exam(bench, 1) for _ in range(3)]
    for exam in stay:
        being_sent(bench, exam)
    goes = [sealed_exam(bench, 0) for _ in range(3)]
    monkeypatch.setattr(erasures, "MOST", 2)
    monkeypatch.setattr(erasable_patient, "_AT_A_TIME", 1)
    assert ids(shown(huber, stay[0])) == set(goes[:2])
    assert "Others that stay: 1." in page(huber, stay[0])
    assert "Others that stay: 3." in words(huber, f"/erase/{stay[0]}/patient/number")
    assert erase(huber, stay[0], "0", shown(huber, stay[0])).json()["left"] == stay[:2]
    assert ids(shown(huber, stay[0])) == {goes[2]}
    assert erase(huber, stay[0], "0", shown(huber, stay[0])).json()["erased"] == 1
    assert listed(bench) == set(stay)
    assert "What could be erased is erased" in page(huber, stay[0], "?after=1")


def test_a_cut_in_the_middle_leaves_whole_exams_and_the_page_shows_them(bench: Bench, huber: httpx2.Client) -> None:
    first, second = sealed_exam(bench, 1), sealed_exam(bench, 2)
    bench.spool.layout.exam(first).rename(bench.spool.layout.erased(first))  # its mark, and then the power goes
    with locked(bench.spool.layout.migration_lock):  # as the next start does
        assert erased.take_up(bench.spool)
    assert "Exams that can be erased: 1. Pictures that are erased for good: 2." in page(huber, second)
    assert erase(huber, second, "2", shown(huber, second)).json() == {
        "clean": True,
        "erased": 1,
        "left": [],
        **NOTHING,
    }
