"""The access token of Canvas: from the environment or the system's keyring, and nowhere else.

It is in no file of the project, and in no message. Whoever asks for it hands it to
:class:`~autograder.canvas.client.Client` and keeps no copy.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from autograder.canvas.client import Client
from autograder.course import origin
from autograder.errors import CanvasError
from autograder.secret import TOKEN

__all__ = ["SERVICE", "connect", "forget", "lacking", "store", "token", "whole"]

SERVICE = "healthcare-autograder"
"""Name of the service in the keyring; the user is Canvas' origin."""
_RIGHTS = {
    "read_roster": "see who is in the course",
    "view_all_grades": "see what was handed in and graded",
    "manage_grades": "give grades",
    "read_sis": "see SIS ids, which are then missing in the roster",
}


def token(address: str) -> str:
    """The access token for the Canvas at ``address``.

    Raises:
        CanvasError: if there is none, or it is damaged, or would travel unencrypted.
    """
    user = _user(address)
    found = os.environ.get(TOKEN) or _kept(user)
    if not found:
        raise CanvasError(
            f"There is no access token for {user}; run `autograder canvas login`, or set {TOKEN}."
        )
    return whole(found)


def connect(address: str) -> Client:
    """A client for the Canvas at ``address``, with the token for it.

    Raises:
        CanvasError: as :func:`token`.
    """
    return Client(address, token(address))


def store(address: str, token: str) -> None:
    """Keep a token in the keyring.

    Raises:
        CanvasError: as :func:`token`, or if there is no keyring.
    """
    import keyring

    user, token = _user(address), whole(token)
    with _explained():
        keyring.set_password(SERVICE, user, token)


def forget(address: str) -> bool:
    """Remove the token from the keyring, and say whether there was one.

    Raises:
        CanvasError: if there is no keyring.
    """
    import keyring

    user = _user(address)
    if _kept(user) is None:
        return False
    with _explained():
        keyring.delete_password(SERVICE, user)
    return True


def lacking(client: Client, course: int) -> list[str]:
    """What the token's owner may not do in a course, in words.

    Raises:
        CanvasError: if the course cannot be seen at all.
    """
    said = client.get(f"courses/{course}/permissions", permissions=list(_RIGHTS))
    return [words for right, words in _RIGHTS.items() if not said.get(right)]


def whole(text: str) -> str:
    """A token without what came with it when it was copied.

    Raises:
        CanvasError: if it cannot be one; HTTP would say it aloud while refusing it.
    """
    found = text.strip()
    if not re.fullmatch(r"[!-~]+", found):
        raise CanvasError(
            "The access token is damaged: it has spaces, or letters that no token has; copy it "
            "from Canvas again."
        )
    return found


def _user(address: str) -> str:
    found = origin(address)
    if found is None:
        raise CanvasError(
            f"{address!r} is no address such as https://canvas.example.edu; a token is sent "
            "nowhere else."
        )
    return found


def _kept(user: str) -> str | None:
    import keyring

    with _explained():
        return keyring.get_password(SERVICE, user)


@contextmanager
def _explained() -> Iterator[None]:
    """Say what to do where the keyring fails.

    Raises:
        CanvasError: then.
    """
    from keyring.errors import KeyringError

    try:
        yield
    except KeyringError as error:
        raise CanvasError(
            f"This system has no keyring that can be used ({type(error).__name__}); set {TOKEN} to "
            "the access token instead."
        ) from None
