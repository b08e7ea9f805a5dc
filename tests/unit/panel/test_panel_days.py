"""The check of a day over HTTP and on the command line."""

import threading
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.clock import Clock
from gateway.forward.keeping.day import DayCheck
from tests.unit.panel.conftest import Bench, seal


def today(bench: Bench) -> str:
    return bench.clock.now().local.date().isoformat()


def committed_exam(bench: Bench) -> str:
    exam = bench.open_exam()
    uid = bench.still(exam)
    seal(bench, exam, uid)
    bench.post(f"/exams/{exam}/finish")
    bench.spool.exams.release(exam)
    with bench.spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'committed', proof = 'commitment'")
    return exam


@pytest.fixture
def forward(bench: Bench) -> Iterator[None]:
    """The part of the forward process that executes the request; its archives cannot be asked."""
    stop, clock = threading.Event(), Clock()
    check = DayCheck(spool=bench.spool, destinations=("pacs", "backup"), finders={})

    def work() -> None:
        while not stop.is_set():
            check.step()
            clock.wait(stop, 0.02)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


def test_a_day_is_told_as_it_is_known(bench: Bench) -> None:
    exam = committed_exam(bench)
    found = bench.get(f"/days/{today(bench)}")
    assert (found["all_safe"], found["verdict"]) == (True, "Safe in PACS: all 1 picture of 1 exam.")
    assert [line["exam"] for line in found["exams"]] == [exam]
    assert bench.get("/days/2001-01-01")["verdict"] == "No exams on this day."
    assert bench.get("/days/yesterday", status=422)["code"] == "bad-value"


@pytest.mark.usefixtures("forward")
def test_the_archives_are_asked_on_demand(bench: Bench) -> None:
    committed_exam(bench)
    found = bench.post(f"/days/{today(bench)}/check")
    assert found["asked_at"]
    assert not found["all_safe"], "an archive that cannot be asked confirms nothing"
    assert "cannot be asked" in str(found["verdict"])


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_of_all_days_are_days(quiet: Bench, day: str) -> None:
    assert quiet.get(f"/days/{day}")["exams"] == []


def test_a_check_that_nobody_makes_says_so(quiet: Bench) -> None:
    quiet.refused(f"/days/{today(quiet)}/check", {}, 503, "too-late")


def test_the_command_prints_the_day_and_ends_well_only_when_all_is_safe(bench: Bench, tmp_path) -> None:
    config = tmp_path / "scopegate.toml"
    data = bench.settings.station.data_dir
    config.write_text(
        f'[station]\ndata_dir = "{data}"\n'
        '[[destination]]\nname = "pacs"\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 11114\n'
    )
    exam = committed_exam(bench)
    run = CliRunner().invoke(app, ["day", "--config", str(config)])
    assert run.exit_code == 0, run.output
    assert exam in run.output
    assert run.output.splitlines()[-1] == "Safe in PACS: all 1 picture of 1 exam."
    with bench.spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'sent'")
    run = CliRunner().invoke(app, ["day", today(bench), "--config", str(config), "--json"])
    assert run.exit_code == 1
    assert '"sent": 1' in run.output
