"""Orthanc as the archive: takes everything, its REST interface tells what arrived."""

import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.loopback.peers.process import Server, free_port

DICOM_WEB = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


class Orthanc(Server):
    """Started without plugins unless `Plugins` names some, with an empty store in `folder`."""

    def __init__(self, folder: Path, *, ae_title: str = "ORTHANC", **settings: object) -> None:
        self.port = free_port()
        self.http_port = free_port()
        super().__init__(folder=folder, ports=(self.http_port, self.port))
        self.ae_title = ae_title
        self._settings = settings

    def command(self) -> list[str]:
        store = str(self.folder / "store")
        configuration = {
            "Name": "tests",
            "StorageDirectory": store,
            "IndexDirectory": store,
            "Plugins": [],
            "DicomAet": self.ae_title,
            "DicomPort": self.port,
            "DicomCheckCalledAet": False,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            **self._settings,
        }
        file = self.folder / "orthanc.json"
        file.write_text(json.dumps(configuration), encoding="utf-8")
        return ["/usr/sbin/Orthanc", str(file)]

    def get(self, path: str) -> bytes:
        """Return what REST answers to GET `path`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as answer:
            return bytes(answer.read())

    def post(self, path: str, body: str) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}", data=body.encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def delete(self, sop_instance_uid: str) -> None:
        """Lose one instance."""
        (found,) = [m["ID"] for m in self.post("/tools/lookup", sop_instance_uid) if m["Type"] == "Instance"]
        address = f"http://127.0.0.1:{self.http_port}/instances/{found}"
        with urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=10) as answer:
            answer.read()

    def sop_instance_uids(self) -> list[str]:
        """Return the UIDs of all instances in the store."""
        return [i["MainDicomTags"]["SOPInstanceUID"] for i in json.loads(self.get("/instances?expand"))]

    def file(self, sop_instance_uid: str) -> bytes:
        """Return the DICOM file of one instance as Orthanc keeps it."""
        (found,) = [m["ID"] for m in self.post("/tools/lookup", sop_instance_uid) if m["Type"] == "Instance"]
        return self.get(f"/instances/{found}/file")
