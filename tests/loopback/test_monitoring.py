"""The clinic's monitoring: Debian's Prometheus reads the box, and the product's alert rules wake somebody."""

import subprocess
from pathlib import Path

from tests.box import Box, until
from tests.loopback.peers.process import free_port
from tests.loopback.peers.prometheus import RULES, Prometheus

_SHORT = {"scopegate_oldest_waiting_seconds > 3600": "scopegate_oldest_waiting_seconds > 3", "for: 5m": "for: 1s"}


def test_each_alert_stays_silent_before_it_is_due_and_fires_after() -> None:
    tests = RULES.with_name("scopegate.test.yml")
    done = subprocess.run(["promtool", "test", "rules", str(tests)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tested = tests.read_text(encoding="utf-8")
    named = [line.split()[-1] for line in RULES.read_text(encoding="utf-8").splitlines() if "- alert:" in line]
    assert [name for name in named if tested.count(name) < 2] == []


def test_an_archive_that_is_away_raises_the_alarm_and_one_that_got_nothing_yet_does_not(tmp_path: Path) -> None:
    rules = RULES.read_text(encoding="utf-8")
    for usual, short in _SHORT.items():
        assert usual in rules
        rules = rules.replace(usual, short)
    port, away = free_port(), free_port()
    pacs = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": away}
    with (
        Box(tmp_path / "box", destinations=[pacs], metrics={"listen": f"127.0.0.1:{port}"}) as box,
        Prometheus(tmp_path / "prometheus", target=f"127.0.0.1:{port}", rules=rules) as monitoring,
    ):
        until("the box to be read", lambda: monitoring.value("scopegate_source_live"))
        until("ten looks", lambda: (monitoring.value("count_over_time(up[1m])") or 0) >= 10)
        assert "ScopegateQueueOld" not in monitoring.firing()
        exam = box.open_typed("Kanarienvogel^Xaver", "QX-4711")
        box.still(exam)
        box.finish(exam)
        until("the alarm", lambda: "ScopegateQueueOld" in monitoring.firing())
        assert monitoring.value('scopegate_deliveries{destination="pacs",state="queued"}') == 1
        assert monitoring.value('{__name__=~".*",patient!=""}') is None
