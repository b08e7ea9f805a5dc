"""General Series and General Equipment: which device, through which gateway."""

from gateway import __version__
from gateway.config.settings import Station
from gateway.dicom import values
from gateway.dicom.draft import Draft
from gateway.dicom.patient_study import local
from gateway.dicom.request import Request
from gateway.errors import ObjectError
from gateway.model import Equipment, Exam, Series, Step

GATEWAY = "Scopegate"  # who made it, and what it is called
PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"  # Modality Performed Procedure Step SOP Class


def series_equipment(
    draft: Draft, series: Series, equipment: Equipment, request: Request, station: Station
) -> None:
    """Write the series, and the imaging device that the picture came from."""
    modality = equipment.modality.strip()
    if not modality or not values.allowed("CS", modality):
        raise ObjectError("The modality of this capture is not usable.")
    draft.put("Modality", modality)
    draft.put("SeriesInstanceUID", series.series_instance_uid)
    draft.put("SeriesNumber", str(series.number))
    if equipment.body_part:
        draft.put("BodyPartExamined", equipment.body_part)
    request.series(draft)
    draft.put("Manufacturer")
    draft.describe("Manufacturer", equipment.manufacturer)
    draft.describe("ManufacturerModelName", equipment.model)
    draft.describe("DeviceSerialNumber", equipment.serial_number)
    draft.describe("StationName", equipment.station_name or station.name)
    draft.describe("InstitutionName", equipment.institution or station.institution)
    draft.describe("InstitutionalDepartmentName", equipment.department)


def contributing_gateway(draft: Draft, station: Station) -> None:
    """Write the gateway as Contributing Equipment, in objects that have no SC Equipment (PS3.3 C.12.1)."""
    item = Draft().sequence("PurposeOfReferenceCodeSequence", [code("109102", "DCM", "Processing Equipment")])
    item.put("Manufacturer", GATEWAY).put("ManufacturerModelName", GATEWAY)
    item.describe("StationName", station.name)
    item.describe("InstitutionName", station.institution)
    item.describe("SoftwareVersions", __version__)
    item.put("ContributionDescription", "Captured from a video output")
    draft.sequence("ContributingEquipmentSequence", [item])


def code(value: str, scheme: str, meaning: str) -> Draft:
    """Return the item of a code (PS3.3 8.8)."""
    return Draft().put("CodeValue", value).put("CodingSchemeDesignator", scheme).put("CodeMeaning", meaning)


def performed_step(draft: Draft, exam: Exam, step: Step | None) -> None:
    """Write of which performed procedure step the series is, when a server is told of it (PS3.17 J.2.2)."""
    if step is None or not step.servers:
        return
    reference = Draft().put("ReferencedSOPClassUID", PERFORMED_PROCEDURE_STEP)
    reference.put("ReferencedSOPInstanceUID", step.sop_instance_uid)
    draft.sequence("ReferencedPerformedProcedureStepSequence", [reference])
    step_identity(draft, exam, step)


def step_identity(draft: Draft, exam: Exam, step: Step) -> None:
    """Write what a step and its images have in common, so that they agree."""
    started = local(step.started, exam)
    draft.put("PerformedProcedureStepID", step.id)
    draft.put("PerformedProcedureStepStartDate", f"{started:%Y%m%d}")
    draft.put("PerformedProcedureStepStartTime", f"{started:%H%M%S.%f}")
