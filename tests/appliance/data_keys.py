"""Who opens the data of a box in a virtual machine, asked for and told as the panel does it."""

import json
from typing import Any

from gateway.clock import Clock
from tests.appliance.appliance import Appliance

_ASK = """
import json, pathlib, time
wanted = {wanted}
said = pathlib.Path("/run/scopegate-machine/data.json")
request = pathlib.Path("/run/scopegate/data")
part = request.with_suffix(".part")
part.write_text(json.dumps(wanted))
part.rename(request)
end = time.monotonic() + 300
while json.loads(said.read_text())["number"] != wanted["number"] and time.monotonic() < end:
    time.sleep(0.2)
print(said.read_text())
"""


def said(box: Appliance) -> dict[str, Any]:
    return dict(json.loads(box.shell("cat /run/scopegate-machine/data.json")))


def ask(box: Appliance, do: str, secret: str) -> dict[str, Any]:
    wanted = {"do": do, "secret": secret, "number": Clock().token(8)}
    return dict(box.python(_ASK.format(wanted=json.dumps(wanted))))
