"""Destinations over the web in the configuration."""

import re

import pytest

from gateway.config.reader import check, read, read_element
from gateway.config.settings import Destination, Tls
from gateway.errors import ConfigurationError

STOW = '[[destination]]\nname = "cloud"\nkind = "stow"\n'
URL = 'url = "https://example.invalid/dicom-web"\n'


@pytest.fixture
def file(tmp_path):
    (tmp_path / "token").write_text("abc.def-ghi\n")
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "words").write_text("two words")
    (tmp_path / "umlaut").write_text("pässword")

    def of(text):
        path = tmp_path / "scopegate.toml"
        path.write_text(text)
        return path

    return of


def test_a_web_archive_reaches_the_settings(file, tmp_path):
    text = STOW + 'url = "https://example.invalid:8443/dicom-web/"\ntoken_file = "token"\ntls = { ca = "system" }\n'
    assert read(file(text), {}).destinations == (
        Destination(
            name="cloud",
            kind="stow",
            url="https://example.invalid:8443/dicom-web",
            token_file=tmp_path / "token",
            tls=Tls(ca=None),
        ),
    )


def test_a_name_and_a_password_reach_the_settings(file, tmp_path):
    [found] = read(file(f'{STOW}{URL}user = "box"\npassword_file = "token"\n'), {}).destinations
    assert (found.user, found.password_file) == ("box", tmp_path / "token")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8042/dicom-web", "http://localhost/x", "http://[::1]:8042"])
def test_this_machine_may_be_called_in_clear(file, url):
    assert check(file(f'{STOW}url = "{url}"\n'), {}) == []


def test_another_machine_may_be_called_in_clear_when_somebody_says_so(file):
    assert check(file(f'{STOW}url = "http://10.0.0.6:8042/x"\ninsecure = true\n'), {}) == []


WRONG = [
    (STOW, "", "destination", "url is missing"),
    (STOW, 'url = "http://10.0.0.6/x"', "destination.url", "in clear: use https"),
    (STOW, 'url = "ftp://10.0.0.6/x"', "destination.url", "with a host and a path"),
    (STOW, 'url = "10.0.0.6/x"', "destination.url", "with a host and a path"),
    (STOW, 'url = "https://"', "destination.url", "with a host and a path"),
    (STOW, 'url = "https://example.invalid/x?key=1"', "destination.url", "without"),
    (STOW, 'url = "https://example.invalid:99999/x"', "destination.url", "not an address"),
    (STOW, 'url = "https://example.invalid:0/x"', "destination.url", "port"),
    (STOW, 'url = "https://example.invalid/a b"', "destination.url", "spaces"),
    (STOW, 'url = "https://10.0.0.300/x"', "destination.url", "host name or an IP"),
    (
        STOW,
        'url = "https://anna:secret@example.invalid/x"',
        "destination.url",
        "must not hold a name or a password",
    ),
    (STOW + URL, 'ae_title = "PACS"', "destination.ae_title", 'of kind "dicom" only; this one is of kind "stow"'),
    (STOW + URL, 'host = "10.0.0.6"', "destination.host", 'of kind "dicom" only'),
    (STOW + URL, "port = 104", "destination.port", 'of kind "dicom" only'),
    (STOW + URL, "commitment = false", "destination.commitment", 'of kind "dicom" only'),
    (STOW + URL, 'token_file = "missing"', "destination.token_file", "cannot be read"),
    (STOW + URL, 'token_file = "empty"', "destination.token_file", "is empty"),
    (STOW + URL, 'token_file = "words"', "destination.token_file", "one line without spaces"),
    (STOW + URL, 'token_file = ""', "destination.token_file", "must be a file"),
    (STOW + URL, 'user = "a:b"', "destination.user", "without a colon"),
    (STOW + URL, 'user = "box"', "destination", "password_file is missing"),
    (STOW + URL, 'password_file = "token"', "destination", "user is missing"),
    (STOW + URL + 'user = "box"\n', 'password_file = "umlaut"', "destination.password_file", "plain ASCII"),
    (
        STOW + URL + 'user = "box"\npassword_file = "token"\n',
        'token_file = "token"',
        "destination.token_file",
        "one of the two",
    ),
    (
        STOW + 'url = "http://127.0.0.1/x"\n',
        'tls = { ca = "system" }',
        "destination.tls",
        "of no use with http",
    ),
    (STOW + URL, STOW.replace("cloud", "other") + URL, "destination", 'the same archive as "cloud"'),
    (
        '[[destination]]\nname = "x"\nae_title = "X"\nhost = "h"\nport = 1\n',
        URL.strip(),
        "destination.url",
        'of kind "stow" only; this one is of kind "dicom"',
    ),
]


@pytest.mark.parametrize(("before", "line", "key", "reason"), WRONG, ids=[f"{w[2]}: {w[1][:40]!r}" for w in WRONG])
def test_a_mistake_is_named_with_its_key_and_its_reason(file, before, line, key, reason):
    found = check(file(f"{before}{line}\n"), {})
    assert [p for p in found if p.key == key and re.search(re.escape(reason), p.reason)], found
    said = " ".join(p.reason for p in found)
    assert "secret" not in said
    assert "pässword" not in said
    assert "abc.def" not in said


def test_an_archive_that_is_only_tried_gets_no_password_in_clear(tmp_path):
    (tmp_path / "password").write_text("hunter2")
    cloud = {"name": "cloud", "kind": "stow", "user": "box", "password_file": "password"}
    with pytest.raises(ConfigurationError) as caught:
        read_element("destination", {**cloud, "url": "http://archive.example/dicom-web"}, base=tmp_path)
    assert "in clear" in str(caught.value)
    secured = read_element("destination", {**cloud, "url": "https://archive.example/dicom-web"}, base=tmp_path)
    assert secured.user == "box"
