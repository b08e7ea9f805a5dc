"""A box looks at everything that it stores, on its own disk and within the walls of its units."""

import json
from pathlib import Path

import pytest

from tests.appliance.appliance import Appliance
from tests.box import configuration, until
from tests.kernel.machine import one_at_a_time

_SOURCE = ("[[source]]", {"name": "us", "device": "pattern:ultrasound", "modality": "US"})
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

panel = Panel(8080)
exam = panel.open_typed()
panel.still(exam)
panel.finish(exam)
ask("POST", "/people/first", {"name": "Huber", "pin": "402918"})
ask("POST", "/service/stored-data", {"do": "begin"})
print(json.dumps(until("its end", ended, 120, pause_s=1)))
"""


class Box(Appliance):
    """It has a test picture."""

    def is_live(self) -> bool:
        said = json.loads(self.shell("cat /run/scopegate/capture.json || echo '{}'") or "{}")
        return [each["state"] for each in said.get("sources", [])] == ["live"]


def test_what_is_stored_is_read_to_its_end_and_is_as_it_was_stored(
    image: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    box = Box(tmp_path_factory.mktemp("stored-data"), image=image)
    with one_at_a_time():
        try:
            box.switch_on()
            box.configure(configuration([_SOURCE]))
            until("a picture", box.is_live, 300, pause_s=2)
            seen = box.python(_WHOLE)
            starts = box.shell("systemctl show --property NRestarts --value scopegate-panel").strip()
        finally:
            box.stop()
    assert (seen["phase"], seen["pictures"], seen["of"], seen["troubles"]) == ("ended", 1, 1, [])
    assert starts == "0"
