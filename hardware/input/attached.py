"""Which devices with keys are plugged in, and where. What sysfs says is the truth; opens no device."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.usb import usb_of

_NOBODY = "0000:0000"  # the identity of buttons of the machine itself


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyDevice:
    """One device and all of its event nodes: some pedals send their keys on another node than the first."""

    nodes: tuple[Path, ...]
    port: str = ""  # of USB, as "1-1.4": bus, and the ports on the way; "" = not on USB
    identity: str = ""  # vendor and product, as "0c45:7403"
    name: str = ""
    waits: bool = False  # the kernel lets nobody hear it: nobody let it in yet

    @property
    def word(self) -> str:
        """Return the word by which a configuration names it: a node's number changes when it is plugged in anew."""
        if self.port:
            return f"usb:{self.port}"
        return f"id:{self.identity}" if self.identity != _NOBODY else str(self.nodes[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Node:
    path: Path
    device: str  # what is the same for all nodes of a device
    port: str
    identity: str
    name: str
    waits: bool


class Attached:
    """The devices of this machine. sys, dev: where sysfs and the device nodes are."""

    def __init__(self, *, sys: Path = Path("/sys"), dev: Path = Path("/dev")) -> None:
        self._class = sys / "class" / "input"
        self._dev = dev / "input"

    def all(self) -> list[KeyDevice]:
        """Return every device that has an event node now."""
        found: dict[str, list[_Node]] = {}
        for node in self._nodes():
            found.setdefault(node.device, []).append(node)
        return [
            KeyDevice(
                nodes=tuple(node.path for node in nodes),
                port=nodes[0].port,
                identity=nodes[0].identity,
                name=nodes[0].name,
                waits=any(node.waits for node in nodes),
            )
            for nodes in found.values()
        ]

    def find(self, word: str, *, identity: str = "") -> KeyDevice:
        """Return the device at "usb:PORT", the one that is "id:VENDOR:PRODUCT", or that of a path below /dev/input.

        identity: "VENDOR:PRODUCT" that must be there, "" for any. Raises DeviceMissing, and DeviceRefused when
        another one is there, or two.
        """
        kind, _, what = word.partition(":")
        if kind == "usb":
            found = [device for device in self.all() if device.port == what]
        elif kind == "id":
            found = [device for device in self.all() if device.identity == what.lower()]
        else:
            path = self._resolved(word)
            found = [device for device in self.all() if path in device.nodes]
        if not found:
            raise DeviceMissing(f"There is no pedal or keyboard {word}: plug it in, or check the setting.")
        if len(found) > 1:
            ports = " or ".join(device.word for device in found)
            raise DeviceRefused(f"Two devices are {word}: say which one, {ports}.")
        if identity and found[0].identity != identity.lower():
            raise DeviceRefused(
                f"At {word} another device is plugged in ({found[0].identity} in place of {identity.lower()}): "
                "plug the pedal in where it was, or enrol this one."
            )
        if found[0].waits:
            raise waiting(found[0].word)
        return found[0]

    def _resolved(self, word: str) -> Path:
        """Return the node that a link such as /dev/input/by-path/... leads to."""
        return self._dev / Path(word).resolve().name

    def _nodes(self) -> Iterator[_Node]:
        entries = sorted(self._class.glob("event*"), key=lambda entry: (len(entry.name), entry.name))
        for entry in entries:
            try:
                yield self._node(entry)
            except OSError:
                continue  # unplugged while it was looked at

    def _node(self, entry: Path) -> _Node:
        keys = entry.resolve(strict=True).parent  # .../inputN
        usb = usb_of(entry)
        parent = keys / "device"
        own = parent.resolve() if parent.exists() else keys
        return _Node(
            path=self._dev / entry.name,
            device=str(usb.folder if usb else own),
            port=usb.port if usb else "",
            identity=usb.identity if usb else f"{_text(keys / 'id/vendor')}:{_text(keys / 'id/product')}",
            name=_text(keys / "name"),
            waits=_is_on(keys / "inhibited"),
        )


def waiting(word: str) -> DeviceRefused:
    """Return what is said of a device that nobody let in yet."""
    return DeviceRefused(
        f"The pedal or keyboard {word} waits until somebody lets it in: More, Settings, This box, USB devices."
    )


def _is_on(path: Path) -> bool:
    try:
        return _text(path) == "1"
    except FileNotFoundError:  # a kernel before 5.11
        return False


def _text(path: Path) -> str:
    return path.read_text(errors="replace").strip()
