"""What staff know of the team being graded: its registration, and the models that it was sent.

``autograder grade --ledger FILE`` puts the ledger beside this module. Without one (``autograder
verify``, ``otter run``) nothing was registered and nothing exchanged as far as the grader knows:
then a registration is compared with the hand-in alone, and an audit with the published practice
package. ``autograder grade`` grades no audit without one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from reference_impl.final_project.decoys import PRACTICE, Planted, package_of, planted
from reference_impl.secret import Secret

__all__ = ["Due", "NotExchanged", "audited", "registered"]

LEDGER = Path(__file__).with_name("ledger.jsonl")
Due = tuple[str, Secret[Planted]]
"""The code of a package, and what is planted in it."""


class NotExchanged(Exception):
    """The team was sent no package, so that there is nothing to judge its audit by."""

    graders_fault = True
    """By this the sealed grader knows whose fault it is."""


def registered() -> dict[str, Any] | None:
    """The pre-registration that counts for the team, or ``None`` if there is no ledger.

    Raises:
        AssertionError: if there is a ledger and the team is not in it.
    """
    if not LEDGER.is_file():
        return None
    entry = _last("registered")
    assert entry is not None, "Nothing was registered before results were handed in."
    found: dict[str, Any] = entry["prereg"]
    return found


def audited(topic: str) -> Due:
    """The package that the team had to audit; ``topic`` is its own.

    Raises:
        NotExchanged: if there is a ledger, and no package for the team in it.
    """
    if not LEDGER.is_file():
        return PRACTICE, Secret(planted(PRACTICE, topic), "what is planted for practice")
    entry = _last("exchanged")
    if entry is None:
        raise NotExchanged(
            "the ledger names no package that this team was sent; run `autograder project "
            "exchange`, or grade it with the ledger that the exchange has written"
        )
    facts = planted(entry["key"], entry["topic"])
    return package_of(entry["key"]), Secret(facts, "what is planted in the team's package")


def _last(event: str) -> dict[str, Any] | None:
    student = os.environ.get("AUTOGRADER_STUDENT", "")
    entries = [json.loads(line) for line in LEDGER.read_text("utf-8").splitlines() if line]
    own = [one for one in entries if one["event"] == event and student in one["members"]]
    return own[-1] if own else None
