"""What each unit keeps its process from, tried from inside; and that without it the same is possible."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.virtual_grabber import VirtualGrabber

ROOT = Path(__file__).resolve().parents[2]
SYSTEMD = ROOT / "systemd"
NOT_OF_RIGHTS = ("Exec", "Type", "Restart", "Timeout", "Watchdog", "ReadWritePaths")
OUTSIDE, PORT = "10.77.0.2", 4711  # another computer of the clinic, in a network of its own
OUTSIDE6 = "fd00:77::2"
HERE, HERE6 = "10.77.0.1", "fd00:77::1"
NOT_NETWORKDS = Path("/run/systemd/network/00-to-clinic.network")  # an image's would take our address away again
TRIES = """
import json, os, socket, sys

def call(address, kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as port:
        port.settimeout(20)
        port.connect((address, int(sys.argv[2])))
        port.send(b"?")
        return port.recv(5).decode()

def answer():
    with socket.create_server((sys.argv[4], 8443)) as door:
        door.settimeout(60)
        print("listens", flush=True)
        caller, _ = door.accept()
        with caller:
            return caller.recv(5).decode()

said = {}
for name, act in {
    "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close(),
    "socket6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close(),
    "outside": lambda: call(sys.argv[1]),
    "outside6": lambda: call(sys.argv[5]),
    "letter": lambda: call(sys.argv[1], socket.SOCK_DGRAM),
    "letter6": lambda: call(sys.argv[5], socket.SOCK_DGRAM),
    "here": lambda: call("127.0.0.1"),
    "grabber": lambda: os.close(os.open(sys.argv[3], os.O_RDWR)),
    "called": answer,
}.items():
    if name not in sys.argv[6:]:
        continue
    try:
        said[name] = act() or "done"
    except OSError as error:
        said[name] = type(error).__name__ + " " + str(error.errno)
print(json.dumps(said))
"""
ANSWERS = """
import socket, threading
letters = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)  # of both families
letters.bind(("::", 4711))

def answer_letters():
    while True:
        letters.sendto(b"hello", letters.recvfrom(5)[1])

threading.Thread(target=answer_letters, daemon=True).start()
with socket.create_server(("", 4711), family=socket.AF_INET6, dualstack_ipv6=True) as door:
    print("listens", flush=True)
    while True:
        with door.accept()[0] as caller:
            caller.sendall(b"hello")
"""
EVERY_WAY = ("outside", "outside6", "letter", "letter6")
ANSWERED = dict.fromkeys(EVERY_WAY, "hello")
REFUSED = {"ConnectionRefusedError 111", "PermissionError 1"}


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def clinic() -> Iterator[None]:
    """Another computer in a network with this one, and this one itself, answer who calls them."""
    NOT_NETWORKDS.parent.mkdir(parents=True, exist_ok=True)
    NOT_NETWORKDS.write_text("[Match]\nName=to-clinic\n[Link]\nUnmanaged=yes\n")
    subprocess.run(["networkctl", "reload"], check=False, capture_output=True)
    run("ip", "netns", "add", "clinic")
    answering: list[subprocess.Popen[str]] = []
    try:
        run("ip", "link", "add", "to-clinic", "type", "veth", "peer", "name", "eth0", "netns", "clinic")
        run("ip", "address", "add", f"{HERE}/24", "dev", "to-clinic")
        run("ip", "link", "set", "to-clinic", "up")
        run("ip", "address", "add", f"{HERE6}/64", "dev", "to-clinic", "nodad")
        for words in (
            ["address", "add", f"{OUTSIDE}/24", "dev", "eth0"],
            ["address", "add", f"{OUTSIDE6}/64", "dev", "eth0", "nodad"],
            ["link", "set", "eth0", "up"],
        ):
            run("ip", "-n", "clinic", *words)
        for inside in ([], ["ip", "netns", "exec", "clinic"]):
            words = [*inside, sys.executable, "-c", ANSWERS]
            answering.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
            output = answering[-1].stdout
            assert output
            assert output.readline() == "listens\n"
        run("systemctl", "restart", "scopegate-walls.service")
        yield
    finally:
        for process in answering:
            process.kill()
            process.communicate()
        run("ip", "netns", "delete", "clinic")
        subprocess.run(["ip", "link", "delete", "to-clinic"], check=False, capture_output=True)


@pytest.fixture(scope="module")
def grabber() -> Iterator[str]:
    made = VirtualGrabber()
    yield str(made.device)
    made.throw_away()


def rights(process: str) -> list[str]:
    """Return a unit's own words, as properties of another service."""
    text = (SYSTEMD / f"scopegate-{process}.service").read_text()
    lines = text.partition("[Service]")[2].partition("[Install]")[0].splitlines()
    words = [line for line in lines if "=" in line and not line.startswith(("#", *NOT_OF_RIGHTS))]
    # systemd-run knows no names of networks; systemd.resource-control(5) has what this one means
    return [f"--property={word.replace('localhost', '127.0.0.0/8 ::1/128')}" for word in words]


@pytest.mark.parametrize("process", ["capture", "forward", "panel"])
def test_a_units_own_words_are_those_of_the_unit_that_runs(process: str) -> None:
    """What is tried above comes from its file: nothing beside it takes a wall away."""
    name = f"scopegate-{process}.service"
    words = (
        "RestrictAddressFamilies",
        "PrivateDevices",
        "DevicePolicy",
        "NoNewPrivileges",
        "ProtectSystem",
        "User",
    )
    shown = ["systemctl", "show", *(f"--property={word}" for word in words)]
    runs = subprocess.run([*shown, name], capture_output=True, text=True, check=True).stdout
    alone = ["systemd-run", "--quiet", "--collect", f"--unit=as-{process}", *rights(process), "/bin/sleep", "60"]
    subprocess.run(alone, check=True, timeout=60)
    try:
        of_file = subprocess.run(
            [*shown, f"as-{process}.service"], capture_output=True, text=True, check=True
        ).stdout
        assert sorted(runs.splitlines()) == sorted(of_file.splitlines())
    finally:
        run("systemctl", "stop", f"as-{process}.service")


def service(properties: list[str], grabber: str, *tries: str) -> subprocess.Popen[str]:
    words = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", *properties]
    what = [OUTSIDE, str(PORT), grabber, HERE, OUTSIDE6, *tries]
    return subprocess.Popen(
        [*words, "/usr/bin/python3", "-c", TRIES, *what],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tried(properties: list[str], grabber: str, *tries: str) -> dict[str, str]:
    """Try something as a service with these rights; return how each ended."""
    process = service(properties, grabber, *tries)
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    said: dict[str, str] = json.loads(output)
    return said


def as_user(process: str, *groups: str) -> list[str]:
    """Return the rights of a process without its unit: its user, and groups that open what it tries."""
    more = [f"--property=SupplementaryGroups={' '.join(groups)}"] if groups else []
    return [f"--property=User=scopegate-{process}", "--property=Group=scopegate", *more]


@pytest.mark.usefixtures("clinic")
def test_capture_cannot_even_make_an_internet_socket_and_reaches_its_grabber(grabber: str) -> None:
    sockets = ("socket", "socket6", *EVERY_WAY)
    said = tried(rights("capture"), grabber, *sockets, "grabber")
    assert said == {**dict.fromkeys(sockets, "OSError 97"), "grabber": "done"}  # EAFNOSUPPORT
    assert tried(as_user("capture"), grabber, *sockets) == {"socket": "done", "socket6": "done", **ANSWERED}


@pytest.mark.usefixtures("clinic")
def test_forward_calls_the_clinic_and_has_no_grabber_even_in_the_group_of_grabbers(grabber: str) -> None:
    in_group = [*rights("forward"), "--property=SupplementaryGroups=video"]
    assert tried(in_group, grabber, "outside", "grabber") == {"outside": "hello", "grabber": "FileNotFoundError 2"}
    assert tried(as_user("forward", "video"), grabber, "grabber") == {"grabber": "done"}


@pytest.mark.usefixtures("clinic")
def test_the_panel_calls_nobody_and_answers_who_calls_it(grabber: str) -> None:
    said = tried(rights("panel"), grabber, *EVERY_WAY, "here", "grabber")
    assert said.pop("grabber") == "FileNotFoundError 2"
    assert list(said) == [*EVERY_WAY, "here"]
    assert set(said.values()) <= REFUSED
    panel = service(rights("panel"), grabber, "called")
    assert panel.stdout
    assert panel.stdout.readline() == "listens\n"
    # An image lets in what its settings name; this port is none of them.
    opens = "insert rule inet scopegate_incoming arrives tcp dport 8443 accept"
    subprocess.run(["nft", *opens.split()], check=False, capture_output=True)
    call = f"import socket; socket.create_connection(({HERE!r}, 8443), 30).sendall(b'hello')"
    run("ip", "netns", "exec", "clinic", sys.executable, "-c", call)
    output, errors = panel.communicate(timeout=180)
    assert json.loads(output) == {"called": "hello"}, errors


@pytest.mark.usefixtures("clinic")
def test_without_the_walls_the_panels_unit_alone_would_let_it_call_the_clinic(grabber: str) -> None:
    run("nft", "delete", "table", "inet", "scopegate")
    try:
        assert tried(rights("panel"), grabber, *EVERY_WAY, "here") == {**ANSWERED, "here": "hello"}
    finally:
        run("systemctl", "restart", "scopegate-walls.service")


@pytest.mark.usefixtures("clinic")
def test_practice_and_the_boxs_browser_call_this_machine_alone(grabber: str) -> None:
    for process in ("practice", "kiosk"):
        said = tried([f"--property=User=scopegate-{process}"], grabber, *EVERY_WAY, "here")
        assert said.pop("here") == "hello", process
        assert list(said) == list(EVERY_WAY)
        assert set(said.values()) <= REFUSED, process


def test_the_memory_that_is_kept_for_capture_is_kept_all_the_way_down() -> None:
    words = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", *rights("capture")]
    look = "cd /sys/fs/cgroup/$(cut -d: -f3 /proc/self/cgroup) && cat memory.min memory.max ../memory.min"
    answer = subprocess.run([*words, "sh", "-c", look], capture_output=True, text=True, check=True, timeout=120)
    assert answer.stdout.split() == [str(512 << 20), "max", str(512 << 20)]
