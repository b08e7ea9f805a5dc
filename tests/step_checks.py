"""What PS3.4 F.7.2 asks of messages about performed procedure steps. Nothing here uses the product's own reader.

`problems_of_create` and `problems_of_set` are empty for good data sets.
"""

_TYPE_1 = (
    "ScheduledStepAttributesSequence",
    "PerformedProcedureStepID",
    "PerformedStationAETitle",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "PerformedProcedureStepStatus",
    "Modality",
)
_TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "ReferencedPatientSequence",
    "PerformedStationName",
    "PerformedLocation",
    "PerformedProcedureStepDescription",
    "PerformedProcedureTypeDescription",
    "ProcedureCodeSequence",
    "PerformedProcedureStepEndDate",
    "PerformedProcedureStepEndTime",
    "StudyID",
    "PerformedProtocolCodeSequence",
    "PerformedSeriesSequence",
)
_SCHEDULED_TYPE_2 = (
    "ReferencedStudySequence",
    "AccessionNumber",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "ScheduledProcedureStepID",
    "ScheduledProcedureStepDescription",
    "ScheduledProtocolCodeSequence",
)
_SERIES_TYPE_2 = (
    "PerformingPhysicianName",
    "OperatorsName",
    "SeriesDescription",
    "RetrieveAETitle",
    "ReferencedImageSequence",
    "ReferencedNonImageCompositeSOPInstanceSequence",
)
_REASONS = "PerformedProcedureStepDiscontinuationReasonCodeSequence"
_MAY_BE_SET = {  # table F.7.2-1, column N-SET, as far as this product uses it
    "SpecificCharacterSet",
    "PerformedProcedureStepStatus",
    "PerformedProcedureStepEndDate",
    "PerformedProcedureStepEndTime",
    "PerformedSeriesSequence",
    _REASONS,
}


def problems_of_create(dataset):
    """What is wrong with the attribute list of an N-CREATE."""
    found = [f"{keyword} has no value" for keyword in _TYPE_1 if not dataset.get(keyword)]
    found += [f"{keyword} is absent" for keyword in (*_TYPE_2, _REASONS) if keyword not in dataset]
    for item in dataset.get("ScheduledStepAttributesSequence", ()):
        if not item.get("StudyInstanceUID"):
            found.append("a scheduled step has no study")
        found += [
            f"{keyword} of a scheduled step is absent" for keyword in _SCHEDULED_TYPE_2 if keyword not in item
        ]
    if dataset.get("PerformedProcedureStepStatus") != "IN PROGRESS":
        found.append("it does not begin in progress")
    if any(dataset.get(each) for each in ("PerformedProcedureStepEndDate", "PerformedSeriesSequence", _REASONS)):
        found.append("it ends before it began")
    return found


def problems_of_set(dataset, create):
    """What is wrong with the modification list of a final N-SET after that create."""
    keywords = {element.keyword for element in dataset}
    found = [f"{keyword} may not be set" for keyword in sorted(keywords - _MAY_BE_SET)]
    found += [f"{keyword} was not created" for keyword in sorted(keywords) if keyword not in create]
    if dataset.get("SpecificCharacterSet") != create.get("SpecificCharacterSet"):
        found.append("the character set is not that of the create")
    status = dataset.get("PerformedProcedureStepStatus")
    if status not in {"COMPLETED", "DISCONTINUED"} or (status == "DISCONTINUED") != bool(dataset.get(_REASONS)):
        found.append(f"{status} does not go with its reasons")
    for keyword in ("PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime", "PerformedSeriesSequence"):
        if not dataset.get(keyword):
            found.append(f"{keyword} has no value")
    for item in dataset.get("PerformedSeriesSequence", ()):
        found += [f"{k} of a series has no value" for k in ("ProtocolName", "SeriesInstanceUID") if not item.get(k)]
        found += [f"{keyword} of a series is absent" for keyword in _SERIES_TYPE_2 if keyword not in item]
    return found
