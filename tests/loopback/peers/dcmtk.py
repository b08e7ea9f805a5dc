"""DCMTK's storescp and wlmscpfs. Full paths: a virtual environment with pynetdicom has its own `storescp`."""

from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset

from tests.loopback.peers.process import Server, free_port


class StoreScp(Server):
    """An archive that writes what arrives, unchanged, into `received`.

    options: "+xa" takes every transfer syntax, "+xi" Implicit VR Little Endian only; "--refuse",
    "--abort-during", "--abort-after", "--sleep-during", "4", "--sleep-after", "4" misbehave.
    """

    def __init__(self, folder: Path, *options: str, ae_title: str = "STORESCP", port: int = 0) -> None:
        self.port = port or free_port()
        super().__init__(folder=folder, ports=(self.port,))
        self.ae_title = ae_title
        self.received = folder / "received"
        self._options = options

    def command(self) -> list[str]:
        self.received.mkdir(exist_ok=True)
        return [
            "/usr/bin/storescp",
            *self._options,
            "--bit-preserving",
            "--aetitle",
            self.ae_title,
            "--output-directory",
            str(self.received),
            str(self.port),
        ]

    def file(self, sop_instance_uid: str) -> Path:
        """Return the file of one object; DCMTK puts the modality before the UID."""
        (found,) = self.received.glob(f"*.{sop_instance_uid}")
        return found

    def has(self, sop_instance_uid: str) -> bool:
        return any(self.received.glob(f"*.{sop_instance_uid}"))

    def count(self) -> int:
        return sum(1 for _ in self.received.iterdir())


class WlmScpfs(Server):
    """A worklist server over a folder. `keeps_character_set` False strips it, as some real systems do."""

    def __init__(self, folder: Path, *, ae_title: str = "WLM", keeps_character_set: bool = True) -> None:
        self.port = free_port()
        super().__init__(folder=folder, ports=(self.port,))
        self.ae_title = ae_title
        self._keeps = keeps_character_set
        self._items = folder / "worklists" / ae_title
        self._items.mkdir(parents=True)
        (self._items / "lockfile").touch()

    def command(self) -> list[str]:
        return [
            "/usr/bin/wlmscpfs",
            *(["--keep-char-set"] if self._keeps else []),
            "--data-files-path",
            str(self.folder / "worklists"),
            str(self.port),
        ]

    def add(self, name: str, item: Dataset) -> None:
        """Put an item onto the list; it is served from the next question on."""
        item.file_meta = FileMetaDataset()
        item.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        item.file_meta.MediaStorageSOPClassUID = "1.2.276.0.7230010.3.1.0.1"
        item.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
        part = self._items / f"{name}.part"
        item.save_as(part, enforce_file_format=True)
        part.rename(self._items / f"{name}.wl")

    def item(self, name: str) -> Path:
        """Return the file of an item."""
        return self._items / f"{name}.wl"

    def clear(self) -> None:
        for item in self._items.glob("*.wl"):
            item.unlink()
