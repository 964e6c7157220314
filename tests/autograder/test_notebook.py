import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.errors import NotebookError
from autograder.notebook import MAX_CELLS, MAX_DEPTH, code_sources, read


def code(source: Any, **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], **more}


def data(*cells: Any, **more: Any) -> bytes:
    top = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)}
    return json.dumps(top | more).encode()


def test_code_sources_come_in_order_with_lines_joined() -> None:
    markdown = {"cell_type": "markdown", "source": "# hi", "metadata": {}}
    notebook = read(data(code("a = 1"), markdown, code(["b = 2\n", "c = 3"])))
    assert code_sources(notebook) == ["a = 1", "b = 2\nc = 3"]


def test_byte_order_mark_is_accepted() -> None:
    assert code_sources(read(b"\xef\xbb\xbf" + data(code("x")))) == ["x"]


def test_nan_and_infinity_become_none_so_that_the_notebook_is_json_again() -> None:
    raw = data(code("x")).replace(b'"metadata": {}', b'"metadata": {"a": NaN, "b": 1e999}', 1)
    notebook = read(raw)
    json.dumps(notebook, allow_nan=False)


def test_lone_surrogates_are_replaced_so_that_the_notebook_can_be_written() -> None:
    notebook = read(data(code("print('\ud800 \U0001f600')")))
    assert json.dumps(notebook, ensure_ascii=False).encode()
    assert code_sources(notebook) == ["print('\ufffd \U0001f600')"]


def test_version_3_is_upgraded() -> None:
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [
        {"cells": [{"cell_type": "code", "input": ["x = 1"], "outputs": [], "language": "python",
                    "collapsed": False, "metadata": {}}], "metadata": {}}]}  # fmt: skip
    assert code_sources(read(json.dumps(old).encode())) == ["x = 1"]


def test_missing_metadata_and_outputs_are_filled_in() -> None:
    (cell,) = read(data({"cell_type": "code", "source": "x", "outputs": {"a": 1}, "metadata": 3}))[
        "cells"
    ]
    assert cell["metadata"] == {} and cell["outputs"] == [] and cell["execution_count"] is None


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"%PDF-1.4 ...", "PDF"),
        (b"PK\x03\x04...", "zip archive"),
        (b"<!doctype html><html>", "web page"),
        (b"\x80\x04\x95 pickle", "UTF-8"),
        (b'{"cells": [', "not JSON"),
        (b"[1, 2]", "JSON but not a notebook"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not JSON"),
        (b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a":' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}", "nested too deeply"),
        (b"[" + b"[]," * 600_000 + b"0]", "too much data"),
        (data(nbformat=5), "format 5"),
        (data(nbformat=99), "format 99"),
        (data(nbformat="4"), "not a notebook"),
        (data(nbformat=True), "not a notebook"),
        (data(nbformat=3, worksheets=7), "old format 3"),
        (data(cells={}), "no list of cells"),
        (data("x"), "Cell 1"),
        (data({"cell_type": 3, "source": ""}), "Cell 1"),
        (data(code("x"), code(7)), "Cell 2"),
        (data(code(["x", 7])), "Cell 1"),
        (data(*[code("")] * (MAX_CELLS + 1)), "cells"),
    ],
)  # fmt: skip
def test_what_is_no_notebook_is_refused_with_one_sentence(raw: bytes, says: str) -> None:
    with pytest.raises(NotebookError, match=says) as caught:
        read(raw)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_notebook_over_the_limit_is_refused() -> None:
    with pytest.raises(NotebookError, match="1 MB"):
        read(data(code("x" * 2**20)), max_bytes=2**20)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["cells", "nbformat", "source", "cell_type", "outputs"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(st.binary() | st.builds(lambda value: json.dumps(value).encode(), JSON))
def test_nothing_but_notebook_error_is_raised(raw: bytes) -> None:
    try:
        read(raw)
    except NotebookError:
        pass


@settings(max_examples=150)
@given(JSON)
def test_hostile_cells_raise_nothing_but_notebook_error(value: Any) -> None:
    try:
        json.dumps(read(data(value, code("x", metadata=value, outputs=value), metadata=value)))
    except NotebookError:
        pass
