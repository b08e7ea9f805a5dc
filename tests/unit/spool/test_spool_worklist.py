"""The cached list, and beside it what somebody looked for."""

from gateway.model import Patient, Procedure, WorklistItem
from gateway.spool.spool import Spool


def entry(name: str, description: str = "") -> WorklistItem:
    return WorklistItem(
        id=name,
        server="ris",
        patient=Patient(name=name, id=name),
        procedure=Procedure(description=description),
        study_instance_uid="",
        character_set="",
    )


def listed(spool: Spool) -> list[str]:
    return [item.id for item in spool.worklist.items(found=False)]


def test_who_was_looked_for_stays_beside_the_list_for_a_while(spool: Spool) -> None:
    spool.worklist.replace("ris", [entry("A")])
    spool.worklist.add("ris", [entry("B")])
    assert listed(spool) == ["A"]
    assert spool.worklist.get("B").patient.name == "B"
    for _ in range(29):
        spool.worklist.replace("ris", [entry("A")])
    assert [item.id for item in spool.worklist.items()] == ["A", "B"]
    spool.worklist.replace("ris", [entry("A")])
    assert [item.id for item in spool.worklist.items()] == ["A"]


def test_who_is_on_the_list_is_not_taken_from_it_by_a_search(spool: Spool) -> None:
    spool.worklist.replace("ris", [entry("A")])
    spool.worklist.add("ris", [entry("A", "found"), entry("B")])
    assert listed(spool) == ["A"]
    spool.worklist.replace("ris", [entry("A"), entry("B")])
    assert listed(spool) == ["A", "B"]


def test_a_search_at_a_server_that_never_answered_before_is_kept(spool: Spool) -> None:
    spool.worklist.add("new", [entry("A")])
    assert spool.worklist.get("A").id == "A"
    assert listed(spool) == []
