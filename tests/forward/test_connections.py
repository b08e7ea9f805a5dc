"""What forward finds when somebody has the connections looked at: this box's own part, without a network."""

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.clock import FakeClock
from gateway.config.settings import Address, Destination, Lan, Metrics, Settings, Station, Tls
from gateway.forward.connections import secured
from gateway.forward.connections.looking import Looking, connected, remarked
from gateway.model import RequestState
from gateway.spool.files import Files
from gateway.spool.processes.connections import REQUEST
from gateway.spool.processes.live import LiveState
from gateway.spool.spool import Spool

Lines = dict[str, dict[str, Any]]
_NOBODY = 65534


def settings(folder: Path, **more: Any) -> Settings:
    """Return a box whose archive is a stick: nobody is called."""
    destinations = (Destination(name="stick", kind="media", folder=folder, required=True),)
    station = Station(data_dir=folder, runtime_dir=folder)
    return Settings(station=station, destinations=destinations, **more)


def looked(spool: Spool, settings: Settings, *, rests: bool = False, **arguments: object) -> dict[str, Any]:
    """Ask as the panel does, and return the answer."""
    rest, ways_given = threading.Event(), list[int]()
    if rests:
        rest.set()
    asked = spool.requests.ask(REQUEST, {"lan": None, **arguments}, deadline_s=30)
    looking = Looking(spool=spool, settings=settings, rest=rest, give_way=lambda: ways_given.append(1))
    assert looking.step()
    assert not looking.step()
    assert ways_given == [1]
    answered = spool.requests.get(asked)
    assert answered.state is RequestState.DONE
    return answered.answer


def by_what(answer: dict[str, Any]) -> Lines:
    return {line["what"]: line for line in answer["lines"]}


def test_it_says_what_the_settings_lead_to_and_whether_monitoring_can_read_the_box(
    spool: Spool, clock: FakeClock, tmp_path: Path
) -> None:
    wanted = settings(tmp_path, metrics=Metrics(listen=Address(host="10.0.0.5", port=9464)))
    LiveState(folder=tmp_path, process="panel", files=Files(), clock=clock).write({"metrics": ""})
    lines = by_what(looked(spool, wanted))
    assert lines["configuration"]["says"].startswith("stick must have pictures before they leave this box's disk")
    assert (lines["metrics"]["ok"], "“Address for monitoring”" in lines["metrics"]["action"]) == (False, True)


def test_it_says_which_files_everybody_may_read_and_which_nobody_can(spool: Spool, tmp_path: Path) -> None:
    key, secret, ca = tmp_path / "a.key", tmp_path / "token", tmp_path / "ca.pem"
    for path, mode in ((key, 0o644), (secret, 0o640), (ca, 0o644)):
        path.write_text("no certificate")
        path.chmod(mode)
    archive = Destination(name="stick", kind="media", folder=tmp_path, token_file=secret)
    wanted = replace(
        settings(tmp_path), audit=None, destinations=(replace(archive, tls=Tls(ca=ca, certificate=None, key=key)),)
    )
    lan = {"certificate": str(tmp_path / "gone.pem"), "key": str(tmp_path / "gone.key")}
    lines = by_what(looked(spool, wanted, lan=lan))
    assert (lines[f"key {key}"]["ok"], lines[f"key {key}"]["says"]) == (None, "everybody on this box may read it")
    assert f"secret {secret}" not in lines
    unreadable = [f"certificate {ca}", f"certificate {lan['certificate']}", f"key {lan['key']}"]
    assert [lines[each]["says"] for each in unreadable] == ["cannot be read"] * 3


def test_a_key_in_a_folder_of_another_user_is_none_that_everybody_may_read(tmp_path: Path) -> None:
    shut = tmp_path / "private"
    shut.mkdir(mode=0)
    lan = Lan(certificate=tmp_path / "box.pem", key=shut / "box.key")
    user = os.geteuid()
    os.seteuid(user or _NOBODY)  # no folder is shut for root
    try:
        found = list(secured.secrets(settings(tmp_path), lan))
    finally:
        os.seteuid(user)
    assert found == []


def test_the_screen_has_the_words_that_doctor_prints(spool: Spool, clock: FakeClock, tmp_path: Path) -> None:
    LiveState(folder=tmp_path, process="forward", files=Files(), clock=clock).write(
        {"listener": {"code": "port-taken", "what": "This box cannot listen.", "action": "Call IT."}}
    )
    lan = Lan(certificate=tmp_path / "c.pem", key=tmp_path / "c.key")
    wanted = settings(tmp_path)
    arguments = {"certificate": str(lan.certificate), "key": str(lan.key)}
    printed = [*remarked(wanted), *connected(wanted, lan, clock)]
    assert looked(spool, wanted, lan=arguments)["lines"] == [each.to_json() for each in printed]
    assert "problem  listener: This box cannot listen. [port-taken]  -> Call IT." in map(str, printed)


def test_settings_have_their_names_of_the_file_where_that_file_is_and_there_alone(
    clock: FakeClock, tmp_path: Path
) -> None:
    lan = Lan(certificate=tmp_path / "c.pem", key=tmp_path / "c.key")
    wanted = settings(tmp_path, metrics=Metrics(listen=Address(host="10.0.0.5", port=9464)))
    LiveState(folder=tmp_path, process="panel", files=Files(), clock=clock).write({"metrics": "", "lan": ""})
    found = {each.what: each for each in [*remarked(wanted), *connected(wanted, lan, clock)]}
    for what, key in (
        ("configuration", "required = false"),
        ("second door", "[panel] lan"),
        ("metrics", "[metrics] listen"),
    ):
        assert str(found[what]).endswith(f" In the file: {key}.")
        assert key not in found[what].says + found[what].action


def test_it_ends_where_it_is_when_a_changed_setting_is_to_be_taken(spool: Spool, tmp_path: Path) -> None:
    answer = looked(spool, settings(tmp_path), rests=True)
    assert (answer["early"], len(answer["lines"])) == (True, 1)
    assert looked(spool, settings(tmp_path))["early"] is False


def test_a_look_that_had_everything_is_whole_although_a_setting_is_to_be_taken(
    spool: Spool, tmp_path: Path
) -> None:
    wanted = settings(tmp_path)
    wanted = replace(wanted, destinations=())
    answer = looked(spool, wanted, rests=True)
    assert len(answer["lines"]) == len(looked(spool, wanted)["lines"]) == 1
    assert answer["early"] is False
