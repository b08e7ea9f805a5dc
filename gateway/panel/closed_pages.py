"""How the pages look that the screen shows in place of the panel: in every language, without a script.

docs/decisions/0053-repair.md tells what is done on them.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from gateway.messages import N_
from gateway.panel.words import Words

LONGEST = 64
_HEX = "123A456B789C0DEF"  # a PIN has digits, a recovery code hexadecimal ones
_DIGITS = "1234567890"
# Codes of what somebody can open.
_BY_A_PERSON = frozenset({"start-pin", "key-gone", "key-refused", "chip-locked", "keys-busy", "no-key"})
_LOST = frozenset({"data-missing", "two-disks"})  # codes of what leaves nothing to erase or to rescue
_STYLE = """
:root { color-scheme: dark; }
body { margin: 0; padding: 3vh 4vw; background: #101418; color: #f2f4f5; font: 1.2rem/1.4 sans-serif; }
main { display: flex; flex-wrap: wrap; gap: 2rem; align-items: start; }
main > div { flex: 1 1 24rem; }
section { margin: 0 0 2vh; padding-inline-start: 1rem; border-inline-start: .4rem solid #ff6b5e; }
h1 { margin: 0; font-size: 1.4rem; }
p { margin: .2rem 0; }
form { display: grid; grid-template-columns: repeat(4, 4.5rem); gap: .6rem; }
input { grid-column: span 4; font-size: 1.5rem; padding: .6rem; }
button { font-size: 1.6rem; min-height: 4rem; }
.wide { grid-column: span 2; }
footer { font-size: 1.4rem; }
nav { display: flex; flex-wrap: wrap; gap: .6rem; margin-block-start: 2vh; }
nav a { color: inherit; border: .1rem solid #8a949c; border-radius: .4rem; padding: .8rem 1rem; font-size: 1rem; }
.number { font-size: 2rem; letter-spacing: .2rem; }
"""
_ERASE = {
    "what": N_("Erase this box: everything on it is lost, for everybody."),
    "safe": N_(
        "While its data are closed nobody can count the pictures that are in no archive yet. Patients' pictures"
        " that exist nowhere else may be among them; with the recovery code they can be rescued."
    ),
    "action": N_("To erase it all the same, type this number, then OK. The box starts anew as a new one."),
}
_RESCUE = {
    "what": N_("Rescue the pictures onto a stick."),
    "safe": N_(
        "They are copied, encrypted with the recovery code; nothing on the box is changed. Any PC reads the copy"
        " with that code."
    ),
    "action": N_("Put a stick in (FAT or exFAT), type the recovery code, then OK."),
}
_PROVING = N_(["The box is proving its new version.", "This takes a few minutes: ask again then."])
_OFFERS = N_(
    {
        "/rescue": "Rescue the pictures",
        "/erase": "Erase the box",
        "/": "Back",
    }
)


def main(
    said: Mapping[str, Any], service: str, languages: Sequence[Words], *, proving: bool, typed: str, again_s: int
) -> str:
    """Return the page: what happened, what of the pictures, what to do, in each language, and where to type.

    proving: nothing is erased or rescued for now, because the version that runs may end any moment.
    """
    beside = pad("/unlock", typed) if said["code"] in _BY_A_PERSON else ""
    busy, lost = bool(said.get("doing")), said["code"] in _LOST
    offers = [] if busy or lost or proving else [_offer(to, languages) for to in ("/rescue", "/erase")]
    later = [_later(words) for words in languages] if proving else []
    return _document([*_sections(said, languages), *_nav(offers), *later], beside, said["code"], service, again_s)


def erase(number: str, typed: str, refused: Mapping[str, str], languages: Sequence[Words]) -> str:
    """Return where a number is typed without which nothing is erased."""
    shown = f'<p class="number">{escape(number)}</p>'
    return _asking(_ERASE, shown, pad("/erase", typed, keys=_DIGITS, kind="text"), refused, languages)


def rescue(typed: str, refused: Mapping[str, str], languages: Sequence[Words]) -> str:
    """Return where the recovery code is typed with which the pictures are rescued."""
    return _asking(_RESCUE, "", pad("/rescue", typed), refused, languages)


def pad(to: str, typed: str, *, keys: str = _HEX, kind: str = "password") -> str:
    """Return where something is typed, on the screen or on a keyboard."""
    buttons = "".join(f'<button name="add" value="{key}">{key}</button>' for key in keys)
    field = f'<input type="{kind}" name="secret" maxlength="{LONGEST}" value="{escape(typed)}" autofocus'
    return (
        f'<form method="post" action="{to}" autocomplete="off">'
        # The first button of a form is that of the Enter key.
        f'{field} aria-label="PIN"><button class="wide">OK</button>'
        f'<button class="wide" name="clear" value="1" aria-label="Clear">&#9003;</button>{buttons}</form>'
    )


def _asking(
    words: Mapping[str, str], shown: str, beside: str, refused: Mapping[str, str], languages: Sequence[Words]
) -> str:
    why = list(_sections(refused, languages)) if refused.get("what") else []
    body = [*why, *_sections(words, languages), shown, *_nav([_offer("/", languages)])]
    return _document(body, beside, refused.get("code", ""), "", 0)


def _sections(said: Mapping[str, Any], languages: Sequence[Words]) -> list[str]:
    return [
        f'<section lang="{words.language}"><h1>{_text(words, said["what"])}</h1>'
        f"<p>{_text(words, said['safe'])}</p><p><b>{_text(words, said['action'])}</b></p></section>"
        for words in languages
    ]


def _later(words: Words) -> str:
    return f'<p lang="{words.language}">{" ".join(_text(words, each) for each in _PROVING)}</p>'


def _nav(offers: Sequence[str]) -> list[str]:
    return [f"<nav>{''.join(offers)}</nav>"] if offers else []


def _offer(to: str, languages: Sequence[Words]) -> str:
    said = " · ".join(f'<span lang="{words.language}">{_text(words, _OFFERS[to])}</span>' for words in languages)
    return f'<a href="{to}">{said}</a>'


def _document(body: Sequence[str], beside: str, code: str, service: str, again_s: int) -> str:
    refresh = f'<meta http-equiv="refresh" content="{again_s};url=/">' if again_s else ""  # else it would be lost
    call = f"<p>&#9742; <b>{escape(service)}</b></p>" if service else ""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Scopegate</title>',
            f'<meta name="viewport" content="width=device-width, initial-scale=1">{refresh}',
            f"<style>{_STYLE}</style></head><body><main><div>",
            *body,
            "</div>",
            beside,
            f"</main><footer>{call}<p><code>{escape(code)}</code></p></footer></body></html>\n",
        ]
    )


def _text(words: Words, message: str) -> str:
    return escape(words.said(message))
