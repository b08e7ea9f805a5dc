"""The panel's pages, rendered here; everything that changes something goes through the API."""

from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.archive import ArchivePages
from gateway.panel.pages.box import BoxPages
from gateway.panel.pages.choosing import ChoosingPages
from gateway.panel.pages.connections import ConnectionPages
from gateway.panel.pages.copying import CopyingPages
from gateway.panel.pages.erasing import ErasingPages
from gateway.panel.pages.erasing_patient import ErasingPatientPages
from gateway.panel.pages.exams import ExamPages
from gateway.panel.pages.first_start import FirstStartPages
from gateway.panel.pages.frame import Frame
from gateway.panel.pages.leaving import LeavingPages
from gateway.panel.pages.machine import MachinePages
from gateway.panel.pages.moving import MovingPages
from gateway.panel.pages.people import PeoplePages
from gateway.panel.pages.queues import QueuePages
from gateway.panel.pages.repair import RepairPages
from gateway.panel.pages.self_test import SelfTestPages
from gateway.panel.pages.service import ServicePages
from gateway.panel.pages.settings import SettingsPages
from gateway.panel.pages.stored_data import StoredDataPages
from gateway.panel.pages.trials import TrialPages
from gateway.panel.pages.typed import TypedPages
from gateway.panel.pages.updates import UpdatePages
from gateway.panel.pages.usb import UsbPages


def routes(context: Context, frame: Frame) -> list[Route]:
    """Return every page."""
    return [
        *ChoosingPages(context, frame).routes(),
        *TypedPages(context, frame).routes(),
        *ExamPages(context, frame).routes(),
        *ErasingPages(context, frame).routes(),
        *ErasingPatientPages(context, frame).routes(),
        *MovingPages(context, frame).routes(),
        *MachinePages(context, frame).routes(),
        *UpdatePages(context, frame).routes(),
        *UsbPages(context, frame).routes(),
        *RepairPages(context, frame).routes(),
        *LeavingPages(context, frame).routes(),
        *CopyingPages(context, frame).routes(),
        *ArchivePages(context, frame).routes(),
        *BoxPages(context, frame).routes(),
        *SettingsPages(context, frame).routes(),
        *ServicePages(context, frame).routes(),
        *QueuePages(context, frame).routes(),
        *SelfTestPages(context, frame).routes(),
        *StoredDataPages(context, frame).routes(),
        *ConnectionPages(context, frame).routes(),
        *PeoplePages(context, frame).routes(),
        *FirstStartPages(context, frame).routes(),
        *TrialPages(context, frame).routes(),
    ]
