"""Text that students may have written, made harmless for terminals, reports and files."""

from __future__ import annotations

import re
import signal

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
"""Terminal escape sequences: CSI, OSC and the other strings, two-byte ones (ECMA-48 §5)."""

HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters but tab and newline, bidirectional controls, lone surrogates."""


def clean(text: str, limit: int = 4000) -> str:
    """Return ``text`` without escape sequences and control characters, at most ``limit`` long."""
    tidy = HARMFUL.sub("", ANSI.sub("", text[: limit * 2].replace("\r\n", "\n")))
    return tidy if len(tidy) <= limit else tidy[: limit - 1] + "…"


def one_line(text: str, limit: int = 200) -> str:
    """Return ``text`` cleaned, its white space collapsed, at most ``limit`` long."""
    return clean(" ".join(clean(text, limit * 4).split()), limit)


def death(code: int) -> str:
    """Say how a process ended, by its exit status; negative for a signal."""
    if code >= 0:
        return f"ended its process with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
