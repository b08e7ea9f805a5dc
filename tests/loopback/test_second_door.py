"""The second door over real sockets: TLS with real certificates, shut until an administrator exists."""

import http.client
import json
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import Clock
from gateway.config.settings import Address, Lan, Panel, Settings
from gateway.net import browsers
from gateway.panel import service
from gateway.panel.machine_says import MachineSays
from gateway.threads import Supervisor
from tests.box import until
from tests.certificates import Authority, Identity
from tests.unit.panel.conftest import settings_for
from tests.unit.panel.test_panel_updates import UPDATE

PIN = "402918"
Answer = tuple[int, dict[str, str], dict[str, Any]]


@dataclass(kw_only=True)
class House:
    """A running panel with both doors, and the authority that its callers trust."""

    settings: Settings
    authority: Authority
    front: str

    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.settings.station.runtime_dir / "panel.json").read_bytes())
        return found

    @property
    def lan(self) -> tuple[str, int]:
        """Where the second door is, once it is open."""
        host, _, port = str(until("the second door to open", lambda: self.said()["lan"])).rpartition(":")
        return host, int(port)

    def at_the_box(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self.front, timeout=20)
        connection.request("POST", f"/api/v1{path}", json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        content: dict[str, Any] = json.loads(answer.read())
        connection.close()
        assert answer.status < 300, content
        return content

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> Answer:
        """Call through the second door and read JSON."""
        status, said, raw = self.ask(method, path, body, **headers)
        return status, said, json.loads(raw) if "json" in said.get("content-type", "") else {}

    def page(self, path: str, **headers: str) -> str:
        return self.ask("GET", path, **headers)[2].decode()

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Ask as a browser does, which verifies the certificate."""
        context = ssl.create_default_context(cafile=self.authority.ca)
        connection = http.client.HTTPSConnection(*self.lan, context=context, timeout=20)
        more = {"content-type": "application/json"} if body is not None else {}
        connection.request(method, path, None if body is None else json.dumps(body), {**more, **headers})
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, raw

    def appliance(self, folder: Path) -> Path:
        """Have root say that this is an appliance; return where its updates arrive."""
        (folder / "says" / "update.json").write_text(json.dumps(UPDATE))
        return folder / "upload"

    def uploading(self, token: str) -> int:
        return self.call("GET", "/api/v1/update", cookie=token)[2]["uploading"] or 0

    @contextmanager
    def sending(
        self, size: int, content: bytes, **headers: str
    ) -> Iterator[Callable[[], http.client.HTTPResponse]]:
        """Send an update, or its beginning; the connection breaks at the end."""
        context = ssl.create_default_context(cafile=self.authority.ca)
        connection = http.client.HTTPSConnection(*self.lan, context=context, timeout=20)
        with closing(connection):
            connection.putrequest("PUT", "/api/v1/update/upload")
            for name, value in {**headers, "content-length": str(size)}.items():
                connection.putheader(name, value)
            connection.endheaders()
            connection.send(content)
            yield connection.getresponse


@pytest.fixture
def identity(tmp_path: Path) -> tuple[Authority, Identity]:
    authority = Authority(tmp_path / "pki")
    return authority, authority.issue("127.0.0.1", "box.clinic.example", "*.kis.example", label="panel")


@pytest.fixture
def house(tmp_path: Path, identity: tuple[Authority, Identity]) -> Iterator[House]:
    authority, shown = identity
    lan = Lan(listen=Address(host="127.0.0.1", port=0), certificate=shown.certificate, key=shown.key)
    panel = Panel(listen=Address(host="127.0.0.1", port=0), lan=lan)
    settings = replace(settings_for(tmp_path), panel=panel)
    says = MachineSays(folder=tmp_path / "says", uploads=tmp_path / "upload")
    says.folder.mkdir()
    says.uploads.mkdir()
    supervisor, outcome = Supervisor(), []
    thread = threading.Thread(
        target=lambda: outcome.append(
            service.run(settings, clock=Clock(), supervisor=supervisor, machine_says=says)
        )
    )
    thread.start()
    live = settings.station.runtime_dir / "panel.json"
    until("the panel to run", live.exists)
    yield House(settings=settings, authority=authority, front=json.loads(live.read_bytes())["listen"])
    supervisor.stop.set()
    thread.join(20)
    assert outcome == [True]


def test_the_names_of_a_certificate_are_read(identity: tuple[Authority, Identity]) -> None:
    _, shown = identity
    assert browsers.names(shown.certificate) == {"127.0.0.1", "box.clinic.example", "*.kis.example"}
    with pytest.raises(ValueError, match="no certificate"):
        browsers.names(shown.key)


def test_browsers_of_the_network_get_in_only_when_there_is_an_administrator_and_they_signed_in(
    house: House,
) -> None:
    assert house.said()["lan"] == ""
    house.at_the_box("/people/first", {"name": "Huber", "pin": PIN})
    assert house.call("GET", "/api/v1/exams")[0] == 401
    status, headers, said = house.call("POST", "/api/v1/session", {"name": "Huber", "pin": PIN})
    assert (status, said) == (200, {"person": "Huber", "role": "administrator"})
    cookie = headers["set-cookie"]
    assert cookie.startswith("__Host-scopegate=")
    assert "secure" in cookie.lower()
    token = cookie.split(";")[0]
    assert house.call("GET", "/api/v1/exams", cookie=token)[0] == 200
    port = house.lan[1]
    assert f"https://box.clinic.example:{port}" in house.page("/people", cookie=token)
    assert house.call("GET", "/api/v1/exams", cookie=token[:-1])[0] == 401
    assert house.call("GET", "/api/v1/exams", cookie=token, host="evil.example")[0] == 421
    assert house.call("GET", "/api/v1/exams", cookie=token, host="us1.kis.example:8443")[0] == 200
    # Whoever calls from the box itself does not become somebody else by saying so.
    forwarded = {"x-forwarded-for": "10.9.9.9", "x-forwarded-proto": "http"}
    assert house.call("POST", "/api/v1/session", {"name": "Huber", "pin": "999999"}, **forwarded)[0] == 403
    assert house.call("POST", "/api/v1/session", {"name": "Huber", "pin": PIN})[0] == 429


def test_an_update_is_sent_through_it_and_half_of_one_leaves_nothing(house: House, tmp_path: Path) -> None:
    house.at_the_box("/people/first", {"name": "Huber", "pin": PIN})
    place = house.appliance(tmp_path)
    token = house.call("POST", "/api/v1/session", {"name": "Huber", "pin": PIN})[1]["set-cookie"].split(";")[0]
    with house.sending(20_000_000, bytes(10_000_000), cookie=token):
        until(
            "much of it to be there", lambda: house.uploading(token) > 40
        )  # its last bytes wait for a whole piece
        assert "Being uploaded: 4" in house.page("/service/update", cookie=token)
        assert (
            house.call("POST", "/api/v1/update/upload", {"bytes": 9}, cookie=token)[2]["code"] == "update-running"
        )
    until("nothing to be there", lambda: not list(place.iterdir()))
    with house.sending(20_000_000, bytes(20_000_000), cookie=token) as answer:
        assert answer().status == 200
    assert json.loads((house.settings.station.runtime_dir / "update").read_text()) == {"do": "install-uploaded"}
    assert [each.stat().st_size for each in place.iterdir()] == [20_000_000]


def test_the_second_door_speaks_nothing_but_a_safe_tls(house: House) -> None:
    house.at_the_box("/people/first", {"name": "Huber", "pin": PIN})
    with socket.create_connection(house.lan, timeout=20) as plain:
        plain.sendall(b"GET /api/v1/exams HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP")
    old = ssl.create_default_context(cafile=house.authority.ca)
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(house.lan, timeout=20) as wire,
        pytest.raises((ssl.SSLError, ConnectionError)),
        old.wrap_socket(wire, server_hostname="127.0.0.1"),
    ):
        pass
    assert house.call("GET", "/api/v1/session")[0] == 200


def test_a_renewed_certificate_is_shown_to_the_next_browser(house: House, tmp_path: Path) -> None:
    house.at_the_box("/people/first", {"name": "Huber", "pin": PIN})
    assert house.call("GET", "/api/v1/session", host="new.clinic.example")[0] == 421
    renewed = house.authority.issue("127.0.0.1", "new.clinic.example", label="renewed")
    lan = house.settings.panel.lan
    assert lan
    for new, old in ((renewed.certificate, lan.certificate), (renewed.key, lan.key)):
        shutil.copy(new, tmp_path / "next")
        (tmp_path / "next").replace(old)
    assert house.call("GET", "/api/v1/session", host="new.clinic.example")[0] == 200
    lan.key.write_text("half of a key")  # while somebody copies: the one before is shown
    assert house.call("GET", "/api/v1/session", host="new.clinic.example")[0] == 200


def test_a_flood_of_callers_that_say_nothing_keeps_nobody_from_the_screen_of_the_box(house: House) -> None:
    house.at_the_box("/people/first", {"name": "Huber", "pin": PIN})
    with ExitStack() as kept:
        callers = [kept.enter_context(socket.create_connection(house.lan, timeout=20)) for _ in range(90)]
        ended = [caller for caller in callers[60:] if is_ended(caller)]
        assert len(ended) == 30  # those beyond what one address may have, before any TLS
        house.at_the_box("/exams", {"emergency": True})
    until("the others to be forgotten", lambda: served(house))


def is_ended(caller: socket.socket) -> bool:
    try:
        return caller.recv(1) == b""
    except ConnectionError:
        return True


def served(house: House) -> bool:
    try:
        return house.call("GET", "/api/v1/session")[0] == 200
    except OSError:
        return False


def test_a_taken_address_is_said_and_tried_again_and_the_box_works(house: House, caplog: Any) -> None:
    lan = house.settings.panel.lan
    assert lan
    lan.certificate.unlink()
    house.at_the_box("/people/first", {"name": "Huber", "pin": PIN})
    until("it to be said", lambda: "lan_shut" in caplog.text)
    assert house.said()["lan"] == ""
    house.at_the_box("/exams", {"emergency": True})
