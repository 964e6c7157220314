"""A card loses points for what is false, missing or boasted, and for nothing else."""

import copy
import json

import numpy as np
import pytest

from reference_impl.model_audit import card_audit, cards, hidden


@pytest.fixture(scope="module")
def case():
    data = hidden.cohort("cards", {"north": 300, "south": 200, "isle": 9})
    card = card_audit.model_card(data.y, data.p, 0.3, data.groups, hidden.FACTS)
    return data, card


def lost(case, change, own=None):
    data, card = case
    card = copy.deepcopy(card)
    change(card)
    return card_audit.deductions(card, data.y, data.p, 0.3, data.groups, True, own)


def test_a_true_card_loses_nothing_and_is_json(case, tmp_path):
    assert lost(case, lambda card: None) == [] == cards.complaints(case[1])
    cards.save(case[1], tmp_path / "card.json")
    assert json.loads((tmp_path / "card.json").read_text("utf-8")) == case[1]


def test_rounding_to_three_decimals_and_another_seed_are_no_lies(case):
    from reference_impl.model_audit import gaps, reliability, subgroups

    data, _ = case
    for seed in range(6):
        tools = {
            "subgroup_report": lambda *a, seed=seed, **k: subgroups.subgroup_report(
                *a, seed=seed, **k
            ),
            "gap": gaps.gap,
            "ece": lambda *a: round(reliability.ece(*a), 3),
            "ece_null": lambda p, seed=seed: reliability.ece_null(p, seed=seed),
        }
        card = card_audit.model_card(data.y, data.p, 0.3, data.groups, hidden.FACTS, tools)
        assert card_audit.deductions(card, data.y, data.p, 0.3, data.groups, True) == []


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("performance", "auc", 0.99), ("performance", "n", 508), ("performance", "brier", None),
        ("calibration", "ece", 0.0), ("calibration", "ece_null_95", 0.001), ("gap", "gap", 0.5),
        ("gap", "lo", 0.9), ("gap", "claim", True), ("data", "simulated", False),
    ],
)  # fmt: skip
def test_a_false_number_or_claim_is_false_once(case, section, key, value):
    found = lost(case, lambda card: card[section].update({key: value}))
    assert [kind for kind, _ in found] == ["false"]


def test_what_is_missing_is_missing_once(case):
    assert [k for k, _ in lost(case, lambda card: card.pop("limitations"))] == ["missing"]
    assert [k for k, _ in lost(case, lambda card: card["gap"].pop("lo"))] == ["missing"]
    found = lost(case, lambda card: card["subgroups"].pop(0))
    assert found == [("missing", "the group site=isle")]


def test_superlatives_cost_each_word_once_and_only_whole_words(case):
    def boast(card):
        card["limitations"] += [
            "The best model, and the best is safe.",
            "A fairly unsafe bestiary.",
        ]

    assert [s for _, s in lost(case, boast)] == ["the word 'best'", "the word 'safe'"]


def test_a_mistake_of_another_question_is_not_paid_for_twice(case):
    from reference_impl.model_audit import reliability

    own = {**card_audit.TOOLS, "ece": lambda y, p: 2 * reliability.ece(y, p)}
    wrong = card_audit.model_card(*_arguments(case), own)
    assert lost(case, lambda card: card.update(wrong), own) == []
    assert [k for k, _ in lost(case, lambda card: card.update(wrong))] == ["false"]


def test_what_is_no_card_lacks_every_part(case):
    data, _ = case
    for nothing in (None, [], 3):
        found = card_audit.deductions(nothing, data.y, data.p, 0.3, data.groups, True)
        assert len(found) == len(cards.SCHEMA["required"])


def test_a_number_that_is_none_may_not_stand_for_one_that_exists(case):
    assert lost(case, lambda card: card["performance"].update(auc=None)) == [
        ("false", "performance.auc")
    ]
    assert not np.isnan(case[1]["performance"]["auc"])


def _arguments(case):
    data, _ = case
    return data.y, data.p, 0.3, data.groups, hidden.FACTS
