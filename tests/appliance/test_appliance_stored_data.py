"""A box looks at everything that it stores and at whom it knows, on its own disk and within its units' walls."""

import json
from pathlib import Path

import pytest

from tests.appliance.appliance import Appliance
from tests.box import configuration, until
from tests.kernel.machine import one_at_a_time

_SOURCE = ("[[source]]", {"name": "us", "device": "pattern:ultrasound", "modality": "US"})
_OTHERS = [  # nobody is there, and whoever is there may read it
    ("[[worklist]]", {"name": "ris", "ae_title": "RIS", "host": "127.0.0.1", "port": 11119}),
    ("[metrics]", {"listen": "127.0.0.1:9464"}),
]
_WHOLE = """
import http.client, json
from tests.box import Panel, until

cookie = ""

def ask(method, path, body=None):
    global cookie
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
    headers = {"Content-Type": "application/json", "Cookie": cookie}
    connection.request(method, "/api/v1" + path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    cookie = (answer.getheader("Set-Cookie") or cookie).partition(";")[0]
    text = answer.read().decode()
    assert answer.status < 300, text
    return json.loads(text)

def ended():
    seen = ask("GET", "/service/stored-data")["stored_data"]
    return seen if seen["phase"] in ("ended", "stopped") else None

def looked():
    seen = ask("GET", "/service/connections")["connections"]
    return seen if seen["state"] in ("done", "failed") else None

panel = Panel(8080)
exam = panel.open_typed()
panel.still(exam)
panel.finish(exam)
ask("POST", "/people/first", {"name": "Huber", "pin": "402918"})
ask("POST", "/service/stored-data", {"do": "begin"})
stored = until("its end", ended, 120, pause_s=1)
ask("POST", "/service/connections", {"do": "begin"})
print(json.dumps({"stored": stored, "others": until("what it asks", looked, 120, pause_s=1)}))
"""


class Box(Appliance):
    """It has a test picture."""

    def is_live(self) -> bool:
        said = json.loads(self.shell("cat /run/scopegate/capture.json || echo '{}'") or "{}")
        return [each["state"] for each in said.get("sources", [])] == ["live"]


def test_what_is_stored_is_read_to_its_end_and_the_others_are_asked_within_the_walls(
    image: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    box = Box(tmp_path_factory.mktemp("stored-data"), image=image)
    with one_at_a_time():
        try:
            box.switch_on()
            box.configure(configuration([_SOURCE, *_OTHERS]))
            until("a picture", box.is_live, 300, pause_s=2)
            whole = box.python(_WHOLE)
            starts = box.shell("systemctl show --property NRestarts --value scopegate-panel scopegate-forward")
        finally:
            box.stop()
    seen, lines = whole["stored"], {line["what"]: line for line in whole["others"]["lines"]}
    assert (seen["phase"], seen["pictures"], seen["of"], seen["troubles"]) == ("ended", 1, 1, [])
    assert (lines["worklist ris"]["ok"], lines["worklist ris"]["code"]) == (False, "unreachable")
    assert [lines[what]["ok"] for what in ("metrics", "listener")] == [True, True]
    assert starts.split() == ["0", "0"]
