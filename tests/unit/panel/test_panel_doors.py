"""Who gets in by which door, and what each role may do: every route, with every role, through both doors."""

import re
from collections.abc import Iterator

import httpx2
import pytest
from starlette.routing import Mount
from starlette.routing import Route as PlainRoute

from gateway.panel.doors.routing import Files, Route, WebSocketRoute, declared, refusal
from gateway.panel.people.roles import FIRST_SET_UP, SET_UP, Caller, Door, Role
from tests.unit.panel.conftest import Bench
from tests.unit.panel.who_may import (
    AT_THE_BOX,
    ENDLESS,
    TAKE_PICTURES,
    WHILE_NEW,
    WHO,
    A,
    N,
    R,
    S,
    T,
    people,
    signed_in,
)

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
        own_wish = {
            ("/first", "/sign-in"),
            ("/first/name", "/sign-in"),
            ("/pin", "/sign-in?next=/pin"),
        }  # of pages that are no refusals
        at_the_box = answer.request.url.host == "127.0.0.1"
        return not at_the_box or (answer.request.url.path, answer.headers["location"]) not in own_wish
    if answer.headers.get("content-type") == "application/problem+json":
        return answer.json()["code"] in REFUSALS
    return answer.status_code in {401, 403}
