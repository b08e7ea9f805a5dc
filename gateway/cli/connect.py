"""`scopegate source`: connect a scanner: find the grabber, choose a profile, measure, write it down."""

import base64
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # a command imports what it needs when it runs
    from hardware.measuring import Delay
    from hardware.profiles import Profile
    from hardware.sources import Picture, Source
    from hardware.sources.v4l2.wish import Wish

app = typer.Typer(help="Grabbers and what is connected to them.", no_args_is_help=True)
_BRIGHT, _DARK = "\x1b[2J\x1b[?5h", "\x1b[2J\x1b[?5l"  # empty, and DECSCNM: xterm and the kernel's console know it


@app.command(name="list")
def list_grabbers() -> None:
    """List the grabbers that are plugged in, as the configuration names them."""
    from hardware.sources.v4l2.finding import nodes

    found = nodes()
    for each in found:
        place = f"v4l2:usb:{each.port}:{each.identity}" if each.port else f"v4l2:{each.node}"
        typer.echo(f'device = "{place}"  # {each.name}, now {each.node}')
    if not found:
        typer.echo("There is no grabber. Is it plugged in?")
        raise typer.Exit(1)


@app.command()
def setup(
    device: Annotated[str, typer.Argument(help="As in the configuration, such as v4l2:usb:1-1.4")],
    out: Annotated[Path, typer.Option(help="The profile that is written.")] = Path("profile.toml"),
    sheet: Annotated[Path, typer.Option(help="The picture with every profile's preview.")] = Path("profiles.jpg"),
) -> None:
    """Try every profile with a preview, learn the picture without signal, measure the delay, write a profile.

    Stop `scopegate capture` first: a grabber has one reader.
    """
    from gateway.clock import Clock
    from gateway.config import grabber, values
    from gateway.threads import Supervisor
    from hardware import factory

    try:
        device = values.device(Path.cwd(), grabber.where)(device)
    except values.Wrong as error:
        raise typer.BadParameter(str(error)) from None
    if out.exists():
        raise typer.BadParameter(f"{out} is there already: name another one with --out, or move it away")
    for path in (out, sheet):
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise typer.BadParameter(f"{path} cannot be written there")
    clock, stop = Clock(), Supervisor().stop

    def wait(seconds: float) -> None:
        clock.wait(stop, seconds)

    def opened(wish: "Wish") -> "Source":
        return factory.source(
            device,
            wish=wish,
            clock_ns=clock.boottime_ns,
            monotonic_ns=clock.monotonic_ns,
            wait=wait,
        )

    person = Person(ask=lambda text: str(typer.prompt(text, default="", show_default=False)), say=typer.echo)
    steps = Setup(person=person, opened=opened, flash=_flash, clock_ns=clock.boottime_ns, jitter=clock.jitter)
    raise typer.Exit(0 if steps.run(sheet=sheet, out=out) else 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Who sits before the terminal."""

    ask: Callable[[str], str]
    say: Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """One device, tried step by step. `opened` makes its source anew for each wish."""

    person: Person
    opened: Callable[["Wish"], "Source"]
    flash: Callable[[bool], None]
    clock_ns: Callable[[], int]
    jitter: Callable[[float], float]

    def run(self, *, sheet: Path, out: Path) -> bool:
        """Lead through all of it; False when nothing was written."""
        from gateway.cli.contact_sheet import contact_sheet
        from hardware import profiles

        shown = self._previews()
        if not shown:
            self.person.say("No profile gave a picture. Check the device, its cable and the scanner.")
            return False
        sheet.write_bytes(contact_sheet(shown))
        self.person.say(f"Every profile's picture is in {sheet}: look at it.")
        name = self.person.ask(f"Which one shows the scanner as it is? ({', '.join(shown)})")
        if name not in shown:
            self.person.say("Nothing was written.")
            return False
        profile = profiles.load(name)
        card, delay = self._card(profile), self._delay(profile)
        out.write_text(written(profiles.text_of(name), card=card, delay=delay), "utf-8")
        self.person.say(
            f'Written: {out}. Put it beside the configuration, and into the [[source]]: profile = "{out}"'
        )
        return True

    def _previews(self) -> dict[str, "Picture"]:
        """Return what is seen with each profile that the device can do."""
        from hardware import profiles
        from hardware.errors import DeviceError, DeviceMissing
        from hardware.views import seen

        found: dict[str, Picture] = {}
        for name in profiles.names():
            profile = profiles.load(name)
            self.person.say(f"trying {name}: {profile.title}")
            try:
                picture = self._picture(profile)
                if picture is None:
                    self.person.say("  no picture came")
                elif not profile.view.fits(picture):
                    self.person.say(f"  it gives {picture.width} x {picture.height}")
                else:
                    found[name] = seen(picture, profile.view)
            except DeviceError as error:
                self.person.say(f"  {error}")
                if isinstance(error, DeviceMissing) and not found:
                    break  # nor will any other profile find it
        return found

    def _picture(self, profile: "Profile") -> "Picture | None":
        """Return a settled picture. Raises DeviceError."""
        from hardware.sources.settled import settled_picture

        return settled_picture(self.opened(profile.wish), clock_ns=self.clock_ns)

    def _card(self, profile: "Profile") -> bytes:
        from hardware.errors import DeviceError
        from hardware.looks import Plain, card_of, look_at, unchanged

        live = self._picture(profile)
        if not _yes(
            self.person.ask("Pull the scanner's cable out of the grabber, then type y (or nothing to skip)")
        ):
            return b""
        try:
            picture = self._picture(profile)
        except DeviceError as error:
            self.person.say(f"{error}")
            picture = None
        if picture is None:
            self.person.say("The grabber says itself that it has no signal: nothing need be learned.")
            return b""
        if live is not None and unchanged(look_at(live), look_at(picture)):
            self.person.say("The grabber shows the same as before: it stands still, and nothing was learned.")
            return b""
        if look_at(picture).plain is Plain.ONE_COLOUR:
            self.person.say("It shows one colour without signal: the box knows that anyway.")
            return b""
        self.person.say("Learned what it shows without signal. Plug the cable in again.")
        return card_of(picture)

    def _delay(self, profile: "Profile") -> "Delay | None":
        from hardware.errors import DeviceError
        from hardware.measuring import input_delay
        from hardware.profiles import LONGEST_DELAY_MS

        question = (
            "Lead this screen into the grabber in the scanner's place, then type y to measure (or nothing to skip)"
        )
        if not _yes(self.person.ask(question)):
            return None
        source = self.opened(profile.wish)
        try:
            source.open()
            delay = input_delay(source, self.flash, clock_ns=self.clock_ns, jitter=self.jitter)
        except DeviceError as error:
            self.person.say(f"Not measured: {error}")
            return None
        finally:
            source.close()
        if delay.ms > LONGEST_DELAY_MS:
            self.person.say(f"The picture is {delay.ms} ms late: that is more than a press can wait for.")
            return None
        self.person.say(f"The picture is {delay.ms} ms late; half of the flashes lie within {delay.spread_ms} ms.")
        return delay


def written(base: str, *, card: bytes, delay: "Delay | None") -> str:
    """Return a profile's text with what was found in place of what it said."""
    for key, value in (
        ("no_signal_picture", f'"{base64.b64encode(card).decode()}"' if card else ""),
        ("input_delay_ms", str(delay.ms) if delay else ""),
    ):
        if value:
            base = re.sub(rf"^{key} *=.*\n", "", base, flags=re.MULTILINE) + f"{key} = {value}\n"
    return base


def _yes(answer: str) -> bool:
    return answer.strip().casefold() in {"y", "yes"}


def _flash(bright: bool) -> None:  # noqa: FBT001 - as a switch
    sys.stdout.write(_BRIGHT if bright else _DARK)
    sys.stdout.flush()
