"""The executed notebook: what the student handed in, with the outputs of this run.

Students and graders open it in viewers that render HTML, formulas and pictures and may run
scripts, so only what is harmless in all of them is written:

- of each output, text without escape sequences, sanitised HTML, and PNG and JPEG pictures whose
  header declares dimensions that a browser can hold; LaTeX and Markdown as text; a remark in
  place of everything else;
- of each code cell, its source, exactly; of text cells, the source as ``markup.markdown`` leaves
  it, and pictures checked in the same way;
- no metadata: a student's may say that outputs are trusted, hide cells, or restore widgets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from autograder import markup
from autograder.model import plain_name
from autograder.picture import picture
from autograder.text import escaped, one_line, overprinted, stripped

MAX_PIXELS = 200_000_000
"""Pixels of all pictures of a notebook together."""
MAX_TAGS = 40_000
"""Angle brackets in all HTML outputs of a notebook together."""

_PICTURES = ("image/png", "image/jpeg")
_SOURCES = ("text/markdown", "text/latex")
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_PLAIN = {"format": "text/plain", "raw_mimetype": "text/plain"}
"""Of raw cells, which nbconvert would else copy into a page as they are."""


class _Output(msgspec.Struct):
    """One output of a cell, nbformat 4; anything else S sends is left out."""

    output_type: Literal["stream", "display_data", "execute_result", "error"]
    name: Literal["stdout", "stderr"] = "stdout"
    text: str = ""
    data: dict[str, Any] = {}
    execution_count: int | None = None
    ename: str = ""
    evalue: str = ""
    traceback: list[str] = []


_decoder = msgspec.json.Decoder(list[_Output])


def executed(
    notebook: dict[str, Any], results: Mapping[int, tuple[bytes, int | None, str]]
) -> bytes:
    """Return ``notebook`` as JSON with the outputs of its code cells replaced.

    A remark on a cell is kept in the cell's metadata too, which are never a student's.

    Args:
        notebook: nbformat 4, as :func:`autograder.notebook.read` gives it.
        results: For each code cell that ran, by its index among the code cells: outputs as a JSON
            list, execution count, and a remark to show in place of outputs if it was left out.
    """
    sieve = _Sieve()
    cells: list[dict[str, Any]] = []
    index = -1
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] == "code":
            index += 1
            outputs, count, remark = results.get(index, (b"", None, "This cell was not run."))
            tidy = _code(sieve, cell["source"], outputs, count, remark)
        elif cell["cell_type"] == "markdown":
            tidy = _markdown(sieve, cell)
        else:
            source = markup.markdown(cell["source"])
            tidy = {"cell_type": "raw", "metadata": _PLAIN, "source": source}
        cells.append({"id": f"cell-{number}", **tidy})
    written = {"cells": cells, "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5}
    return escaped(json.dumps(written, ensure_ascii=False, indent=1)).encode()


def remark_output(remark: str) -> dict[str, Any]:
    """Make the output that tells a notebook's reader what the grader has to say on a cell."""
    return {"output_type": "stream", "name": "stderr", "text": f"[{remark}]\n"}


def _code(
    sieve: _Sieve, source: str, data: bytes, count: int | None, remark: str
) -> dict[str, Any]:
    try:
        found = _decoder.decode(data or b"[]")
    except (ValueError, RecursionError):  # DecodeError and UnicodeDecodeError are ValueErrors
        found, remark = [], remark or "The outputs of this cell were damaged."
    outputs = [tidy for output in found for tidy in sieve.outputs(output)]
    if remark:
        outputs.append(remark_output(remark))
    return {
        "cell_type": "code",
        "metadata": {"autograder": {"remark": remark}} if remark else {},
        "source": source,
        "outputs": outputs,
        "execution_count": count,
    }


def _markdown(sieve: _Sieve, cell: dict[str, Any]) -> dict[str, Any]:
    tidy: dict[str, Any] = {"cell_type": "markdown", "metadata": {}}
    attachments = cell.get("attachments")
    if isinstance(attachments, dict):
        tidy["attachments"] = {
            name: kept
            for name, bundle in attachments.items()
            if isinstance(bundle, dict) and plain_name(name) and (kept := sieve.pictures(bundle))
        }
    return {**tidy, "source": markup.markdown(cell["source"])}


class _Sieve:
    """Lets through of one notebook's outputs what is harmless, within what a viewer can hold."""

    def __init__(self) -> None:
        self._pixels, self._tags = MAX_PIXELS, MAX_TAGS
        self._sanitiser = markup.Sanitiser(self._picture)

    def outputs(self, output: _Output) -> Iterator[dict[str, Any]]:
        """The output, and a remark if a part of it was left out."""
        kind = output.output_type
        if kind == "stream":
            text = stripped(overprinted(output.text.replace("\r\n", "\n")))
            yield {"output_type": kind, "name": output.name, "text": text}
        elif kind == "error":
            yield {
                "output_type": kind,
                "ename": stripped(output.ename),
                "evalue": stripped(output.evalue),
                "traceback": [stripped(line) for line in output.traceback],
            }
        else:
            yield from self._rich(output)

    def pictures(self, bundle: Mapping[str, Any]) -> dict[str, Any]:
        """The pictures of a MIME bundle that may be shown."""
        found = {kind: self._picture(kind, bundle[kind]) for kind in _PICTURES if kind in bundle}
        return {kind: data for kind, data in found.items() if data}

    def _rich(self, output: _Output) -> Iterator[dict[str, Any]]:
        data = self._data({kind: _joined(value) for kind, value in output.data.items()})
        tidy: dict[str, Any] = {"output_type": output.output_type, "data": data, "metadata": {}}
        if output.output_type == "execute_result":
            tidy["execution_count"] = output.execution_count
        yield tidy
        left = [kind for kind in output.data if kind not in data and kind not in _SOURCES]
        if left:
            more = " and more" if len(left) > 3 else ""
            names = ", ".join(one_line(kind, 60) for kind in left[:3])
            yield remark_output(f"Not shown here: {names}{more}.")

    def _data(self, bundle: Mapping[str, Any]) -> dict[str, str]:
        data: dict[str, str] = self.pictures(bundle)
        plain = bundle.get("text/plain")
        source = next((s for kind in _SOURCES if isinstance(s := bundle.get(kind), str)), None)
        if source is not None and (not isinstance(plain, str) or plain.startswith("<IPython.")):
            plain = source
        if isinstance(plain, str):
            data["text/plain"] = stripped(plain)
        html = bundle.get("text/html")
        if isinstance(html, str) and (tidy := self._html(html)):
            data["text/html"] = tidy
        return data

    def _html(self, text: str) -> str:
        self._tags -= text.count("<")
        return self._sanitiser.html(text) if self._tags >= 0 else ""

    def _picture(self, kind: str, data: object) -> str | None:
        found = picture(kind, data)
        if found is None or found.pixels > self._pixels:
            return None
        self._pixels -= found.pixels
        return found.base64


def _joined(value: Any) -> Any:
    """A MIME bundle's text, which nbformat lets be a list of lines."""
    lines = isinstance(value, list) and all(isinstance(line, str) for line in value)
    return "".join(value) if lines else value
