"""Where other systems are: names, addresses, and link-local ones with the port of this box that leads there."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.config import values
from gateway.config.values import Wrong

SCOPED = "fe80::1%eth0"


@pytest.mark.parametrize(
    ("said", "used"),
    [
        (SCOPED, SCOPED),
        ("FE80:0::1%enp1s0.20", "fe80::1%enp1s0.20"),
        ("fe80::1%" + "x" * 15, "fe80::1%" + "x" * 15),
        ("pacs.clinic.example", "pacs.clinic.example"),
        ("10.1.2.3", "10.1.2.3"),
        ("fd00::5", "fd00::5"),
    ],
)
def test_a_system_that_the_box_calls_is_at(said: str, used: str) -> None:
    assert values.peer_host(said) == used


@pytest.mark.parametrize(
    "said",
    ["fe80::1%", "fe80::1%" + "x" * 16, "fe80::1%a/b", "fe80::1%a b", "fe80::1%a\n", "fe80::1%a:1", "fe80::1%a%b",
     "fe80::1%\x7f", "fe80::1%\u2028", "fd00::1%eth0", "10.1.2.3%eth0", "::1%lo", "pacs%eth0", "%eth0"],
)  # fmt: skip
def test_what_is_no_port_of_this_box_or_needs_none_is_refused(said: str) -> None:
    with pytest.raises(Wrong, match="must be a link-local address with the name of a port of this box"):
        values.peer_host(said)


@pytest.mark.parametrize("said", ["pacs..local", "pacs.local..", ".pacs", "x" * 64, f"a.{'x' * 64}.example"])
@pytest.mark.parametrize("check", [values.host, values.peer_host])
def test_a_name_that_nothing_looks_up_is_refused(check: values.Check, said: str) -> None:
    with pytest.raises(Wrong, match="must be a host name or an IP address"):
        check(said)


def test_a_name_of_the_longest_labels_is_one() -> None:
    assert values.peer_host(f"{'x' * 63}.{'y' * 63}.example") == f"{'x' * 63}.{'y' * 63}.example"


@pytest.mark.parametrize("said", ["pacs..local:104", "https://pacs..local/dicom", f"https://{'x' * 64}/dicom"])
def test_nor_does_a_listener_or_an_address_of_the_web_have_such_a_name(said: str) -> None:
    with pytest.raises(Wrong, match="must be a host name or an IP address"):
        (values.url if said.startswith("https") else values.address)(said)


@pytest.mark.parametrize("said", ["fe80::2", "FE80:0::2", "febf::1"])
def test_a_link_local_address_without_a_port_of_this_box_is_refused(said: str) -> None:
    with pytest.raises(Wrong, match=r'such as "(fe80::2|febf::1)%eth0"'):
        values.peer_host(said)


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (values.host, SCOPED),  # chrony takes none
        (values.address, f"[{SCOPED}]:104"),  # nor do the rules of the packet filter
        (values.url, "https://[fe80::1%25eth0]/dicom-web"),
    ],
)
def test_a_port_of_this_box_is_refused_in_words_where_nothing_takes_one(check: values.Check, said: str) -> None:
    with pytest.raises(Wrong, match="must not name a port of this box after %"):
        check(said)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20))
@example("eth0\nflush ruleset")
def test_no_port_is_more_than_a_word_on_one_line(port: str) -> None:
    try:
        used = values.peer_host(f"fe80::1%{port}")
    except Wrong:
        return
    assert used == f"fe80::1%{port}"
    assert used.isascii()
    assert used.isprintable()
    assert used.split() == [used]
