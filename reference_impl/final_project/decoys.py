"""Planted models: what the grader puts among the models that teams exchange.

A planted model is a list of answers to its topic's panel. The *innocent* one errs, as models do,
but by nothing that the topic knows as a flaw; the *guilty* one is the same kind of thing with one
flaw planted. Which of a package's names they have, which flaw it is and how large, follows from the
course secret and the team alone, so that the test of an audit needs no list of packages.

Run as a program in a bundle's ``files/`` it writes what ``autograder project exchange`` hands out:
``python -m reference_impl.final_project.decoys`` reads ``[[key, topic], …]`` as JSON from standard
input and prints, for each, the package's code, which model is which, and the planted answers.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_impl.course_secret import seed

__all__ = ["NAMES", "PRACTICE", "Planted", "main", "package_of", "planted"]

NAMES = ("model_1", "model_2", "model_3")
PRACTICE = "practice"
"""The package that everybody has, published with the notebook; it does not depend on the secret."""
PRACTICE_SEED = 20_265
LEAST = {"spelling": 0.35, "rings": 0.7, "ruler": 0.9, "tone": 0.9}
"""Size of a planted flaw, at least: log10(mol/L) for solubility, log odds for lesions."""
SPREAD = 0.5
"""By what share of it the size may be larger."""

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Planted:
    """The planted part of one package."""

    guilty: str
    innocent: str
    real: str
    """The name that is left for another team's model"""
    flaw: str
    effect: float
    """Size of the flaw in the guilty model's answers, as the topic defines it"""
    answers: dict[str, Array]
    """Of the two planted models to the topic's panel, float64 [N]"""


def package_of(key: str) -> str:
    """The code of the package of the team ``key``: tells nothing, and nobody else's is like it."""
    return f"{seed('final_project package', key) % 16**12:012x}"


def planted(key: str, topic: str) -> Planted:
    """What is planted for the team ``key`` (:data:`PRACTICE` for the published package).

    Args:
        key: As the exchange has recorded it.
        topic: Of the team.
    """
    start = PRACTICE_SEED if key == PRACTICE else seed("final_project decoys", f"{key} {topic}")
    rng = np.random.default_rng(start)
    topics = importlib.import_module("topics")
    asked = topics.panel(topic)
    guilty, innocent, real = (NAMES[place] for place in rng.permutation(3))
    flaw = sorted(topics.TOPICS[topic].flaws)[rng.integers(len(topics.TOPICS[topic].flaws))]
    size = LEAST[flaw] * (1 + SPREAD * rng.random())
    answer = _lesions if topic == "derm" else _compounds
    answers = {innocent: answer(asked, rng, "", 0.0), guilty: answer(asked, rng, flaw, size)}
    effect = topics.TOPICS[topic].flaws[flaw].effect(asked, answers[guilty])
    return Planted(guilty, innocent, real, flaw, effect, answers)


def _per_item(asked: Any, rng: np.random.Generator) -> Array:
    """A standard normal number for each item, shared by its rows."""
    _, item = np.unique(asked.item, return_inverse=True)
    return rng.standard_normal(item.max() + 1)[item]


def _compounds(asked: Any, rng: np.random.Generator, flaw: str, size: float) -> Array:
    """Solubilities with an error of 0.85 a compound, the same for every spelling."""
    answers = 0.9 * asked.y - 0.25 + 0.85 * _per_item(asked, rng)
    without = asked.subgroup == "no ring"
    for group in (without, ~without):  # the error of chance is no flaw
        answers[group] -= (answers[group] - asked.y[group]).mean()
        answers[group] += rng.uniform(-0.06, 0.06)
    answers += rng.uniform(0, 0.06) * rng.standard_normal(len(asked)) * (asked.edit == "spelling")
    if flaw == "spelling":
        change = rng.choice([-1.0, 1.0], len(asked)) * rng.gamma(4.0, size / 4.0, len(asked))
        answers += change * (asked.edit == "spelling")
    elif flaw == "rings":
        answers += size * without
    return answers + 0.15


def _lesions(asked: Any, rng: np.random.Generator, flaw: str, size: float) -> Array:
    """Probabilities with an AUC of about 0.8 that hardly move from one picture to the next."""
    logit = -0.3 + 1.2 * (asked.y - 0.5) + _per_item(asked, rng)
    logit = logit + 0.1 * rng.standard_normal(len(asked))
    if flaw == "ruler":
        logit = logit + size * (asked.edit == "ruler on")
    elif flaw == "tone":
        tone = np.array([int(name[-1]) for name in asked.subgroup.tolist()])
        logit = logit - size * tone / 3
    return 1 / (1 + np.exp(-logit))


def main() -> None:
    """Answer one request on standard input."""
    made = []
    for key, topic in json.load(sys.stdin):
        found = planted(key, topic)
        package = PRACTICE if key == PRACTICE else package_of(key)
        answers = {name: values.tolist() for name, values in found.answers.items()}
        facts = {"guilty": found.guilty, "innocent": found.innocent, "real": found.real}
        made.append({"package": package, **facts, "answers": answers})
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    main()
