"""Our comment and its file into Canvas."""

from __future__ import annotations

from autograder.canvas.client import Client
from autograder.canvas.comment import Deed, file_name
from autograder.canvas.compare import Wanted
from autograder.errors import CanvasError

__all__ = ["write"]

KINDS = {".html": "text/html", ".ipynb": "application/x-ipynb+json"}
"""Media types by suffix."""


def write(client: Client, path: str, wanted: Wanted, deed: Deed) -> None:
    """Do what is to be done about our comment.

    An edit cannot attach a file; so a comment with another file is a new one, and the old one goes
    first, so that there are never two.

    Args:
        client: Asks Canvas.
        path: Of the student's submission.
        wanted: What the comment says.
        deed: What is to be done, by :func:`autograder.canvas.comment.deed`.

    Raises:
        CanvasError: if Canvas refuses it, or the file was changed.
        OutcomeUnknown: if it may or may not have been done.
    """
    files = [_uploaded(client, path, wanted)] if deed.make and wanted.said.file else []
    for number in deed.delete:
        _delete(client, f"{path}/comments/{number}")
    if deed.edit is not None:
        client.put(f"{path}/comments/{deed.edit}", {"comment": wanted.said.text})
    elif deed.make:
        body = {"text_comment": wanted.said.text} | ({"file_ids": files} if files else {})
        client.put(path, {"comment": body})


def _delete(client: Client, path: str) -> None:
    try:
        client.delete(path)
    except CanvasError as error:
        if error.status != 404:  # it is gone, and that is all that is wanted
            raise


def _uploaded(client: Client, path: str, wanted: Wanted) -> int:
    """Canvas' number of the file, once it is there."""
    if wanted.path is None:
        raise CanvasError(f"There is no file {wanted.said.file}.")
    try:
        data = wanted.path.read_bytes()
    except OSError:
        data = b""
    name, kind = wanted.said.file, KINDS.get(wanted.path.suffix, "application/octet-stream")
    if file_name(data, wanted.path.suffix) != name:
        raise CanvasError(f"{wanted.path} was changed while grades were sent; push again.")
    said = {"name": name, "size": len(data), "content_type": kind}
    started = client.post(f"{path}/comments/files", said)
    made = client.upload(started, name, data, kind)
    if made.get("size", len(data)) != len(data):
        raise CanvasError(f"{name} has {len(data)} bytes, but Canvas took {made['size']}.", 422)
    return int(made["id"])
