import json
from typing import Any

import nbformat
import pytest

from autograder.executed import executed
from autograder.notebook import read


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
