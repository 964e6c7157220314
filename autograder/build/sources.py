"""What people write of an assignment: ``solutions/NAME/`` and its ``assignment.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from autograder.bundle import RubricItem, Visibility
from autograder.errors import BuildError
from autograder.model import Limits, plain_name


class Criterion(RubricItem, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[rubric.QUESTION]]`` table."""


class CheckpointTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[checkpoint."FILE"]`` table."""

    question: str
    tests: Annotated[list[str], msgspec.Meta(min_length=1)]
    credit: Annotated[float, msgspec.Meta(ge=0, le=1)]


class MilestoneTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one milestone of a project consists of."""

    questions: Annotated[list[str], msgspec.Meta(min_length=1)]
    files: list[str] = []
    """Expected files that are new at this milestone."""
    optional: list[str] = []
    """Expected files that may be missing; a variable called like one may stay as handed out."""
    needs: list[str] = []
    """Files of earlier milestones that its checks read too."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``assignment.toml``: what otter has no place for."""

    title: str
    ungraded: bool = False
    """A lab: self-checks only, no points, nothing handed in."""
    helpers: list[str] = []
    expected_files: list[str] = []
    stage: dict[str, str] = {}
    limits: dict[str, float] = {}
    feedback: dict[str, str] = {}
    rubric: dict[str, list[Criterion]] = {}
    requires: dict[str, list[str]] = {}
    """The questions that a question builds on."""
    ledger: list[str] = []
    """The questions that are not graded without a project's ledger."""
    milestone: dict[str, MilestoneTable] = {}
    """The milestones of a project, in their order."""
    checkpoint: dict[str, CheckpointTable] = {}
    """What tests that rest on an expected file earn if it was not handed in, by its name."""
    given: list[str] = []
    """Functions and classes of public modules that share code with hidden ones on purpose."""


@dataclass(frozen=True)
class Sources:
    """An assignment's sources in a project."""

    name: str
    project: Path
    recipe: Recipe

    @classmethod
    def read(cls, name: str, project: Path) -> Sources:
        """Read ``solutions/NAME/assignment.toml`` and check that what it names is there.

        Raises:
            BuildError: naming the file and the key that is wrong.
        """
        project = project.resolve()
        folder = project / "solutions" / name
        if plain_name(name) is None or not (folder / f"{name}.ipynb").is_file():
            raise BuildError(f"There is no master notebook solutions/{name}/{name}.ipynb.")
        sources = cls(name, project, _recipe(folder / "assignment.toml", name))
        sources._check_files()
        return sources

    @property
    def folder(self) -> Path:
        """``solutions/NAME/``."""
        return self.project / "solutions" / self.name

    @property
    def notebook(self) -> Path:
        """The master notebook."""
        return self.folder / f"{self.name}.ipynb"

    @property
    def label(self) -> str:
        """The master notebook as errors name it."""
        return f"solutions/{self.name}/{self.name}.ipynb"

    @property
    def reference(self) -> Path:
        """``reference_impl/``, which need not exist."""
        return self.project / "reference_impl"

    @property
    def mutants(self) -> Path:
        """``reference_impl/NAME/mutants/``, which need not exist."""
        return self.reference / self.name / "mutants"

    @property
    def panel(self) -> Path:
        """``reference_impl/NAME/panel/``, which need not exist."""
        return self.reference / self.name / "panel"

    @property
    def weights(self) -> dict[str, bytes]:
        """The instructor's weights and other files to be handed in, by name."""
        files = {file.name: file for file in sorted(self.folder.glob("*.safetensors"))}
        files |= {name: self.folder / name for name in self.recipe.expected_files}
        return {name: file.read_bytes() for name, file in files.items()}

    @property
    def hidden_feedback(self) -> Visibility:
        """When students see which hidden tests they passed: never, unless the recipe says so."""
        return Visibility(self.recipe.feedback.get("hidden", Visibility.HIDDEN))

    @property
    def limits(self) -> Limits:
        """The limits, with the recipe's overrides."""
        return msgspec.convert(self.recipe.limits, Limits, strict=False)

    def error(self, problem: str) -> BuildError:
        """An error in ``assignment.toml``."""
        return _error(self.name, problem)

    def _check_files(self) -> None:
        for name in self.recipe.expected_files:
            if plain_name(name) is None:
                raise self.error(f"expected_files: {name!r} is not a plain file name.")
            if not (self.folder / name).is_file():
                raise self.error(
                    f"expected_files: solutions/{self.name}/{name} does not exist; run the master "
                    "once so that it trains and saves it."
                )
        for target, source in self.recipe.stage.items():
            if Path(target).is_absolute() or ".." in Path(target).parts:
                raise self.error(f"stage: {target!r} must be a path beside the master.")
            file = (self.project / source).resolve()
            if not file.is_file() or not file.is_relative_to(self.project):
                raise self.error(f"stage: {source!r} is not a file of the project.")


def _recipe(file: Path, name: str) -> Recipe:
    if not file.is_file():
        raise BuildError(f"solutions/{name}/assignment.toml is missing; it needs a title at least.")
    try:
        data: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
        recipe = msgspec.convert(data, Recipe)
        msgspec.convert(recipe.limits, Limits, strict=False)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise _error(name, f"{error}.") from None
    unknown = sorted(set(recipe.limits) - set(Limits.__struct_fields__))
    if unknown:
        known = ", ".join(Limits.__struct_fields__)
        raise _error(name, f"limits: no such limit: {', '.join(unknown)} (there are {known}).")
    _check_feedback(name, recipe.feedback)
    return recipe


def _check_feedback(name: str, feedback: dict[str, str]) -> None:
    unknown = sorted(set(feedback) - {"hidden"})
    if unknown:
        raise _error(name, f"feedback: no such key: {', '.join(unknown)} (there is hidden).")
    known = [str(value) for value in Visibility]
    if feedback.get("hidden", known[0]) not in known:
        said = f"feedback: hidden = {feedback['hidden']!r} is none of {', '.join(known)}."
        raise _error(name, said)


def _error(name: str, problem: str) -> BuildError:
    return BuildError(problem, notebook=f"solutions/{name}/assignment.toml")
