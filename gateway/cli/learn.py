"""`scopegate trigger`: enrol a pedal by pressing it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config

if TYPE_CHECKING:  # a command imports what it needs when it runs
    from hardware.triggers.learning import Heard, Listening

app = typer.Typer(help="Pedals, buttons and contacts.", no_args_is_help=True)
_CLIP_S = 15.0
_NO_SOURCE = "NAME-OF-THE-SOURCE"


@app.command()
def learn(
    seconds: Annotated[float, typer.Option(help="How long to wait for the first press.")] = 30.0,
    source: Annotated[str, typer.Option(help="Of which source it takes pictures; else the first one.")] = "",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Listen to every key device and serial port, and print the configuration for what is pressed."""
    listening = _everything()
    try:
        found = enrol(listening, source=source or _first_source(config), seconds=seconds, say=_say)
    finally:
        listening.close()
    raise typer.Exit(0 if found else 1)


def enrol(listening: "Listening", *, source: str, seconds: float, say: Callable[[str], None]) -> bool:
    """Ask for presses and say what to write; False when nobody pressed."""
    for candidate in listening.ears:
        say(f"listening to {_shown(candidate.device, candidate.name, candidate.identity)}")
    for candidate, why in listening.deaf.items():
        say(f"not listening to {_shown(candidate.device, candidate.name, candidate.identity)}: {why}")
    if not listening.ears:
        say("There is nothing to listen to: plug the pedal in. A contact at a GPIO pin is written by hand.")
        return False
    listening.settle()
    say(f"Press what shall take a still ({seconds:g} s) ...")
    still = listening.hear(seconds)
    if still is None:
        say("Nobody pressed. A pedal that capture uses already is heard by capture alone: stop it first.")
        return False
    say(f"heard {_told(still)}. Let go of it.")
    listening.settle()
    say(f"Press what shall start and stop a clip, or nothing ({_CLIP_S:g} s) ...")
    clip = listening.hear(_CLIP_S)
    if clip and (clip.candidate, clip.word) == (still.candidate, still.word):
        say("That was the same again: it takes stills only.")
        clip = None
    say("Write this into the configuration:\n")
    for line in tables(still, clip, source):
        say(line)
    return True


def tables(still: "Heard", clip: "Heard | None", source: str) -> Iterator[str]:
    """Return the lines of the configuration for what was pressed; two tables when it was on two devices."""
    if clip is None or clip.candidate == still.candidate:
        yield from _table(still, source, {"still": still.word, **({"clip": clip.word} if clip else {})})
    else:
        yield from _table(still, source, {"still": still.word})
        yield ""
        yield from _table(clip, source, {"clip": clip.word})


def _table(heard: "Heard", source: str, words: dict[str, str]) -> Iterator[str]:
    candidate = heard.candidate
    yield "[[trigger]]"
    yield f'kind = "{candidate.kind}"'
    yield f'device = "{candidate.device}"'
    if candidate.identity and candidate.device.startswith("usb:"):
        yield f'identity = "{candidate.identity}"'
    yield f'source = "{source}"'
    for key, word in words.items():
        yield f'{key} = "{_person_s(word)}"'


def _told(heard: "Heard") -> str:
    others = [_person_s(word) for word in heard.words if word != heard.word]
    more = f", and {', '.join(others)} with it, which is left alone" if others else ""
    return f"{_person_s(heard.word)} on {heard.candidate.device}{more}"


def _person_s(word: str) -> str:
    """Return a word as a person recognises it."""
    from gateway.config.contacts import key_name

    return key_name(int(word.removeprefix("key:"), 16)) if word.startswith("key:") else word


def _shown(device: str, name: str, identity: str) -> str:
    about = ", ".join(filter(None, (name, identity)))
    return f"{device} ({about})" if about else device


def _everything() -> "Listening":
    from gateway.cli.devices import everything
    from gateway.clock import Clock

    clock = Clock()
    return everything(clock, clock.pause)


def _first_source(config: Path) -> str:
    """Return the name of the configuration's first source, or a word to be replaced."""
    from gateway.config import reader
    from gateway.errors import ConfigurationError

    try:
        sources = reader.read(config, os.environ).sources
    except ConfigurationError:
        return _NO_SOURCE
    return sources[0].name if sources else _NO_SOURCE


def _say(text: str) -> None:
    print(text, flush=True)
