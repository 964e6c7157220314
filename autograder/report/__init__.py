"""The instructor's report: one HTML file that needs nothing else and runs nothing.

Every text in it may come from a student, so the template escapes everything, control characters
are taken out before, and the page's content security policy forbids scripts and the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autograder.bundle import Manifest
from autograder.errors import ExportError
from autograder.files import write_atomically
from autograder.grades import Grade
from autograder.intake import Intake
from autograder.model import WATERMARK, Verdict
from autograder.report.attention import attention
from autograder.report.chart import histogram
from autograder.report.statistics import failures, headline, levels, questions, students
from autograder.templates import environment
from autograder.text import one_line

__all__ = ["render", "report"]


def report(
    verdicts: Sequence[Verdict],
    manifest: Manifest,
    path: Path,
    *,
    intake: Intake | None = None,
    provenance: Mapping[str, str] | None = None,
    grades: Sequence[Grade] = (),
) -> Path:
    """Write the instructor's report.

    Args:
        verdicts: One for each student, that which counts.
        manifest: Of the assignment.
        path: The HTML file to write.
        intake: What was handed in, for who is missing and what belongs to nobody.
        provenance: What else the numbers depend on, by name: the bundle's digest, versions.
        grades: What counts for each student, if that is known.

    Returns:
        ``path``.

    Raises:
        ExportError: if ``path`` cannot be written.
    """
    page = render(verdicts, manifest, intake=intake, provenance=provenance, grades=grades)
    try:
        write_atomically(path, page.encode("utf-8", "replace"))
    except OSError as error:
        raise ExportError(f"{path} cannot be written ({error.strerror}).") from None
    return path


def render(
    verdicts: Sequence[Verdict],
    manifest: Manifest,
    *,
    intake: Intake | None = None,
    provenance: Mapping[str, str] | None = None,
    grades: Sequence[Grade] = (),
) -> str:
    """Return the report as HTML; the arguments are those of ``report``."""
    templates = environment(Path(__file__).parent)
    templates.filters["number"] = number
    templates.filters["line"] = one_line
    return templates.get_template("page.jinja").render(
        _facts(verdicts, manifest, intake, provenance or {}, grades)
    )


def number(value: float) -> str:
    """Write a number with at most two decimals: ``3``, ``2.5``, ``0.33``."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _facts(
    verdicts: Sequence[Verdict],
    manifest: Manifest,
    intake: Intake | None,
    provenance: Mapping[str, str],
    grades: Sequence[Grade],
) -> dict[str, Any]:
    attended = attention(verdicts, intake, grades)
    return {
        "title": manifest.title,
        "name": manifest.name,
        "headline": headline(verdicts, manifest, intake, grades),
        "attention": attended,
        "missing": intake.missing if intake else [],
        "unused": intake.unused if intake else [],
        "chart": histogram(verdicts),
        "question_names": [question.name for question in manifest.autograded],
        "students": students(verdicts, manifest, grades),
        "counted": bool(grades),
        "questions": questions(verdicts, manifest),
        "failures": failures(verdicts),
        "levels": levels(verdicts),
        "watermark": WATERMARK if any(verdict.unsealed for verdict in verdicts) else "",
        "provenance": {**_levels(verdicts), **provenance, **_versions()},
    }


def _levels(verdicts: Sequence[Verdict]) -> dict[str, str]:
    levels = sorted({verdict.isolation for verdict in verdicts if verdict.isolation})
    retrained = sum(verdict.retrained for verdict in verdicts)
    return {
        "Isolation level": ", ".join(levels) or "no room was opened",
        "Retrained without the submitted weights": f"{retrained} of {len(verdicts)}",
    }


def _versions() -> dict[str, str]:
    import platform
    from importlib import metadata

    try:
        version = metadata.version("healthcare-autograder")
    except metadata.PackageNotFoundError:
        version = "not installed"
    return {"Report written by": f"autograder {version}, Python {platform.python_version()}"}
