"""Whatever the panel writes into the files that root reads: it becomes no line of another program's file.

What root writes for a value that passed has as many lines as for an ordinary one, and nothing that cannot be seen.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from gateway.config import machine, reader
from gateway.errors import ConfigurationError
from gateway.machine.clock import chrony
from gateway.machine.network import firewall, networkd, supplicant

many = settings(
    max_examples=50,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# What values are made of, beside what ends a line, a word, a quote or a rule.
GOOD = [
    "fe80::1",
    "fd00::5",
    "10.1.2.3",
    "/24",
    "/64",
    "ntp",
    "clinic.example",
    "enp1s0",
    "box.pem",
    "Europe/Zurich",
]
BAD = [
    "%",
    "\n",
    "\r",
    "\0",
    "\x0b",
    "\x1b",
    "\x7f",
    "\x85",
    "\u2028",
    '"',
    "'",
    "\\",
    ";",
    "#",
    "{",
    "}",
    "[",
    "]",
    " ",
]
WORDS = st.lists(st.sampled_from(GOOD + BAD) | st.characters(exclude_categories=["Cs"]), max_size=6).map("".join)
A_LINE_MORE = "fe80::1%x\nflush ruleset"
RULE = re.compile(r"\t\t(ip6? daddr [0-9a-f.:]+ )?tcp dport [0-9]+ counter accept comment \"[a-z, ]+\"")


def toml(words: str) -> str:
    return json.dumps(words, ensure_ascii=False).replace("\x7f", "\\u007f")


def for_root(said: machine.Machine) -> list[str]:
    """Return the lines of all files that are made of it."""
    texts = [
        *networkd.files(said.network, said.network.interface or "enp1s0").values(),
        supplicant.text(said.network),
        chrony.sources(said.time, []),
    ]
    return "".join(texts).splitlines()


OWN = 'certificate = "box.pem", key = "box.key"'
MACHINE: dict[str, Callable[[str], str]] = {
    "hostname": lambda value: f"[network]\nhostname = {value}\n",
    "interface": lambda value: f"[network]\nvlan = 4\ninterface = {value}\n",
    "address": lambda value: f'[network]\nmethod = "static"\naddress = {value}\n',
    "gateway": lambda value: f'[network]\nmethod = "static"\naddress = "fd00::7/64"\ngateway = {value}\n',
    "dns": lambda value: f"[network]\ndns = [{value}]\n",
    "search": lambda value: f"[network]\nsearch = [{value}]\n",
    "servers": lambda value: f"[time]\nservers = [{value}]\n",
    "zone": lambda value: f"[time]\nzone = {value}\n",
    "identity": lambda value: f'[network]\nieee8021x = {{ identity = {value}, ca = "ca.pem", {OWN} }}\n',
    "ca": lambda value: f'[network]\nieee8021x = {{ identity = "box", ca = {value}, {OWN} }}\n',
}
USUAL = {
    "hostname": "endo-2",
    "address": "fd00::5/64",
    "gateway": "fd00::5",
    "dns": "fd00::5",
    "zone": "Europe/Zurich",
    "ca": "ca.pem",
}


@pytest.mark.parametrize("key", list(MACHINE))
def test_no_setting_of_the_machine_becomes_a_line_of_another_programs_file(tmp_path: Path, key: str) -> None:
    authority = trustme.CA()
    box = authority.issue_cert("box.clinic.example")
    for name in ("ca.pem", 'a"b', "a\nb", "a\x7fb", "\u2028"):
        authority.cert_pem.write_to_path(tmp_path / name)
    box.cert_chain_pems[0].write_to_path(tmp_path / "box.pem")
    box.private_key_pem.write_to_path(tmp_path / "box.key")

    def made(words: str) -> list[str]:
        text = MACHINE[key](toml(words))
        return for_root(machine.read_text(text.encode(), tmp_path / machine.NAME))

    usual = made(USUAL.get(key, "clinic"))

    @many
    @given(words=WORDS)
    @example(words=A_LINE_MORE)
    @example(words="a\nb")
    def tried(words: str) -> None:
        try:
            lines = made(words)
        except ConfigurationError:
            return
        assert len(lines) <= len(usual), words
        assert all(line.isprintable() for line in lines), words
        assert all(line.count('"') in {0, 2} for line in lines), words

    tried()


@pytest.mark.parametrize("key", ["[station]", "[metrics]"])
def test_no_listener_becomes_more_than_one_rule_of_the_packet_filter(tmp_path: Path, key: str) -> None:
    closed = firewall.rules([]).splitlines()

    @many
    @given(words=WORDS, bracketed=st.booleans())
    @example(words=A_LINE_MORE, bracketed=True)
    @example(words="fd00::5", bracketed=True)
    def tried(words: str, *, bracketed: bool) -> None:
        where = f"[{words}]" if bracketed else words
        text = f"{key}\nlisten = {toml(f'{where}:9464')}\n"
        try:
            said = reader.read_text(text.encode(), tmp_path / "scopegate.toml", {})
        except ConfigurationError:
            return
        opened = [line for line in firewall.rules(firewall.openings(said)).splitlines() if line not in closed]
        assert len(opened) <= 1, words
        assert all(RULE.fullmatch(line) for line in opened), words

    tried()


@given(words=WORDS)
@example(words="fe80::1%x;y")
@many
def test_no_word_of_a_dhcp_server_becomes_another_line_for_chrony(words: str) -> None:
    for server in chrony.heard_by_dhcp(f"NTP={words}\n"):
        assert re.fullmatch(r"[A-Za-z0-9._:-]+", server)
