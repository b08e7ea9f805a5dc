"""Who gets in by which door, and what each role may do: every route, with every role, through both doors."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from starlette.routing import Mount
from starlette.routing import Route as PlainRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from gateway.clock import FakeClock
from gateway.config.settings import Lan, Panel
from gateway.panel.doors.routing import Files, Route, WebSocketRoute, declared, refusal
from gateway.panel.people.roles import DOOR, FIRST_SET_UP, SET_UP, Caller, Door, Role
from gateway.panel.people.sessions import COOKIE
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import LAN_ADDRESS, Bench, item, running

PIN = "402918"
T, R, A, S, N = Role.TECHNICIAN, Role.REVIEWER, Role.ADMINISTRATOR, Role.SERVICE, Role.NOBODY
EVERYBODY, KNOWN, LOOK, WORK = {T, R, A, S, N}, {T, R, A, S}, {T, R, A}, {T, A}

# Who may use what. A route that is new has to be decided here as well.
WHO: dict[str, set[Role]] = {
    "GET /static": EVERYBODY,
    "GET /api/v1/health": KNOWN,
    "GET /api/v1/openapi.json": KNOWN,
    "GET /api/v1/events": KNOWN,
    "GET /api/v1/session": EVERYBODY,
    "POST /api/v1/session": EVERYBODY,
    "POST /api/v1/session/end": EVERYBODY,
    "POST /api/v1/session/touch": KNOWN,
    "POST /api/v1/session/pin": KNOWN,
    "GET /api/v1/people": {A},
    "POST /api/v1/people": {A},
    "POST /api/v1/people/{person}/role": {A},
    "POST /api/v1/people/{person}/pin": {A},
    "POST /api/v1/people/{person}/remove": {A},
    "POST /api/v1/people/recovery/renew": {A},
    "POST /api/v1/people/recovery/confirm": {A},
    "POST /api/v1/people/first": EVERYBODY,
    "POST /api/v1/people/recover": EVERYBODY,
    "GET /api/v1/worklist": WORK,
    "POST /api/v1/worklist/refresh": WORK,
    "POST /api/v1/worklist/search": WORK,
    "GET /api/v1/exams": LOOK,
    "POST /api/v1/exams": WORK,
    "GET /api/v1/exams/{exam}": LOOK,
    "POST /api/v1/exams/{exam}/finish": WORK,
    "POST /api/v1/exams/{exam}/discontinue": WORK,
    "POST /api/v1/exams/{exam}/confirm": WORK,
    "POST /api/v1/exams/{exam}/assign": WORK,
    "POST /api/v1/exams/{exam}/reopen": WORK,
    "POST /api/v1/exams/{exam}/move": WORK,
    "POST /api/v1/exams/{exam}/laterality": WORK,
    "POST /api/v1/captures/{uid}/laterality": WORK,
    "POST /api/v1/captures/{uid}/key": WORK,
    "GET /api/v1/practice": KNOWN,
    "GET /api/v1/service/bundle": {A, S},
    "POST /api/v1/service/sign": {A, S},
    "GET /service": {A, S},
    "GET /service/signs": {A, S},
    "POST /api/v1/kiosk/beat": EVERYBODY,
    "POST /api/v1/practice/begin": WORK,
    "POST /api/v1/practice/end": WORK,
    "GET /practice": WORK,
    "POST /api/v1/exams/{exam}/stills": WORK,
    "POST /api/v1/exams/{exam}/clips": WORK,
    "POST /api/v1/clips/{clip}/stop": WORK,
    "WS /api/v1/presses": WORK,
    "WS /api/v1/preview/{source}": LOOK,
    "POST /api/v1/captures/{uid}/reject": WORK,
    "POST /api/v1/captures/{uid}/restore": WORK,
    "GET /api/v1/captures/{uid}/thumbnail": LOOK,
    "GET /api/v1/captures/{uid}/image": LOOK,
    "GET /api/v1/captures/{uid}/frames/{number}": LOOK,
    "GET /api/v1/captures/{uid}/video": LOOK,
    "GET /api/v1/captures/{uid}/media": LOOK,
    "GET /api/v1/captures/{uid}/dicom": LOOK,
    "GET /api/v1/deliveries": KNOWN,
    "POST /api/v1/deliveries/retry": WORK,
    "POST /api/v1/deliveries/{delivery}/retry": WORK,
    "POST /api/v1/deliveries/{delivery}/hold": WORK,
    "POST /api/v1/deliveries/{delivery}/release": WORK,
    "GET /api/v1/days/{date}": LOOK,
    "POST /api/v1/days/{date}/check": WORK,
    "POST /api/v1/exports": LOOK,
    "GET /api/v1/exports/{export}": LOOK,
    "GET /api/v1/procedure-steps": KNOWN,
    "POST /api/v1/procedure-steps/retry": WORK,
    "POST /api/v1/procedure-steps/{message}/release": WORK,
    "GET /": WORK,
    "GET /confirm": WORK,
    "POST /typed": WORK,
    "GET /type": WORK,
    "POST /type": WORK,
    "GET /search": WORK,
    "POST /search": WORK,
    "POST /scanned": WORK,
    "GET /operator": WORK,
    "GET /api/v1/operator": WORK,
    "POST /api/v1/operator": WORK,
    "GET /live/{exam}": LOOK,
    "GET /finish/{exam}": WORK,
    "GET /exam/{exam}": LOOK,
    "GET /picture/{uid}": LOOK,
    "GET /move/{uid}": WORK,
    "GET /delivery": LOOK,
    "GET /delivery/{exam}": LOOK,
    "GET /copy": LOOK,
    "GET /copy/which": LOOK,
    "GET /copying/{export}": LOOK,
    "GET /archive": LOOK,
    "POST /archive": LOOK,
    "GET /play/{uid}": LOOK,
    "GET /evening": WORK,
    "GET /numbers": KNOWN,
    "POST /api/v1/exams/search": LOOK,
    "POST /api/v1/exams/{exam}/send-again": WORK,
    "GET /api/v1/power": KNOWN,
    "POST /api/v1/power/off": WORK,
    "POST /api/v1/power/stay": WORK,
    "GET /api/v1/devices": {A},
    "GET /api/v1/devices/look": {A},
    "POST /api/v1/devices/pedal": {A},
    "POST /api/v1/trials": {A},
    "GET /api/v1/trials/{trial}": {A},
    "GET /api/v1/first-start": EVERYBODY,
    "POST /api/v1/first-start/answer": {A},
    "POST /api/v1/first-start/draft": {A},
    "POST /api/v1/first-start/later": EVERYBODY,
    "POST /api/v1/first-start/finish": {A},
    "GET /settings/{page}/{table}/{number}/try": {A},
    "GET /first-start": EVERYBODY,
    "GET /first-start/language": {A},
    "GET /first-start/time": {A},
    "GET /first-start/station": {A},
    "GET /first-start/administrator": {A},
    "GET /first-start/source": {A},
    "GET /first-start/source/profile": {A},
    "GET /first-start/source/kind": {A},
    "GET /first-start/pedal": {A},
    "GET /first-start/worklist": {A},
    "GET /first-start/archive": {A},
    "GET /first-start/archive/commitment": {A},
    "GET /first-start/retention": {A},
    "GET /first-start/{step}/try": {A},
    "GET /first-start/{step}/type/{field}": {A},
    "GET /first-start/summary": {A},
    "GET /more": KNOWN,
    "GET /language": EVERYBODY,
    "GET /standby": KNOWN,
    "GET /sign-in": EVERYBODY,
    "GET /first": EVERYBODY,
    "GET /recover": EVERYBODY,
    "GET /pin": KNOWN,
    "GET /people": {A},
    "GET /people/name": {A},
    "GET /people/add": {A},
    "GET /people/code": {A},
    "GET /people/{person}": {A},
    "GET /api/v1/settings": {A},
    "GET /api/v1/settings/state": {A},
    "POST /api/v1/settings/check": {A},
    "POST /api/v1/settings/change": {A},
    "GET /api/v1/settings/before": {A},
    "POST /api/v1/settings/take-back": {A},
    "POST /api/v1/settings/secrets": {A},
    "GET /api/v1/settings/export": {A},
    "POST /api/v1/settings/import/check": {A},
    "POST /api/v1/settings/import": {A},
    "GET /settings": {A},
    "GET /settings/before": {A},
    "GET /settings/file": {A},
    "POST /api/v1/settings/stick/export": {A},
    "POST /api/v1/settings/stick/import": {A},
    "GET /settings/{page}": {A},
    "GET /settings/{page}/ask/{place:path}": {A},
    "GET /settings/{page}/{table}/new": {A},
    "GET /settings/{page}/{table}/{number}": {A},
}
AT_THE_BOX = {
    "POST /api/v1/people/first",
    "POST /api/v1/people/recover",
    "POST /api/v1/settings/stick/export",
    "POST /api/v1/settings/stick/import",
    "GET /first",
    "GET /recover",
    "GET /api/v1/first-start",
    "POST /api/v1/first-start/later",
    "GET /first-start",
    "POST /api/v1/power/off",
    "POST /api/v1/kiosk/beat",
    "POST /api/v1/practice/begin",
    "POST /api/v1/practice/end",
    "GET /practice",
    "POST /api/v1/power/stay",
}
TAKE_PICTURES = {
    "POST /api/v1/exams/{exam}/stills",
    "POST /api/v1/exams/{exam}/clips",
    "POST /api/v1/clips/{clip}/stop",
    "WS /api/v1/presses",
}
WHILE_NEW = {
    name for name, who in WHO.items() if who == {A} and re.search(r"/(first-start|trials|devices)(/|$)", name)
}
ENDLESS = {"GET /api/v1/events", "WS /api/v1/presses", "WS /api/v1/preview/{source}"}
REFUSALS = {"not-signed-in", "not-permitted", "only-at-the-box", "no-capture-here"}


def every_route(bench: Bench) -> Iterator[tuple[str, Route | WebSocketRoute | Files]]:
    def named(route, before=""):
        if isinstance(route, WebSocketRoute):
            yield f"WS {before}{route.path}", route
        elif isinstance(route, Route):
            yield from ((f"{m} {before}{route.path}", route) for m in route.methods or () if m != "HEAD")
        elif isinstance(route, Files):
            yield f"GET {route.path}", route
        else:
            assert isinstance(route, Mount)
            for inner in route.routes:
                yield from named(inner, route.path)

    for route in bench.watching.app.routes:
        yield from named(route)


def people(bench: Bench) -> dict[Role, str]:
    """Have one person of each role; return their ids."""
    kept = bench.watching.app.state.desk.people
    first, _ = kept.first("Huber", PIN)
    others = {role: kept.add(str(role).title(), role, PIN).id for role in (T, R, S)}
    return {A: first.id, **others}


def signed_in(bench: Bench, person: str, door: Door) -> dict[str, str]:
    """Return the header of a browser in which this person has signed in."""
    return {"cookie": f"{COOKIE[door]}={bench.watching.app.state.desk.sessions.begin(person, door)}"}


# --- declared ------------------------------------------------------------------------------------------------


def test_every_route_says_who_may_use_it_as_was_decided(quiet: Bench) -> None:
    found = {name: (set(route.who.roles), route.who) for name, route in every_route(quiet)}
    assert {name: roles for name, (roles, _) in found.items()} == WHO
    assert {name for name, (_, who) in found.items() if who.front_only} == AT_THE_BOX
    assert {name for name, (_, who) in found.items() if who.takes_pictures} == TAKE_PICTURES
    assert {name for name, (_, who) in found.items() if who.while_new} == WHILE_NEW


def test_a_box_without_administrator_is_set_up_by_whoever_stands_before_it_and_by_nobody_else() -> None:
    before = Caller(door=Door.FRONT, roles=frozenset({T}), is_new=True)
    assert before.may(FIRST_SET_UP)
    assert not before.may(SET_UP)
    assert not Caller(door=Door.FRONT, roles=frozenset({T})).may(FIRST_SET_UP)
    assert not Caller(door=Door.LAN, roles=frozenset({T})).may(FIRST_SET_UP)


def test_a_route_that_does_not_say_who_may_use_it_cannot_be_built() -> None:
    with pytest.raises(TypeError):
        Route("/x", lambda: None, methods=["GET"])  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="/x does not say"):
        declared([PlainRoute("/x", lambda: None)])
    with pytest.raises(TypeError, match="/x does not say"):
        declared([Mount("/in", routes=[PlainRoute("/x", lambda: None)])])
    with pytest.raises(TypeError, match="/files does not say"):
        declared([Mount("/files", app=lambda: None)])


@pytest.mark.parametrize("captures", [False, True])
def test_every_role_gets_what_is_its_own_through_each_door(quiet: Bench, *, captures: bool) -> None:
    for name, route in every_route(quiet):
        for door in Door:
            for role in Role:
                here = {T} if door is Door.FRONT else set()
                has = (here | {role}) - ({N} if here else set())
                caller = Caller(door=door, roles=frozenset(has), captures=captures or door is Door.FRONT)
                wanted = bool(has & WHO[name])
                if door is Door.LAN and (name in AT_THE_BOX or (name in TAKE_PICTURES and not captures)):
                    wanted = False
                assert (refusal(route.who, caller) is None) == wanted, (name, door, role)


@pytest.mark.parametrize("role", [N, T, R, A, S])
@pytest.mark.parametrize("door", list(Door))
def test_a_request_for_each_route_is_refused_or_reaches_it(bench: Bench, role: Role, door: Door) -> None:
    ids = people(bench)
    bench.open_exam()
    with bench.elsewhere() as lan:
        client = lan if door is Door.LAN else bench.client
        for name, roles in WHO.items():
            method, path = name.split(" ")
            headers = signed_in(bench, ids[role], door) if role is not N else {}
            may = role in roles or (door is Door.FRONT and T in roles)
            may = may and (door is Door.FRONT or name not in AT_THE_BOX | TAKE_PICTURES)
            if method == "WS" or (name in ENDLESS and may):
                continue
            answer = client.request(
                method,
                re.sub(r"{\w+}", "2.25.1", path) + ("/panel.js" if path == "/static" else ""),
                headers=headers,
                json={"nonsense": 1} if method == "POST" else None,
                follow_redirects=False,
            )
            assert is_refused(answer) != may, (name, answer.status_code, answer.text[:200])


def is_refused(answer: httpx2.Response) -> bool:
    if answer.status_code == 303:
        if answer.headers["location"].startswith("/first-start"):
            return False  # a question that this box is not asked leads to one that it is
        own_wish = {("/first", "/sign-in"), ("/pin", "/sign-in?next=/pin")}  # of pages that are no refusals
        at_the_box = answer.request.url.host == "127.0.0.1"
        return not at_the_box or (answer.request.url.path, answer.headers["location"]) not in own_wish
    if answer.headers.get("content-type") == "application/problem+json":
        return answer.json()["code"] in REFUSALS
    return answer.status_code in {401, 403}


# --- the second door ------------------------------------------------------------------------------------------


def test_nobody_sees_a_patient_without_signing_in(bench: Bench) -> None:
    exam = bench.open_exam("MEIER^Anna")
    uid = bench.still(exam)
    bench.spool.worklist.replace("ris", [item(1, "OKONKWO^Chidi")])
    with bench.elsewhere() as lan:
        for name in WHO:
            method, path = name.split(" ")
            if method == "WS":
                continue
            address = re.sub(r"{\w+}", uid if "uid" in path else exam, path)
            answer = lan.request(method, address, json={} if method == "POST" else None, follow_redirects=True)
            for secret in ("MEIER", "Anna", "4711", "OKONKWO", exam):
                assert secret not in re.sub(r'next=[^"]*|data-next="[^"]*"', "", answer.text), (name, secret)


def test_service_sees_no_patient(bench: Bench) -> None:
    ids = people(bench)
    exam = bench.open_exam("MEIER^Anna")
    uid = bench.still(exam)
    bench.spool.worklist.replace("ris", [item(1, "OKONKWO^Chidi")])
    with bench.elsewhere() as lan:
        headers = signed_in(bench, ids[S], Door.LAN)
        seen = 0
        for name in WHO.keys() - ENDLESS - {"POST /api/v1/session/end"}:
            method, path = name.split(" ")
            address = re.sub(r"{\w+}", uid if "uid" in path else exam, path)
            answer = lan.request(method, address, headers=headers, json={} if method == "POST" else None)
            seen += answer.status_code == 200
            for secret in ("MEIER", "Anna", "4711-0815", "OKONKWO"):
                assert secret not in answer.text, (name, secret)
        assert seen > 8


def test_pictures_are_taken_at_the_box_unless_the_configuration_says_otherwise(bench: Bench) -> None:
    ids = people(bench)
    exam = bench.open_exam()
    with bench.elsewhere() as lan:
        headers = signed_in(bench, ids[T], Door.LAN)
        for path in (f"exams/{exam}/stills", f"exams/{exam}/clips", "clips/2.25.1/stop"):
            answer = lan.post(f"/api/v1/{path}", json={}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "no-capture-here")
        assert 'data-may="watch look work"' in lan.get(f"/live/{exam}", headers=headers).text
    assert bench.spool.captures.of_exam(exam) == []
    assert 'data-may="watch look work capture"' in bench.client.get(f"/live/{exam}").text


def test_with_capture_allowed_a_technician_takes_pictures_from_elsewhere(tmp_path) -> None:
    missing = tmp_path / "missing.pem"  # the listener stays shut: what is asked here came through it all the same
    panel = Panel(lan=Lan(certificate=missing, key=missing, capture=True))
    with folder_in_memory() as folder, running(folder, panel=panel) as bench:
        ids = people(bench)
        exam = bench.open_exam()
        with bench.elsewhere() as lan:
            for person, status in ((T, 201), (R, 403)):
                headers = signed_in(bench, ids[person], Door.LAN)
                assert lan.post(f"/api/v1/exams/{exam}/stills", json={}, headers=headers).status_code == status
        assert len(bench.spool.captures.of_exam(exam)) == 1


@contextmanager
def socket(bench: Bench, path: str, headers: dict[str, str]) -> Iterator[None]:
    app = bench.watching.app

    async def through_the_second_door(scope, receive, send):
        scope[DOOR] = Door.LAN
        await app(scope, receive, send)

    app.state.names.certified = frozenset({"box.clinic.example"})
    browser = TestClient(through_the_second_door, base_url=LAN_ADDRESS)
    browser.portal = bench.watching.portal
    with browser.websocket_connect(f"wss://box.clinic.example:8443{path}", headers=headers) as opened:
        yield opened


def test_the_live_picture_is_for_who_may_look_and_presses_are_for_the_box(bench: Bench) -> None:
    ids = people(bench)
    sign = {person: signed_in(bench, ids[person], Door.LAN) for person in ids}
    with socket(bench, "/api/v1/preview/ultrasound", sign[R]) as viewer:
        assert viewer.receive_bytes()[16:18] == b"\xff\xd8"
    refused = [
        ("/api/v1/preview/ultrasound", sign[S]),
        ("/api/v1/preview/ultrasound", {}),
        ("/api/v1/presses", sign[T]),
    ]
    for path, headers in refused:
        with pytest.raises(WebSocketDisconnect), socket(bench, path, headers):
            pass


def test_a_live_picture_ends_when_its_watcher_is_signed_out(bench: Bench) -> None:
    ids = people(bench)
    with socket(bench, "/api/v1/preview/ultrasound", signed_in(bench, ids[R], Door.LAN)) as viewer:
        viewer.receive_bytes()
        bench.watching.app.state.desk.sessions.end_of(ids[R])
        with pytest.raises(WebSocketDisconnect) as ended:
            watch_on(viewer)
    assert (ended.value.code, ended.value.reason) == (1008, "not-signed-in")


def watch_on(viewer) -> None:
    while True:
        viewer.send_text("1")
        viewer.receive_bytes()


# --- other pages and other names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "box.clinic.example.evil.example", "127.0.0.1", "10.0.0.99", "[::1", ""]
)
def test_a_name_that_leads_here_by_dns_alone_is_not_served(bench: Bench, host: str) -> None:
    ids = people(bench)
    with bench.elsewhere() as lan:
        headers = {**signed_in(bench, ids[A], Door.LAN), "host": host}
        answer = lan.get("/api/v1/people", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (421, "wrong-host")


def test_the_box_answers_on_the_network_to_the_names_of_its_certificate(bench: Bench) -> None:
    with bench.elsewhere() as lan:
        for host in ("box.clinic.example:8443", "us1.kis.example", "10.0.0.5:8443"):
            assert lan.get("/api/v1/session", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://box.clinic.example:8443"},
        {"origin": "https://box.clinic.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
def test_a_page_from_elsewhere_changes_nothing_in_the_name_of_who_is_signed_in(bench: Bench, headers: dict) -> None:
    ids = people(bench)
    with bench.elsewhere() as lan:
        cookie = signed_in(bench, ids[A], Door.LAN)
        answer = lan.post("/api/v1/exams", json={"emergency": True}, headers={**cookie, **headers})
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong-origin")
    assert bench.spool.exams.list() == []


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]
)
def test_a_form_of_another_page_is_no_call(bench: Bench, kind: str) -> None:
    ids = people(bench)
    with bench.elsewhere() as lan:
        headers = {**signed_in(bench, ids[A], Door.LAN), "content-type": kind}
        for path in ("exams", "people", f"people/{ids[T]}/remove", "session"):
            answer = lan.post(f"/api/v1/{path}", content=b'{"emergency": true, "x": "="}', headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (415, "not-json")


def test_a_link_from_elsewhere_may_lead_here_and_an_embedded_picture_may_not(bench: Bench) -> None:
    for mode, status in (("navigate", 200), ("no-cors", 403), ("cors", 403)):
        headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": mode}
        assert bench.client.get("/more", headers=headers).status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2fapp.py",
        "/static//etc/passwd",
        "/static/..\\app.py",
        "/static/%00",
        "/static/fonts/../../app.py",
    ],
)
def test_no_path_leads_out_of_the_folder_of_files(bench: Bench, path: str) -> None:
    with bench.elsewhere() as lan:
        answer = lan.request("GET", httpx2.URL(f"{LAN_ADDRESS}{path}"))
        assert answer.status_code in {404, 405}
        assert "create_app" not in answer.text


# --- signing in ---------------------------------------------------------------------------------------------------


def sign_in(client: httpx2.Client, name: str = "Huber", pin: str = PIN, **headers: str) -> httpx2.Response:
    return client.post("/api/v1/session", json={"name": name, "pin": pin}, headers=headers)


def test_signing_in_gives_a_cookie_that_no_script_no_other_site_and_no_other_name_gets(bench: Bench) -> None:
    people(bench)
    with bench.elsewhere() as lan:
        said = sign_in(lan).headers["set-cookie"]
    name, _, rest = said.partition("=")
    assert name == "__Host-scopegate"
    flags = {part.strip().lower() for part in rest.split(";")[1:]}
    assert flags == {"path=/", "secure", "httponly", "samesite=strict"}
    at_the_box = sign_in(bench.client).headers["set-cookie"].lower()
    assert "httponly" in at_the_box
    assert "samesite=strict" in at_the_box


def test_a_session_that_somebody_planted_in_a_browser_is_never_taken_over(bench: Bench) -> None:
    ids = people(bench)
    with bench.elsewhere() as lan:
        planted = signed_in(bench, ids[T], Door.LAN)
        made_up = {"cookie": f"{COOKIE[Door.LAN]}={'ab' * 32}"}
        for cookie in (planted, made_up):
            answer = sign_in(lan, **cookie)
            token = answer.headers["set-cookie"].split("=")[1].split(";")[0]
            assert token not in cookie["cookie"]
            lan.cookies.clear()
            seen = lan.get("/api/v1/session", headers=cookie).json()
            assert seen["person"] == ""  # the one before counts no more


def test_a_signed_out_browser_is_out_and_so_is_a_removed_person(bench: Bench) -> None:
    ids = people(bench)
    with bench.elsewhere() as lan:
        sign_in(lan)
        cookie = {"cookie": f"{COOKIE[Door.LAN]}={lan.cookies[COOKIE[Door.LAN]]}"}
        assert lan.get("/api/v1/people").status_code == 200
        lan.post("/api/v1/session/end", json={})
        assert lan.get("/api/v1/people", headers=cookie).status_code == 401
        reviewer = signed_in(bench, ids[R], Door.LAN)
        assert lan.get("/api/v1/exams", headers=reviewer).status_code == 200
        admin = signed_in(bench, ids[A], Door.LAN)
        for path, body in (("role", {"role": "service"}), ("pin", {"pin": "999111"}), ("remove", {})):
            reviewer = signed_in(bench, ids[R], Door.LAN)
            assert lan.post(f"/api/v1/people/{ids[R]}/{path}", json=body, headers=admin).status_code == 200
            assert lan.get("/api/v1/exams", headers=reviewer).status_code == 401


def test_a_person_takes_another_pin_by_the_one_before_and_stays_signed_in_here_alone(bench: Bench) -> None:
    ids = people(bench)
    with bench.elsewhere() as lan:
        other = signed_in(bench, ids[R], Door.LAN)
        sign_in(lan, name="Reviewer")
        assert (
            lan.post("/api/v1/session/pin", json={"old": "999999", "pin": "731840"}).json()["code"] == "wrong-pin"
        )
        assert lan.post("/api/v1/session/pin", json={"old": PIN, "pin": "731840"}).status_code == 429
    with bench.elsewhere("10.0.0.8") as lan:
        sign_in(lan, name="Reviewer")
        assert lan.get("/pin").status_code == 200
        assert lan.post("/api/v1/session/pin", json={"old": PIN, "pin": "000000"}).status_code == 422
        assert lan.post("/api/v1/session/pin", json={"old": PIN, "pin": "731840"}).status_code == 200
        assert lan.get("/api/v1/exams").status_code == 200
        assert lan.get("/api/v1/exams", headers=other).status_code == 401
    with bench.elsewhere("10.0.0.9") as lan:
        assert sign_in(lan, name="Reviewer", pin="731840").status_code == 200
    bench.refused("/session/pin", {"old": PIN, "pin": "731840"}, 401, "not-signed-in")


def test_settings_at_the_box_ask_for_the_pin_and_forget_it_after_ten_minutes() -> None:
    clock = FakeClock()
    with folder_in_memory() as folder, running(folder, clock=clock) as bench:
        people(bench)
        assert bench.client.get("/people", follow_redirects=False).headers["location"] == "/sign-in?next=/people"
        sign_in(bench.client)
        for _ in range(9):
            clock.move(60)
            assert bench.client.get("/people").url.path == "/people"
        clock.move(60)
        assert bench.client.get("/people").url.path == "/sign-in"
        assert bench.client.get("/api/v1/exams").status_code == 200  # exams need no PIN there


def test_what_a_page_fetches_by_itself_keeps_nobody_signed_in() -> None:
    clock = FakeClock()
    with folder_in_memory() as folder, running(folder, clock=clock) as bench:
        people(bench)
        with bench.elsewhere() as lan:
            sign_in(lan)
            for _ in range(9):
                clock.move(60)
                assert lan.get("/exam/x", headers={"sec-fetch-mode": "cors"}).status_code == 404
            assert lan.post("/api/v1/session/touch", json={}).status_code == 200
            clock.move(590)
            assert lan.get("/api/v1/exams", headers={"sec-fetch-mode": "cors"}).status_code == 200
            clock.move(10)
            assert lan.get("/api/v1/exams", headers={"sec-fetch-mode": "cors"}).status_code == 401


def test_guessing_a_pin_waits_longer_and_longer_and_pictures_never_do() -> None:
    clock = FakeClock()
    with folder_in_memory() as folder, running(folder, clock=clock) as bench:
        people(bench)
        exam = bench.open_exam()
        with bench.elsewhere() as lan:
            tries = 0
            begun = clock.boottime_ns()
            while clock.boottime_ns() - begun < 3600e9:
                answer = sign_in(lan, pin=f"{500000 + tries}")
                if answer.status_code == 429:
                    assert answer.json()["code"] == "wait-after-wrong-pin"
                    assert sign_in(lan).status_code == 429  # the right one waits as well: nothing is learned
                    clock.move(int(answer.headers["retry-after"]))
                else:
                    assert (answer.status_code, answer.json()["code"]) == (403, "wrong-pin")
                    tries += 1
            assert tries < 70
        bench.still(exam)
        with bench.elsewhere("10.0.0.8") as other:
            assert sign_in(other).status_code == 200  # nobody is locked out
        clock.move(60)
        with bench.elsewhere() as lan:
            assert sign_in(lan).status_code == 200


def test_a_wrong_name_and_a_wrong_pin_look_the_same(bench: Bench) -> None:
    people(bench)
    with bench.elsewhere() as lan:
        answers = [sign_in(lan, name="Nobody"), sign_in(lan, pin="999999")]
    assert answers[0].json() == answers[1].json()
    assert answers[0].status_code == answers[1].status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "Huber"},
        {"name": 7, "pin": PIN},
        {"name": "Huber", "pin": None},
        {"name": "Huber", "pin": ["x"]},
    ],
)
def test_half_a_sign_in_is_none(bench: Bench, body: dict) -> None:
    people(bench)
    answer = bench.client.post("/api/v1/session", json=body)
    assert answer.status_code in {403, 422}
    assert "set-cookie" not in answer.headers


def test_the_audit_says_who_came_who_was_refused_and_who_did_it_and_never_a_pin(bench: Bench) -> None:
    people(bench)
    with bench.elsewhere() as lan:
        sign_in(lan, pin="777123")
        sign_in(lan, name="888456", pin="x")  # a PIN in the wrong field
        with bench.elsewhere("10.0.0.9") as other:
            sign_in(other)
            other.post("/api/v1/people", json={"name": "Rossi", "role": "reviewer", "pin": "555987"})
            exam = other.post("/api/v1/exams", json={"emergency": True}).json()["id"]
        with bench.elsewhere("10.0.0.10") as third:
            sign_in(third, name="Rossi", pin="555987")
            third.get("/people")
            third.post("/api/v1/session/end", json={})
    bench.post("/exams", {"emergency": True, "close_open": True}, status=201)
    text = bench.spool.layout.audit.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    for secret in ("777123", "888456", "555987", PIN):
        assert secret not in text
    whats = [(line["what"], line.get("person")) for line in lines]
    for wanted in (
        ("sign-in-refused", "Huber"),
        ("sign-in-refused", ""),
        ("signed-in", "Huber"),
        ("person-added", "Huber"),
        ("exam-opened", "Huber"),
        ("signed-in", "Rossi"),
        ("not-permitted", "Rossi"),
        ("signed-out", "Rossi"),
        ("exam-opened", None),
    ):
        assert wanted in whats, (wanted, whats)
    assert next(line for line in lines if line["what"] == "person-added")["about"] == "Rossi"
    assert exam


def test_every_page_on_people_can_be_seen_by_whom_it_is_for(bench: Bench) -> None:
    assert "/api/v1/people/first" in bench.client.get("/first").text
    ids = people(bench)
    for path in ("/sign-in", "/recover"):
        assert bench.client.get(path).status_code == 200
    with bench.elsewhere() as lan:
        assert "Huber" not in lan.get("/sign-in").text  # names are for who stands before the box
        headers = signed_in(bench, ids[A], Door.LAN)
        for path in ("/people", "/people/name", "/people/add", "/people/code", f"/people/{ids[R]}", "/more"):
            answer = lan.get(path, headers=headers)
            assert (answer.status_code, "Huber" in answer.text) == (200, path in {"/people", "/more"}), path
        assert lan.get("/people/nobody", headers=headers).status_code == 404
        refused = lan.get("/people", headers=signed_in(bench, ids[R], Door.LAN))
        assert refused.status_code == 403
        assert "not-permitted" in refused.text


# --- the first administrator -----------------------------------------------------------------------------


def test_the_first_administrator_is_made_at_the_box_once_and_gets_a_recovery_code(bench: Bench) -> None:
    with bench.elsewhere() as lan:
        assert lan.post("/api/v1/people/first", json={"name": "Eve", "pin": PIN}).status_code == 403
    made = bench.post("/people/first", {"name": "Huber", "pin": PIN}, status=201)
    code = str(made["recovery_code"])
    assert re.fullmatch(r"([0-9A-F]{4}-){7}[0-9A-F]{4}", code)
    assert str(made["qr"]).startswith("<svg")
    assert bench.get("/people")["recovery_confirmed"] is False  # signed in by it
    bench.refused("/people/recovery/confirm", {"last": "x"}, 403, "wrong-code")
    assert bench.post("/people/recovery/confirm", {"last": code[-4:]}) == {"recovery_confirmed": True}
    bench.refused("/people/first", {"name": "Eve", "pin": PIN}, 409, "administrator-exists")
    assert code not in bench.spool.layout.audit.read_text()


def test_who_forgot_the_pin_sets_another_one_with_the_code_and_gets_a_new_code() -> None:
    clock = FakeClock()
    with folder_in_memory() as folder, running(folder, clock=clock) as bench:
        forgot(bench, clock)


def forgot(bench: Bench, clock: FakeClock) -> None:
    code = bench.post("/people/first", {"name": "Huber", "pin": PIN}, status=201)["recovery_code"]
    bench.refused("/people/recover", {"name": "Huber", "code": "0" * 32, "pin": "731840"}, 403, "wrong-code")
    right = {"name": "Huber", "code": code, "pin": "731840"}
    bench.refused("/people/recover", right, 429, "wait-after-wrong-pin")
    with bench.elsewhere() as lan:
        assert lan.post("/api/v1/people/recover", json=right).json()["code"] == "only-at-the-box"
    clock.move(1)
    second = bench.post("/people/recover", right)["recovery_code"]
    assert second != code
    assert sign_in(bench.client, pin="731840").status_code == 200
    bench.refused("/people/recover", right, 403, "wrong-code")


def test_a_box_whose_people_cannot_be_read_takes_exams_and_nobody_as_administrator() -> None:
    with folder_in_memory() as folder:
        path = folder / "data/people.json"
        path.parent.mkdir()
        path.write_text("{")
        with running(folder) as bench:
            bench.refused("/people/first", {"name": "Eve", "pin": PIN}, 503, "people-unreadable")
            bench.refused("/session", {"name": "Eve", "pin": PIN}, 503, "people-unreadable")
            assert bench.client.get("/sign-in").status_code == 200
            bench.still(bench.open_exam())
        assert path.read_text() == "{"
