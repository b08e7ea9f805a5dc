"""Looks at what is plugged in, lets in what the box has a use for, keeps silent what may not type, and tells.

What is told: it `waits` for somebody who lets it in, is `in`, is `out` because the box has no use for it, or is on
the list and `away`. Whatever goes wrong with one device keeps no other out.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from gateway.errors import MachineFailed
from gateway.log import event, warn
from gateway.machine.programs import Programs
from gateway.machine.telling import tell
from gateway.machine.usb.allowed import Allowed
from gateway.machine.usb.enrolled import Enrolled
from gateway.machine.usb.judging import Use, uses
from gateway.machine.usb.tree import Device, Input, Named, Tree, write

SUBJECT = "usb"
_log = logging.getLogger(__name__)


class Guard:
    """One box. `allowed` says anew at each look what may type."""

    def __init__(self, *, tree: Tree, programs: Programs, told: Path, allowed: Callable[[], Allowed]) -> None:
        self._tree = tree
        self._programs = programs
        self._told = told
        self._allowed = allowed
        self._drivers: dict[str, frozenset[str]] = {}
        self._there: frozenset[Path] = frozenset()
        self._said: list[dict[str, Any]] | None = None

    def look(self) -> None:
        """Look once at everything."""
        self._tree.close()
        devices = list(self._tree.devices())
        self._forget(frozenset(each.folder for each in devices))
        used = {each.of.port: self._let_in(each) for each in devices}
        allowed = self._allowed()
        inputs = list(self._tree.inputs())
        for each in inputs:
            self._hear(each, allowed)
        self._tell([each.of for each in devices], used, inputs, allowed)

    # --- inside --------------------------------------------------------------------------------------------

    def _forget(self, there: frozenset[Path]) -> None:
        """What had no driver when the machine was busy is asked anew once something comes or goes."""
        if there != self._there:
            self._there = there
            self._drivers.clear()

    def _let_in(self, device: Device) -> list[Use]:
        """Let in those interfaces of a device that the box has a use for; return what they are."""
        try:
            if not any(use is not Use.NONE for use in uses(device.interfaces, self._drivers_of)):
                write(device.folder / "authorized", "0")
                return []
            if not device.is_in:
                write(device.folder / "authorized", "1")
                event(_log, "usb_let_in", port=device.of.port, identity=device.of.identity)
            parts = self._tree.parts(device)
            found = uses([interface for _, interface in parts], self._drivers_of)
            for (folder, _), use in zip(parts, found, strict=True):
                write(folder / "authorized", "0" if use is Use.NONE else "1")
            # A driver takes its partners as well, so all of them are in before any is asked for.
            for (folder, _), use in zip(parts, found, strict=True):
                if use is not Use.NONE and not (folder / "driver").exists():
                    self._tree.probe(folder)
        except OSError as error:
            warn(_log, "usb_gone", port=device.of.port, why=type(error).__name__)
            return []
        return [use for use in found if use is not Use.NONE]

    def _drivers_of(self, modalias: str) -> frozenset[str]:
        if modalias not in self._drivers:
            try:
                said = self._programs.run("modprobe", "--resolve-alias", modalias)
            except MachineFailed:  # there is none
                said = ""
            self._drivers[modalias] = frozenset(said.split())
        return self._drivers[modalias]

    def _hear(self, device: Input, allowed: Allowed) -> None:
        silent = device.types and not allowed.takes(device.of)
        if silent != device.silent:
            try:
                write(device.folder / "inhibited", "1" if silent else "0")
            except OSError as error:
                warn(_log, "usb_gone", port=device.of.port, why=type(error).__name__)

    def _tell(
        self, devices: Sequence[Named], used: dict[str, list[Use]], inputs: Sequence[Input], allowed: Allowed
    ) -> None:
        typing = {each.of for each in inputs if each.types}
        present = dict.fromkeys([*devices, *(each.of for each in inputs)])
        said = []
        for each in present:
            found = used.get(each.port, [Use.INPUT])  # PS/2 has no descriptors
            # The button of a grabber is a key, and nobody waits for it.
            types = each in typing and Use.INPUT in found
            waits = types and not allowed.takes(each)
            said.append(
                {
                    **_words(each),
                    "uses": sorted(set(found)),
                    "state": "waits" if waits else "in" if found else "out",
                    "types": types,
                    "listed": allowed.lists(each),
                    "pedal": allowed.is_pedal(each),
                }
            )
        said += list(_away(allowed.listed, present))
        if said != self._said:
            tell(self._told, SUBJECT, {"devices": said})
            self._said = said


def _words(device: Named) -> dict[str, Any]:
    return {"key": device.key, "port": device.port, "identity": device.identity, "name": device.name}


def _away(listed: Iterable[Enrolled], present: Iterable[Named]) -> Iterator[dict[str, Any]]:
    keys = {each.key for each in present}
    for each in listed:
        if each.key not in keys:
            words = {"key": each.key, "port": "", "identity": each.key.partition(" ")[0], "name": each.name}
            yield {**words, "uses": [], "state": "away", "types": True, "listed": True, "pedal": False}
