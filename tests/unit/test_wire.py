"""The language of capture's socket: whole messages, errors that keep their kind, nothing else."""

import asyncio
import json
import socket
import struct
import threading

import pytest

from gateway import errors, wire
from gateway.errors import CaptureGone, CaptureSilent, DiskFull, ExamChanged, ScopegateError


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.settimeout(10)
    with ours, theirs:
        yield ours, theirs


def kinds(kind: type = ScopegateError) -> list[type]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in kinds(child))]


def test_a_message_arrives_as_it_was_sent_also_in_pieces(pair):
    ours, theirs = pair
    message = wire.pack({"event": "preview", "what": "Ä"}, b"\x00\xff" * 1000)
    feeding = threading.Thread(target=lambda: [ours.sendall(bytes([byte])) for byte in message])
    feeding.start()
    got = wire.receive(theirs)
    feeding.join(10)
    assert got == wire.Message(header={"event": "preview", "what": "Ä"}, body=b"\x00\xff" * 1000)


def test_messages_follow_each_other(pair):
    ours, theirs = pair
    ours.sendall(wire.pack({"a": 1}, b"x") + wire.pack({"b": 2}))
    assert wire.receive(theirs).body == b"x"
    assert wire.receive(theirs) == wire.Message(header={"b": 2})


BROKEN = [
    b"",
    b"\x00\x00",
    struct.pack(">II", 3, 0),
    struct.pack(">II", 4, 0),
    struct.pack(">II", 6, 3) + b"{}",
    struct.pack(">II", wire.MAX_MESSAGE + 1, 2) + b"{}",
    struct.pack(">II", 100, 2) + b"{}",
    struct.pack(">II", 6, 2) + b"[]",
    struct.pack(">II", 6, 2) + b"\xff\xff",
    struct.pack(">II", 50_004, 50_000) + b"[" * 50_000,
]


@pytest.mark.parametrize("sent", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_message_is_said_to_be_none(pair, sent):
    ours, theirs = pair
    ours.sendall(sent)
    ours.shutdown(socket.SHUT_WR)
    with pytest.raises(wire.WireError):
        wire.receive(theirs)


@pytest.mark.parametrize("sent", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_message_is_none_for_the_panel_too(sent):
    async def read() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(sent)
        reader.feed_eof()
        await wire.receive_async(reader)

    with pytest.raises(wire.WireError):
        asyncio.run(read())


def test_a_reader_sets_its_own_limit(pair):
    ours, theirs = pair
    ours.sendall(wire.pack({"call": "x" * 1000}))
    with pytest.raises(wire.WireError):
        wire.receive(theirs, limit=1000)


@pytest.mark.parametrize("kind", [k for k in kinds() if k is not errors.ConfigurationError])
def test_every_error_crosses_as_its_own_kind(kind):
    sent = kind("What happened.", action="What to do.")
    message = wire.Message(header=json.loads(json.dumps(wire.error_header(sent))))
    with pytest.raises(ScopegateError) as raised:
        wire.result_of(message)
    got = raised.value
    assert type(got).code == kind.code
    assert (got.what, got.code, got.action) == ("What happened.", sent.code, "What to do.")


def test_a_finer_code_survives():
    header = wire.error_header(DiskFull("Full.", code="disk-nearly-full"))
    with pytest.raises(ScopegateError) as raised:
        wire.result_of(wire.Message(header=header))
    assert raised.value.code == "disk-nearly-full"


def answering(path, answer: bytes):
    """Answer one connection with these bytes after its hello."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(1)

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            connection.sendall(wire.pack({"hello": {"protocol": 1, "start_counter": 1}}))
            wire.receive(connection)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_a_call_returns_the_result_or_raises_the_error(tmp_path):
    path = tmp_path / "s"
    thread = answering(path, wire.pack({"result": {"pending": 0}}))
    assert wire.call(path, "drain", {}, timeout=10) == {"pending": 0}
    thread.join(10)
    path.unlink()
    thread = answering(path, wire.pack(wire.error_header(ExamChanged())))
    with pytest.raises(ExamChanged):
        wire.call(path, "press", {}, timeout=10)
    thread.join(10)


@pytest.mark.parametrize("answer", [b"", b"\xff" * 9])
def test_a_recorder_that_is_gone_or_dies_in_mid_call_is_said(tmp_path, answer):
    with pytest.raises(CaptureGone, match="NOT stored"):
        wire.call(tmp_path / "nothing", "press", {}, timeout=1)
    thread = answering(tmp_path / "s", answer)
    with pytest.raises(CaptureSilent, match="not known"):
        wire.call(tmp_path / "s", "press", {}, timeout=10)
    thread.join(10)
