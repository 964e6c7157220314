"""The token comes from the environment or the keyring, and from nowhere else."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import keyring
import pytest
from fakecanvas import Canvas
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked

from autograder.canvas import credentials
from autograder.canvas.client import Client
from autograder.errors import CanvasError

pytestmark = pytest.mark.usefixtures("ring")
ADDRESS = "https://canvas.example.edu"


class Locked(NoKeyring):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("the user said no")


def test_the_environment_goes_before_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials.store(ADDRESS, "kept")
    assert credentials.token(ADDRESS) == "kept"
    monkeypatch.setenv("CANVAS_TOKEN", " set\n")
    assert credentials.token(ADDRESS) == "set"


def test_each_canvas_has_a_token_of_its_own_however_its_address_is_written(ring: Any) -> None:
    credentials.store("https://Canvas.Example.edu/", "kept")
    assert ring.kept == {("healthcare-autograder", ADDRESS): "kept"}
    assert credentials.token(ADDRESS) == "kept"
    with pytest.raises(CanvasError, match="login`, or set CANVAS_TOKEN"):
        credentials.token("https://elsewhere.example.edu")
    assert credentials.forget(ADDRESS) and not credentials.forget(ADDRESS)
    assert not ring.kept


@pytest.mark.parametrize("backend", [NoKeyring, Locked])
def test_without_a_keyring_that_opens_one_sentence_names_the_variable(
    backend: type[KeyringBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring.set_keyring(backend())
    for ask in (credentials.token, credentials.forget):
        with pytest.raises(CanvasError, match=r"no keyring that can be used.*set CANVAS_TOKEN"):
            ask(ADDRESS)
    monkeypatch.setenv("CANVAS_TOKEN", "set")
    assert credentials.token(ADDRESS) == "set"


def test_a_token_cannot_be_kept_where_there_is_no_keyring() -> None:
    keyring.set_keyring(NoKeyring())
    with pytest.raises(CanvasError, match="set CANVAS_TOKEN") as raised:
        credentials.store(ADDRESS, "canary")
    assert "canary" not in repr(raised.value) + repr(raised.value.__context__)


@pytest.mark.parametrize("text", ["7~ab cd", "7~ab\ncd", "„7~abcd“", "   "])
def test_a_damaged_token_is_refused_without_being_shown(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANVAS_TOKEN", text)
    with pytest.raises(CanvasError, match="is damaged") as raised:
        credentials.token(ADDRESS)
    assert "7~ab" not in str(raised.value)


@pytest.mark.parametrize("address", ["http://canvas.example.edu", "canvas", "https://a@b.example"])
def test_a_token_does_not_travel_unencrypted(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANVAS_TOKEN", "set")
    with pytest.raises(CanvasError, match="is sent nowhere else"):
        credentials.token(address)


def test_rights_that_are_lacking_are_told_in_words(client: Client, canvas: Canvas) -> None:
    assert credentials.lacking(client, 1) == []
    canvas.sis_rights = False
    assert credentials.lacking(client, 1) == ["see SIS ids, which are then missing in the roster"]


def test_who_sets_the_variable_needs_no_keyring_library() -> None:
    script = """
import sys, os
os.environ["CANVAS_TOKEN"] = "set"
from autograder import cli
from autograder.canvas.credentials import token
assert token("https://canvas.example.edu") == "set"
assert "keyring" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
