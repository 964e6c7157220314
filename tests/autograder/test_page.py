import base64
import json
import re
import struct
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from autograder import page
from autograder.bundle import Manifest
from autograder.executed import executed
from autograder.model import WATERMARK, Standing, Verdict
from autograder.notebook import read

EVIL = "</code></pre></title></style>--><script>alert(1)</script><img src=x onerror=alert(1)>"
PNG = base64.b64encode(
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 64, 48) + bytes(20)
).decode()
MANIFEST = Manifest(name="hw", title=f"HW {EVIL}", notebook="hw.ipynb", otter_zip="x", questions=[])
SAFE_URL = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+|#code-[0-9]+")


def verdict(**more: Any) -> Verdict:
    fields: dict[str, Any] = {
        "student": "101", "name": "Lovelace, Ada", "assignment": "hw", "status": Standing.GRADED,
        "score": 1, "possible": 3, "isolation": "A", "seconds": 4, "questions": {},
        "message": "for staff", "notes": ["for staff"],
    }  # fmt: skip
    return Verdict(**fields | more)


def markdown(source: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source, **more}


def code(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": []}


def display(**data: Any) -> dict[str, Any]:
    bundle = {kind.replace("_", "/", 1): value for kind, value in data.items()}
    return {"output_type": "display_data", "data": bundle, "metadata": {}}


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def written(*cells: dict[str, Any], outputs: Any = (), remark: str = "") -> bytes:
    """An executed notebook; its first code cell has ``outputs`` and ``remark``."""
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)}
    results = {0: (json.dumps(list(outputs)).encode(), 1, remark)}
    return executed(read(json.dumps(notebook).encode()), results)


def shown(*cells: dict[str, Any], outputs: Any = (), remark: str = "", **more: Any) -> str:
    return page.render(written(*cells, outputs=outputs, remark=remark), verdict(**more), MANIFEST)


class Structure(HTMLParser):
    """Tags with their attributes, whether they nest, and the text outside of ``style``."""

    VOID = {"meta", "br", "img", "hr"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def check_harmless(page: str) -> Structure:
    structure = Structure(page)
    assert structure.open == []
    assert not {tag for tag, _ in structure.tags} & {
        "script", "iframe", "object", "embed", "link", "form", "input", "svg", "math", "base",
    }  # fmt: skip
    assert [tag for tag, _ in structure.tags].count("style") == 1
    for _, attributes in structure.tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        for name in ("src", "href", "action", "srcset", "background"):
            assert SAFE_URL.fullmatch(attributes.get(name) or "#code-1"), attributes
    return structure


HOSTILE_OUTPUTS = [
    stream(EVIL), stream(EVIL, "stderr"), stream("\x1b]8;;http://evil\x07link\x1b]52;c;eA==\x07"),
    {"output_type": "error", "ename": EVIL, "evalue": EVIL, "traceback": [EVIL]},
    {"output_type": "error", "ename": EVIL, "evalue": EVIL, "traceback": []},
    display(text_plain=EVIL), display(text_html=EVIL), display(text_latex=EVIL),
    display(text_markdown=f"[x](javascript:alert(1)) {EVIL}"), display(image_svg=EVIL),
    display(application_javascript="alert(1)"), display(**{"image_svg+xml": "<svg onload=x>"}),
    display(text_html="<a href='data:text/html,x'>a</a><svg onload=alert(1)><p style=x>"),
    display(image_png=PNG, text_plain=f'" onload="alert(1) {EVIL}'),
    display(text_html=f"<img src='data:image/png;base64,{PNG}' alt='\" onload=x'><b onclick=x>"),
]  # fmt: skip


@pytest.mark.parametrize("output", HOSTILE_OUTPUTS, ids=str)
def test_no_output_becomes_anything_that_acts_or_reaches_out(output: dict[str, Any]) -> None:
    structure = check_harmless(shown(code(EVIL), outputs=[output]))
    assert "\x1b" not in structure.text and "alert(1)" in structure.text


@pytest.mark.parametrize(
    "source",
    [
        EVIL, f"# {EVIL}", f"`{EVIL}`", f"```{EVIL}\n{EVIL}\n```", f"    {EVIL}", f"${EVIL}$",
        f"$$\n{EVIL}\n$$", f"| {EVIL} |\n|---|\n| {EVIL} |", "[x](javascript:alert(1))",
        "[x](https://evil.example/\"onclick=alert(1))", "![x](https://evil.example/x.png)",
        "![\" onload=alert(1)](attachment:a.png)", "![x](attachment:a.png \"' onload=alert(1)\")",
        "<https://evil.example/x>", "[<b>](https://evil.example)", "[x][r]\n\n[r]: data:x",
        "![x](fig.png)", "[![x](attachment:a.png)](https://evil.example)", "[a](#code-1)",
    ],
)  # fmt: skip
def test_no_text_cell_becomes_anything_that_acts_or_reaches_out(source: str) -> None:
    cell = markdown(source, attachments={"a.png": {"image/png": PNG}})
    check_harmless(shown(cell, {**cell, "cell_type": "raw"}, code(source)))


def test_what_was_written_by_others_than_us_is_sanitised_again() -> None:
    notebook = json.loads(
        written(markdown("x"), code("x"), outputs=[display(text_html="<b>b</b>")])
    )
    notebook["cells"][0]["source"] = f"<script>x</script> [a](javascript:alert(1)) {EVIL}"
    notebook["cells"][0]["attachments"] = {"a": {"image/png": '" onload="alert(1)'}}
    notebook["cells"][1]["outputs"][0]["data"]["text/html"] = f"<b style=x>{EVIL}</b>"
    check_harmless(page.render(json.dumps(notebook).encode(), verdict(), MANIFEST))


def test_the_page_forbids_scripts_and_needs_no_network() -> None:
    text = shown(code("x"))
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    metas = [attributes for tag, attributes in Structure(text).tags if tag == "meta"]
    assert any(
        meta == {"http-equiv": "Content-Security-Policy", "content": policy} for meta in metas
    )
    assert "url(" not in text and "@import" not in text


def test_code_cells_are_numbered_and_remarks_stand_apart() -> None:
    remark = "This cell was left out: it ran for more than 90 s."
    text = shown(code("a"), markdown("b"), code("c"), outputs=[stream("o")], remark=remark)
    assert "code cell 1" in text and "code cell 2" in text and "code cell 3" not in text
    assert f'<p class="box" role="note">{remark}</p>' in text and f"[{remark}]" not in text
    assert "This cell was not run." in text


def test_a_remark_that_a_student_prints_stays_output() -> None:
    text = shown(code("a"), outputs=[stream("[This cell was left out.]\n", "stderr")])
    assert 'class="box"' not in text and "[This cell was left out.]" in text


def test_honest_content_is_rendered() -> None:
    source = "# Title\n\n*em* $a_1 * b_1 <c$ [paper](https://a.example/b) ![f](attachment:a.png)"
    table = "<table class='dataframe'><tr><td>1</td></tr></table>"
    text = shown(
        markdown(source, attachments={"a.png": {"image/png": PNG}}), code("print('<')  # \u202e"),
        outputs=[display(text_html=table), display(image_png=PNG, text_plain="<Figure>")],
    )  # fmt: skip
    assert "<h1>Title</h1>" in text and "<em>em</em>" in text
    assert '<code class="math">a_1 * b_1 &lt; c</code>' in text
    assert '<span class="link">paper</span> (https://a.example/b)' in text
    assert text.count(f'src="data:image/png;base64,{PNG}"') == 2 and 'alt="&lt;Figure&gt;"' in text
    assert "<td>1</td>" in text and "print(&#39;&lt;&#39;)  # ⟨U+202E⟩" in text


def test_the_header_says_whose_it_is_and_shows_remarks_to_the_student_only() -> None:
    text = shown(code("x"), remarks=[f"Code cell 3 ran too long. {EVIL}"], lacking=["Landlock"])
    structure = check_harmless(text)
    for said in ("101", "hw", "isolation", "Code cell 3 ran too long."):
        assert said in structure.text
    assert "for staff" not in text and "Landlock" not in text and "Lovelace" not in text


def test_only_an_unsealed_page_carries_a_watermark() -> None:
    assert shown(code("x"), isolation="0").count(WATERMARK) == 2
    assert not any(WATERMARK in shown(code("x"), isolation=level) for level in ("A", "A-", "B"))


def test_long_text_is_cut_and_long_markdown_is_shown_as_written() -> None:
    long = "*x* " * page.MAX_MARKDOWN
    text = shown(markdown(long), code("x"), outputs=[stream("y" * (page.MAX_TEXT + 5))])
    assert "<em>" not in text and "*x* *x*" in text
    assert "[5 more characters in executed.ipynb]" in text


def test_markdown_is_rendered_up_to_a_limit_for_all_cells() -> None:
    cell = markdown("*x* and " * (page.MAX_MARKDOWN // 8))
    text = shown(*[cell] * (page.ALL_MARKDOWN // page.MAX_MARKDOWN + 1))
    assert text.count('<section class="text"><p>') == page.ALL_MARKDOWN // page.MAX_MARKDOWN
    assert text.count("*x* and *x*") > 0


def test_markdown_of_too_many_tags_is_shown_as_written() -> None:
    assert "-\n-\n" in shown(markdown("-\n" * (page.MAX_MARKDOWN // 2)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_a_contrast_of_four_and_a_half_to_one(scheme: str) -> None:
    style = (Path(page.__file__).parent / "page.css").read_text()
    light, dark = (
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", part))
        for part in style.partition("* {")[0].split("@media (prefers-color-scheme: dark)")
    )
    colours = light if scheme == "light" else dark
    for name in ("ink", "quiet", "blue", "red"):
        for ground in ("ground", "shade"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_what_counts_stands_at_the_top_as_text() -> None:
    shown = page.render(written(code("1")), verdict(), MANIFEST, f"Points: 1/3 {EVIL}")
    assert "Points: 1/3 &lt;/code&gt;" in shown and "<script" not in shown
    assert shown.index("Points: 1/3") < shown.index("code cell 1")
    assert "Points" not in page.render(written(code("1")), verdict(), MANIFEST)
