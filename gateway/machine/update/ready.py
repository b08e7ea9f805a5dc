"""What each start does for updates: the firmware's entries, RAUC's configuration, what became of an update."""

import logging
from contextlib import suppress
from pathlib import Path

from gateway.clock import Clock
from gateway.log import warn
from gateway.machine import own_disk
from gateway.machine.own_disk import OwnDisk
from gateway.machine.programs import ProgramFailed
from gateway.machine.update import box as boxes
from gateway.machine.update import configuration, memory, slots, start_count, uploaded
from gateway.machine.update.box import Box, Run
from gateway.machine.update.firmware import entries_put_right, order_put_right, ours_in_order
from gateway.machine.update.memory import Memory
from gateway.machine.update.rauc import CONFIGURATION

LOADERS = {"amd64": r"\EFI\BOOT\BOOTX64.EFI", "arm64": r"\EFI\BOOT\BOOTAA64.EFI"}
_ENVIRONMENT = Path("/run/rauc/environment")
_FELL_BACK = Path("/run/scopegate-fell-back")  # there, once this start was seen to follow one that did not come up
_ALONE = Path("/run/scopegate-alone")  # the initrd's word: the other slot did not come up six times
JUDGE = "scopegate-trial.service"
_log = logging.getLogger(__name__)


def get_ready(clock: Clock) -> None:
    """Put everything right. Raises OSError, KeyError on a machine that is no appliance."""
    here, ours = boxes.this(clock), own_disk.of()
    kept = here.recalled()
    trial, fell_back = is_tried(here, kept), _FELL_BACK.exists()
    try:
        if here.asks_once and _firmware(here, kept, ours, trial=trial) and not trial:
            fell_back = True
            _FELL_BACK.touch()  # closed data remember nothing, and the order is right from now on
    except ProgramFailed as error:
        # Without its variables it starts what it finds first: the box works, updates do not.
        warn(_log, "firmware_not_told", why=error)
    _configure(here, kept, ours)
    changes = boxes.after_start(kept, here, trial=trial, fell_back=fell_back)
    if changes.get("phase") == memory.Phase.TRYING:
        here.places.trial.touch()
    runs = memory.holds(here.slot, here.image.version)
    if changes:
        here.note(kept, clock, **changes, **runs)
    else:
        here.tell(here.keep(kept, **runs))
    uploaded.forget(here.places.memory)  # of an installation whose plug was pulled
    try:
        start_count.came_up(ours.partitions["key"].device)
    except (OSError, KeyError) as error:
        warn(_log, "start_not_counted", error=type(error).__name__)


def is_tried(here: Box, kept: Memory, *, alone: Path = _ALONE, run: Run = boxes.run) -> bool:
    """Say whether the firmware was asked for this start once, and end the trial of a version that stays anyhow.

    What ends a trial restarts the box, which would lead here again, for ever. So it would where the other slot does
    not start (`alone`) and closed data cannot remember how often this one was tried.
    """
    forgets = alone.exists() and kept == Memory()
    if here.on_trial and (forgets or boxes.stays_from_now(kept, here)):
        here.places.trial.unlink()
        with suppress(ProgramFailed):  # it decides nothing any more in any case
            run("systemctl", "--no-block", "stop", JUDGE)  # which began when the data were closed
    return here.on_trial


def _firmware(here: Box, kept: Memory, ours: OwnDisk, *, trial: bool) -> bool:
    """Put the firmware's entries and order right; return whether it prefers the other. Raises ProgramFailed."""
    loader = LOADERS[here.image.compatible.rpartition("-")[2]]
    for words in entries_put_right(boxes.firmware(), slots.starts(ours), loader):
        boxes.run("efibootmgr", *words)
    found = boxes.firmware()
    prefers = ours_in_order(found)[:1]
    running, good = ("", ()) if trial else (here.slot, boxes.good_slots(kept, here))
    order = order_put_right(found, running, good)
    if order:
        boxes.run("efibootmgr", *order)
    return prefers == [here.other]


def _configure(here: Box, kept: Memory, ours: OwnDisk) -> None:
    if not here.takes_updates:
        return
    CONFIGURATION.parent.mkdir(exist_ok=True)
    text = configuration.text(here.image, ours, here.floor(kept), uefi=here.asks_once)
    CONFIGURATION.write_text(text, encoding="utf-8")
    bootname = configuration.bootname(here.slot, uefi=here.asks_once)
    _ENVIRONMENT.write_text(f"BOOTNAME={bootname}\n", encoding="utf-8")
