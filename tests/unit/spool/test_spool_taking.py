"""Which process starts anew for a changed configuration, and which never does."""

import threading

import pytest

from gateway.clock import FakeClock
from gateway.config.keeping import text_at, text_of
from gateway.errors import SpoolBusy
from gateway.spool.files import Files
from gateway.spool.processes.live import LiveState
from gateway.spool.processes.taking import Others, Taking, Wish

OLD, NEW = b"# old\n", b"# new\n"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "scopegate.toml"
    path.write_bytes(OLD)
    return path


@pytest.fixture
def wish(tmp_path):
    return Wish(tmp_path, Files())


@pytest.fixture
def taking(config, wish):
    return Taking(config=config, built=text_at(config), wish=wish, is_panel=True)


def test_a_wish_is_obeyed_once_its_file_is_there_and_once_only(config, wish, taking):
    assert not taking.due()
    wish.leave(text_of(NEW).revision)
    assert not taking.due()  # the panel was killed between wish and file
    config.write_bytes(NEW)
    assert taking.due()
    successor = Taking(config=config, built=text_at(config), wish=wish, is_panel=True)
    assert not successor.due()


def test_a_file_that_somebody_writes_by_hand_starts_nothing_anew(config, wish, taking):
    config.write_bytes(b"half a fi")
    assert not taking.due()
    wish.leave(text_of(NEW).revision)
    assert not taking.due()


def test_a_process_ends_when_nothing_is_lost_by_it_and_not_while_nobody_knows(config, wish, taking):
    wish.leave(text_of(NEW).revision)
    config.write_bytes(NEW)
    ended = threading.Event()

    def nobody_listens(revision):
        raise AssertionError(revision)

    def nobody_knows():
        raise SpoolBusy

    for ready in (lambda: False, nobody_knows):
        taking.step(ready, ended.set, nobody_listens)
        assert not ended.is_set()
    taking.step(lambda: True, ended.set, nobody_listens)
    assert ended.is_set()
    assert taking.taken


def taken(config, wish, *, was: bytes, becomes: bytes, is_panel: bool) -> tuple[bool, list[str]]:
    """Change the file; return whether the process ends for it, and which revision it says if it goes on."""
    config.write_bytes(was)
    taking = Taking(config=config, built=text_at(config), wish=wish, is_panel=is_panel)
    wish.leave(text_of(becomes).revision)
    config.write_bytes(becomes)
    ended, said = threading.Event(), list[str]()
    taking.step(lambda: False, ended.set, said.append)
    assert (ended.is_set(), said) == (False, [])  # in either case not before nothing is lost by it
    taking.step(lambda: True, ended.set, said.append)
    taking.step(lambda: True, ended.set, said.append)
    return ended.is_set(), said


SCREEN = b'[panel]\ntheme = "dark"\n'


@pytest.mark.parametrize("becomes", [b'[panel]\ntheme = "light"\n', SCREEN + b"# a remark\n", b""])
def test_a_change_of_the_screen_alone_starts_the_panel_anew_and_the_others_go_on(config, wish, becomes):
    assert taken(config, wish, was=SCREEN, becomes=becomes, is_panel=True) == (True, [])
    others = taken(config, wish, was=SCREEN, becomes=becomes, is_panel=False)
    assert others == (False, [text_of(becomes).revision])


@pytest.mark.parametrize(
    "becomes", [b'[panel]\ntheme = "light"\n[station]\nname = "US2"\n', b"half a fi", b"\xff\xfe"]
)
def test_whatever_else_changes_starts_every_process_anew(config, wish, becomes):
    assert taken(config, wish, was=SCREEN, becomes=becomes, is_panel=False) == (True, [])


def test_sources_that_change_places_start_every_process_anew(config, wish):
    """A pedal that names no source takes the first one's picture: it is the one that the screen shows."""
    was = SCREEN + b'[[source]]\nname = "a"\n[[source]]\nname = "b"\n'
    becomes = b'[panel]\ntheme = "light"\n[[source]]\nname = "b"\n[[source]]\nname = "a"\n'
    assert taken(config, wish, was=was, becomes=becomes, is_panel=False) == (True, [])


def test_a_broken_wish_is_none(tmp_path, wish):
    for raw in (b"", b"[]", b'{"revision": 7}', b"\xff"):
        (tmp_path / "settings.json").write_bytes(raw)
        assert wish.read() == ""


def test_the_later_processes_wait_for_the_earlier_and_not_for_ever_for_one_that_is_gone(tmp_path, wish):
    clock = FakeClock()
    live = LiveState(folder=tmp_path, process="capture", files=Files(), clock=clock)
    others = Others([live], wish)
    wish.leave("new")
    live.begin("old")
    live.write({})
    assert not others.have_it()
    live.begin("new")  # it starts anew
    assert not others.have_it()
    assert others.absent
    live.write({})
    assert others.have_it()
    assert not others.absent
    live.begin()
    answers = [others.have_it() for _ in range(20)]
    assert answers[0] is False
    assert answers[-1] is True
