"""An update of a box with a start PIN: the new version waits for whoever types it, and proves itself then."""

from pathlib import Path

from gateway.clock import Clock
from gateway.config.recovery_code import new_code
from tests.appliance.data_keys import ask, said
from tests.appliance.test_appliance_keys import PIN
from tests.appliance.test_appliance_update import GOOD, until
from tests.appliance.updated_box import Updated, bundle
from tests.kernel.machine import one_at_a_time

LONGER_THAN_IT_HAS_S = 400  # to come up, once the data are open
TIMER = "systemctl is-active scopegate-trial-end.timer || true"


def test_a_version_waits_for_the_start_pin_and_proves_itself_when_it_was_typed(image: Path, tmp_path: Path) -> None:
    file = tmp_path / "good.raucb"
    file.symlink_to(bundle(GOOD))
    with one_at_a_time():
        box = Updated(tmp_path / "box", image=image, files=[file])
        try:
            box.switch_on()
            assert ask(box, "recovery-code", new_code(Clock().token))["code"] == ""
            assert ask(box, "start-pin", PIN)["guard"] == "pin"
            box.installed("good.raucb")
            box.restart()
            assert said(box)["code"] == "start-pin"
            box.shell(f"sleep {LONGER_THAN_IT_HAS_S}", silence_s=2 * LONGER_THAN_IT_HAS_S)
            assert not ask(box, "unlock", "00000000")["opened"]
            box.shell("test -e /run/scopegate-trial")
            assert box.shell(TIMER).strip() == "inactive"
            assert ask(box, "unlock", PIN)["opened"]
            good = until(box, "good")
            assert (good["version"], good["slot"], good["last"]["version"]) == (GOOD, "b", GOOD)
            assert box.shell(TIMER).strip() == "active"  # from its beginning
        finally:
            print(box.last_words())
            box.stop()
