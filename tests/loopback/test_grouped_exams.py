"""Exams that are not one order's, through the whole box: two orders done in one go, and no patient at all."""

from collections.abc import Iterator
from dataclasses import dataclass

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.box import Box, until
from tests.loopback.peers import StepServer, StoreScp, WlmScpfs
from tests.loopback.peers.items import worklist_item
from tests.loopback.peers.step_server import Message
from tests.loopback.whole_box import as_destination, as_worklist, today

PATIENT = "P00903"
LISTED = [  # of each order, in the order in which they were chosen
    ("A00904", "RP904", "SPS904", "Thyroid"),
    ("A00903", "RP903", "SPS903", "Abdomen"),
]
SHARED = (  # what objects and steps both say of an order
    "AccessionNumber",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "ScheduledProcedureStepID",
    "ScheduledProcedureStepDescription",
)


@dataclass
class Told:
    """What was told of one exam: its step from beginning to end, and its object."""

    create: Dataset
    end: Dataset
    object: Dataset


@pytest.fixture(scope="module")
def server() -> Iterator[StepServer]:
    with StepServer() as peer:
        yield peer


@pytest.fixture(scope="module")
def box(
    tmp_path_factory: pytest.TempPathFactory,
    worklist_server: WlmScpfs,
    archive_of_everything: StoreScp,
    server: StepServer,
) -> Iterator[Box]:
    worklist_server.clear()
    for number, description in ((903, "Abdomen"), (904, "Thyroid")):
        item = worklist_item(number=number, day=today())
        item.PatientID = PATIENT
        item.ScheduledProcedureStepSequence[0].ScheduledProcedureStepDescription = description
        worklist_server.add(f"item{number}", item)
    steps = {"name": "ris", "ae_title": server.ae_title, "host": "127.0.0.1", "port": server.port}
    with Box(
        tmp_path_factory.mktemp("box"),
        worklists=[as_worklist(worklist_server)],
        procedure_steps=[steps],
        destinations=[as_destination("pacs", archive_of_everything)],
        release={"temporary": "send"},
    ) as running:
        yield running
    worklist_server.clear()


def examined(box: Box, server: StepServer, archive: StoreScp, **subject: object) -> Told:
    """Take a still of an exam of that subject, and return what was told once everything was."""
    before = len(server.heard)
    exam = str(box.create("/exams", dict(subject))["id"])
    uid = str(box.still(exam)["sop_instance_uid"])
    box.finish(exam)
    box.until_delivered(exam, 1)

    def said() -> list[Message]:
        new = server.heard[before:]
        return new if [(each.kind, each.status) for each in new] == [("create", 0), ("set", 0)] else []

    create, end = until("the step to be told to its end", said)
    assert create.step == end.step
    assert server.problems == []
    return Told(create=create.data_set, end=end.data_set, object=pydicom.dcmread(archive.file(uid)))


def test_an_exam_of_two_orders_is_one_step_that_names_both_as_its_pictures_do(
    box: Box, server: StepServer, archive_of_everything: StoreScp
) -> None:
    listed = {item["accession_number"]: item["id"] for item in box.post("/worklist/refresh")["items"]}
    chosen = [listed[accession] for accession, *_ in LISTED]
    told = examined(box, server, archive_of_everything, worklist_item=chosen)
    scheduled = told.create.ScheduledStepAttributesSequence
    assert [
        (i.AccessionNumber, i.RequestedProcedureID, i.ScheduledProcedureStepID, i.ScheduledProcedureStepDescription)
        for i in scheduled
    ] == LISTED
    assert [[item[word] for word in SHARED] for item in told.object.RequestAttributesSequence] == [
        [item[word] for word in SHARED] for item in scheduled
    ]
    # The step is found by the pictures' study; each picture also says for which study an order was given.
    assert {item.StudyInstanceUID for item in scheduled} == {told.object.StudyInstanceUID}
    requested = [item.StudyInstanceUID for item in told.object.RequestAttributesSequence]
    assert requested == [told.object.StudyInstanceUID, "2.25.1903"]
    assert told.create.PatientID == told.object.PatientID == PATIENT
    assert_same_performed(told)


def test_an_exam_without_patient_that_may_leave_is_told_as_unscheduled(
    box: Box, server: StepServer, archive_of_everything: StoreScp
) -> None:
    told = examined(box, server, archive_of_everything, emergency=True)
    (scheduled,) = told.create.ScheduledStepAttributesSequence
    assert scheduled.StudyInstanceUID == told.object.StudyInstanceUID
    assert not scheduled.AccessionNumber
    assert not scheduled.ScheduledProcedureStepID
    assert told.create.PatientID == told.object.PatientID
    assert told.create.PatientName == told.object.PatientName
    assert_same_performed(told)


def assert_same_performed(told: Told) -> None:
    """Check that the step's end lists the object, and that the object names the step."""
    assert told.end.PerformedProcedureStepStatus == "COMPLETED"
    (series,) = told.end.PerformedSeriesSequence
    (image,) = series.ReferencedImageSequence
    assert series.SeriesInstanceUID == told.object.SeriesInstanceUID
    assert image.ReferencedSOPInstanceUID == told.object.SOPInstanceUID
    assert told.create.PerformedProcedureStepID == told.object.PerformedProcedureStepID
