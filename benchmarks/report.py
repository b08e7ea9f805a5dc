"""Says what was measured, on what kind of machine: as text for people, as JSON for programs."""

import json
import os
import platform
from pathlib import Path
from typing import Any

from benchmarks.harness import Result

_IN_MEMORY = {"tmpfs", "ramfs", "devtmpfs"}


def machine(folder: Path) -> dict[str, Any]:
    """Return the kind of machine, without its name."""
    return {
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "kernel": platform.release().split("-")[0],
        "file_system": file_system(folder),
        "load": round(os.getloadavg()[0], 1),
    }


def machine_line(folder: Path) -> str:
    """Return the kind of machine in one line, with a warning when others use it."""
    found = machine(folder)
    busy = " - busy: others use this machine" if found["load"] > found["cores"] / 2 else ""
    return (
        f"{found['cores']} cores {found['architecture']}, Linux {found['kernel']}, Python {found['python']}, "
        f"{found['file_system']}, load {found['load']}{busy}"
    )


def file_system(folder: Path) -> str:
    """Return the type of the file system that holds this folder."""
    best, kind = Path(), "unknown"
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, place, found, *_ = line.split()
        mount = Path(place)
        if folder.resolve().is_relative_to(mount) and len(mount.parts) >= len(best.parts):
            best, kind = mount, found
    return kind


def on_disk(folder: Path) -> bool:
    """Say whether flushing means anything there."""
    return file_system(folder) not in _IN_MEMORY


def as_text(result: Result) -> str:
    """Return a few lines about one bar."""
    bar = result.bar
    first, last = min(result.ratios), max(result.ratios)
    limit = ""
    if bar.at_most is not None:
        limit = f"  bar <= {bar.at_most:g}"
    if bar.at_least is not None:
        limit = f"  bar >= {bar.at_least:g}"
    stretch = f", stretch {bar.stretch:g}" if bar.stretch is not None else ""
    lines = [
        f"{bar.name:4} {bar.what}",
        f"     {result.median:.3g} ({first:.3g} to {last:.3g} in {len(result.rounds)} rounds){limit}{stretch}",
        f"     {bar.ours}: {_middle(result, 'ours'):.4g}; {bar.theirs}: {_middle(result, 'theirs'):.4g}",
    ]
    lines += [f"     {key}: {value}" for key, value in result.facts.items()]
    if result.verdict == "no verdict":
        lines.append("     NO VERDICT: the rounds do not agree; try again when the machine is quiet")
    elif result.verdict:
        lines.append(f"     {result.verdict.upper()}")
    return "\n".join(lines)


def as_json(results: list[Result], missing: dict[str, str], folder: Path) -> str:
    """Return everything that was measured."""
    bars = [
        {
            "bar": result.bar.name,
            "what": result.bar.what,
            "at_most": result.bar.at_most,
            "at_least": result.bar.at_least,
            "stretch": result.bar.stretch,
            "median": result.median,
            "min": min(result.ratios),
            "max": max(result.ratios),
            "spread": result.spread,
            "verdict": result.verdict,
            "ours": {"what": result.bar.ours, "values": [each.ours for each in result.rounds]},
            "theirs": {"what": result.bar.theirs, "values": [each.theirs for each in result.rounds]},
            "facts": result.facts,
        }
        for result in results
    ]
    return json.dumps({"machine": machine(folder), "bars": bars, "not_measured": missing}, indent=1)


def _middle(result: Result, side: str) -> float:
    values = sorted(float(getattr(each, side)) for each in result.rounds)
    return values[len(values) // 2]
