"""Text that students may have written, made harmless for terminals, reports and files."""

from __future__ import annotations

import re
import signal

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
"""Terminal escape sequences: CSI, OSC and the other strings, two-byte ones (ECMA-48 §5).

A string that nothing ends is taken to end with its line, so that it cannot swallow what follows.
"""

HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters but tab and newline, bidirectional controls, lone surrogates."""


def stripped(text: str) -> str:
    """Return ``text``, however long, without escape sequences and control characters."""
    return HARMFUL.sub("", ANSI.sub("", text.replace("\r\n", "\n")))


_OUT_OF_MEMORY = ("can't allocate memory", "Unable to allocate", "out of memory")


def clean(text: str, limit: int = 4000) -> str:
    """Return ``text`` without escape sequences and control characters, at most ``limit`` long."""
    tidy = stripped(text[: limit * 2])
    return tidy if len(tidy) <= limit else tidy[: limit - 1] + "…"


def one_line(text: str, limit: int = 200) -> str:
    """Return ``text`` cleaned, its white space collapsed, at most ``limit`` long."""
    return clean(" ".join(clean(text, limit * 4).split()), limit)


def tells_of_memory(text: str) -> bool:
    """Whether an exception's text is that of torch or numpy when they get no memory."""
    return any(sign in text for sign in _OUT_OF_MEMORY)


def death(code: int) -> str:
    """Say how a process ended, by its exit status; negative for a signal."""
    if code >= 0:
        return f"ended its process with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def overprinted(text: str) -> str:
    """Return what stays of ``text`` where carriage returns let a line begin again.

    Progress bars redraw themselves so; without this, all their states would stand side by side.
    """
    if "\r" not in text:
        return text
    lines = text.split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def revealed(text: str) -> str:
    """Return ``text`` with a visible sign for each control character: ``⟨U+202E⟩``.

    For code, in which they can make one thing look like another.
    """
    return HARMFUL.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text.replace("\r\n", "\n"))


def escaped(json: str) -> str:
    r"""Return JSON text that says the same, with its control characters written as ``\uXXXX``.

    JSON escapes only those below U+0020 itself, so that others would reach the terminal of who
    prints the file. Outside its strings JSON has none.
    """
    return HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", json)
