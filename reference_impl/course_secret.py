"""Random generators that nobody without the course secret can predict.

Hidden inputs are drawn from a seed made of the course secret, a purpose and, where a draw should
differ between students, the student's key. A student gets the same draw at every attempt, so
handing in again is no second lottery ticket.

The secret is taken from the environment variable ``AUTOGRADER_SECRET``; without one a published
value for trying out is used. ``AUTOGRADER_STUDENT`` names the student being graded.
"""

from __future__ import annotations

import hashlib
import hmac
import os

import numpy as np

TRY_OUT = "try-out"
"""The published secret that is used where none was set. Not for real grades."""


def seed(purpose: str, student: str = "") -> int:
    """128-bit seed for ``purpose``: HMAC-SHA-256 (RFC 2104) keyed by the course secret."""
    secret = os.environ.get("AUTOGRADER_SECRET") or TRY_OUT
    message = f"{purpose}\0{student}".encode()
    return int.from_bytes(hmac.digest(secret.encode(), message, hashlib.sha256)[:16], "little")


def student_rng(purpose: str) -> np.random.Generator:
    """A generator that is the student's own: for inputs of function tests."""
    return np.random.default_rng(seed(purpose, os.environ.get("AUTOGRADER_STUDENT", "")))


def course_rng(purpose: str) -> np.random.Generator:
    """A generator common to the course: for hidden data sets on which a metric is measured."""
    return np.random.default_rng(seed(purpose))
