"""What a released notebook needs to run in Google Colab: a badge, and a cell that sets it up.

Both cells stand in the released copy alone, in front of all others, so that ``assignments/`` stays
what a build makes. Elsewhere than in Colab the second cell does nothing, and nobody's answer
depends on it. Colab has two gaps of otter's own (``otter/check/notebook.py``, 7.0): tests are read
from files and never from the notebook, so the cell writes them into files; and nothing can be
exported, so the first cell says what to hand in instead.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from autograder.course import Course
from autograder.syllabus import Entry

SERVICE = "https://colab.research.google.com"

SETUP = """\
# Google Colab only: fetches the files of this assignment and installs what the notebook needs.
import sys


def set_up_colab(repository, branch, clone, name, notebook):
    import json
    import os
    import subprocess
    from pathlib import Path

    folder = Path(clone, name)
    if not folder.is_dir():
        command = ["git", "clone", "--quiet", "--depth=1", "--branch", branch, repository, clone]
        subprocess.run(command, check=True)
    os.chdir(folder)
    lines = Path("requirements.txt").read_text("utf-8").split("\\n")
    wanted = [line for line in lines if line[:1] not in ("", "#") and "jupyterlab" not in line]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wanted], check=True)
    metadata = json.loads(Path(notebook).read_text("utf-8"))["metadata"]
    Path("tests").mkdir(exist_ok=True)
    for question, source in metadata.get("otter", {}).get("tests", {}).items():
        Path("tests", f"{question}.py").write_text(source, "utf-8")


if "google.colab" in sys.modules:
    set_up_colab({arguments})"""


def badge(course: Course, path: str) -> str:
    """Markdown of a badge that opens the notebook at ``path`` of the repository; ``""`` if none."""
    if course.github is None:
        return ""
    place = quote("/".join([*course.github, "blob", course.branch, path]))
    return f"[![Open in Colab]({SERVICE}/assets/colab-badge.svg)]({SERVICE}/github/{place})"


def with_colab(data: bytes, course: Course, entry: Entry) -> bytes:
    """A notebook with the two cells in front; unchanged where there is no badge.

    Args:
        data: The notebook as built.
        course: Of the repository that students clone.
        entry: The notebook's assignment, whose folder in that repository has its name.
    """
    if course.github is None:
        return data
    content = json.loads(data)
    name, notebook = entry.plan.name, entry.notebook
    text = f"{badge(course, f'{name}/{notebook}')}\n\n{_advice(course.github[1], entry)}"
    content["cells"][:0] = [
        {"cell_type": "markdown", "id": "colab-badge", "metadata": {}, "source": _lines(text)},
        {"cell_type": "code", "execution_count": None, "id": "colab-setup", "metadata": {},
         "outputs": [], "source": _lines(_setup(course, name, notebook))},
    ]  # fmt: skip
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _advice(clone: str, entry: Entry) -> str:
    files = " and ".join(f"`{file}`" for file in entry.files)
    also = f", together with {files} from the folder `{clone}/{entry.plan.name}`" if files else ""
    return (
        "In Colab, run the next cell first, and again whenever the runtime was restarted. What the "
        "notebook writes is lost with the runtime. Its last cell cannot export there: hand in the "
        f"notebook itself (*File → Download → Download .ipynb*){also}. Elsewhere the next cell "
        "does nothing."
    )


def _setup(course: Course, name: str, notebook: str) -> str:
    owner, clone = course.github or ("", "")
    arguments: dict[str, Any] = {
        "repository": f"https://github.com/{owner}/{clone}.git",
        "branch": course.branch,
        "clone": f"/content/{clone}",
        "name": name,
        "notebook": notebook,
    }
    given = "".join(f"\n        {key}={value!r}," for key, value in arguments.items())
    return SETUP.replace("{arguments}", f"{given}\n    ")


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
