"""Connections: how many are kept and how long one may be silent, seen over real sockets."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.panel.doors.connections import BACKLOG, PACED, Door, WebServer

PATIENCE_S = 0.2
HALVES = (b"", b"GET / HTTP/1.1\r\nHost: 127", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")


async def _answer(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _long(request: Request) -> Response:
    request.scope[PACED] = True
    try:
        async with asyncio.timeout(5 * PATIENCE_S):
            return PlainTextResponse(str(len(await request.body())))
    except TimeoutError:
        return PlainTextResponse("too slow", 409)


async def _stream(_: Request) -> Response:
    async def beats() -> AsyncIterator[bytes]:
        for _ in range(5):
            await asyncio.sleep(PATIENCE_S)
            yield b"beat\n"

    return StreamingResponse(beats())


@contextmanager
def serving(*more: Route, patience_s: float = PATIENCE_S) -> Iterator[tuple[WebServer, int]]:
    """Serve as the panel does, and give the port."""
    routes = [
        Route("/", _answer, methods=["GET", "POST"]),
        Route("/long", _long, methods=["PUT"]),
        Route("/stream", _stream),
        *more,
    ]
    config = uvicorn.Config(
        Starlette(routes=routes),
        http=Door(most=12, patience_s=patience_s),
        backlog=BACKLOG,
        log_config=None,
        ws="none",
        timeout_graceful_shutdown=1,
    )
    server = WebServer(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield server, listener.getsockname()[1]
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def port() -> Iterator[int]:
    with serving() as (_, port):
        yield port


def ended(caller: socket.socket) -> bool:
    caller.settimeout(10)
    try:
        return not caller.recv(1)
    except ConnectionError:
        return True


def sends_on(caller: socket.socket) -> None:
    """Send a byte now and then, and see that it comes to an end."""
    begun = time.monotonic()
    with suppress(ConnectionError):
        while time.monotonic() - begun < 50 * PATIENCE_S:
            caller.sendall(b"G")
            time.sleep(PATIENCE_S / 10)  # the slowness that is meant
    assert time.monotonic() - begun < 20 * PATIENCE_S


def test_who_connects_while_the_panel_ends_is_not_left_waiting() -> None:
    callers: list[socket.socket] = []

    async def end(_: Request) -> Response:
        callers.append(socket.create_connection(("127.0.0.1", port)))
        server.should_exit = True
        # uvicorn looks each 0.1 s; as the loop stands still, it ends in the turn in which the caller is let in.
        time.sleep(0.3)  # noqa: ASYNC251
        return Response()

    gc.disable()  # it would close what was forgotten, some day
    try:
        with serving(Route("/end", end), patience_s=60) as (server, port):
            httpx2.get(f"http://127.0.0.1:{port}/end")
        with callers[0] as caller:
            assert ended(caller)
    finally:
        gc.enable()


@pytest.mark.parametrize("said", HALVES)
def test_a_caller_who_does_not_go_on_is_sent_away(port: int, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(said)
        assert ended(caller)


def test_a_caller_who_says_a_byte_now_and_then_is_sent_away_as_well(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as caller:
        sends_on(caller)


def test_a_long_file_is_taken_as_slowly_as_its_route_lets_it_come(port: int) -> None:
    pieces = 30
    with socket.create_connection(("127.0.0.1", port), timeout=10) as caller:
        caller.sendall(f"PUT /long HTTP/1.1\r\nHost: h\r\nContent-Length: {pieces}\r\n\r\n".encode())
        for _ in range(pieces):  # three times as long as anybody may be silent
            caller.sendall(b"x")
            time.sleep(PATIENCE_S / 10)  # the slowness that is meant
        assert caller.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_long_file_that_stands_still_is_refused_by_its_route_in_words_and_then_given_up(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(b"PUT /long HTTP/1.1\r\nHost: h\r\nContent-Length: 999\r\n\r\nabc")
        caller.settimeout(10)
        heard = b""
        while not heard.endswith(b"too slow"):
            heard += caller.recv(1000)
        assert heard.startswith(b"HTTP/1.1 409")
        sends_on(caller)


def test_more_callers_than_fit_are_refused_and_the_next_is_served(port: int) -> None:
    with ExitStack() as open_ones:
        callers = [open_ones.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(30)]
        assert all(ended(caller) for caller in reversed(callers))
    assert httpx2.get(f"http://127.0.0.1:{port}/").status_code == 200


def test_a_page_that_watches_is_not_sent_away(port: int) -> None:
    assert httpx2.get(f"http://127.0.0.1:{port}/stream").text == "beat\n" * 5
