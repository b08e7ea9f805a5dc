"""The HTTP API, one module for each subject: reads what a caller sends, asks the spool or capture, answers."""

import json
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from gateway.panel.calls.archive import ArchiveCalls
from gateway.panel.calls.captures import CaptureCalls
from gateway.panel.calls.certificate import CertificateCalls
from gateway.panel.calls.connections import ConnectionCalls
from gateway.panel.calls.day import DayCalls
from gateway.panel.calls.deliveries import DeliveryCalls
from gateway.panel.calls.devices import DeviceCalls
from gateway.panel.calls.erasing import ErasingCalls
from gateway.panel.calls.exams import ExamCalls
from gateway.panel.calls.exports import ExportCalls
from gateway.panel.calls.first_start import FirstStartCalls
from gateway.panel.calls.health import Health
from gateway.panel.calls.key_images import KeyImageCalls
from gateway.panel.calls.kiosk import KioskCalls
from gateway.panel.calls.machine import MachineCalls
from gateway.panel.calls.moves import MoveCalls
from gateway.panel.calls.operators import OperatorCalls
from gateway.panel.calls.power import PowerCalls
from gateway.panel.calls.practice import PracticeCalls
from gateway.panel.calls.queues import QueueCalls
from gateway.panel.calls.repair import RepairCalls
from gateway.panel.calls.self_test import SelfTestCalls
from gateway.panel.calls.service import ServiceCalls
from gateway.panel.calls.settings import SettingsCalls
from gateway.panel.calls.settings_stick import SettingsStickCalls
from gateway.panel.calls.sides import SideCalls
from gateway.panel.calls.steps import StepCalls
from gateway.panel.calls.stored_data import StoredDataCalls
from gateway.panel.calls.trials import TrialCalls
from gateway.panel.calls.updates import UpdateCalls
from gateway.panel.calls.usb import UsbCalls
from gateway.panel.calls.worklist import WorklistCalls
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.calls import PeopleCalls
from gateway.panel.people.roles import SIGNED_IN


def routes(context: Context, captures: CaptureCalls) -> list[BaseRoute]:
    """Return every call."""
    return [
        *captures.routes(),
        *ArchiveCalls(context).routes(),
        *CertificateCalls(context).routes(),
        *ConnectionCalls(context).routes(),
        *DayCalls(context).routes(),
        *DeliveryCalls(context).routes(),
        *DeviceCalls(context).routes(),
        *ErasingCalls(context).routes(),
        *ExamCalls(context).routes(),
        *ExportCalls(context).routes(),
        *FirstStartCalls(context).routes(),
        *Health(context).routes(),
        *KeyImageCalls(context).routes(),
        *KioskCalls(context).routes(),
        *MachineCalls(context).routes(),
        *MoveCalls(context).routes(),
        *OperatorCalls(context).routes(),
        *PowerCalls(context).routes(),
        *PracticeCalls(context).routes(),
        *QueueCalls(context).routes(),
        *RepairCalls(context).routes(),
        *SettingsCalls(context).routes(),
        *SettingsStickCalls(context).routes(),
        *SelfTestCalls(context).routes(),
        *ServiceCalls(context).routes(),
        *SideCalls(context).routes(),
        *StepCalls(context).routes(),
        *StoredDataCalls(context).routes(),
        *TrialCalls(context).routes(),
        *UpdateCalls(context).routes(),
        *UsbCalls(context).routes(),
        *WorklistCalls(context).routes(),
        *PeopleCalls(context).routes(),
        Route("/openapi.json", _openapi, methods=["GET"], who=SIGNED_IN),
    ]


async def _openapi(request: Request) -> Response:
    del request
    text = resources.files(__name__).joinpath("openapi.json").read_text("utf-8")
    return Response(json.dumps(json.loads(text)), media_type="application/json")
