"""Who is in the demonstration class, what they hand in and what they should get."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from autograder.build.mutant import spread
from autograder.bundle import Manifest, lacking
from autograder.demo import attacks
from autograder.demo.edits import Pair, changed_question, with_cells
from autograder.demo.pack import PDF, otter_zip
from autograder.model import Student

SECTION = "BIOE 486 Section 1"
STEP = 2737
"""Between two Canvas ids of the class."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """One student, what they did, and what they should get."""

    name: str
    """As Canvas sorts it."""
    login: str
    number: int = 0
    """Place in the class, from which the ids follow."""
    what: str
    """The role, unique in the class, e.g. ``"untouched"``."""
    expect: str
    """What should come of it, in words."""
    standing: str = "graded"
    """``graded``, ``unreadable``, ``missing`` or ``unmatched``."""
    loses: list[str] | None = None
    """Questions that must lose points while all others keep them; ``None`` if that depends."""
    skipped: list[str] | None = None
    """Questions whose hidden tests must be skipped, and no others; ``None`` if that depends."""
    score: float | None = None
    """The score, where it is known."""
    ceiling: str = ""
    """The role whose score must not be exceeded."""
    files: dict[str, bytes] = {}
    late: bool = False
    attempt: int = 1
    enrolled: bool = True
    lab: str = "5.00"
    """The grade in the gradebook's other column."""
    before: str = ""
    """The grade in the assignment's own column before grading."""

    @property
    def student(self) -> Student:
        """The student as the gradebook has them."""
        return Student(
            id=str(104_211 + STEP * self.number),
            name=self.name,
            login=self.login,
            sis_id=f"0{650_188_341 + 7919 * self.number}",
            section=SECTION,
        )


def roles(
    solution: bytes,
    student: bytes,
    weights: Mapping[str, bytes],
    mutants: Mapping[str, bytes],
    manifest: Manifest,
    full: bool = True,
) -> list[Role]:
    """Cast the class; the arguments are those of ``autograder.demo.demo_class``."""
    stage = _Stage(Pair(solution, student), solution, student, dict(weights), manifest)
    if full:
        cast = [
            *_honest(stage), *_mutants(stage, mutants), *_accidents(stage),
            *_handed_in_oddly(stage), *_dishonest(stage), *_absent(stage),
        ]  # fmt: skip
    else:
        cast = _small(stage, mutants)
    return [msgspec.structs.replace(role, number=number) for number, role in enumerate(cast)]


class _Stage:
    """What the roles are made of."""

    def __init__(
        self,
        pair: Pair,
        solution: bytes,
        student: bytes,
        weights: dict[str, bytes],
        manifest: Manifest,
    ) -> None:
        self.pair, self.solution, self.student = pair, solution, student
        self.weights, self.notebook, self.manifest = weights, manifest.notebook, manifest
        self.autograded = [question.name for question in manifest.autograded]
        self.half = pair.questions[len(pair.questions) // 2 :]
        """The second half of the questions."""
        alone = pair.alone() or [pair.questions[-1]]
        self.free = [alone[number % len(alone)] for number in range(3)]
        """Three questions on which no other depends, as far as there are three."""

    def files(self, notebook: bytes, number: int = 0) -> dict[str, bytes]:
        """Return what is handed in, as Canvas names it at the ``number``-th repetition."""
        return {_again(name, number): data for name, data in
                {self.notebook: notebook, **self.weights}.items()}  # fmt: skip


def _small(stage: _Stage, mutants: Mapping[str, bytes]) -> list[Role]:
    """One of each kind of work, and what the full class has no example of."""
    perfect, *_, untouched = _honest(stage)
    forging, *_ = _dishonest(stage)
    required = {name for wanted in stage.manifest.requires.values() for name in wanted}
    alone = {
        name: notebook
        for name, notebook in mutants.items()
        if changed_question(stage.solution, notebook) not in required
    }
    return [
        msgspec.structs.replace(perfect, skipped=[], score=stage.manifest.possible), untouched,
        *_mutants(stage, dict(list(alone.items())[:1])), *_on_sand(stage), forging,
    ]  # fmt: skip


def _on_sand(stage: _Stage) -> list[Role]:
    """The solution, but that a question on which others build does not pass its smoke test."""
    requires = stage.manifest.requires
    if not requires:
        return []
    first = next(iter(requires.values()))[0]
    upon = [name for name in requires if lacking(name, requires, {first})]
    names = stage.pair.names(first)
    notebook = with_cells(
        stage.pair.solution, lambda _: BREAK.format(names=names), [first], after=MEND
    )
    return [
        Role(name="Иванова, Анастасия", login="aivanova", what="failed smoke test",
            files=stage.files(notebook), loses=[first, *upon], skipped=upon,
            expect=f"loses {first}; hidden tests of {', '.join(upon)} are skipped, with the "
            "reason; all other points"),
    ]  # fmt: skip


BREAK = """
def broken(*args, **kwargs):
    raise ValueError("this is broken on purpose")

kept = {{name: globals()[name] for name in {names!r}}}
globals().update(dict.fromkeys(kept, broken))
""".lstrip()
MEND = "globals().update(kept)"
"""What comes later finds what the solution has defined."""


def _again(name: str, number: int) -> str:
    stem, dot, extension = name.rpartition(".")
    return f"{stem}-{number}{dot}{extension}" if number else name


def _honest(stage: _Stage) -> list[Role]:
    last, half = stage.pair.questions[-2:], stage.half
    return [
        Role(name="Lovelace, Ada", login="lovelace", what="perfect", loses=[],
            files=stage.files(stage.solution), expect="all points"),
        Role(name="Nguyễn, Thị Minh Anh", login="nguyen.anh", what="partial: the end is missing",
            files=stage.files(stage.pair.unsolved(last)), loses=last,
            expect=f"all points but those of {', '.join(last)}"),
        Role(name="Okafor, Chidi", login="cokafor2", what="partial: half is missing",
            files=stage.files(stage.pair.unsolved(half)), loses=half,
            expect=f"no points for {', '.join(half)}, all others"),
        Role(name="O'Brien-Smith, Mary Ann", login="obriensm", what="untouched",
            files={stage.notebook: stage.student}, loses=stage.autograded,
            expect="no points; nothing was solved"),
    ]  # fmt: skip


def _mutants(stage: _Stage, mutants: Mapping[str, bytes]) -> list[Role]:
    people = [("García Márquez, Lucía", "lgarcia"), ("Müller, Jürgen", "jmueller")]
    chosen = spread(list(mutants), len(people))
    cast = []
    for (name, login), mutant in zip(people, chosen, strict=False):
        question = changed_question(stage.solution, mutants[mutant])
        cast.append(
            Role(
                name=name,
                login=login,
                what=f"mutant: {mutant}",
                loses=[question] if question else None,
                files=stage.files(mutants[mutant]),
                expect=f"loses points in {question or 'one question'} and nowhere else",
            )
        )
    return cast


def _accidents(stage: _Stage) -> list[Role]:
    loop, leave, broken = stage.free
    return [
        Role(name="Иванова, Анастасия", login="aivanova", what="endless loop", loses=[loop],
            files=stage.files(stage.pair.changed_answer(loop, _looping)),
            expect=f"loses {loop}, whose cell runs out of time, and nothing else"),
        Role(name="王, 小明", login="xwang", what="sys.exit in a function", loses=[leave],
            files=stage.files(_with_exit(stage.pair, leave)),
            expect=f"loses {leave}, whose function ends the process, and nothing else"),
        Role(name="Παπαδοπούλου, Ελένη", login="epapad", what="syntax error", loses=[broken],
            files=stage.files(stage.pair.changed_answer(broken, _broken)),
            expect=f"loses {broken}, whose cell is no Python, and nothing else"),
        Role(name="van der Berg, Joost", login="jvdberg", what="a PDF named .ipynb",
            files={stage.notebook: PDF}, standing="unreadable",
            expect="unreadable; a sentence says that it is a PDF"),
    ]  # fmt: skip


def _looping(source: str) -> str:
    return f"while True:\n    pass\n\n{source}"


def _broken(source: str) -> str:
    return f"{source}\n\ndef broken(:\n"


def _with_exit(pair: Pair, question: str) -> bytes:
    name = (pair.names(question) or ["answer"])[0]
    code = f'import sys\n\n\ndef {name}(*args, **kwargs):\n    sys.exit("I am done")\n'
    return with_cells(pair.solution, lambda _: code, [question])


def _handed_in_oddly(stage: _Stage) -> list[Role]:
    """Half is solved: what matters is how it comes, and that half is graded sooner."""
    exported = f"{stage.notebook.rpartition('.')[0]}_2027_02_11T09_15_31_224017.zip"
    notebook, half = stage.pair.unsolved(stage.half), stage.half
    points = f"all points but those of {', '.join(half)}"
    return [
        Role(name="शर्मा, प्रिया", login="psharma", what="late", late=True, loses=half,
            files=stage.files(notebook), expect=f"{points}, marked late"),
        Role(name="Reyes, Camila", login="creyes4", what="resubmitted", attempt=2, loses=half,
            files=stage.files(notebook, 1), before="7.50", expect=f"{points}, attempt 2"),
        Role(name="Kowalska, Zofia", login="zkowalsk", what="otter export", loses=half,
            files={exported: otter_zip(exported, stage.files(notebook))}, lab="EX",
            expect=f"{points}; the notebook is in otter's archive"),
    ]  # fmt: skip


def _dishonest(stage: _Stage) -> list[Role]:
    return [
        Role(name="חדד, נועם", login="nhadad", what="forging a score", ceiling="untouched",
            files={stage.notebook: _attack(stage.pair, attacks.FORGE)}, loses=None,
            expect="no more than the untouched notebook; the planted results are ignored"),
        Role(name="de la Cruz, Mateo", login="mdelacru", what="looking for tests",
            files={stage.notebook: _attack(stage.pair, attacks.SPY)}, ceiling="untouched",
            expect="no more than the untouched notebook; nothing hidden in what students see"),
    ]  # fmt: skip


def _attack(pair: Pair, code: str) -> bytes:
    return with_cells(
        pair.student, lambda question: attacks.cell(code, pair.names(question)), pair.questions
    )


def _absent(stage: _Stage) -> list[Role]:
    return [
        Role(name="Tanaka, Yuki", login="ytanaka", what="handed in nothing", standing="missing",
            expect="listed as missing; no grade is written"),
        Role(name="Haugen, Ingrid", login="ihaugen", what="not in the gradebook", enrolled=False,
            files=stage.files(stage.solution), standing="unmatched",
            expect="listed as belonging to nobody; no grade is written"),
    ]  # fmt: skip
