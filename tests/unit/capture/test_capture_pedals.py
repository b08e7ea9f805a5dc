"""The pedal: every press gets its one answer, also in a burst, also late, also after it was unplugged."""

import logging
import threading
import time
from itertools import pairwise

from gateway.capture.pedals import Pedal
from hardware.errors import DeviceRefused
from hardware.fakes import ScriptedTrigger, worst_trigger
from hardware.triggers import Action, Press


def pedal_of(box, *scripts) -> Pedal:
    return Pedal(
        name="serial-1",
        trigger=ScriptedTrigger(*scripts),
        source="us",
        presses=box.presses,
        clock=box.clock,
    )


def acting(pedal: Pedal, box) -> threading.Thread:
    return box.supervisor.start("pedal-act", lambda: pedal.act(box.supervisor.stop))


def test_a_burst_of_forty_presses_is_answered_one_by_one(box, wait):
    exam = box.exam()
    box.show()
    now = box.clock.boottime_ns()
    pedal = pedal_of(box, (Press(action=Action.STILL, time_ns=now) for _ in range(40)))
    box.disk.held = lambda step, name: step == "sync" and name.endswith(".ljpg.part")
    thread = acting(pedal, box)
    for _ in range(40):
        assert pedal.step()
    wait(lambda: len(box.answers()) == 24)
    assert box.answers() == ["not-stored"] * 24  # sixteen are pinned; nobody waits in silence behind them
    assert box.presses.last.origin == "pedal"
    assert box.presses.last.code == "busy"
    box.disk.moves.set()
    wait(lambda: len(box.answers()) == 40)
    assert box.answers().count("stored") == 16
    assert len(box.spool.captures.of_exam(exam.id)) == 16
    assert thread.is_alive()


def test_presses_that_come_while_nobody_acts_are_refused_and_the_late_ones_too(box, wait):
    box.exam()
    box.show()
    now = box.clock.boottime_ns()
    pedal = pedal_of(box, (Press(action=Action.STILL, time_ns=now) for _ in range(20)))
    for _ in range(20):
        pedal.step()
    assert box.answers() == ["not-stored"] * 4
    box.clock.move(5)
    box.show()
    acting(pedal, box)
    wait(lambda: len(box.answers()) == 20)
    assert set(box.answers()) == {"not-stored"}


def test_presses_that_wait_when_the_process_is_stopped_are_refused(box):
    box.exam()
    box.show()
    pedal = pedal_of(box, (Press(action=Action.STILL, time_ns=box.clock.boottime_ns()) for _ in range(3)))
    for _ in range(3):
        pedal.step()
    box.halt()
    pedal.listen(box.supervisor.stop)
    assert box.answers() == ["not-stored"] * 3
    assert "being stopped" in box.presses.last.what


def test_every_press_of_the_worst_pedal_is_answered(box, wait):
    box.exam()
    box.show()
    pedal = pedal_of(box, worst_trigger(start_ns=box.clock.boottime_ns()))
    acting(pedal, box)
    while pedal.step():
        pass
    wait(lambda: sorted(box.answers()) == ["clip-started", "not-stored", "stored", "stored"])


def test_without_an_exam_the_pedal_says_not_stored(box, wait):
    box.show()
    pedal = pedal_of(box, [Press(action=Action.STILL, time_ns=box.clock.boottime_ns())])
    acting(pedal, box)
    pedal.step()
    wait(lambda: box.answers() == ["not-stored"])
    assert box.presses.last.code == "no-exam"


def test_a_pedal_that_presses_without_end_does_not_fill_the_journal(box, wait, caplog):
    box.show()
    pedal = pedal_of(box, (Press(action=Action.STILL, time_ns=box.clock.boottime_ns()) for _ in range(31)))
    acting(pedal, box)
    with caplog.at_level(logging.INFO, "gateway.capture.pedals"):
        for count in range(31):
            if count == 30:
                box.clock.move(10)
            pedal.step()
            wait(lambda count=count: len(box.answers()) == count + 1)
        wait(lambda: "left_out=10" in caplog.text)
    assert caplog.text.count("press_refused") == 21
    assert set(box.answers()) == {"not-stored"}


def test_a_pedal_that_was_unplugged_works_when_it_is_back(box, wait, caplog):
    box.exam()
    box.show()
    now = box.clock.boottime_ns()
    pedal = pedal_of(box, [Press(action=Action.STILL, time_ns=now)], [Press(action=Action.STILL, time_ns=now)])
    acting(pedal, box)
    assert not pedal.connected
    assert [pedal.step(), pedal.connected] == [True, True]
    assert [pedal.step(), pedal.connected] == [False, False]
    assert [pedal.step(), pedal.connected] == [True, True]
    assert [pedal.step(), pedal.step(), pedal.step()] == [False, False, False]
    wait(lambda: box.answers() == ["stored", "stored"])
    assert caplog.text.count("pedal_gone") == 2  # once for each time, not once for each look


def test_a_pedal_that_is_plugged_in_again_is_opened_at_once_and_otherwise_every_two_seconds(box):
    looks: list[float] = []

    class Missing(ScriptedTrigger):
        def open(self) -> None:
            looks.append(box.clock.boottime_ns() / 1e9)
            if len(looks) == 4:
                stop.set()
            super().open()

    stop = threading.Event()
    plugs = iter([0] * 21 + [0, 0, 0, 1, *[1] * 99])  # something comes after 0.3 s of the second wait
    pedal = Pedal(
        name="input-1",
        trigger=Missing(),
        source="us",
        presses=box.presses,
        clock=box.clock,
        plugged=lambda: next(plugs),
    )
    pedal.listen(stop)
    waits = [round(later - sooner, 1) for sooner, later in pairwise(looks)]
    assert waits == [2.0, 0.3, 2.0]


def test_a_pedal_that_is_refused_is_said_in_the_log(box, caplog):
    pedal = pedal_of(box, [DeviceRefused("not a serial port")])
    assert not pedal.step()
    assert "device-refused" in caplog.text


def test_the_process_listens_until_it_is_stopped(box, wait):
    box.exam()
    box.show()
    now = box.clock.boottime_ns()

    def script():
        yield Press(action=Action.STILL, time_ns=now)
        while True:
            time.sleep(0.01)  # as a line that is silent; one that spins would take the others' time
            yield None

    pedal = pedal_of(box, script())
    acting(pedal, box)
    box.supervisor.start("pedal-read", lambda: pedal.listen(box.supervisor.stop))
    wait(lambda: box.answers() == ["stored"])
    assert box.end()
