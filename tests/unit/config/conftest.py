"""Configurations from a text: read, or checked for what is wrong."""

import pytest

from gateway.config.reader import check, read


@pytest.fixture
def problems(tmp_path):
    def of(text, name="scopegate.toml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return check(path, {})

    return of


@pytest.fixture
def settings(tmp_path):
    def of(text, environment=None):
        path = tmp_path / "scopegate.toml"
        path.write_text(text)
        return read(path, environment or {})

    return of
