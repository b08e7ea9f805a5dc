"""Archives, worklist servers and an audit repository are tried, with real peers: what is told, in words."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from gateway.clock import Clock
from gateway.config.settings import Address, Source
from gateway.forward.trying.archives import ArchiveTrial
from gateway.forward.trying.trials import Trials
from gateway.forward.trying.way_back import TrialReports, WayBack
from gateway.model import RequestState
from gateway.net.listener import Listener
from gateway.spool.opening import open_spool
from gateway.spool.processes import trials
from tests.certificates import Authority, Identity
from tests.loopback.forward_archive import QUICK
from tests.loopback.peers import (
    FaultArchive,
    Orthanc,
    Rsyslog,
    StoreScp,
    VouchingArchive,
    WlmScpfs,
    free_port,
    items,
)

Lines = list[dict[str, Any]]
Ask = Callable[..., Lines]


class Box:
    """Forward's part that tries, its listener, and nothing else. `port`: where it listens."""

    def __init__(self, folder: Path, *, sources: tuple[Source, ...] = ()) -> None:
        self.port, self._stop = free_port(), threading.Event()
        self.spool = open_spool(folder / "data", clock=Clock())
        reports = TrialReports()
        here = Address(host="127.0.0.1", port=self.port)
        self._listener = Listener(here, ae_title="SCOPEGATE", hear=reports.before(None))
        self._listener.open()
        self._thread = threading.Thread(target=self._listener.serve, args=(self._stop,))
        way_back = WayBack(
            reports=reports,
            welcome=self._listener.welcoming,
            clock=self.spool.clock,
            stop=self._stop,
            patience_s=3,
        )
        archives = ArchiveTrial(sources=sources, data_dir=folder / "data", way_back=way_back)
        self._trials = Trials(spool=self.spool, our_ae="SCOPEGATE", listen=here, archives=archives, timeouts=QUICK)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.spool.close()

    def asked(self, table: str, *, listen: str = "", ae_title_of_ours: str = "", **values: object) -> Lines:
        """Try what a form holds, as the panel asks for it."""
        here = {} if "kind" in values else {"host": "127.0.0.1"}
        named = {} if table == "audit" else {"name": "new"}
        arguments = {"table": table, "values": {**named, **here, **values}, "listen": listen}
        arguments["ae_title"] = ae_title_of_ours
        request = self.spool.requests.ask(trials.REQUEST, arguments, deadline_s=60)
        assert self._trials.step()
        answered = self.spool.requests.get(request)
        assert answered.state is RequestState.DONE
        return list(answered.answer["lines"])


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with Box(tmp_path) as box:
        yield box


def _of(lines: Lines, part: str) -> dict[str, Any]:
    (found,) = [line for line in lines if line["part"] == part]
    return found


# --- worklist servers --------------------------------------------------------------------------------------------


def _today(number: int, **more: str) -> Any:
    return items.worklist_item(number=number, day=f"{Clock().now().local:%Y%m%d}", **more)


def test_a_worklist_server_says_how_many_it_has_for_today(box, worklist_server: WlmScpfs):
    for number in (1, 2, 3):
        worklist_server.add(f"item{number}", _today(number))
    try:
        (line,) = box.asked("worklist", ae_title="WLM", port=worklist_server.port)
    finally:
        worklist_server.clear()
    assert line["ok"] is True
    assert line["what"] == "It answers. Entries for today: 3."


def test_a_list_that_is_empty_because_of_the_modality_is_told_so(box, worklist_server: WlmScpfs):
    worklist_server.add("item1", _today(1, modality="US"))
    try:
        lines = box.asked("worklist", ae_title="WLM", port=worklist_server.port, modality="ES")
    finally:
        worklist_server.clear()
    assert [line["ok"] for line in lines] == [True, None]
    assert lines[1]["code"] == "worklist-filtered"
    assert lines[1]["what"].endswith("entries for today: 1.")


def test_a_list_with_nobody_is_no_failure(box, worklist_server: WlmScpfs):
    lines = box.asked("worklist", ae_title="WLM", port=worklist_server.port)
    assert [line["code"] for line in lines] == ["", "worklist-empty"]


def test_a_worklist_server_that_is_not_there_is_named_with_what_to_do(box):
    (line,) = box.asked("worklist", ae_title="WLM", port=free_port())
    assert (line["ok"], line["code"]) == (False, "worklist-unreachable")
    assert line["action"]


def test_a_wrong_title_of_a_worklist_server_is_named(box, worklist_server: WlmScpfs):
    (line,) = box.asked("worklist", ae_title="NOBODY", port=worklist_server.port)
    assert line["ok"] is False
    assert line["code"].startswith("worklist-")


# --- archives ----------------------------------------------------------------------------------------------------


def test_an_archive_that_takes_everything_is_told_so(box, archive_of_everything: StoreScp):
    lines = box.asked("destination", ae_title="STORESCP", port=archive_of_everything.port)
    assert _of(lines, "answers")["ok"] is True
    assert _of(lines, "kinds")["what"] == "It takes what this box makes: stills and clips."
    assert _of(lines, "commitment")["ok"] is None  # nobody asks whether it keeps them


def test_an_archive_that_takes_no_compressed_pictures_takes_no_clips(box, archive_of_implicit: StoreScp):
    lines = box.asked("destination", ae_title="STORESCP", port=archive_of_implicit.port)
    kinds = _of(lines, "kinds")
    assert (kinds["ok"], kinds["what"]) == (False, "It does not take clips.")
    assert kinds["action"].startswith("Call IT")


def test_an_archive_that_takes_none_of_our_kinds_is_told_so(box):
    with FaultArchive() as peer:
        lines = box.asked("destination", ae_title="NONE", port=peer.port)
    assert [line["ok"] for line in lines][-1] is not True
    assert "no-context" in {line["code"] for line in lines}


def test_nobody_listens_at_the_archives_address(box):
    (line,) = box.asked("destination", ae_title="PACS", port=free_port())
    assert (line["part"], line["ok"], line["code"]) == ("answers", False, "unreachable")


def test_the_archive_has_another_title(box):
    with FaultArchive() as peer:
        (line,) = box.asked("destination", ae_title="REJ117", port=peer.port)
    assert (line["ok"], line["code"]) == (False, "rejected-title")
    assert line["action"]


def test_a_web_archive_answers(box, orthanc_web: Orthanc):
    url = f"http://127.0.0.1:{orthanc_web.http_port}/dicom-web"
    lines = box.asked("destination", kind="stow", url=url)
    assert [(line["part"], line["ok"]) for line in lines] == [("answers", True), ("kinds", None)]


def test_a_folder_without_a_medium_is_told_so(box, tmp_path: Path):
    (line,) = box.asked("destination", kind="media", folder=str(tmp_path))
    assert (line["part"], line["ok"], line["code"]) == ("medium", False, "media-absent")


# --- the audit repository ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def repository(tmp_path: Path, authority: Authority) -> Iterator[Rsyslog]:
    with Rsyslog(tmp_path / "rsyslog", authority=authority, shown=authority.issue("127.0.0.1")) as peer:
        yield peer


def _tls(authority: Authority, shown: Identity | None) -> dict[str, str]:
    """Return what the configuration says of who is trusted, and of what is shown."""
    own = {"certificate": str(shown.certificate), "key": str(shown.key)} if shown else {}
    return {"ca": str(authority.ca), **own}


def test_an_audit_repository_lets_the_box_in_and_gets_no_message(box, repository: Rsyslog, authority: Authority):
    (line,) = box.asked("audit", port=repository.port, tls=_tls(authority, authority.issue("box")))
    assert (line["part"], line["ok"], line["what"]) == (
        "answers",
        True,
        "It lets this box in. No audit message went out.",
    )
    assert repository.received == []


@pytest.mark.parametrize("shown", ["of another authority", "none"])
def test_a_repository_that_does_not_trust_the_box_says_what_it_wants(
    box, repository: Rsyslog, authority: Authority, tmp_path: Path, shown: str
):
    foreign = None if shown == "none" else Authority(tmp_path / "foreign").issue("box")
    (line,) = box.asked("audit", port=repository.port, tls=_tls(authority, foreign))
    assert (line["ok"], line["code"]) == (False, "dropped")
    assert "certificate of this box" in line["action"]


def test_a_repository_of_another_authority_and_one_that_is_away_are_told_apart(
    box, repository: Rsyslog, authority: Authority, tmp_path: Path
):
    stranger, ours = Authority(tmp_path / "stranger"), authority.issue("box")
    (line,) = box.asked("audit", port=repository.port, tls=_tls(stranger, ours))
    assert (line["ok"], line["code"]) == (False, "tls-unknown-ca")
    repository.stop()
    (line,) = box.asked("audit", port=repository.port, tls=_tls(authority, ours))
    assert (line["ok"], line["code"]) == (False, "unreachable")


# --- the way back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["same", "separate", "partial"])
def test_an_archives_answer_comes_back_before_it_is_saved(box, how):
    with VouchingArchive(how) as peer:
        peer.box_port = box.port
        lines = box.asked("destination", ae_title="VOUCHES", port=peer.port, commitment=True)
        assert _of(lines, "commitment")["ok"] is True
        assert _of(lines, "way-back")["ok"] is True
        assert peer.answers == [0]  # it was told that its report was taken


def test_orthanc_answers_about_an_object_that_it_does_not_have(tmp_path: Path):
    with Box(tmp_path) as box:
        modalities = {"box": ["SCOPEGATE", "127.0.0.1", box.port]}
        with Orthanc(tmp_path / "orthanc", DicomModalities=modalities) as peer:
            lines = box.asked("destination", ae_title="ORTHANC", port=peer.port, commitment=True)
            assert peer.sop_instance_uids() == []  # nothing was left there
    assert _of(lines, "way-back")["ok"] is True


@pytest.mark.parametrize("how", ["never", "stranger"])  # it does not know this box, or calls under another title
def test_an_archive_whose_answer_does_not_arrive_is_told_so_with_what_it_must_know(box, how):
    with VouchingArchive(how) as peer:
        peer.box_port = box.port
        lines = box.asked("destination", ae_title="VOUCHES", port=peer.port, commitment=True)
    back = _of(lines, "way-back")
    assert (back["ok"], back["code"]) == (False, "no-way-back")
    assert "SCOPEGATE" in back["action"]
    assert str(box.port) in back["action"]


def test_an_answer_under_another_number_is_no_answer(box):
    with VouchingArchive("unknown") as peer:
        peer.box_port = box.port
        lines = box.asked("destination", ae_title="VOUCHES", port=peer.port, commitment=True)
    assert _of(lines, "way-back")["ok"] is False


def test_an_archive_that_does_not_take_the_question_is_told_so(box):
    with VouchingArchive("S0122") as peer:
        lines = box.asked("destination", ae_title="VOUCHES", port=peer.port, commitment=True)
    assert (_of(lines, "commitment")["ok"], _of(lines, "commitment")["code"]) == (False, "commitment-refused")


def test_another_address_than_the_archives_is_asked_whether_it_keeps_pictures(box, archive_of_everything: StoreScp):
    """The archive takes pictures and knows nothing of commitment; the other one does that alone."""
    with VouchingArchive("separate") as peer:
        peer.box_port = box.port
        other = {"ae_title": "VOUCHES", "host": "127.0.0.1", "port": peer.port}
        asked = {"ae_title": "STORESCP", "port": archive_of_everything.port}
        lines = box.asked("destination", **asked, commitment=other)
        assert _of(lines, "way-back")["ok"] is True
        alone = box.asked("destination", **asked, commitment=True)
    assert _of(alone, "commitment")["ok"] is False


def test_the_box_listens_elsewhere_for_as_long_as_a_trial_needs_it(box):
    other = free_port()
    with VouchingArchive("separate") as peer:
        peer.box_port = other
        lines = box.asked(
            "destination", listen=f"127.0.0.1:{other}", ae_title="VOUCHES", port=peer.port, commitment=True
        )
        assert _of(lines, "way-back")["ok"] is True
        peer.box_port = box.port
        assert peer.report("2.25.4711") is None  # the guest is gone: nobody may report any more


def test_a_box_whose_name_was_changed_is_tried_under_its_new_name(box):
    with VouchingArchive("separate") as peer:
        peer.box_port, peer.box_title = box.port, "US3"
        asked = {"ae_title": "VOUCHES", "port": peer.port, "commitment": True}
        lines = box.asked("destination", ae_title_of_ours="US3", **asked)
        assert _of(lines, "way-back")["ok"] is True
        back = _of(box.asked("destination", **asked), "way-back")  # under the old one it is not heard
    assert (back["ok"], back["code"]) == (False, "no-way-back")


def test_an_address_that_is_taken_is_told_and_the_box_listens_where_it_did(box, archive_of_everything: StoreScp):
    with VouchingArchive("separate") as peer:
        lines = box.asked(
            "destination",
            listen=f"127.0.0.1:{archive_of_everything.port}",
            ae_title="VOUCHES",
            port=peer.port,
            commitment=True,
        )
        assert _of(lines, "way-back")["code"] == "port-taken"
        peer.box_port = box.port
        again = box.asked("destination", ae_title="VOUCHES", port=peer.port, commitment=True)
    assert _of(again, "way-back")["ok"] is True
