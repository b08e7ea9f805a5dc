"""An update that came over the network, as root takes it; and what is known of the slot that does not run."""

from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.machine.locks import at_the_disk
from gateway.machine.update import memory, refusals, uploaded
from gateway.machine.update.box import Box, after_start, use_of_other
from gateway.machine.update.desk import UpdateDesk
from gateway.machine.update.memory import Memory, Phase
from tests.unit.test_update_machine import IMAGE, Place, install, refused


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# --- what came over the network -----------------------------------------------------------------------------


def install_uploaded(place: Place) -> None:
    place.desk.obey({"do": "install-uploaded"})


def left(place: Place) -> list[str]:
    """What lies where an update arrives, and where root has it."""
    found = [*place.places.uploads.iterdir(), *place.places.memory.glob("*")]
    return sorted(path.name for path in found if path.name != "memory.json")


def test_what_was_uploaded_is_installed_from_where_only_root_gives_names_and_is_gone(place: Place) -> None:
    (place.places.uploads / "bundle").write_bytes(b"new")
    install_uploaded(place)
    assert place.rauc.installed == [place.places.memory / "uploaded.raucb"]
    assert place.memory.phase is Phase.INSTALLED
    assert left(place) == []
    assert place.places.memory.stat().st_mode & 0o777 == 0o700


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched(Box):
    """A box of which is kept what it said, and whether the panel's file lay there still."""

    said: list[tuple[int | None, bool, bool]]

    def tell(self, kept: Memory, *, percent: int | None = None, stick: bool = False, refused: Any = None) -> None:
        self.said.append((percent, stick, (self.places.uploads / "bundle").exists()))
        Box.tell(self, kept, percent=percent, stick=stick, refused=refused)


def told_while_installing(place: Place, wish: dict[str, str]) -> list[tuple[int | None, bool, bool]]:
    said: list[tuple[int | None, bool, bool]] = []
    box = Watched(
        image=IMAGE, slot="a", boot_id=place.clock.boot_id, places=place.places, said=said, asks_once=False
    )
    place.exam("")
    UpdateDesk(box=box, rauc=place.rauc, clock=place.clock, stick=place.stick, live=place.live).obey(wish)
    return said


def test_it_is_said_before_the_file_leaves_the_panel_s_reach_that_something_is_installed(place: Place) -> None:
    (place.places.uploads / "bundle").write_bytes(b"new")
    said = told_while_installing(place, {"do": "install-uploaded"})
    assert said == [(0, False, True), (0, False, False), (50, False, False), (None, False, False)]


def test_it_is_said_that_the_stick_is_needed_when_it_is(place: Place) -> None:
    said = told_while_installing(place, {"do": "install", "file": "new.raucb"})
    assert said == [(0, True, False), (50, True, False), (None, False, False)]


@pytest.mark.parametrize("refusal", ["update-exam-open", "update-too-old", "update-damaged"])
def test_what_was_uploaded_and_refused_is_gone_too(place: Place, refusal: str) -> None:
    (place.places.uploads / "bundle").write_bytes(b"new")
    place.exam("exam-1" if refusal == "update-exam-open" else "")
    place.rauc.bundle = replace(place.rauc.bundle, version="0.1.0" if refusal == "update-too-old" else "0.4.0")
    place.rauc.damaged = refusal == "update-damaged"
    install_uploaded(place)
    assert (refused(place), place.rauc.installed, left(place)) == (refusal, [], [])


@pytest.mark.parametrize(("seconds", "code"), [(59, None), (62, "keys-busy")])
def test_what_was_uploaded_waits_a_minute_for_who_is_at_the_disk(
    place: Place, monkeypatch: pytest.MonkeyPatch, seconds: int, code: str | None
) -> None:
    (place.places.uploads / "bundle").write_bytes(b"new")
    began = place.clock.boottime_ns()
    with ExitStack() as keys:
        keys.enter_context(at_the_disk(place.lock))

        def pause(wait_s: float) -> None:
            place.clock.move(wait_s)
            place.exam("")
            if place.clock.boottime_ns() - began >= seconds * 1_000_000_000:
                keys.close()

        monkeypatch.setattr(place.clock, "pause", pause)
        install_uploaded(place)
    assert (refused(place), len(place.rauc.installed), left(place)) == (code, int(code is None), [])


def test_a_link_that_was_uploaded_leads_nowhere(place: Place) -> None:
    (place.places.uploads / "bundle").symlink_to(place.stick / "new.raucb")
    install_uploaded(place)
    assert (refused(place), place.rauc.installed, left(place)) == ("update-absent", [], [])
    assert (place.stick / "new.raucb").exists()


@pytest.mark.parametrize("inside", ["", "more"])
def test_a_folder_that_was_uploaded_is_no_update_and_keeps_nobody_from_the_next(place: Place, inside: str) -> None:
    (place.places.uploads / "bundle" / inside).mkdir(parents=True)
    with pytest.raises(refusals.NoSuchFile), uploaded.taken(place.places.uploads, place.places.memory):
        pytest.fail("root has a folder that it may be unable to remove")
    (place.places.uploads / "bundle" / inside).mkdir(parents=True)
    install_uploaded(place)
    assert (refused(place), place.rauc.installed) == ("update-absent", [])
    assert left(place) == []


def test_what_was_never_uploaded_is_not_there(place: Place) -> None:
    install_uploaded(place)
    assert refused(place) == "update-absent"


def test_what_a_pulled_plug_left_of_an_installation_is_forgotten(place: Place) -> None:
    ours = place.places.memory / "uploaded.raucb"
    ours.parent.mkdir()
    ours.touch()
    uploaded.forget(place.places.memory)
    assert not ours.exists()
    uploaded.forget(place.places.memory)


# --- what is in the other slot ------------------------------------------------------------------------------


def other(place: Place, **kept: str) -> object:
    """What is said of the other slot, by a box that runs slot a."""
    words = {**asdict(Memory()), **kept}
    here = Box(image=IMAGE, slot="a", boot_id="", places=place.places)
    here.tell(Memory(**{**words, "phase": Phase(words["phase"])}))
    found = place.told("update")["other"]
    return found["version"], found["use"]


def test_what_was_installed_waits_in_the_other_slot(place: Place) -> None:
    install(place)
    assert place.told("update")["other"] == {"version": "0.4.0", "use": "next"}


def test_a_slot_that_was_begun_to_be_written_holds_nothing_that_anybody_knows(place: Place) -> None:
    memory.remember(Memory(phase=Phase.GOOD, slot="a", in_a="0.3.0", in_b="0.2.9"), place.places.memory)
    place.rauc.fails = True
    install(place)
    assert place.told("update")["other"] == {"version": "", "use": "unknown"}
    assert (place.memory.in_a, place.memory.in_b) == ("0.3.0", "")


def test_while_a_slot_is_written_the_memory_does_not_name_what_was_in_it(place: Place) -> None:
    memory.remember(Memory(phase=Phase.GOOD, slot="a", in_b="0.2.9"), place.places.memory)
    during: list[str] = []
    place.rauc.meanwhile = lambda: during.append(place.memory.in_b)
    install(place)
    assert during == [""]


def test_an_installation_that_is_cut_off_is_remembered_as_what_it_was(place: Place) -> None:
    last = Memory(phase=Phase.INSTALLED, version="0.3.9", slot="b", boot_id=place.clock.boot_id, in_b="0.3.9")
    memory.remember(last, place.places.memory)

    def pulled() -> None:
        raise SystemExit  # the plug

    place.rauc.meanwhile = pulled
    with pytest.raises(SystemExit):
        install(place)
    assert (place.told("update")["last"]["version"], place.told("update")["installing"]) == ("0.3.9", 50)
    kept = place.memory
    assert (kept.phase, kept.version, kept.slot, kept.reason) == (Phase.FAILED, "0.4.0", "b", "cut-off")
    place.desk.broken_off()  # where the box goes on
    assert (place.told("update")["installing"], refused(place)) == (None, "update-broken-off")
    started = Box(image=IMAGE, slot="a", boot_id="next", places=place.places)
    assert after_start(kept, started, trial=False) == {}
    assert use_of_other(kept, started) == "unknown"
    whole = replace(started, slot="b")  # which RAUC wrote to its end all the same
    assert after_start(kept, whole, trial=False) == {"phase": Phase.TRYING, "reason": ""}


def test_what_ran_from_a_slot_is_known_when_the_other_one_runs(place: Place) -> None:
    here = Box(image=IMAGE, slot="a", boot_id="", places=place.places)
    here.keep(Memory(), **memory.holds("a", "0.3.0"))
    assert (place.memory.version_in("a"), place.memory.version_in("b")) == ("0.3.0", "")


def test_what_is_remembered_already_is_not_written_again(place: Place) -> None:
    here = Box(image=IMAGE, slot="a", boot_id="", places=place.places)
    here.keep(Memory(in_a="0.3.0"), **memory.holds("a", "0.3.0"))
    assert not place.places.memory.exists()


@pytest.mark.parametrize(
    ("kept", "use"),
    [
        ({"phase": "good", "slot": "a"}, "before"),
        ({"phase": "trying", "slot": "a"}, "before"),
        ({"phase": "went-back", "slot": "a"}, "before"),  # the box goes there when the exam is over
        ({"phase": "went-back", "slot": "b"}, "went-back"),
        ({"phase": "installed", "slot": "b"}, "next"),
        ({"phase": "good", "slot": "b"}, ""),
        ({"phase": "none"}, ""),
    ],
)
def test_the_other_slot_is_for_what_the_last_update_made_of_it(
    place: Place, kept: dict[str, str], use: str
) -> None:
    assert other(place, **kept, in_b="0.2.9") == ("0.2.9", use)
    assert other(place, **kept) == ("", "unknown")
