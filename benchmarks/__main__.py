"""`python -m benchmarks`: lists the bars, measures all or some. Exit 1 when one cannot be measured here."""

import argparse
import importlib
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.harness import Bar, NotHere, Result, measure
from gateway.errors import ScopegateError

MODULES = (
    "p01_press",
    "p02_wrap",
    "p02_beside",
    "p03_queue",
    "p04_stills",
    "p05_large_pdu",
    "p06_throughput",
    "p07_memory",
    "p08_preview",
    "p09_frames",
    "p10_recording",
    "p11_start",
    "p12_private_memory",
    "p13_glass",
)


def bars() -> dict[str, Bar]:
    """Return every bar by its name, in order."""
    found = [bar for name in MODULES for bar in importlib.import_module(f"benchmarks.{name}").BARS]
    return {bar.name: bar for bar in found}


def main() -> int:
    words = _words()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # folders and peers are cleared away then too
    _private_network()
    known = bars()
    if words.list:
        print("\n".join(f"{bar.name:5} {bar.what}" for bar in known.values()))
        return 0
    wanted = _wanted(words.bar, known)
    place = Path(words.folder)
    say = sys.stderr if words.json else sys.stdout
    print(report.machine_line(place), file=say, flush=True)
    results, missing = [], {}
    for bar in wanted:
        try:
            result = _measured(bar, place, words.rounds)
        except (NotHere, ScopegateError, subprocess.CalledProcessError) as reason:
            missing[bar.name] = str(reason)
            print(f"{bar.name:4} not measured: {reason}", file=say, flush=True)
        else:
            results.append(result)
            print(report.as_text(result), file=say, flush=True)
    if words.json:
        print(report.as_json(results, missing, place))
    return 1 if missing else 0


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("bar", nargs="*", help="names such as P1; a name with letters after it is a variant")
    parser.add_argument("--list", action="store_true", help="name the bars")
    parser.add_argument("--json", action="store_true", help="all figures as JSON on standard output")
    parser.add_argument("--rounds", type=int, default=0, help="other than each bar's own number, at least 5")
    parser.add_argument("--folder", default="/var/tmp", help="on a disk, not in memory (default %(default)s)")
    return parser.parse_args()


def _wanted(names: list[str], known: dict[str, Bar]) -> list[Bar]:
    """Return the bars of these names; a plain number names its variants as well."""
    if not names:
        return list(known.values())
    found = [
        bar
        for name, bar in known.items()
        if name.upper() in {n.upper() for n in names} or name.rstrip("abcd") in names
    ]
    unknown = [
        n for n in names if not any(n.upper() in {bar.name.upper(), bar.name.rstrip("abcd")} for bar in found)
    ]
    if unknown:
        raise SystemExit(f"there is no bar {', '.join(unknown)}: see --list")
    return found


def _measured(bar: Bar, place: Path, rounds: int) -> Result:
    if bar.needs_disk and not report.on_disk(place):
        raise NotHere(f"{place} is in memory, where flushing costs nothing: use --folder")
    folder = Path(tempfile.mkdtemp(prefix=f"scopegate-{bar.name}-", dir=place))
    try:
        return measure(bar, folder, rounds=rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _private_network() -> None:
    """Enter a network of our own, where DCMTK and Orthanc listen to nobody else, before anything has threads."""
    from tests.loopback.peers.namespace import enter_private_network  # noqa: PLC0415 - first of all

    enter_private_network()


if __name__ == "__main__":
    raise SystemExit(main())
