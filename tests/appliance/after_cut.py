"""Runs inside the box after a start: tells what is there.

`python3 -m tests.appliance.after_cut FILE`: FILE names exams, captures whose pictures are looked at (of all others
only whether they are there), and whether the box has to be full. Lines of JSON go through the tests' port, as those
of at_work.
"""

import hashlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.appliance.at_work import BLOCK, BLOCKS, CARELESS, PORT, READY_S, SPOOL, ready, tell
from tests.box import Panel, Refusal, until

_SCOPEGATE = "/opt/scopegate/bin/scopegate"
_UNITS = ("scopegate-capture", "scopegate-forward", "scopegate-panel")


def said(*words: str) -> tuple[int, str]:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def machine() -> dict[str, Any]:
    """What the machine says of itself and of its disk."""
    _, failed = said("systemctl", "--failed", "--no-legend", "--plain")
    _, active = said("systemctl", "is-active", *_UNITS)
    _, took = said("systemd-analyze", "time")
    _, kernel = said("journalctl", "--boot", "--dmesg", "--grep", "EXT4-fs", "--output=cat", "--no-pager")
    _, used = said("df", "--output=used,avail", "--block-size=1M", "/data")
    _, journal = said("du", "-sm", "/var/log/journal")
    return {
        "state": said("systemctl", "is-system-running")[1],
        "failed": failed,
        "active": active.split(),
        "took": took.splitlines()[0],
        "kernel": kernel.splitlines(),
        "used_mb": [int(word) for word in used.splitlines()[-1].split()],
        "journal_mb": int(journal.split()[0]),
    }


def product() -> dict[str, Any]:
    code, verified = said(_SCOPEGATE, "audit", "verify")
    _, looked = said(_SCOPEGATE, "doctor", "--json")
    findings = json.loads(looked[looked.index("[") : looked.rindex("]") + 1])
    bad = [f"{each['what']}: {each['says']}" for each in findings if each["ok"] is False]
    return {"audit": [code, verified], "doctor": bad}


def exam(panel: Panel, name: str) -> dict[str, Any]:
    """Return what the index says of an exam: its patient, its state, its captures' kinds, numbers, deliveries."""
    try:
        listed = panel.get(f"/exams/{name}")
    except Refusal as refusal:
        return {"missing": refusal.status}
    captures = {
        one["sop_instance_uid"]: [
            one["kind"], one["instance_number"], [delivery["state"] for delivery in one["deliveries"]]
        ]
        for one in listed["captures"]
    }  # fmt: skip
    return {"patient": listed["patient"]["id"], "state": listed["state"], "captures": captures}


def folders() -> dict[str, list[str]]:
    """Return each capture's exams, as far as there are files of it."""
    found: dict[str, list[str]] = {}
    for file in SPOOL.glob("exams/*/*.json"):
        if file.name != "exam.json" and not file.with_suffix(".moved").exists():
            found.setdefault(file.stem, []).append(file.parent.name)
    return found


def pictures(panel: Panel, wanted: list[str], kinds: dict[str, str]) -> Iterator[tuple[str, str, int]]:
    """Yield the digest of each capture's codestreams, and how many there are."""
    for uid in wanted:
        status, content = panel.request("GET", f"/captures/{uid}/media")
        digest = hashlib.sha256()
        pieces = list(codestreams(content)) if kinds.get(uid) == "clip" else [content]
        for piece in pieces:
            digest.update(piece)
        yield (uid, digest.hexdigest(), len(pieces)) if status < 400 else (uid, f"HTTP {status}", 0)


def codestreams(content: bytes) -> Iterator[bytes]:
    """Yield the pieces of a clip, each of which stands behind its length."""
    place = 0
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        yield content[place + 4 : place + 4 + length]
        place += 4 + length


def careless() -> dict[str, int]:
    """Return how many records of each careless writer are there, from the first on without a gap."""
    found = {}
    for name, begin in (("memory", 0), ("disk", 1)):
        file = CARELESS / name
        content = file.read_bytes() if file.exists() else b""
        count = 0
        for number in range(1, BLOCKS * 100):
            place = (number - 1 + begin) * BLOCK
            if content[place : place + BLOCK] != number.to_bytes(8, "big") * (BLOCK // 8):
                break
            count = number
        found[name] = count
    return found


def is_full(panel: Panel) -> bool:
    """Say whether the box says that it takes no pictures, for its disk is full."""
    try:
        health = json.loads(panel.request("GET", "/health")[1])
    except (OSError, http.client.HTTPException):
        return False
    live = bool(health["sources"]) and all(source["state"] == "live" for source in health["sources"])
    return live and health["disk"]["state"] == "full"


def main() -> None:
    wanted = json.loads(Path(sys.argv[1]).read_bytes())
    tell(careless=careless())
    panel = Panel(PORT)
    began = time.monotonic()
    is_up = is_full if wanted["full"] else ready
    until("the box to be ready", lambda: is_up(panel), READY_S, pause_s=0.5)
    tell(waited_s=round(time.monotonic() - began))
    kinds: dict[str, str] = {}
    for name in wanted["exams"]:
        said = exam(panel, name)
        kinds |= {uid: kind for uid, (kind, *_) in said.get("captures", {}).items()}
        tell(exam=name, **said)
    for uid, where in folders().items():
        tell(uid=uid, exams=where)
    for uid, digest, pieces in pictures(panel, wanted["pictures"], kinds):
        tell(picture=uid, sha256=digest, pieces=pieces)
    tell(update=json.loads(Path("/run/scopegate-machine/update.json").read_bytes()))
    tell(settings=Path("/etc/scopegate/scopegate.toml").read_text(errors="replace"))
    tell(product=product())
    tell(machine=machine())


if __name__ == "__main__":
    main()
