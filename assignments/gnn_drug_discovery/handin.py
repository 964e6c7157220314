"""Looks at a hand-in before it is handed in: ``python handin.py FILE [--milestone NAME]``.

``FILE`` is the zip that the notebook's last cell makes, or the notebook itself. Nothing in it is
run. Of a project that is handed in again and again, what one milestone needs is asked for: the one
that is named, or else the last one of which something is there. What is said to be fine may still
fail hidden checks; what is said to be wrong would cost points. Exit status: 0 if nothing was found
that would cost points, 1 if something was, 2 if there is nothing to look at.

This file is published beside every student notebook, with ``assignment.json``, which says what the
assignment asks for. It needs nothing but Python, numpy and safetensors.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import io
import json
import re
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Report", "check", "contents", "examine", "load_assignment", "main", "present"]

ASSIGNMENT = "assignment.json"
NOTEBOOK_BYTES = 32 * 2**20
"""Size of a notebook that graders still read."""
FILE_BYTES = 64 * 2**20
"""Size of any other file that graders still read."""
ZIP_BYTES = 256 * 2**20
"""Size of everything in a zip together."""
ZIP_ENTRIES = 1000
FRESH_SECONDS = 120
"""How long ago a notebook may have been saved for nobody to ask whether it was."""
CHECK = re.compile(r"""^\s*grader\.check\(\s*["']([^"']+)["']""", re.MULTILINE)
ANSWER = "otter_answer_cell"
"""Tag of the cells that are for answers."""
PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")
"""Cell magics whose cell is Python."""
FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
_SHOWN = 8
"""How many of a kind are named in one sentence."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    mark: str
    """``ok``, ``note`` (worth knowing) or ``fix`` (would cost points)."""
    text: str
    """One sentence: what is wrong, and what to do."""


@dataclasses.dataclass
class Report:
    """What was found, and what will become of the hand-in."""

    title: str
    findings: list[Finding] = dataclasses.field(default_factory=list)
    graded: list[str] = dataclasses.field(default_factory=list)
    """What is graded, a line each."""
    runs: list[str] = dataclasses.field(default_factory=list)
    """What graders run, a line each."""

    @property
    def costs(self) -> int:
        """How many things would cost points."""
        return sum(finding.mark == "fix" for finding in self.findings)

    def add(self, mark: str, text: str) -> None:
        """Note one thing."""
        self.findings.append(Finding(mark, _plain(text)))

    def __str__(self) -> str:
        parts = [f"{_plain(self.title)}\n"]
        parts += [f"  {finding.mark:5}{finding.text}" for finding in self.findings]
        for heading, lines in (
            ("What is graded", self.graded), ("What runs when it is graded", self.runs)
        ):  # fmt: skip
            parts += [f"\n{heading}", *(f"  {line}" for line in lines)] if lines else []
        return "\n".join([*parts, "", self._conclusion()])

    def _conclusion(self) -> str:
        if not self.costs:
            return (
                "Nothing was found that would cost points by accident. This is not your grade: "
                "hidden checks and people decide that."
            )
        things = "1 thing" if self.costs == 1 else f"{self.costs} things"
        return f"{things} marked `fix` would cost points. Hand in what you have, or mend it first."


def load_assignment(folder: Path) -> dict[str, Any]:
    """What the assignment asks for: ``assignment.json`` in ``folder``.

    Raises:
        ValueError: if it is not there or damaged.
    """
    file = folder / ASSIGNMENT
    try:
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        raise ValueError(
            f"{file} is missing or damaged; copy it again from the assignment's folder."
        ) from None
    return found


def present(names: Sequence[str]) -> list[str]:
    """Those of the files ``names`` that are here, so that a missing one spoils no export."""
    return [name for name in names if Path(name).is_file()]


def check(path: str | Path | None = None, milestone: str | None = None) -> None:
    """Print what can be said of a hand-in: of the newest exported zip here, if none is named."""
    here = Path(__file__).parent
    if not (here / ASSIGNMENT).is_file():  # where it is graded
        print("There is nothing to check here.")
        return
    try:
        assignment = load_assignment(here)
        file = Path(path) if path else _newest(assignment["notebook"].removesuffix(".ipynb"))
        if file is None:
            print("There is no exported zip here, so there is nothing to check.")
        else:
            print(examine(file, assignment, time.time(), milestone))
    except ValueError as error:
        print(error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    milestone = None
    if "--milestone" in given[:-1]:
        option = given.index("--milestone")
        milestone = given[option + 1]
        del given[option : option + 2]
    if len(given) != 1 or given[0].startswith("-"):
        print((__doc__ or "").partition("\n\n")[0], "FILE is the exported zip or the notebook.")
        return 2
    try:
        assignment = load_assignment(Path(__file__).parent)
        report = examine(Path(given[0]), assignment, milestone=milestone)
    except ValueError as error:
        print(error)
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    print(report)
    return 1 if report.costs else 0


def contents(path: Path) -> list[str]:
    """The names of the files in a hand-in, without folders.

    Raises:
        ValueError: as :func:`examine`.
    """
    return list(_files(path))


def examine(
    path: Path,
    assignment: dict[str, Any],
    now: float | None = None,
    milestone: str | None = None,
) -> Report:
    """Look at a hand-in.

    Args:
        path: The exported zip, or a notebook.
        assignment: What ``assignment.json`` holds.
        now: Seconds since the epoch if this is right after an export: then it is asked whether
            the notebook was saved before.
        milestone: For which one it is, if the assignment has any; found out if not given.

    Raises:
        ValueError: if there is no such file, or neither a zip nor a notebook can be read from it,
            or no such milestone.
    """
    report = Report(f"{path.name}, for {assignment['title']!r} ({assignment['name']})")
    files = _files(path, [wanted["name"] for wanted in assignment["files"]])
    name = _choose(report, files, assignment)
    notebook = _notebook(report, name, files, assignment) if name else None
    due = _due(report, notebook, files, assignment, milestone)
    if notebook is not None:
        _check_saved(report, files[name].saved, now)
        if due:
            _check_needs(report, notebook, assignment, due)
    assignment = _narrowed(assignment, due, files) if due else assignment
    if notebook is not None:
        _check_notebook(report, notebook, assignment)
    missing = _check_weights(report, path, files, assignment)
    _check_size(report, path)
    report.graded = list(_graded(assignment))
    report.runs = list(_runs(assignment, missing))
    return report


@dataclasses.dataclass(frozen=True)
class _File:
    size: int
    saved: float | None
    """When it was last changed, seconds since the epoch, as far as is known."""
    read: Callable[[], bytes]


def _due(
    report: Report,
    notebook: dict[str, Any] | None,
    files: Iterable[str],
    assignment: dict[str, Any],
    wanted: str | None,
) -> dict[str, Any] | None:
    """The milestone that the hand-in is for, of an assignment that has any."""
    milestones = {one["name"]: one for one in assignment.get("milestones", [])}
    if wanted is not None and wanted not in milestones:
        known = f"it has {', '.join(milestones)}" if milestones else "it has none"
        raise ValueError(f"{assignment['title']!r} has no milestone {wanted!r}; {known}.")
    if not milestones:
        return None
    if wanted is not None:
        report.add("ok", f"Looked at as milestone {wanted}, {_asked(milestones[wanted])}.")
        return milestones[wanted]
    begun = [one for one in milestones.values() if _is_begun(one, notebook, files, assignment)]
    due = begun[-1] if begun else next(iter(milestones.values()))
    report.add(
        "note",
        f"Looked at as milestone {due['name']}, {_asked(due)}: it is the "
        f"{'last of which something is there' if begun else 'first'}. If you hand in another one, "
        "say so: python handin.py FILE --milestone NAME.",
    )
    return due


def _asked(milestone: dict[str, Any]) -> str:
    """What files a milestone is about."""
    earlier = f", beside {_named(milestone['needs'])} of earlier ones" if milestone["needs"] else ""
    return f"which needs {_named(milestone['files'])}{earlier}"


def _is_begun(
    milestone: dict[str, Any],
    notebook: dict[str, Any] | None,
    files: Iterable[str],
    assignment: dict[str, Any],
) -> bool:
    if set(milestone["files"]) & set(files):
        return True
    if notebook is None:
        return False
    answers = _Answers(notebook)
    return any(
        not _problem(question, notebook, answers, broken=False)
        for question in assignment["questions"]
        if question["name"] in milestone["questions"]
    )


def _check_needs(
    report: Report, notebook: dict[str, Any], assignment: dict[str, Any], due: dict[str, Any]
) -> None:
    """What earlier milestones have left as handed out, and this one is checked against."""
    answers, needed = _Answers(notebook), {Path(name).stem for name in due["needs"]}
    for question in assignment["questions"]:
        same = [name for name, body in question["stubs"].items() if answers.is_stub(name, body)]
        left = [name for name in same if name in needed]
        if left and question["name"] not in due["questions"]:
            report.add(
                "fix",
                f"Question {question['name']}, of an earlier milestone: {_named(left)} "
                f"{'is' if len(left) == 1 else 'are'} still as handed out, and {due['name']} is "
                "checked against it.",
            )


def _narrowed(
    assignment: dict[str, Any], due: dict[str, Any], files: Iterable[str]
) -> dict[str, Any]:
    """The assignment as if it ended with this milestone, and nothing else were asked."""
    optional = {Path(name).stem for name in due["optional"]}
    wanted = {*due["files"], *due["needs"], *(set(due["optional"]) & set(files))}
    questions = [
        {**one, "stubs": {name: b for name, b in one["stubs"].items() if name not in optional}}
        for one in assignment["questions"]
        if one["name"] in due["questions"]
    ]
    expected = [{**one, "due": due["name"]} for one in assignment["files"] if one["name"] in wanted]
    return {**assignment, "questions": questions, "files": expected}


def _files(path: Path, wanted: Iterable[str] = ()) -> dict[str, _File]:
    if not path.is_file():
        raise ValueError(f"{path} does not exist; export the notebook, and name the zip it makes.")
    if path.suffix.lower() == ".ipynb":
        named = [path.parent / name for name in wanted]
        beside = [one for one in {*path.parent.glob("*.safetensors"), *named} if one.is_file()]
        return {
            one.name: _File(one.stat().st_size, one.stat().st_mtime, one.read_bytes)
            for one in [path, *beside]
        }
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path} is neither a zip nor a notebook (.ipynb); hand in the zip that the last cell "
            "of the notebook makes."
        )
    with zipfile.ZipFile(path) as archive:
        entries = [one for one in archive.infolist() if not one.is_dir()]
    if len(entries) > ZIP_ENTRIES or sum(one.file_size for one in entries) > ZIP_BYTES:
        raise ValueError(
            f"{path} holds more than {ZIP_ENTRIES} files or {ZIP_BYTES >> 20} MB, which graders "
            "do not read; export the notebook again and hand in that zip alone."
        )
    return {
        entry.filename.rpartition("/")[2]: _File(
            entry.file_size, _time(entry), functools.partial(_unpacked, path, entry)
        )
        for entry in entries
    }


def _time(entry: zipfile.ZipInfo) -> float | None:
    try:
        return time.mktime((*entry.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return None


def _unpacked(path: Path, entry: zipfile.ZipInfo) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(entry) as file:
            return file.read(min(entry.file_size, FILE_BYTES) + 1)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, ValueError):
        return b""


def _newest(stem: str) -> Path | None:
    found = sorted(Path().glob(f"{stem}_*.zip"), key=lambda file: file.stat().st_mtime)
    return found[-1] if found else None


def _choose(report: Report, files: dict[str, _File], assignment: dict[str, Any]) -> str:
    """The name of the notebook that graders would take, or ``""``."""
    wanted = assignment["notebook"]
    notebooks = [name for name in files if name.lower().endswith(".ipynb")]
    if not notebooks:
        report.add("fix", f"There is no notebook in it: hand in {wanted}, or nothing is graded.")
        return ""
    if wanted in notebooks:
        if notebooks[1:]:
            report.add("note", f"It holds {len(notebooks)} notebooks; {wanted} is graded.")
        return str(wanted)
    if notebooks[1:]:
        report.add(
            "fix",
            f"None of its {len(notebooks)} notebooks is named {wanted}, so that a wrong one may be "
            f"graded: hand in one notebook, named {wanted}.",
        )
    else:
        report.add(
            "note",
            f"The notebook is named {notebooks[0]}, not {wanted}; it is graded all the same.",
        )
    return notebooks[0]


def _notebook(
    report: Report, name: str, files: dict[str, _File], assignment: dict[str, Any]
) -> dict[str, Any] | None:
    file = files[name]
    if file.size > NOTEBOOK_BYTES:
        report.add(
            "fix",
            f"{name} has {file.size / 2**20:.0f} MB, and graders read at most "
            f"{NOTEBOOK_BYTES >> 20} MB: clear the outputs of its cells, save and export again.",
        )
        return None
    problem, notebook = _parsed(file.read())
    if notebook is None:
        report.add("fix", f"{name} cannot be read: {problem}")
        return None
    otter = notebook["metadata"].get("otter")
    named = otter.get("assignment_name") if isinstance(otter, dict) else None
    own = {question["name"] for question in assignment["questions"] if question["check"]}
    if named not in (None, assignment["name"]) or not own & set(_checks(notebook)):
        report.add(
            "fix",
            f"{name} is not the notebook of {assignment['name']}"
            + (f" but of {named}" if isinstance(named, str) and named != assignment["name"] else "")
            + f": hand in the {assignment['notebook']} that you were given, with your answers.",
        )
        return None
    report.add("ok", f"{name} can be read: {len(notebook['cells'])} cells.")
    return notebook


def _parsed(data: bytes) -> tuple[str, dict[str, Any] | None]:
    again = "save it again in Jupyter and export again."
    if not data.strip():
        return f"the file is empty; {again}", None
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError, MemoryError):
        return f"it is not a notebook, or was cut off; {again}", None
    if not isinstance(found, dict) or found.get("nbformat") != 4:
        return f"it is not a notebook of format 4; {again}", None
    cells = found.get("cells")
    if not isinstance(cells, list) or not all(map(_is_cell, cells)):
        return f"its cells are damaged; {again}", None
    metadata = found.get("metadata")
    tidy = [{**cell, "source": _text(cell["source"])} for cell in cells]
    for cell in tidy:
        if not isinstance(cell.get("metadata"), dict):
            cell["metadata"] = {}
    return "", {
        **found,
        "cells": tidy,
        "metadata": metadata if isinstance(metadata, dict) else {},
    }


def _is_cell(cell: object) -> bool:
    if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
        return False
    source = cell.get("source")
    lines = source if isinstance(source, list) else [source]
    return all(isinstance(line, str) for line in lines)


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _code(notebook: dict[str, Any]) -> list[str]:
    return [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _checks(notebook: dict[str, Any]) -> list[str]:
    return [name for source in _code(notebook) for name in CHECK.findall(source)]


def _check_saved(report: Report, saved: float | None, now: float | None) -> None:
    if saved is None or now is None or now - saved < FRESH_SECONDS:
        return
    minutes = (now - saved) / 60
    ago = f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
    report.add(
        "note",
        f"The notebook in the zip was last saved {ago} ago: if you have changed it since, save it "
        "and run this cell again.",
    )


def _check_notebook(report: Report, notebook: dict[str, Any], assignment: dict[str, Any]) -> None:
    broken = _check_syntax(report, notebook)
    _check_errors(report, notebook)
    checks = set(_checks(notebook))
    gone = [q["name"] for q in assignment["questions"] if q["check"] and q["name"] not in checks]
    if gone:
        one = gone[0]
        report.add(
            "fix",
            f"{_cells(gone)} of {_named(gone)} {'is' if len(gone) == 1 else 'are'} gone, so that "
            "what later cells define is graded in place of your answer: put "
            f'`grader.check("{one}")` back where it stood.',
        )
    else:
        total = sum(q["check"] for q in assignment["questions"])
        report.add("ok", f"{_all(total, 'check cell', 'is', 'are')} there.")
    _check_answers(report, notebook, assignment, broken)


def _all(count: int, thing: str, one: str, more: str) -> str:
    return f"The {thing} {one}" if count == 1 else f"All {count} {thing}s {more}"


def _cells(names: Sequence[str]) -> str:
    return "The check cell" if len(names) == 1 else "The check cells"


def _check_syntax(report: Report, notebook: dict[str, Any]) -> bool:
    sources = _code(notebook)
    found = 0
    for number, source in enumerate(sources, 1):
        problem = _syntax_error(source)
        if not problem:
            continue
        found += 1
        if found <= _SHOWN:
            question = _question_of(sources, number - 1)
            where = f"code cell {number}" + (f" (question {question})" if question else "")
            report.add("fix", f"The {where} is not Python and will not run: {problem}. Mend it.")
    if found > _SHOWN:
        report.add("fix", f"{found - _SHOWN} more code cells are not Python.")
    if not found:
        report.add("ok", f"All {len(sources)} code cells are Python.")
    return found > 0


def _question_of(sources: Sequence[str], index: int) -> str:
    """The question whose check comes next, in the cell or after it."""
    return next((name for source in sources[index:] for name in CHECK.findall(source)), "")


def _syntax_error(source: str) -> str:
    python = _python(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(python, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}" if error.lineno else str(error.msg)
    except (ValueError, RecursionError, MemoryError, OverflowError):
        return "it cannot be compiled"
    return ""


def _tree(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None


def _python(source: str) -> str:
    """A cell as Python: magics and shell commands are replaced by ``pass``."""
    if _tree(source) is not None:
        return source
    first, _, rest = source.lstrip().partition("\n")
    if first.startswith("%%"):
        # an empty first line keeps the numbers of the others
        return f"\n{_python(rest)}" if first.split()[0] in PYTHON_MAGICS else "pass"
    return "\n".join(_without_magic(line) for line in source.split("\n"))


def _without_magic(line: str) -> str:
    code = line.lstrip()
    indent = line[: len(line) - len(code)]
    is_magic = code.startswith(("%", "!", "?")) or re.fullmatch(r"[\w.]+\?{1,2}\s*", code)
    if is_magic:
        return f"{indent}pass"
    return re.sub(r"^(\s*[\w, ]+=\s*)[%!].*", r"\1None", line)


def _check_errors(report: Report, notebook: dict[str, Any]) -> None:
    """Cells that had ended with an error when they were last run."""
    sources = _code(notebook)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    found = []
    for index, cell in enumerate(cells):
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, dict) and output.get("output_type") == "error":
                name, question = str(output.get("ename", "")), _question_of(sources, index)
                found.append(f"{index + 1} ({name[:40]}{f', {question}' if question else ''})")
                break
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        report.add(
            "note",
            f"Code cells that ended with an error when you last ran them: "
            f"{', '.join(found[:_SHOWN])}{more}.",
        )


def _check_answers(
    report: Report, notebook: dict[str, Any], assignment: dict[str, Any], broken: bool
) -> None:
    answers = _Answers(notebook)
    empty = []
    for question in assignment["questions"]:
        problem = _problem(question, notebook, answers, broken)
        if problem:
            empty.append(question["name"])
            report.add("fix", f"Question {question['name']} ({_points(question['points'])}): "
                              f"{problem}")  # fmt: skip
    if not empty:
        count = len(assignment["questions"])
        report.add("ok", f"{_all(count, 'question', 'has', 'have')} an answer.")


def _problem(
    question: dict[str, Any], notebook: dict[str, Any], answers: _Answers, broken: bool
) -> str:
    """What is not answered of a question, or ``""``."""
    if question["written"]:
        return _written_problem(question, notebook)
    return answers.problem(question, broken)


class _Answers:
    """What the code of a notebook defines."""

    def __init__(self, notebook: dict[str, Any]) -> None:
        self.sources = {source.strip() for source in _code(notebook)}
        self.bodies: dict[str, str] = {}
        self.bound: set[str] = set()
        for source in _code(notebook):
            tree = _tree(_python(source))
            if tree is not None:
                self.bodies.update(stubs_of(tree))
                self.bound |= _bound(tree)

    def problem(self, question: dict[str, Any], broken: bool) -> str:
        """What is not answered of a question with tests, or ``""``."""
        same = [name for name, body in question["stubs"].items() if self.is_stub(name, body)]
        gone = [
            name
            for name in question["stubs"]
            if not broken and "." not in name and name not in self.bound
        ]
        if any(cell in self.sources for cell in question["cells"]):
            same.append("a cell")
        if not same and not gone:
            return ""
        same = _classes_together(same, question["stubs"])
        said = []
        if same:
            verb = "is" if len(same) == 1 else "are"
            said.append(f"{_named(same)} {verb} still as handed out")
        if gone:
            said.append(f"{_named(gone)} {'is' if len(gone) == 1 else 'are'} not there any more")
        return f"{', and '.join(said)}; what is not answered earns nothing."

    def is_stub(self, name: str, body: str) -> bool:
        """Whether ``name`` is defined, as it was handed out."""
        return name in self.bodies and self.bodies[name] == normalised(body)


def _classes_together(same: Sequence[str], stubs: Iterable[str]) -> list[str]:
    """``same``, but a class of which nothing is written by its own name."""
    found: dict[str, None] = {}
    for name in same:
        owner, dot, _ = name.partition(".")
        methods = [stub for stub in stubs if stub.startswith(f"{owner}.")]
        whole = dot and all(method in same for method in methods)
        found[owner if whole else name] = None
    return list(found)


def stubs_of(tree: ast.Module) -> dict[str, str]:
    """What functions, methods and names of a cell hold, in a form that can be compared.

    Returns:
        By name (``function``, ``Class.method``, ``variable``): the body without its docstring, or
        the value that is assigned.
    """
    return {name: _dump(body) for name, body in bodies(tree).items()}


def bodies(tree: ast.Module) -> dict[str, list[ast.stmt]]:
    """What :func:`stubs_of` writes, as statements."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = _undocumented(node.body)
        elif isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                    found[f"{node.name}.{part.name}"] = _undocumented(part.body)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = [ast.Expr(node.value)]
    return found


def normalised(source: str) -> str:
    """Statements, as :func:`stubs_of` writes them."""
    return _dump(ast.parse(source).body)


def _dump(body: Sequence[ast.stmt]) -> str:
    try:
        return "\n".join(ast.dump(node) for node in body)
    except RecursionError:
        return "too deep"


def _undocumented(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    documented = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return body[1:] if documented else body


def _bound(tree: ast.Module) -> set[str]:
    """Every name that a cell binds anywhere."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name.partition(".")[0])
    return found


def _written_problem(question: dict[str, Any], notebook: dict[str, Any]) -> str:
    places = [
        index
        for index, cell in enumerate(notebook["cells"])
        if cell["metadata"].get("question") == question["name"]
        and ANSWER in (cell["metadata"].get("tags") or [])
    ]
    if not places:
        return "its answer cell is gone, where a person will look for your answer; put it back."
    texts = list(_texts(notebook["cells"][places[0] :], question))
    if all(not text or text in question["cells"] for text in texts):
        return "nothing is written in its answer cell, where a person will look for your answer."
    return ""


def _texts(cells: Sequence[dict[str, Any]], question: dict[str, Any]) -> Iterator[str]:
    """What is written from the answer cell on to the next cell that was handed out."""
    for cell in cells:
        text = cell["source"].strip()
        if cell["metadata"].get("question", question["name"]) != question["name"]:
            return
        if question["until"] and text.startswith(question["until"]):
            return
        if cell["cell_type"] != "code":
            yield text


def _check_weights(
    report: Report, path: Path, files: dict[str, _File], assignment: dict[str, Any]
) -> list[dict[str, Any]]:
    """Look at the expected files; returns those that cannot be used."""
    unusable = []
    for wanted in assignment["files"]:
        name = wanted["name"]
        if name not in files:
            problem = f"{name} is missing"
            if _is_weights(wanted) and "due" not in wanted:
                problem += ". Run the cell that trains the model, then export again"
        elif files[name].size > FILE_BYTES:
            problem = f"{name} has more than {FILE_BYTES >> 20} MB, which graders do not read"
        elif name.endswith(".safetensors"):
            problem = _weights_problem(report, wanted, files[name].read())
        else:
            problem = "" if files[name].size else f"{name} is empty"
        if problem:
            later = name not in files and not _is_weights(wanted) and "due" not in wanted
            report.add("note" if later else "fix", f"{problem}: {_without(wanted)}")
            unusable.append(wanted)
    if path.suffix.lower() == ".ipynb" and assignment["files"]:
        report.add("note", "This is the notebook alone: hand in the zip that its last cell makes, "
                           "which holds the other files too.")  # fmt: skip
    return unusable


def _is_weights(wanted: dict[str, Any]) -> bool:
    return str(wanted["name"]).endswith(".safetensors")


def _without(wanted: dict[str, Any]) -> str:
    credit = wanted.get("credit")
    if "due" in wanted:
        return f"milestone {wanted['due']} needs it, and what rests on it earns nothing without."
    if not _is_weights(wanted):
        return "what rests on it earns nothing until it is there."
    trains = "without it the notebook trains again while it is graded"
    if credit is None:
        return f"{trains} if it can, and what rests on it may earn nothing."
    return (
        f"{trains}, and what is asked of the trained model in question {wanted['question']} earns "
        f"at most {credit:.0%} of its points."
    )


def _weights_problem(report: Report, wanted: dict[str, Any], data: bytes) -> str:
    """What keeps weights from being loaded, or ``""``; says what is in them if nothing does."""
    from safetensors import SafetensorError, deserialize

    name = wanted["name"]
    try:
        tensors = dict(deserialize(data))
    except (SafetensorError, ValueError, UnicodeError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else "damaged"
        return (
            f"{name} cannot be loaded ({reason}). Delete it, run the cell that trains the model "
            "again, and export again"
        )
    infinite = [key for key, value in tensors.items() if not _is_finite(value)]
    if infinite:
        return (
            f"{name} holds values that are not finite numbers, in {_named(infinite)}. Its training "
            "went wrong: delete it and train again"
        )
    size = f"{len(tensors)} tensors, {len(data) / 2**20:.1f} MB"
    differences = _differences(wanted["tensors"], tensors)
    if differences:
        report.add(
            "note",
            f"{name} can be loaded ({size}), but holds another network than the one described in "
            f"the notebook: {differences}. If that is not on purpose, delete the file and run the "
            "notebook again.",
        )
    else:
        report.add("ok", f"{name}: {size}, all names and shapes as expected, all finite.")
    return ""


def _differences(wanted: dict[str, Any], found: dict[str, Any]) -> str:
    missing = [name for name in wanted if name not in found]
    more = [name for name in found if name not in wanted]
    other = [
        name
        for name in wanted
        if name in found and [found[name]["dtype"], list(found[name]["shape"])] != wanted[name]
    ]
    said = [
        f"{_named(names)} {what}"
        for names, what in (
            (missing, "missing"),
            (more, "not expected"),
            (other, "of another shape or type"),
        )
        if names
    ]
    return "; ".join(said)


def _is_finite(tensor: dict[str, Any]) -> bool:
    import numpy as np

    data = bytes(tensor["data"])
    if tensor["dtype"] == "BF16":  # all ones in the exponent: infinite or no number
        exponents = np.frombuffer(data, "<u2") & 0x7F80
        return bool((exponents != 0x7F80).all())
    kind = FLOATS.get(tensor["dtype"])
    return kind is None or bool(np.isfinite(np.frombuffer(data, kind)).all())


def _check_size(report: Report, path: Path) -> None:
    size = path.stat().st_size
    if path.suffix.lower() != ".ipynb":
        report.add("ok", f"The zip has {size / 2**20:.1f} MB.")


def _graded(assignment: dict[str, Any]) -> Iterator[str]:
    width = max((len(question["name"]) for question in assignment["questions"]), default=0)
    people = 0.0
    for question in assignment["questions"]:
        points = _points(question["points"])
        if question["written"]:
            people += question["points"]
            how = "read by a person"
        else:
            how = f"{question['public']} visible and {question['hidden']} hidden checks"
        yield f"{question['name']:{width}}  {points:>9}, {how}: {question['title']}"
    total = sum(question["points"] for question in assignment["questions"])
    yield f"Together {total:g} points, of which {people:g} are given by people."


def _runs(assignment: dict[str, Any], missing: Iterable[dict[str, Any]]) -> Iterator[str]:
    limits, names = assignment["limits"], {one["name"] for one in missing}
    yield (
        "Your notebook, from the first cell to the last, in a fresh Python without network; "
        "outputs that you saved do not count."
    )
    yield (
        f"Each cell may take {limits['cell_seconds']:g} s, the tests of a question "
        f"{limits['question_seconds']:g} s and everything {limits['submission_seconds'] / 60:g} "
        f"minutes, with {limits['memory_mb'] / 1024:g} GB of memory."
    )
    for wanted in assignment["files"]:
        if not _is_weights(wanted) or "due" in wanted:
            continue
        if wanted["name"] in names:
            yield f"{wanted['name']} is trained again there, because it cannot be used."
        else:
            yield (
                f"{wanted['name']} is loaded and not trained again. (Of some hand-ins it is taken "
                "away to see that the notebook trains; that costs nothing.)"
            )


def _points(number: float) -> str:
    return f"{number:g} point" if number == 1 else f"{number:g} points"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _plain(text: str) -> str:
    """One line that does nothing to a terminal, whoever wrote its parts."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return line if len(line) <= 600 else f"{line[:599]}…"


if __name__ == "__main__":
    sys.exit(main())
