"""An update that is sent over the network: who may, what is refused, and that nothing is left of what broke off."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.errors import ExamOpen
from gateway.panel.doors.connections import PACED
from gateway.panel.own_updates import OwnUpdates
from gateway.panel.own_upload import MOST_BYTES, OwnUpload
from gateway.panel.people.roles import Door, Role
from gateway.panel.problems import NoRoomForUpdate, NoUpdates, UpdateRunning, UpdateTooLarge
from gateway.spool.disk.room import MB, Room
from gateway.spool.disk.space import Space
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, Direct, running
from tests.unit.panel.settings_desk import with_settings
from tests.unit.panel.test_panel_updates import UPDATE, page, says, wish
from tests.unit.panel.who_may import PIN, people, sign_in, signed_in

PATH = "/api/v1/update/upload"
BUNDLE = bytes(range(256)) * 4096 * 3  # 3 MB: some pieces


def place(bench: Bench) -> Path:
    return bench.settings.station.data_dir.parent / "upload"


@pytest.fixture
def box(bench: Bench) -> Bench:
    """A box with an administrator and no place for an update."""
    says(bench, "update", **UPDATE)
    return with_settings(bench)


@pytest.fixture
def appliance(box: Bench) -> Bench:
    place(box).mkdir()
    return box


@pytest.fixture
def office(appliance: Bench) -> Iterator[httpx2.Client]:
    """A browser of the clinic's network, in which the administrator signed in."""
    with appliance.elsewhere() as client:
        sign_in(client, "Huber", PIN).raise_for_status()
        yield client


@pytest.fixture
def upload(appliance: Bench) -> OwnUpload:
    return upload_of(appliance)


def upload_of(bench: Bench, *free_mb: float) -> OwnUpload:
    """Return the upload of a box; `free_mb`: what is free of its 64 GB at each look, the last one for ever."""
    spool, left = bench.spool, [int(each * MB) for each in free_mb]

    def look() -> Room:
        return Room(total=64_000 * MB, free=left.pop(0) if len(left) > 1 else left[0])

    if free_mb:
        spool = replace(spool, space=Space(look=look, captures=spool.captures, clock=bench.clock))
    folder = bench.settings.station
    updates = OwnUpdates(requests=folder.runtime_dir, spool=spool, says=place(bench).parent / "says")
    return OwnUpload(place=place(bench), updates=updates, spool=spool)


def files(bench: Bench) -> list[str]:
    return sorted(path.name for path in place(bench).iterdir())


def put(client: httpx2.Client, content: bytes, **headers: str) -> httpx2.Response:
    return client.put(PATH, content=content, headers={"content-type": "application/octet-stream", **headers})


def test_a_file_of_the_network_is_handed_to_root_under_a_name_of_the_box(
    appliance: Bench, office: httpx2.Client
) -> None:
    assert office.post(PATH, json={"bytes": len(BUNDLE)}).status_code == 200
    assert put(office, BUNDLE).status_code == 200
    assert wish(appliance) == {"do": "install-uploaded"}
    assert files(appliance) == ["bundle"]
    assert (place(appliance) / "bundle").read_bytes() == BUNDLE
    (line,) = [line for line in appliance.spool.layout.audit.read_text().splitlines() if "install-uploaded" in line]
    assert '"person":"Huber"' in line.replace(" ", "")


def test_the_screen_of_the_box_takes_no_file(appliance: Bench) -> None:
    assert put(appliance.client, BUNDLE).json()["code"] == "too-large"
    assert files(appliance) == []
    assert "data-upload" not in page(appliance.client)


def test_the_page_in_the_network_offers_to_send_one(office: httpx2.Client) -> None:
    assert 'data-upload="/api/v1/update/upload"' in page(office)


def test_a_request_that_does_not_say_how_long_it_is_is_not_taken(appliance: Bench, office: httpx2.Client) -> None:
    answer = office.put(PATH, content=iter([b"x" * 100]))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
    assert files(appliance) == []


@pytest.mark.parametrize("body", [{}, {"bytes": 0}, {"bytes": "5"}, {"bytes": -1}, {"bytes": True}])
def test_how_large_it_is_is_a_number(office: httpx2.Client, body: dict[str, object]) -> None:
    assert office.post(PATH, json=body).json()["code"] == "bad-value"


def test_in_an_exam_none_is_taken_and_one_that_comes_is_given_up(
    appliance: Bench, office: httpx2.Client, upload: OwnUpload
) -> None:
    arriving = upload.begin(20 * MB)
    appliance.open_exam()
    assert put(office, BUNDLE).json()["code"] == office.post(PATH, json={"bytes": 9}).json()["code"] == "exam-open"
    with pytest.raises(ExamOpen):
        arriving.take(bytes(8 * MB))
    arriving.broken()
    assert files(appliance) == []


def test_an_exam_that_was_opened_at_the_last_moment_counts_too(appliance: Bench, upload: OwnUpload) -> None:
    arriving = upload.begin(MB)
    arriving.take(bytes(MB))
    appliance.open_exam()
    with pytest.raises(ExamOpen):
        arriving.whole("Huber")
    arriving.broken()
    assert (files(appliance), wish(appliance)) == ([], None)


def test_one_comes_at_a_time_and_none_while_one_is_installed_or_proves_itself(
    appliance: Bench, upload: OwnUpload
) -> None:
    upload.begin(MB).broken()  # the one before is over
    arriving = upload.begin(MB)
    with pytest.raises(UpdateRunning):
        upload.begin(MB)
    arriving.take(bytes(MB))
    arriving.whole("Huber")
    with pytest.raises(UpdateRunning):  # root did not take the wish yet
        upload.begin(MB)
    (appliance.settings.station.runtime_dir / "update").unlink()
    with pytest.raises(UpdateRunning):  # nor the file
        upload.begin(MB)
    assert (place(appliance) / "bundle").stat().st_size == MB
    (place(appliance) / "bundle").unlink()
    for changes in ({"installing": 0}, {"trying": True}):
        says(appliance, "update", **{**UPDATE, **changes})
        with pytest.raises(UpdateRunning):
            upload.may(MB)


def test_what_root_was_given_is_not_taken_back(appliance: Bench, upload: OwnUpload) -> None:
    arriving = upload.begin(MB)
    arriving.take(bytes(MB))
    arriving.whole("Huber")
    arriving.broken()  # the panel ends while it answers
    upload.begin_anew()
    assert (files(appliance), wish(appliance)) == (["bundle"], {"do": "install-uploaded"})
    (appliance.settings.station.runtime_dir / "update").unlink()
    (place(appliance) / "bundle").unlink()
    upload.begin(MB)
    arriving.broken()  # once more, and late
    with pytest.raises(UpdateRunning):
        upload.begin(MB)


@pytest.mark.parametrize("name", ["bundle", "bundle.part"])
def test_a_folder_in_the_place_of_an_update_keeps_out_none(appliance: Bench, upload: OwnUpload, name: str) -> None:
    (place(appliance) / name / "more").mkdir(parents=True)
    arriving = upload.begin(MB)
    arriving.take(bytes(MB))
    arriving.whole("Huber")
    assert files(appliance) == ["bundle"]
    assert (place(appliance) / "bundle").stat().st_size == MB


class Slow(Direct):
    """Sends the beginning of a file, then a byte now and then, or nothing."""

    says = b""

    async def _answer(self, scope: dict[str, Any], body: bytes) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = []
        coming = [body]

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0 if coming or self.says else 3600)
            return {"type": "http.request", "body": coming.pop() if coming else self.says, "more_body": True}

        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        await self._running.app(scope, receive, send)
        assert scope[PACED]  # the connection leaves it to the route
        return said


class Dripping(Slow):
    """Sends on, for ever and too slowly."""

    says = b"x"


@pytest.mark.parametrize("way", [Slow, Dripping])
@pytest.mark.parametrize("content", [b"", BUNDLE])
def test_who_sends_too_slowly_or_no_more_hears_it_and_the_next_is_taken(
    appliance: Bench, office: httpx2.Client, way: type[Slow], content: bytes
) -> None:
    slow = way(appliance.watching, door=Door.LAN, address="10.0.0.7")
    with httpx2.Client(transport=slow, base_url=str(office.base_url), cookies=office.cookies) as client:
        answer = put(client, content, **{"content-length": str(50 * MB)})
    assert (answer.status_code, answer.json()["code"]) == (409, "update-too-slow")
    assert files(appliance) == []
    assert put(office, BUNDLE).status_code == 200


def test_what_is_larger_than_an_update_is_not_begun(office: httpx2.Client) -> None:
    answer = office.post(PATH, json={"bytes": MOST_BYTES + 1})
    assert (answer.status_code, answer.json()["code"]) == (413, "update-too-large")


def test_more_than_was_said_is_not_written(upload: OwnUpload) -> None:
    arriving = upload.begin(10)
    with pytest.raises(UpdateTooLarge):
        arriving.take(bytes(11))
    assert arriving.percent == 0
    arriving.broken()


def test_the_room_that_pictures_need_is_not_taken(appliance: Bench) -> None:
    leaves = 12_800  # 20 %: with less the disk is low
    with pytest.raises(NoRoomForUpdate):
        upload_of(appliance, leaves + 699.9).begin(700 * MB)
    upload_of(appliance, leaves + 700).begin(700 * MB).broken()


def test_pictures_that_came_meanwhile_have_the_room(appliance: Bench) -> None:
    arriving = upload_of(appliance, 20_000, 19_992, 10_000).begin(700 * MB)
    arriving.take(bytes(8 * MB))
    with pytest.raises(NoRoomForUpdate):
        arriving.take(bytes(8 * MB))
    arriving.broken()
    assert files(appliance) == []


def test_what_came_while_root_installs_from_the_stick_is_not_left_lying_there(appliance: Bench) -> None:
    arriving = upload_of(appliance, 30_000).begin(MB)
    arriving.take(bytes(MB))
    (appliance.settings.station.runtime_dir / "update").write_text('{"do": "install", "file": "new.raucb"}')
    with pytest.raises(UpdateRunning):
        arriving.whole("")
    arriving.broken()
    assert files(appliance) == []


def test_what_lies_there_at_the_start_of_the_panel_is_removed() -> None:
    with folder_in_memory() as folder:
        (folder / "upload").mkdir()
        for name in ("bundle", "bundle.part"):
            (folder / "upload" / name).write_bytes(b"half")
        with running(folder) as bench:
            assert files(bench) == []


def test_a_pc_and_a_box_without_keys_take_none(box: Bench) -> None:
    with pytest.raises(NoUpdates):  # no such folder: no appliance
        upload_of(box).may(MB)
    place(box).mkdir()
    says(box, "update", **{**UPDATE, "takes_updates": False})
    with pytest.raises(NoUpdates):
        upload_of(box).may(MB)


def test_only_who_may_install_may_send(appliance: Bench) -> None:
    with appliance.elsewhere() as stranger:
        assert put(stranger, BUNDLE).json()["code"] == "not-signed-in"
    assert files(appliance) == []


def test_a_service_engineer_sees_what_comes_and_sends_none(bench: Bench) -> None:
    says(bench, "update", **UPDATE)
    place(bench).mkdir()
    engineer = signed_in(bench, people(bench)[Role.SERVICE], Door.LAN)
    with bench.elsewhere() as office:
        office.headers.update(engineer)
        assert "data-upload" not in page(office)
        assert put(office, BUNDLE).json()["code"] == "not-permitted"
    assert files(bench) == []


@pytest.mark.parametrize(
    ("use", "reason", "said"),
    [
        ("before", "", "It is the version before."),
        ("next", "", "It waits for the next start."),
        ("went-back", "picture", "It was taken back. It took no test picture."),
        ("unknown", "", "Nobody knows what is in it."),
    ],
)
def test_the_page_says_what_the_other_slot_is_there_for(appliance: Bench, use: str, reason: str, said: str) -> None:
    last = {**UPDATE["last"], "reason": reason}  # type: ignore[dict-item]
    says(appliance, "update", **{**UPDATE, "other": {"version": "0.2.7", "use": use}, "last": last})
    text = page(appliance.client)
    assert said in text
    assert "In the other slot <bdi>0.2.7</bdi>" in text
