"""What doctor says of queues, from the forward process's own word."""

from pathlib import Path

from gateway.cli import this_box
from gateway.clock import Clock
from gateway.config.settings import Address, Lan, Metrics, Panel, Settings, Sign, Source, Station, Trigger
from gateway.forward.connections import doors
from gateway.spool.files import Files
from gateway.spool.processes.live import LiveState
from hardware.machine import Sensors
from tests.hardware.test_hw_machine import supply, zone


def test_doctor_names_queues_that_go_nowhere_and_archives_that_were_replaced(tmp_path: Path) -> None:
    clock = Clock()
    told = [
        {"name": "pacs", "state": "ok", "sent_to_the_one_before": 12},
        {"name": "cloud", "state": "ok"},
        {"name": "old", "state": "not-configured", "waiting": 3},
    ]
    unheard = [{"name": "ris", "state": "ok"}, {"name": "his", "state": "not-configured", "waiting": 2}]
    LiveState(folder=tmp_path, process="forward", files=Files(), clock=clock).write(
        {"destinations": told, "procedure_steps": unheard}
    )
    replaced, orphan, messages = this_box.queues(Settings(station=Station(runtime_dir=tmp_path)), clock)
    assert (replaced.ok, replaced.what) == (None, "queue pacs")
    assert replaced.says.startswith("12 objects were sent to the archive that bore this name before")
    assert "queue resend --destination pacs" in replaced.action
    assert (orphan.ok, orphan.says) == (
        False,
        "3 objects wait for a destination that is not configured any more",
    )
    assert "queue move --from old --to ANOTHER" in orphan.action
    assert (messages.ok, messages.what) == (False, "messages his")
    assert messages.says == "2 wait for a procedure step server that is not configured any more"
    assert "queue drop --server his" in messages.action


def test_doctor_says_how_warm_the_box_is_and_whether_its_supply_holds(tmp_path: Path) -> None:
    clock, settings = Clock(), Settings(station=Station(runtime_dir=tmp_path))
    sensors = Sensors(tmp_path / "sys")
    assert list(this_box.machine(settings, clock, sensors)) == []  # no sensors, no findings
    zone(tmp_path / "sys", 0, "cpu-thermal", 61_000, critical=90_000)
    zone(tmp_path / "sys", 1, "pch", 40_000)
    supply(tmp_path / "sys", "0")
    warm, steady = this_box.machine(settings, clock, sensors)
    assert (warm.ok, warm.says) == (True, "61 °C (cpu-thermal), too hot from 80 °C on")
    assert (steady.ok, steady.says) == (True, "steady")
    zone(tmp_path / "sys", 0, "cpu-thermal", 82_000, critical=90_000)
    supply(tmp_path / "sys", "1")
    hot, weak = this_box.machine(settings, clock, sensors)
    assert (hot.ok, weak.ok) == (False, False)
    assert "[too-hot]" in hot.says
    assert "vents" in hot.action
    assert "[undervoltage]" in weak.says


def test_doctor_says_whether_archives_can_report_to_the_box(tmp_path: Path) -> None:
    clock, settings = Clock(), Settings(station=Station(runtime_dir=tmp_path))
    (unknown,) = doors.listener(settings, clock)
    live = LiveState(folder=tmp_path, process="forward", files=Files(), clock=clock)
    live.write({"listener": {"code": "port-taken", "what": "This box cannot listen.", "action": "Call IT."}})
    (shut,) = doors.listener(settings, clock)
    live.write({"listener": None})
    (ok,) = doors.listener(settings, clock)
    assert [each.ok for each in (unknown, shut, ok)] == [None, False, True]
    assert (shut.said, shut.action) == ("This box cannot listen. [port-taken]", "Call IT.")


def test_doctor_says_nothing_of_queues_while_the_forward_process_does_not_run(tmp_path: Path) -> None:
    assert list(this_box.queues(Settings(station=Station(runtime_dir=tmp_path)), Clock())) == []


def test_doctor_says_which_pedals_and_lamps_capture_has(tmp_path: Path) -> None:
    clock = Clock()
    triggers = (
        Trigger(kind="input", device="usb:1-1.4", source="us"),
        Trigger(kind="gpio", device="/dev/gpiochip0", source="us"),
    )
    settings = Settings(station=Station(runtime_dir=tmp_path), triggers=triggers, signs=(Sign(kind="tone"),))
    assert {finding.ok for finding in this_box.pedals(settings, clock)} == {None}
    LiveState(folder=tmp_path, process="capture", files=Files(), clock=clock).write(
        {
            "pedals": [{"name": "input-1", "connected": True}, {"name": "gpio-2", "connected": False}],
            "signs": [{"name": "tone-1", "connected": False}],
        }
    )
    key, contact, tone = this_box.pedals(settings, clock)
    assert (key.ok, key.what, key.says) == (True, "pedal input usb:1-1.4", "there")
    assert (contact.ok, contact.action[-5:]) == (False, "gpio.")
    assert (tone.ok, tone.what, tone.action[-6:]) == (False, "sign tone default", "audio.")


def test_doctor_says_what_is_strange_about_a_picture_that_arrives(tmp_path: Path) -> None:
    clock = Clock()
    settings = Settings(
        station=Station(runtime_dir=tmp_path),
        sources=(Source(name="us", profile="pal-composite"), Source(name="es")),
    )
    fine = {"name": "es", "state": "live", "width": 1280, "height": 720, "rate": 30.0, "lost": 0}
    fine |= {"unchanged_s": 0, "levels_cut": False, "noise": False, "size_expected": True}
    odd = {"unchanged_s": 70, "levels_cut": True, "noise": True, "size_expected": False}
    LiveState(folder=tmp_path, process="capture", files=Files(), clock=clock).write(
        {"sources": [{**fine, **odd, "name": "us"}, fine]}
    )
    live, size, noise, levels, still, other = this_box.sources(settings, clock)
    assert (live.ok, other.what, other.ok) == (True, "source es", True)
    assert {finding.ok for finding in (size, noise, levels, still)} == {None}
    assert "pal-composite" in size.action
    assert "snow" in noise.says
    assert "range" in levels.action
    assert still.says == "has not moved for 70 s"


def test_a_grabber_that_is_not_plugged_in_is_a_problem_and_other_sources_are_not_asked(tmp_path: Path) -> None:
    settings = Settings(
        sources=(
            Source(name="us", device=f"v4l2:{tmp_path / 'video0'}"),
            Source(name="scope", device="v4l2:usb:9-9.9"),
            Source(name="bars"),
        )
    )
    first, second = this_box.grabbers(settings)
    assert (first.what, first.ok, second.what, second.ok) == ("grabber us", False, "grabber scope", False)
    assert "There is no video adapter" in first.says
    assert "USB port 9-9.9" in second.says


def test_doctor_says_whether_browsers_of_the_network_can_come_in(tmp_path: Path) -> None:
    lan = Panel(lan=Lan(certificate=tmp_path / "c", key=tmp_path / "k"))
    settings = Settings(station=Station(data_dir=tmp_path, runtime_dir=tmp_path), panel=lan)
    clock = Clock()
    live = LiveState(folder=tmp_path, process="panel", files=Files(), clock=clock)
    (unknown,) = doors.second_door(settings, settings.panel.lan, clock)
    live.write({"lan": "10.0.0.5:8443"})
    (is_open,) = doors.second_door(settings, settings.panel.lan, clock)
    live.write({"lan": ""})
    (is_shut,) = doors.second_door(settings, settings.panel.lan, clock)
    assert [each.ok for each in (unknown, is_open, is_shut)] == [None, True, False]
    assert "10.0.0.5:8443" in is_open.says
    assert list(doors.second_door(settings, None, clock)) == []


def test_doctor_says_whether_monitoring_can_read_the_box_where_that_is_wanted(tmp_path: Path) -> None:
    clock, station = Clock(), Station(runtime_dir=tmp_path)
    assert list(doors.monitoring(Settings(station=station), clock)) == []
    settings = Settings(station=station, metrics=Metrics(listen=Address(host="10.0.0.5", port=9464)))
    (unknown,) = doors.monitoring(settings, clock)
    live = LiveState(folder=tmp_path, process="panel", files=Files(), clock=clock)
    live.write({"metrics": ""})
    (shut,) = doors.monitoring(settings, clock)
    live.write({"metrics": "10.0.0.5:9464"})
    (ok,) = doors.monitoring(settings, clock)
    assert [each.ok for each in (unknown, shut, ok)] == [None, False, True]
    assert str(shut).endswith("In the file: [metrics] listen.")
    assert ok.says == "listens at 10.0.0.5:9464"
