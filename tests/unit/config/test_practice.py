"""A configuration of practice reaches nobody: what could is refused."""

from pathlib import Path

import pytest

from gateway.config.reader import check, read
from gateway.config.settings import Address

PRACTICE = '[panel]\nlisten = "127.0.0.1:8081"\npractice_of = "127.0.0.1:8080"\n'
PEER = 'name = "x"\nae_title = "X"\nhost = "10.0.0.6"\nport = 104\n'


def errors(tmp_path: Path, more: str) -> list[str]:
    path = tmp_path / "c.toml"
    path.write_text(f"config_version = 1\n{PRACTICE}{more}")
    return [str(each) for each in check(path)]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (f"[[destination]]\n{PEER}", "practice has none"),
        (f"[[procedure_step]]\n{PEER}", "practice has none"),
        (f"[[worklist]]\n{PEER}", "a loopback address"),
        ('[[source]]\nname = "us"\ndevice = "v4l2:/dev/video0"\n', "a test picture"),
        ('[metrics]\nlisten = "127.0.0.1:9464"\n', "at the box alone"),
    ],
)
def test_whatever_could_reach_somebody_is_refused_in_practice(tmp_path: Path, more: str, words: str) -> None:
    found = errors(tmp_path, more)
    assert len(found) == 1
    assert words in found[0]


def test_practice_with_patients_of_its_own_and_a_test_picture_is_taken(tmp_path: Path) -> None:
    loopback = PEER.replace("10.0.0.6", "127.0.0.1")
    assert errors(tmp_path, f'[[worklist]]\n{loopback}[[source]]\nname = "us"\ndevice = "pattern:bars"\n') == []
    assert read(tmp_path / "c.toml").panel.practice_of == Address(host="127.0.0.1", port=8080)
