"""Lateness is counted once: by Canvas or by us, never by both."""

from __future__ import annotations

from autograder.canvas.client import Client
from autograder.course import FILE, Deducts
from autograder.errors import CanvasError, CourseError

__all__ = ["counted", "deducts"]


def deducts(client: Client, course: int) -> str:
    """What Canvas' late policy takes off, in words; empty if it takes nothing off.

    Raises:
        CanvasError: if it cannot be read.
    """
    try:
        said = client.get(f"courses/{course}/late_policy")["late_policy"]
    except CanvasError as error:
        if error.status == 404:
            return ""  # the course never had one
        raise
    if not said.get("late_submission_deduction_enabled"):
        return ""
    share, unit = said["late_submission_deduction"], said["late_submission_interval"]
    return f"{share:g} % of the points possible for each {unit} begun"


def counted(by: Deducts | None, canvas: str) -> str:
    """Say who takes points off.

    Args:
        by: Who does by the course file; ``None`` if it has no late policy.
        canvas: What Canvas takes off, by :func:`deducts`.

    Raises:
        CourseError: if both would.
    """
    if by is Deducts.AUTOGRADER and canvas:
        raise CourseError(
            f"Being late would be counted twice: {FILE} says that the autograder takes points off "
            f"(policies.late.by), and Canvas takes off {canvas}; switch Canvas' late policy off "
            'in the gradebook\'s settings, or say by = "canvas".'
        )
    if by is Deducts.AUTOGRADER:
        return "Lateness: the autograder took it off; Canvas' late policy is off."
    if canvas:
        return f"Lateness: Canvas takes off {canvas}; raw points are sent."
    if by is Deducts.CANVAS:
        return (
            "Lateness: nobody takes anything off. Raw points are sent, and Canvas' late policy, "
            f"which {FILE} relies on, is off."
        )
    return "Lateness: nobody takes anything off."
