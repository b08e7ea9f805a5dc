"""The one answer of a press, by lamp and tone: in time, also when one of them is slow, hangs or is not there."""

import logging
import threading

import pytest

from gateway.capture.pedals import Pedal
from gateway.capture.presses import Presses
from gateway.capture.requests import Requests
from gateway.capture.signs import Sign, Signs
from gateway.clock import FakeClock
from gateway.config.settings import Station
from hardware.fakes import ScriptedTrigger
from hardware.indicators import Answer
from hardware.indicators.fakes import FakeOutput, FakePlayer, FakeSwitch
from hardware.indicators.lamp import Lamp
from hardware.indicators.sounds import sound
from hardware.indicators.tone import Tone
from hardware.triggers import Action, Press

LATEST_NS = 100_000_000  # from a press to the lamp


@pytest.fixture
def lamp(clock):
    """A lamp whose relay takes 60 ms to switch, with its sign."""
    switch = FakeSwitch(clock_ns=clock.boottime_ns, wait=clock.pause, slow_s=0.06)
    sign = Sign(name="gpio-1", output=Lamp(switch=switch, clock_ns=clock.boottime_ns), clock=clock)
    sign.step()
    return sign, switch


@pytest.fixture
def tone(clock):
    player = FakePlayer(clock_ns=clock.boottime_ns)
    output = Tone(player=player, clock_ns=clock.boottime_ns, wait=clock.pause)
    sign = Sign(name="tone-1", output=output, clock=clock)
    sign.step()
    player.played.clear()
    return sign, player


def presses_with(box, indicator):
    return Presses(
        spool=box.spool,
        moments=box.moments,
        recorder=box.recorder,
        clips=box.clips,
        requests=Requests(spool=box.spool, recorder=box.recorder),
        due=box.due,
        heat=box.heat,
        indicator=indicator,
        station=Station(),
        clock=box.clock,
    )


def press_of(box):
    return Press(action=Action.STILL, time_ns=box.clock.boottime_ns())


def pedal_of(box, presses, *script):
    return Pedal(name="serial-1", trigger=ScriptedTrigger(script), source="us", presses=presses, clock=box.clock)


def test_a_press_lights_the_lamp_within_100_ms_and_before_anything_is_stored(box, lamp):
    box.exam()
    box.show()
    sign, switch = lamp
    press = press_of(box)
    assert pedal_of(
        box, presses_with(box, Signs([sign])), press
    ).step()  # nobody acts on it yet: the disk may be as slow as it likes
    sign.step()
    [(lit_ns, lit)] = switch.changes
    assert lit
    assert 0 <= lit_ns - press.time_ns <= LATEST_NS


def test_every_press_by_touch_or_pedal_is_shown_and_answered_once(box, wait):
    box.exam()
    box.show()
    box.press()
    wait(lambda: box.answers() == ["stored"])
    assert box.indicator.presses == 1
    uid = box.clip()
    wait(lambda: box.answers()[-1] == "clip-started")
    box.show()
    box.stop(uid)
    wait(lambda: box.answers() == ["stored", "clip-started", "clip-stopped"])
    assert box.indicator.presses == 3
    box.stop(uid)  # asked again: nothing happens, so nothing is shown
    assert box.indicator.presses == 3


def test_the_same_touch_sent_again_is_not_shown_as_a_press_without_an_answer(box, wait, stamp):
    box.exam()
    box.show()
    for _ in range(3):
        box.press(request=stamp()).result(5)
    wait(lambda: box.answers() == ["stored"])
    assert box.indicator.presses == 1


def test_a_tone_is_still_heard_when_the_next_press_comes(tone):
    sign, player = tone
    signs = Signs([sign])
    signs.show(Answer.NOT_STORED)
    signs.pressed()
    sign.step()
    assert [wav for _, wav in player.played] == [sound(Answer.NOT_STORED)]


def test_a_sound_card_that_hangs_keeps_no_lamp_waiting(lamp, tone, clock, caplog):
    caplog.set_level(logging.INFO)
    (light, switch), (sound_card, player) = lamp, tone
    signs = Signs([sound_card, light])
    player.hangs = True
    for _ in range(20):
        signs.pressed()
        signs.show(Answer.STORED)
        light.step()
        assert switch.lit
        sound_card.step()
        clock.move(1)
        light.step()
    assert caplog.text.count("sign_gone sign=tone-1 code=device-missing") == 1
    assert not sound_card.connected
    assert light.connected


def test_what_is_missing_is_said_once_tried_now_and_then_and_works_when_it_is_back(clock, caplog):
    caplog.set_level(logging.INFO)
    output = FakeOutput()
    output.plugged = False
    sign = Sign(name="gpio-1", output=output, clock=clock)
    for _ in range(100):
        Signs([sign]).show(Answer.STORED)
        clock.move(min(sign.step(), 1))
    assert caplog.text.count("sign_gone") == 1
    output.plugged = True
    clock.move(10)
    sign.step()
    assert sign.connected
    assert output.cues == []  # nobody wants to hear of yesterday's picture
    Signs([sign]).show(Answer.STORED)
    sign.step()
    assert output.cues == ["stored"]
    output.plugged = False
    sign.step()
    assert caplog.text.count("sign_gone") == 2


def test_a_lamp_that_is_plugged_in_again_is_opened_at_once(clock):
    output, plugs = FakeOutput(), [0]
    output.plugged = False
    sign = Sign(name="serial-1", output=output, clock=clock, plugged=lambda: plugs[0])
    sign.step()
    output.plugged = True
    sign.step()
    assert not sign.connected
    assert sign.what == "The lamp was unplugged."
    plugs[0] += 1
    sign.step()
    assert sign.connected


def test_a_thread_shows_what_is_told_at_once_and_ends_in_the_dark(box, wait):
    output, stop = FakeOutput(), threading.Event()
    sign = Sign(name="gpio-1", output=output, clock=box.clock)
    thread = threading.Thread(target=sign.work, args=(stop,))
    thread.start()
    wait(lambda: sign.connected)
    Signs([sign]).pressed()
    Signs([sign]).show(Answer.STORED)
    wait(lambda: output.cues == ["pressed", "stored"])
    stop.set()
    sign.tell("")
    thread.join(5)
    assert not thread.is_alive()
    assert output.closed


class Ending(FakeClock):
    """Time while the process ends; something happens at its moment."""

    def __init__(self, happens, after_s):
        super().__init__()
        self._happens, self._at_ns = happens, self.boottime_ns() + round(after_s * 1e9)

    def wait(self, stop, seconds):
        if self._happens and self.boottime_ns() >= self._at_ns:
            happens, self._happens = self._happens, None
            happens()
        return super().wait(stop, seconds)


@pytest.mark.parametrize("after_s", [0, 1, 1.5])
def test_the_answer_of_a_clip_that_the_stop_of_the_process_ends_is_shown(after_s):
    output, stop = FakeOutput(), threading.Event()
    sign = Sign(name="gpio-1", output=output, clock=Ending(lambda: sign.tell(Answer.CLIP_STOPPED), after_s))
    sign.step()
    sign.tell(Answer.STORED)
    stop.set()
    sign.work(stop)
    assert output.cues == ["stored", "clip-stopped"]
    assert output.closed == 1


def test_a_lamp_that_goes_while_the_process_ends_does_not_keep_it(clock):
    output, stop = FakeOutput(), threading.Event()
    sign = Sign(name="gpio-1", output=output, clock=clock)
    sign.step()
    output.plugged = False
    stop.set()
    sign.work(stop)
    assert (sign.connected, output.opened) == (False, 1)


def test_a_test_of_lamps_is_shown_as_an_answer_and_is_none(box, lamp):
    sign, switch = lamp
    presses = presses_with(box, Signs([sign]))
    presses.rehearse(Answer.STORED)
    sign.step()
    assert switch.changes
    assert presses.last is None
