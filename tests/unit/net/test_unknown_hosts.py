"""Systems whose names nobody knows, as an older configuration may have them: the box tries again, and goes on."""

import pytest

from gateway.config.settings import Destination, Tls
from gateway.errors import TryLater
from gateway.net import syslog
from gateway.net.association import open_link
from gateway.net.echo import echo
from gateway.net.peers import Peer, Timeouts, addresses, in_both_syntaxes
from gateway.net.web import Web
from tests.certificates import Authority

NOBODY = ["pacs..local", f"{'x' * 64}.local"]  # Python looks neither of them up
STILL = "1.2.840.10008.5.1.4.1.1.6.1"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    return authority.tls(authority.issue("box"))


def peer(host: str, tls: Tls | None = None) -> Peer:
    return Peer(kind="archive", name="pacs", ae_title="PACS", host=host, port=104, tls=tls)


def link(host: str, tls: Tls | None) -> TryLater:
    with pytest.raises(TryLater) as caught:
        open_link(peer(host, tls), our_ae="BOX", contexts=in_both_syntaxes(STILL), timeouts=Timeouts())
    return caught.value


@pytest.mark.parametrize("host", NOBODY)
@pytest.mark.parametrize("secured", [False, True])
def test_an_archive_of_such_a_name_is_not_known(host: str, secured: bool, tls: Tls) -> None:  # noqa: FBT001
    error = link(host, tls if secured else None)
    assert error.code == "unreachable"
    assert error.what == f"The archive pacs did not answer: the name {host} is not known in this network."


@pytest.mark.parametrize("host", NOBODY)
def test_nor_is_it_when_it_is_asked_whether_it_hears_us(host: str) -> None:
    assert echo(host, 104, "PACS", "BOX").code == "unreachable"


@pytest.mark.parametrize("host", NOBODY)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nor_is_an_address_of_the_web(host: str, scheme: str) -> None:
    destination = Destination(name="pacs", kind="stow", url=f"{scheme}://{host}/dicom-web")
    with Web(destination, timeouts=Timeouts()) as web, pytest.raises(TryLater) as caught:
        web.ask("GET", "/instances", seconds=5, most=1000)
    assert caught.value.code == "unreachable"
    assert caught.value.what.endswith(f"the name {host} is not known in this network.")
    assert caught.value.nothing_left
    assert not web.usable


@pytest.mark.parametrize("host", [*NOBODY, "audit.invalid"])
def test_nor_is_an_audit_repository(host: str, tls: Tls) -> None:
    answer = syslog.knock(peer(host, tls), deadline_s=5)
    assert (answer.ok, answer.code) == (False, "unreachable")
    assert answer.what.endswith(f"the name {host} is not known in this network.")


@pytest.mark.parametrize("host", NOBODY)
def test_nobody_calls_from_such_a_name(host: str) -> None:
    assert addresses(host) == set()


def test_a_port_of_this_box_that_is_not_there_is_named(tls: Tls) -> None:
    errors = [link("fe80::1%nope0", None), link("fe80::1%nope0", tls)]
    assert {error.what for error in errors} == {"The archive pacs did not answer: this box has no port nope0 now."}
    assert all("after % in the host of pacs" in error.action for error in errors)
    assert syslog.knock(peer("fe80::1%nope0", tls), deadline_s=5).what == errors[0].what
