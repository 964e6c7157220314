"""The fake Canvas of ``tests/canvas``, and a client of ours that asks it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

sys.path.insert(0, str(Path(__file__).parents[2] / "canvas"))

from fakecanvas import Canvas, serve
from fakecanvas.model import Course
from fakecanvas.scenario import TOKEN, small

from autograder.canvas.client import Client


@pytest.fixture
def canvas() -> Canvas:
    return small()


@pytest.fixture
def course(canvas: Canvas) -> Course:
    return canvas.courses[1]


@pytest.fixture
def client(canvas: Canvas) -> Iterator[Client]:
    """Waits by letting the fake's clock run."""
    with serve(canvas) as address, Client(address, TOKEN, sleep=canvas.advance, timeout=5) as made:
        yield made


class Memory(KeyringBackend):
    """A keyring that forgets everything with the test."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    """The system's keyring, and no token in the environment."""
    monkeypatch.delenv("CANVAS_TOKEN", raising=False)
    before, made = keyring.get_keyring(), Memory()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)
