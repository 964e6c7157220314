"""What students must not see of an assignment, in forms that can be searched for."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from autograder.build.answers import python, stripped
from autograder.build.config import MODULES, STUDENT_REQUIREMENTS, module_source
from autograder.build.lint import prompt_of
from autograder.build.master import Master, Role, read_master
from autograder.build.sources import Sources
from autograder.build.testcell import MasterTest, read_tests
from autograder.bundle import sha256
from autograder.secret import FILE, course_secret

LINE, IDIOM = 20, 40
"""Words and signs in a row that make a find: a line of a test, half a function, three lines.

Long functions of one subject share single lines by nature; hidden tests share none.
"""
LEAST, STEP = 8, 4
"""The same where they are all there is of the hidden piece, and what it is rounded down to."""
SECRET = 6
"""Letters of the shortest secret that is looked for."""
PHRASE = 5
"""Words of the shortest rubric text that is looked for."""
SMALL = 24
"""Bytes of the smallest private file that is looked for whole."""
DIGITS = 4
"""Digits of the shortest threshold that is looked for."""
NEEDLE = 64
"""Bytes of a weight tensor that are looked for."""

Gram = tuple[str, ...]
"""Words and signs in a row."""


@dataclass
class Hidden:
    """All that is hidden of one assignment."""

    names: dict[str, str] = field(default_factory=dict)
    """Names of hidden tests, with what they are."""
    numbers: dict[str, str] = field(default_factory=dict)
    """Thresholds as they are written, with what they are; in a table of numbers they may stand by
    chance."""
    phrases: dict[str, str] = field(default_factory=dict)
    """Sentences to be found anywhere in a text whose white space has been collapsed."""
    grams: dict[int, dict[Gram, str]] = field(default_factory=dict)
    """Words and signs in a row, by how many they are."""
    files: dict[str, str] = field(default_factory=dict)
    """Hashes of private files."""
    needles: dict[bytes, str] = field(default_factory=dict)
    """Byte strings to be found anywhere: weights, secrets."""

    @classmethod
    def of(cls, name: str, project: Path) -> Hidden:
        """What is hidden of the assignment ``name`` of ``project``."""
        sources = Sources.read(name, project)
        return cls.gather(sources, read_master(sources.notebook, sources.label))

    @classmethod
    def gather(cls, sources: Sources, master: Master) -> Hidden:
        """What is hidden of an assignment that was read already."""
        return _Gatherer(sources, master).gather()


def words(text: str) -> list[str]:
    """The words and signs of ``text`` that survive quoting, commenting out and reformatting."""
    return re.findall(r"\w+|[^\w\s#>|`,'\"\\]", text)


def grams(found: list[str], length: int) -> Iterator[Gram]:
    """Every run of ``length`` of the words and signs ``found`` in a text."""
    return zip(*(found[start:] for start in range(length)), strict=False)


def telling(source: str) -> Iterator[str]:
    """Each function of ``source``, and the rest, less what tells nothing of an answer.

    Imports, signatures, docstrings and comments tell nothing. Text that is no Python is one piece.
    """
    tree = python(source)
    if tree is None:
        yield source
        return
    lines = dict(enumerate(source.splitlines(), 1))
    for number in {number for node in ast.walk(tree) for number in _dull_lines(node)}:
        lines.pop(number, None)
    for node in _functions(tree.body):
        span = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        yield _uncommented(lines.pop(number, "") for number in span)
    yield _uncommented(lines.values())


def _functions(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body)


def _definitions(source: str) -> dict[str, str]:
    """Source code of the functions and classes that ``source`` defines at top level."""
    tree = python(source)
    kinds = (ast.FunctionDef, ast.ClassDef)
    found = [node for node in tree.body if isinstance(node, kinds)] if tree else []
    return {node.name: ast.get_source_segment(source, node) or "" for node in found}


def _uncommented(lines: Iterable[str]) -> str:
    return "\n".join(re.sub(r"(^|\s)#\s.*", "", line) for line in lines)


def _dull_lines(node: ast.AST) -> Iterable[int]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return range(node.lineno, (node.end_lineno or node.lineno) + 1)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return range(node.lineno, node.body[0].lineno)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return range(node.lineno, (node.end_lineno or node.lineno) + 1)
    return ()


class _Gatherer:
    def __init__(self, sources: Sources, master: Master) -> None:
        self.sources, self.master = sources, master
        self.hidden = Hidden()
        self.tests = [
            (question.name, test)
            for question in master.questions
            for test in read_tests(master, question)
        ]
        self.shown: dict[int, set[Gram]] = {}
        self.shown_words = [words(text) for text in self._shown_texts()]

    def gather(self) -> Hidden:
        self._tests()
        self._solutions()
        self._rubrics()
        self._reference()
        self._thresholds()
        self._private_files()
        self._weights()
        self._secret()
        return self.hidden

    def _shown_texts(self) -> Iterator[str]:
        """Code that the master publishes by its own account: it is not hidden elsewhere either."""
        yield from self._given()
        yield from (module_source(name).decode() for name in MODULES)
        yield from (test.source for _, test in self.tests if not test.hidden)
        for cell in self.master.cells:
            if cell.is_code and cell.role in {Role.GIVEN, Role.TEXT, Role.PROMPT}:
                yield cell.source
            if cell.is_code and cell.role is Role.SOLUTION:
                yield stripped(self.master, cell)

    def _given(self) -> Iterator[str]:
        """Definitions in public modules that the recipe says are ``given``."""
        found: dict[str, str] = {}
        for file in self._public_files("*.py"):
            found |= _definitions(file.read_text("utf-8"))
        for name in self.sources.recipe.given:
            if name not in found:
                raise self.sources.error(f"given: no public module defines {name}.")
            yield found[name]

    def _public_files(self, pattern: str) -> Iterator[Path]:
        """Files of the sources that the master lists as public."""
        stage = self.sources.recipe.stage
        for name in self.master.config.get("files") or []:
            root = self.sources.project if name in stage else self.sources.folder
            file = root / stage.get(name, name)
            found = file.rglob(pattern) if file.is_dir() else [file]
            yield from (path for path in found if path.is_file() and path.match(pattern))

    def _add(self, what: str, text: str, enough: int = IDIOM) -> None:
        told = words(text)
        # A search costs one pass for each length there is: keep them few.
        length = min(enough, len(told), max(LINE, len(told) // 2)) // STEP * STEP
        if length < LEAST:
            return
        if length not in self.shown:
            self.shown[length] = {g for shown in self.shown_words for g in grams(shown, length)}
        found = self.hidden.grams.setdefault(length, {})
        for gram in grams(told, length):
            if gram not in self.shown[length]:
                found.setdefault(gram, what)

    def _tests(self) -> None:
        public = {test.name for _, test in self.tests if not test.hidden}
        for question, test in self.tests:
            if test.hidden:
                self._hidden_test(question, test, named=test.name not in public)

    def _hidden_test(self, question: str, test: MasterTest, named: bool) -> None:
        what = f"the hidden test {test.name} of question {question}"
        if named:
            self.hidden.names[test.name] = what
        for piece in telling(test.source):
            self._add(what, piece, LINE)

    def _solutions(self) -> None:
        for cell in self.master.cells:
            if cell.role is Role.IGNORED:
                self._add(f"cell {cell.number} of the master, which is ignored", cell.source)
            if cell.role is not Role.SOLUTION:
                continue
            what = f"the solution of question {cell.question} (cell {cell.number} of the master)"
            if cell.is_code:
                for piece in telling(cell.source):
                    self._add(what, piece)
            elif "otter_include" not in cell.node.metadata.get("tags", []):
                self._add(what, cell.source)

    def _rubrics(self) -> None:
        prompts = " ".join(" ".join(map(prompt_of, self.master.questions)).split())
        for question, items in self.sources.recipe.rubric.items():
            for item in items:
                for text in (item.text, *item.levels):
                    phrase = " ".join(text.split())
                    if len(words(phrase)) >= PHRASE and phrase not in prompts:
                        self.hidden.phrases[phrase] = f"the rubric of question {question}"

    def _reference(self) -> None:
        root, name = self.sources.reference, self.sources.name
        for file in [*sorted(root.glob("*.py")), *sorted((root / name).rglob("*.py"))]:
            if not self._is_public(file):
                what = file.relative_to(self.sources.project).as_posix()
                for piece in telling(file.read_text("utf-8")):
                    self._add(what, piece)

    def _is_public(self, file: Path) -> bool:
        """Whether the file itself, a folder above it or a staged copy of it is published."""
        listed = [*(self.master.config.get("files") or []), *MODULES]
        names = [
            path.as_posix()
            for target, source in self.sources.recipe.stage.items()
            if (self.sources.project / source).resolve() == file
            for path in (Path(target), *Path(target).parents)
        ]
        if file.is_relative_to(self.sources.folder):
            path = file.relative_to(self.sources.folder)
            names += [path.as_posix(), *(parent.as_posix() for parent in path.parents)]
        return bool((set(names) - {"."}) & {Path(name).as_posix() for name in listed})

    def _thresholds(self) -> None:
        """What metrics must reach, as long as the digits are too many to be there by chance."""
        file = self.sources.reference / self.sources.name / "calibration.json"
        stored = json.loads(file.read_text("utf-8"))["thresholds"] if file.is_file() else {}
        for metric, entry in stored.items():
            for step in entry["steps"]:
                text = f"{abs(step)}"
                if len(text.lstrip("0.").replace(".", "")) >= DIGITS:
                    self.hidden.numbers[text] = f"a threshold of {metric}"

    def _private_files(self) -> None:
        papers = {"README.student.md", STUDENT_REQUIREMENTS}
        folders = [self.sources.folder, self.sources.reference / self.sources.name]
        for file in (file for folder in folders for file in sorted(folder.rglob("*"))):
            if file.is_file() and file.name not in papers and not self._is_public(file):
                if file.stat().st_size >= SMALL and "__pycache__" not in file.parts:
                    self._add_file(file)
        for source in self.sources.recipe.stage.values():
            file = (self.sources.project / source).resolve()
            if not self._is_public(file) and file.stat().st_size >= SMALL:
                self._add_file(file)

    def _add_file(self, file: Path) -> None:
        what = file.relative_to(self.sources.project).as_posix()
        self.hidden.files[sha256(file.read_bytes())] = what

    def _weights(self) -> None:
        """Tensors of the weights; not those that fine-tuning has left as they were given."""
        given = [file.read_bytes() for file in self._public_files("*.safetensors")]
        for name, data in self.sources.weights.items():
            for needle in _tensor_needles(data) if name.endswith(".safetensors") else ():
                if not any(needle in start for start in given):
                    self.hidden.needles[needle] = f"the instructor's weights {name}"

    def _secret(self) -> None:
        secret = course_secret(self.sources.project)
        file = self.sources.project / FILE
        kept = file.read_text("utf-8", errors="replace").strip() if file.is_file() else ""
        for value in ("" if secret.try_out else secret.value, kept):
            if len(value) >= SECRET:
                self.hidden.needles[value.encode()] = "the course secret"


def _tensor_needles(data: bytes) -> Iterator[bytes]:
    """A few bytes from the middle of each tensor of a safetensors file, if they are telling."""
    size = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + size])
    except ValueError:
        return
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = (8 + size + offset for offset in entry["data_offsets"])
            middle = (start + end - NEEDLE) // 2
            needle = data[middle : middle + NEEDLE]
            if end - start >= NEEDLE and len(set(needle)) >= 16:
                yield needle
