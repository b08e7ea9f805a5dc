"""What an object or a procedure step takes over from its order: exact bytes where they say what the exam says.

Mapping: IHE's and PS3.17 J's, as told in docs/decisions/0004-objects.md. A descriptive value that its VR does not
allow is left out; an identity that cannot be written as it is raises ObjectError.
"""

from collections.abc import Sequence
from itertools import chain

from gateway.dicom import charset, elements, values
from gateway.dicom.draft import Draft
from gateway.dicom.elements import Element, Elements
from gateway.errors import ObjectError, TextDoesNotFit
from gateway.model import Exam

_STEP = "ScheduledProcedureStepSequence"
_CODE = (
    "CodeValue",
    "CodingSchemeDesignator",
    "CodingSchemeVersion",
    "CodeMeaning",
    "LongCodeValue",
    "URNCodeValue",
)
_REFERENCE = ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID")
_OF_STEP = (  # type 2 in an item of the Scheduled Step Attributes Sequence (PS3.4 table F.7.2-1)
    "ReferencedStudySequence",
    "AccessionNumber",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "ScheduledProcedureStepID",
    "ScheduledProcedureStepDescription",
    "ScheduledProtocolCodeSequence",
)
_OF_REQUEST = (  # type 2 in an item of the Referenced Request Sequence (PS3.3 table C.17-2)
    "ReferencedStudySequence",
    "AccessionNumber",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "RequestedProcedureCodeSequence",
)
_ISSUER = ("LocalNamespaceEntityID", "UniversalEntityID", "UniversalEntityIDType")


class Request:
    """An exam's order, or none, and how to copy from it.

    further: the other orders of a grouped exam. into: the character set of the first order, when this is a further
    one: under another of its own its texts are copied as texts.
    """

    def __init__(
        self,
        exam: Exam,
        order: Elements,
        character_set: str,
        *,
        further: Sequence["Request"] = (),
        into: str | None = None,
    ) -> None:
        self._exam = exam
        self._order = order
        self._step = order.first(_STEP)
        self._further = further
        self._as_text = into is not None and into != character_set
        self.character_set = character_set

    def identity(self, draft: Draft, keyword: str, text: str) -> None:
        """Write what identifies the patient. Raises ObjectError when it cannot be written as it is."""
        element = self._order.find(keyword)
        if text and element and charset.decode_for_display(element.value, self.character_set) == text:
            if not self._readable(element):
                raise TextDoesNotFit(
                    f"The order's {keyword} cannot be read in its character set.",
                    action="Assign the exam to typed patient data, and set “Character set when the server says "
                    "none” for that server.",
                )
            if not values.allowed(elements.vr_of(element.tag), text):
                raise ObjectError(
                    f"The order's {keyword} is longer than DICOM allows or has characters that it does not.",
                    action="Assign the exam to typed patient data, or have the worklist server corrected.",
                )
            draft.copy(keyword, element)
        else:
            draft.put(keyword, text)

    def linked(self, draft: Draft, keyword: str, text: str, *candidates: Element | None) -> bool:
        """Write `text` with the bytes of the first candidate that says the same; no text: the first usable.

        Says whether something was written.
        """
        for element in candidates:
            if element and (not text or self._says(element, text)) and self.offer(draft, keyword, element):
                return True
        readable = text and charset.REPLACED not in text
        if readable and values.allowed(elements.vr_of(elements.tag(keyword)), text):
            draft.put(keyword, text)
            return True
        return False

    def offer(self, draft: Draft, keyword: str, element: Element | None) -> bool:
        """Copy a value when there is one and it is allowed under that keyword."""
        if element is None or not element.bare.strip():
            return False
        vr = elements.vr_of(elements.tag(keyword))
        try:
            text = charset.decode(element.value, self.character_set if vr in charset.TEXT_VRS else "")
        except TextDoesNotFit:
            return False
        if not values.allowed(vr, text):
            return False
        if self._as_text:
            draft.put(keyword, text.rstrip(" "))
        else:
            draft.copy(keyword, element)
        return True

    def study(self, draft: Draft) -> None:
        """Write what the study takes from the order."""
        procedure, order = self._exam.procedure, self._order
        self._accession(draft)
        physician = order.find("ReferringPhysicianName")
        if not self.linked(draft, "ReferringPhysicianName", procedure.referring_physician, physician):
            draft.put("ReferringPhysicianName")
        self.study_id(draft)
        self.linked(draft, "StudyDescription", procedure.description, *self._descriptions())
        for keyword in ("AdmissionID", "PatientSize", "PatientWeight"):
            self.offer(draft, keyword, order.find(keyword))
        draft.sequence("ProcedureCodeSequence", self._procedures())
        draft.sequence("ReferencedStudySequence", self._references())

    def study_id(self, draft: Draft) -> None:
        """Write the Study ID, empty when there is none."""
        if not self.linked(draft, "StudyID", self._exam.study_id, self._order.find("RequestedProcedureID")):
            draft.put("StudyID")

    def series(self, draft: Draft) -> None:
        """Write what was done, as far as it is what was scheduled, and the request itself."""
        self._done(draft)
        draft.sequence("RequestAttributesSequence", [each.attributes() for each in (self, *self._further)])

    def performed(self, draft: Draft) -> None:
        """Write what a performed procedure step says of its order, and what was scheduled (PS3.4 F.7.2)."""
        self._done(draft)
        draft.sequence("ProcedureCodeSequence", self._procedures())
        draft.sequence("ReferencedPatientSequence", self._whole_references("ReferencedPatientSequence"))
        self.offer(draft, "PerformedLocation", self._step.find("ScheduledProcedureStepLocation"))
        self.offer(draft, "AdmissionID", self._order.find("AdmissionID"))
        study = self._exam.study_instance_uid  # that of the images, in every item: by it they are found
        items = [each.scheduled(study) for each in (self, *self._further)]
        draft.sequence("ScheduledStepAttributesSequence", items)

    def procedure_codes(self) -> list[Draft]:
        return self._codes(self._order, "RequestedProcedureCodeSequence")

    def protocol_codes(self) -> list[Draft]:
        return self._codes(self._step, "ScheduledProtocolCodeSequence")

    def _done(self, draft: Draft) -> None:
        scheduled = self._step.find("ScheduledProcedureStepDescription")
        self.offer(draft, "PerformedProcedureStepDescription", scheduled)
        codes = (each.protocol_codes() for each in (self, *self._further))
        draft.sequence("PerformedProtocolCodeSequence", list(chain.from_iterable(codes)))

    def _procedures(self) -> list[Draft]:
        return list(chain.from_iterable(each.procedure_codes() for each in (self, *self._further)))

    def _accession(self, draft: Draft) -> None:
        """Write the accession number of the study: that of its order, or of all of its orders."""
        number, ordered = self._exam.accession_number, self._order.find("AccessionNumber")
        if (self._further and not number) or not self.linked(draft, "AccessionNumber", number, ordered):
            draft.put("AccessionNumber")
        elif ordered and ordered.bare:
            draft.sequence("IssuerOfAccessionNumberSequence", self._issuers())

    def scheduled(self, study: str) -> Draft:
        """Return one item of the Scheduled Step Attributes Sequence; without order all but the study is empty."""
        procedure, order, step, item = self._exam.procedure, self._order, self._step, Draft()
        item.put("StudyInstanceUID", study)
        if self.linked(item, "AccessionNumber", procedure.accession_number, order.find("AccessionNumber")):
            item.sequence("IssuerOfAccessionNumberSequence", self._issuers())
        requested = order.find("RequestedProcedureID")
        self.linked(item, "RequestedProcedureID", procedure.requested_procedure_id, requested)
        self.linked(item, "ScheduledProcedureStepID", procedure.step_id, step.find("ScheduledProcedureStepID"))
        self.offer(item, "RequestedProcedureDescription", order.find("RequestedProcedureDescription"))
        description = "ScheduledProcedureStepDescription"
        self.offer(item, description, step.find(description))
        item.sequence("RequestedProcedureCodeSequence", self.procedure_codes())
        item.sequence("ScheduledProtocolCodeSequence", self.protocol_codes())
        item.sequence("ReferencedStudySequence", self._references())
        return item.present(*_OF_STEP)

    def referenced(self) -> list[Draft]:
        """Return what a document answers, one item an order that has an id (PS3.3 C.17.2, Referenced Request)."""
        return [each.answered() for each in (self, *self._further) if not each.attributes().is_empty]

    def answered(self) -> Draft:
        """Return one item of the Referenced Request Sequence."""
        procedure, order, item = self._exam.procedure, self._order, Draft()
        item.put("StudyInstanceUID", self._exam.study_instance_uid)
        if self.linked(item, "AccessionNumber", procedure.accession_number, order.find("AccessionNumber")):
            item.sequence("IssuerOfAccessionNumberSequence", self._issuers())
        requested = order.find("RequestedProcedureID")
        self.linked(item, "RequestedProcedureID", procedure.requested_procedure_id, requested)
        for keyword in (
            "RequestedProcedureDescription",
            "PlacerOrderNumberImagingServiceRequest",
            "FillerOrderNumberImagingServiceRequest",
        ):
            self.offer(item, keyword, order.find(keyword))
        item.sequence("RequestedProcedureCodeSequence", self.procedure_codes())
        item.sequence("ReferencedStudySequence", self._references())
        return item.present(*_OF_REQUEST)

    def attributes(self) -> Draft:
        """Return the one item of the Request Attributes Sequence; an empty one when nothing was requested."""
        procedure, order, step, item = self._exam.procedure, self._order, self._step, Draft()
        requested = order.find("RequestedProcedureID")
        scheduled = step.find("ScheduledProcedureStepID")
        wrote = self.linked(item, "RequestedProcedureID", procedure.requested_procedure_id, requested)
        wrote |= self.linked(item, "ScheduledProcedureStepID", procedure.step_id, scheduled)
        if not wrote:
            return Draft()
        if self.linked(item, "AccessionNumber", procedure.accession_number, order.find("AccessionNumber")):
            item.sequence("IssuerOfAccessionNumberSequence", self._issuers())
        item.put("StudyInstanceUID", self._exam.study_instance_uid)
        for keyword in ("RequestedProcedureDescription", "ReasonForTheRequestedProcedure", "RequestingPhysician"):
            self.offer(item, keyword, order.find(keyword))
        description = "ScheduledProcedureStepDescription"
        self.offer(item, description, step.find(description))
        for source, keyword in (
            (order, "RequestedProcedureCodeSequence"),
            (order, "ReasonForRequestedProcedureCodeSequence"),
            (step, "ScheduledProtocolCodeSequence"),
        ):
            item.sequence(keyword, self._codes(source, keyword))
        item.sequence("ReferencedStudySequence", self._references())
        return item

    def _says(self, element: Element, text: str) -> bool:
        return charset.decode_for_display(element.value, self.character_set) == text

    def _readable(self, element: Element) -> bool:
        try:
            charset.decode(element.value, self.character_set)
        except TextDoesNotFit:
            return False
        return True

    def _descriptions(self) -> tuple[Element | None, ...]:
        return (
            self._order.find("RequestedProcedureDescription"),
            self._step.find("ScheduledProcedureStepDescription"),
            self._order.first("RequestedProcedureCodeSequence").find("CodeMeaning"),
            self._step.first("ScheduledProtocolCodeSequence").find("CodeMeaning"),
        )

    def _items(self, source: Elements, keyword: str, wanted: tuple[str, ...]) -> list[Draft]:
        drafts = []
        found = source.find(keyword)
        for item in found.items if found else ():
            draft = Draft()
            for each in wanted:
                self.offer(draft, each, item.find(each))
            drafts.append(draft)
        return drafts

    def _codes(self, source: Elements, keyword: str) -> list[Draft]:
        """Return the items that are codes; servers send empty ones, because they were asked for them."""
        kinds = ("CodeValue", "LongCodeValue", "URNCodeValue")
        return [
            item
            for item in self._items(source, keyword, _CODE)
            if item.has("CodeMeaning")
            and sum(item.has(kind) for kind in kinds) == 1
            and (item.has("CodingSchemeDesignator") or item.has("URNCodeValue"))
        ]

    def _references(self) -> list[Draft]:
        return self._whole_references("ReferencedStudySequence")

    def _whole_references(self, keyword: str) -> list[Draft]:
        found = self._items(self._order, keyword, _REFERENCE)
        return [item for item in found if all(item.has(each) for each in _REFERENCE)]

    def _issuers(self) -> list[Draft]:
        found = self._items(self._order, "IssuerOfAccessionNumberSequence", _ISSUER)
        whole = [item for item in found if item.has("UniversalEntityID") == item.has("UniversalEntityIDType")]
        return whole[:1]
