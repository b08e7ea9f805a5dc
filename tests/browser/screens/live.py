"""The live picture, and every reason why there is none."""

from gateway.model import Identity, PleaseCheck, Side
from tests.browser.conftest import Box
from tests.browser.screens.registry import screen
from tests.browser.screens.states import LONG, exam
from tests.unit.panel.fake_capture import START


@screen
def live(box: Box) -> str:
    return f"/live/{exam(box, 3).id}"


@screen
def live_long_name(box: Box) -> str:
    return f"/live/{exam(box, 12, name=LONG).id}"


@screen
def live_without_patient(box: Box) -> str:
    return f"/live/{exam(box, 1, identity=Identity.TEMPORARY).id}"


@screen
def live_unplugged(box: Box) -> str:
    box.capture.script.pedals = [{"name": "input-1", "connected": False, "what": "There is no pedal."}]
    box.capture.script.signs = [{"name": "tone-1", "connected": False, "what": "There is no sound card."}]
    return f"/live/{exam(box, 1).id}"


@screen
def live_hot(box: Box) -> str:
    box.capture.script.machine = {"heat": "hot", "celsius": 82, "power": "weak"}
    box.capture.say_on()
    return f"/live/{exam(box, 12, name=LONG).id}"


@screen
def live_idle(box: Box) -> str:
    opened = exam(box, 2)
    box.spool.exams.ask_to_check(opened.id, PleaseCheck.IDLE)
    return f"/live/{opened.id}"


@screen
def live_noise(box: Box) -> str:
    box.capture.script.noise = True
    return f"/live/{exam(box, 1).id}"


def _without_picture(signal: str) -> None:
    def make(box: Box) -> str:
        script = box.capture.script
        script.signal = signal
        if signal == "refused":
            script.what = "The picture cannot be made as its device profile says."
            script.action = "Do what this says, or call IT."
            script.code = "VID-05"
        return f"/live/{exam(box, 1).id}"

    make.__name__ = f"live_{signal.replace('-', '_')}"
    screen(make)


for _signal in ("no-signal", "no-cable", "out-of-range", "no-signal-picture", "missing", "refused"):
    _without_picture(_signal)


@screen
def live_recording(box: Box) -> str:
    opened = exam(box, 1)
    box.capture._call_clip_start({"exam": opened.id, "request": None, "source": "ultrasound"})
    box.capture.script.ends = {"why": "limit", "seconds": 42}
    return f"/live/{opened.id}"


@screen
def live_sources(box: Box) -> str:
    box.connect("endoscope", "room-camera", "monitor")
    box.capture.lost.add("monitor")
    opened = exam(box, 12)
    box.capture._call_clip_start({"exam": opened.id, "request": None, "source": "endoscope"})
    return f"/live/{opened.id}"


@screen
def live_left(box: Box) -> str:
    opened = exam(box, 1)
    box.capture.store(opened, frame=START + 1, side=Side.RIGHT)
    box.spool.sides.from_now_on(opened.id, Side.LEFT)
    box.capture.store(opened, frame=START + 1, side=Side.LEFT)
    return f"/live/{opened.id}"
