"""The executed notebook as a page for people: one HTML file that needs nothing and runs nothing.

Everything in it is a student's, so it is treated twice: ``executed`` has written only what is
harmless, and here texts are escaped, HTML is sanitised again, Markdown is rendered without raw
HTML, and the page's content security policy forbids scripts and the network. Links are shown
with their addresses and lead nowhere; formulas are shown as they were written.
"""

from __future__ import annotations

import functools
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder import markup
from autograder.bundle import Manifest
from autograder.executed import remark_output
from autograder.model import WATERMARK, Verdict
from autograder.templates import environment
from autograder.text import clean, revealed

if TYPE_CHECKING:
    import jinja2
    from markdown_it import MarkdownIt

__all__ = ["render"]

MAX_TEXT = 200_000
"""Characters of one text that are shown."""
MAX_MARKDOWN = 6_000
"""Characters of one text cell that is rendered."""
MAX_BRACKETS = 200
"""Opening brackets in it: the time to find links grows with their number times the length."""
ALL_MARKDOWN = 60_000
"""Characters of all text cells that are rendered; further ones are shown as they were written."""


def render(executed: bytes, verdict: Verdict, manifest: Manifest, counts: str = "") -> str:
    """Return the page.

    Args:
        executed: As ``executed.executed`` wrote it.
        verdict: Of this run; its remarks for the student stand at the top.
        manifest: Of the assignment.
        counts: What counts of it, one sentence for the student.
    """
    return _template().render(
        title=manifest.title,
        verdict=verdict,
        counts=counts,
        remarks=[clean(remark) for remark in verdict.remarks],
        watermark=WATERMARK if verdict.unsealed else "",
        cells=_cells(json.loads(executed)["cells"]),
    )


@functools.cache
def _template() -> jinja2.Template:
    return environment(Path(__file__).parent).get_template("page.jinja")


def _cells(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    shown, number, left = [], 0, ALL_MARKDOWN
    for cell in cells:
        source = cell["source"]
        if cell["cell_type"] == "code":
            number += 1
            shown.append(_code(cell, number))
            continue
        rendered = ""
        short = len(source) <= min(MAX_MARKDOWN, left) and source.count("[") <= MAX_BRACKETS
        if cell["cell_type"] == "markdown" and short:
            left -= len(source)
            rendered = _markdown(cell)
        shown.append({"kind": "text", "html": rendered, "source": _cut(source)})
    return shown


def _code(cell: dict[str, Any], number: int) -> dict[str, Any]:
    remark = cell["metadata"].get("autograder", {}).get("remark", "")
    outputs = cell["outputs"]
    if remark and outputs[-1] == remark_output(remark):
        outputs = outputs[:-1]
    return {
        "kind": "code",
        "number": number,
        "source": _cut(revealed(cell["source"])),
        "remark": remark,
        "outputs": [_output(output) for output in outputs],
    }


def _output(output: dict[str, Any]) -> dict[str, Any]:
    if output["output_type"] == "stream":
        return {"text": _cut(output["text"]), "error": output["name"] == "stderr"}
    if output["output_type"] == "error":
        lines = output["traceback"] or [f"{output['ename']}: {output['evalue']}"]
        return {"text": _cut("\n".join(lines)), "error": True}
    data = output["data"]
    if "text/html" in data and (tidy := _sanitiser().html(data["text/html"])):
        return {"html": tidy}
    plain = data.get("text/plain", "")
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            return {"picture": f"data:{kind};base64,{data[kind]}", "text": clean(plain, 200)}
    return {"text": _cut(plain), "error": False}


def _cut(text: str) -> str:
    more = len(text) - MAX_TEXT
    return f"{text[:MAX_TEXT]}…\n[{more} more characters in executed.ipynb]" if more > 0 else text


@functools.cache
def _sanitiser() -> markup.Sanitiser:
    return markup.Sanitiser(lambda kind, data: data)


def _markdown(cell: dict[str, Any]) -> str:
    pictures = {"pictures": cell.get("attachments", {})}
    return _sanitiser().html(_renderer().render(cell["source"], pictures))


@functools.cache
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    renderer = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    renderer.use(dollarmath_plugin, double_inline=True)
    for name, rule in (
        ("link_open", _link_open), ("link_close", _link_close), ("image", _image),
        ("math_inline", _formula), ("math_inline_double", _formula), ("math_block", _formula),
    ):  # fmt: skip
        renderer.add_render_rule(name, rule)
    return renderer


def _link_open(_: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    env.setdefault("targets", []).append(str(tokens[index].attrs.get("href", "")))
    return '<span class="link">'


def _link_close(_: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    target, text = env["targets"].pop(), tokens[index - 1].content
    return "</span>" if target in {text, ""} else f"</span> ({html.escape(target)})"


def _image(_: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    name = str(tokens[index].attrs.get("src", "")).removeprefix("attachment:")
    text = html.escape(tokens[index].content)
    for kind, data in env["pictures"].get(name, {}).items():
        return f'<img src="data:{kind};base64,{data}" alt="{text}">'
    return f"[picture: {text or html.escape(name)}]"


def _formula(_: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    code = f'<code class="math">{html.escape(tokens[index].content.strip())}</code>'
    return f"<p>{code}</p>\n" if tokens[index].block else code
