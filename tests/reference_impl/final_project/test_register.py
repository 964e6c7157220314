import json
from pathlib import Path
from typing import Any

import pytest

from reference_impl.final_project import decoys, register

BLUE = {"event": "registered", "key": "101", "members": ["101", "102"], "prereg": {"metric": "mae"}}
SENT = {"event": "exchanged", "key": "101", "members": ["101", "102"], "topic": "derm"}


@pytest.fixture
def ledger(topics: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    file = tmp_path / "ledger.jsonl"
    monkeypatch.setattr(register, "LEDGER", file)
    monkeypatch.setenv("AUTOGRADER_STUDENT", "102")
    return lambda *entries: file.write_text("".join(json.dumps(one) + "\n" for one in entries))


def test_without_a_ledger_the_hand_in_stands_and_practice_is_audited(ledger: Any) -> None:
    assert register.registered() is None
    package, facts = register.audited("derm")
    assert package == decoys.PRACTICE
    assert facts.reveal().guilty == decoys.planted(decoys.PRACTICE, "derm").guilty


def test_every_member_is_found_in_the_ledger_and_the_last_entry_counts(ledger: Any) -> None:
    ledger(BLUE, BLUE | {"prereg": {"metric": "auc"}}, BLUE | {"members": ["103"], "prereg": {}})
    assert register.registered() == {"metric": "auc"}


def test_who_is_not_in_the_ledger_did_not_register(ledger: Any) -> None:
    ledger(BLUE | {"members": ["103"]})
    with pytest.raises(AssertionError, match="Nothing was registered"):
        register.registered()


def test_an_audit_is_judged_by_the_package_that_was_sent(ledger: Any) -> None:
    ledger(BLUE, SENT)
    package, facts = register.audited("solubility")
    assert package == decoys.package_of("101")
    assert facts.reveal().guilty == decoys.planted("101", "derm").guilty


@pytest.mark.parametrize("sent", [[], [SENT | {"members": ["103"]}]])
def test_who_was_sent_nothing_is_not_judged_by_the_practice_package(ledger: Any, sent: Any) -> None:
    ledger(BLUE, *sent)
    with pytest.raises(register.NotExchanged, match="no package that this team was sent") as raised:
        register.audited("derm")
    assert raised.value.graders_fault
