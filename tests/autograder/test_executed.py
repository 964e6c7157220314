import base64
import json
import struct
from typing import Any

import nbformat
import pytest

from autograder import executed as module
from autograder.executed import executed
from autograder.notebook import read

PNG = base64.b64encode(
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 640, 480) + bytes(20)
).decode()
BOMB = base64.b64encode(
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 60_000, 60_000) + bytes(20)
).decode()


def made(*sources: str) -> dict[str, Any]:
    cells = [nbformat.v4.new_code_cell(source, execution_count=9) for source in sources]
    cells.insert(0, nbformat.v4.new_markdown_cell("text"))
    return read(nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode())


def shown(outputs: Any, remark: str = "") -> list[dict[str, Any]]:
    data = outputs if isinstance(outputs, bytes) else json.dumps(outputs).encode()
    result = executed(made("1"), {0: (data, 1, remark)})
    nbformat.validate(nbformat.reads(result.decode(), 4))
    found: list[dict[str, Any]] = json.loads(result)["cells"][1]["outputs"]
    return found


STREAM = {"output_type": "stream", "name": "stdout", "text": "x"}
RICH = {"output_type": "display_data", "data": {"text/plain": "x"}, "metadata": {}}
RESULT = {"output_type": "execute_result", "data": {}, "metadata": {}, "execution_count": 3}
ERROR = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t"]}


@pytest.mark.parametrize("output", [STREAM, RICH, RESULT, ERROR], ids=lambda o: o["output_type"])
def test_every_kind_of_output_is_kept(output: dict[str, Any]) -> None:
    assert shown([output, output]) == [output, output]


@pytest.mark.parametrize(
    "outputs",
    [
        b"", b"[]", b"null", b"{}", b"[1]", b"[[]]", b"\xff", b"[" * 100_000,
        b'[{"output_type": "stream", "text": "\xff"}]',
        b'[{"output_type": "display_data", "data": {"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}}]",
        [{"output_type": "script"}],
        [{"output_type": "stream", "name": "stdin", "text": "x"}],
        [{"output_type": "stream", "name": "stdout", "text": ["x"]}],
        [{"output_type": "error", "ename": 1, "evalue": "", "traceback": []}],
        [STREAM, {"output_type": "display_data", "data": []}],
    ],
    ids=lambda outputs: str(outputs)[:80],
)  # fmt: skip
def test_damaged_outputs_are_left_out(outputs: Any) -> None:
    found = shown(outputs)
    assert all("were damaged" in output["text"] for output in found) and len(found) <= 1


@pytest.mark.parametrize("depth", range(900, 1000, 3))
def test_outputs_that_can_be_read_but_are_nested_too_deeply_to_be_written_are_left_out(
    depth: int,
) -> None:
    output = b'[{"output_type": "display_data", "metadata": {}, "data": {"a": %s}}]'
    assert executed(made("1"), {0: (output % (b"[" * depth + b"]" * depth), 1, "")})


def test_unknown_fields_of_an_output_are_left_out() -> None:
    assert shown([STREAM | {"onload": "alert(1)"}]) == [STREAM]


def test_a_remark_comes_after_the_outputs() -> None:
    assert [output["text"] for output in shown([STREAM], "Left out.")] == ["x", "[Left out.]\n"]


def test_cells_that_did_not_run_say_so_and_others_keep_their_order() -> None:
    cells = json.loads(executed(made("1", "2"), {1: (b"[]", 2, "")}))["cells"]
    assert [cell["source"] for cell in cells] == ["text", "1", "2"]
    assert "outputs" not in cells[0]
    assert "not run" in cells[1]["outputs"][0]["text"] and cells[1]["execution_count"] is None
    assert cells[2]["outputs"] == [] and cells[2]["execution_count"] == 2


def rich(**data: Any) -> list[dict[str, Any]]:
    """Outputs of a cell that displays a MIME bundle; its keys have ``_`` for ``/``."""
    bundle = {kind.replace("_", "/", 1): value for kind, value in data.items()}
    return shown([{"output_type": "display_data", "data": bundle, "metadata": {"isolated": True}}])


def test_text_of_every_kind_loses_its_escape_sequences() -> None:
    evil = "a\x1b[31mb\x1b[0m\x1b]8;;http://evil\x07c\x1b]52;c;ZXZpbA==\x07\u202ed"
    stream = STREAM | {"text": evil}
    error = ERROR | {"ename": evil, "evalue": evil, "traceback": [evil, evil]}
    assert shown([stream, error]) == [
        STREAM | {"text": "abcd"},
        ERROR | {"ename": "abcd", "evalue": "abcd", "traceback": ["abcd", "abcd"]},
    ]
    assert rich(text_plain=evil)[0]["data"] == {"text/plain": "abcd"}


def test_long_output_is_kept_whole() -> None:
    text = "a line\n" * 20_000
    assert shown([STREAM | {"text": text}]) == [STREAM | {"text": text}]


@pytest.mark.parametrize(
    "kind",
    ["application/javascript", "text/javascript", "image/svg+xml", "application/json",
     "application/vnd.jupyter.widget-view+json", "application/vnd.plotly.v1+json", "image/gif",
     "application/pdf", "text/html; charset=utf-8", "TEXT/HTML", "image/webp", ""],
)  # fmt: skip
def test_other_types_are_replaced_by_one_remark(kind: str) -> None:
    bundle = {"text/plain": "x", kind: "<svg onload=alert(1)>"}
    first, remark = shown([RICH | {"data": bundle}])
    assert first == RICH and remark["text"] == f"[Not shown here: {kind}.]\n"


def test_html_is_sanitised_and_a_frame_stays_a_table() -> None:
    html = "<table class='dataframe'><tr><td onclick=alert(1)>1</td></tr></table><script>x</script>"
    (found,) = rich(text_plain="1", text_html=[html])
    assert found["data"]["text/html"] == (
        '<table class="dataframe"><tbody><tr><td>1</td></tr></tbody></table>'
    )
    assert found["metadata"] == {}


def test_html_of_which_nothing_stays_is_replaced_by_a_remark() -> None:
    assert "text/html" in rich(text_html="<script>alert(1)</script>")[1]["text"]


def test_pictures_are_checked_and_encoded_again() -> None:
    assert rich(image_png=[PNG[:40] + "\n", PNG[40:]])[0]["data"] == {"image/png": PNG}
    for data in (BOMB, "rubbish", "%", PNG + '" onload="x', {"a": 1}, ""):
        found, remark = rich(image_png=data)
        assert found["data"] == {} and "image/png" in remark["text"]


def test_pictures_in_html_are_checked_too() -> None:
    source = "<img src='data:image/png;base64,{}'>text".format
    assert PNG in rich(text_html=source(PNG))[0]["data"]["text/html"]
    assert rich(text_html=source(BOMB))[0]["data"]["text/html"] == "<img>text"


def test_a_notebooks_pictures_and_tags_are_limited_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_PIXELS", 2 * 640 * 480)
    monkeypatch.setattr(module, "MAX_TAGS", 4)
    data = {"image/png": PNG, "text/html": "<b>x</b>"}
    found = shown([RICH | {"data": data}] * 3)
    assert [sorted(one.get("data", {})) for one in found] == [
        ["image/png", "text/html"], ["image/png", "text/html"], [], [],
    ]  # fmt: skip


def test_latex_and_markdown_are_shown_as_text() -> None:
    evil = "[x](javascript:alert(1))"
    for kind in ("text_markdown", "text_latex"):
        plain = {"text_plain": "<IPython.core.display.Markdown object>", kind: evil}
        assert rich(**plain)[0]["data"] == {"text/plain": evil}
        assert rich(**{kind: evil}) == [RICH | {"data": {"text/plain": evil}}]
        assert rich(**plain | {"text_plain": "x"})[0]["data"] == {"text/plain": "x"}


def handed_in(*cells: dict[str, Any], **notebook: Any) -> dict[str, Any]:
    data = {"nbformat": 4, "nbformat_minor": 99, "metadata": {}, "cells": list(cells)} | notebook
    written = executed(read(json.dumps(data).encode()), {})
    nbformat.validate(nbformat.reads(written.decode(), 4))
    assert b"evil" not in written
    found: dict[str, Any] = json.loads(written)
    return found


def test_nothing_but_sources_and_checked_attachments_is_kept_of_what_was_handed_in() -> None:
    evil = {"trusted": True, "evil": 1, "jupyter": {"source_hidden": True}}
    attachments = {
        "a.png": {"image/png": PNG, "text/html": "evil"}, "b.png": {"image/png": BOMB},
        "c.svg": {"image/svg+xml": "evil"}, "../evil": {"image/png": PNG}, "evil": "evil",
    }  # fmt: skip
    found = handed_in(
        {"cell_type": "markdown", "metadata": evil, "source": "a", "attachments": attachments,
         "id": "evil", "evil": 1},
        {"cell_type": "code", "metadata": evil, "source": "b", "outputs": [], "evil": 1},
        {"cell_type": "raw", "metadata": {"raw_mimetype": "text/html"}, "source": "<script>"},
        metadata={"widgets": {"evil": 1}, "kernelspec": {"name": "evil"}, "evil": 1},
        evil=1,
    )  # fmt: skip
    markdown, code, raw = found["cells"]
    assert markdown["attachments"] == {"a.png": {"image/png": PNG}} and markdown["metadata"] == {}
    assert code["metadata"] == {"autograder": {"remark": "This cell was not run."}}
    assert raw["source"] == "< script>" and raw["metadata"]["raw_mimetype"] == "text/plain"
    assert set(found["metadata"]) == {"kernelspec", "language_info"}


def test_text_cells_are_made_harmless_and_code_is_exact() -> None:
    code = "x = '<script>' # \u202e\x1b[31m\x9b\f"
    found = handed_in(
        {"cell_type": "markdown", "metadata": {}, "source": "$a <b$ [x](javascript:alert(1))"},
        {"cell_type": "code", "metadata": {}, "source": code, "outputs": []},
    )
    assert [cell["source"] for cell in found["cells"]] == [
        "$a < b$ [x] (javascript:alert(1))", code,
    ]  # fmt: skip


def test_the_file_itself_is_fit_for_a_terminal() -> None:
    notebook = made("x = '\u202e\x1b\x9b'")
    assert not set(executed(notebook, {}).decode()) & set("\u202e\x1b\x9b")
