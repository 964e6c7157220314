from __future__ import annotations

import shutil
from pathlib import Path

from markdown_it import MarkdownIt

from autograder.course import parse, read
from autograder.release.papers import gitignore, readme
from autograder.syllabus import entries


def test_the_readme_names_what_is_out_with_links_points_and_due_times(offered: Path) -> None:
    course = read(offered)
    text = readme(course, entries(course, offered))
    assert text.startswith("# Deep | Learning\n\nSpring 2027\n")
    assert "**[Sound](sound/)** · [notebook](sound/sound.ipynb)" in text
    assert "| 6: 4 by tests, 2 by people | 25 % | Sun 31 Jan 2027, 23:59 (UTC+01:00) |" in text
    assert "up to 2 hours costs nothing; beyond that, each day begun since the due time" in text
    assert "If you hand in more than once, the last attempt counts." in text
    assert "git clone https://github.com/owner/course\ncd course\n" in text
    assert "## Help\n\nAsk in the forum." in text


def test_the_readme_is_a_table_and_its_links_lead_somewhere(offered: Path) -> None:
    course = read(offered)
    html = MarkdownIt("gfm-like", {"linkify": False}).render(
        readme(course, entries(course, offered))
    )
    assert html.count("<tr>") == 3 and html.count("<td") == 2 * 5
    badge = "https://colab.research.google.com/github/owner/course/blob/main/later/later.ipynb"
    assert f'href="{badge}"' in html


def test_without_an_address_there_is_no_badge_and_no_clone_line(offered: Path) -> None:
    text = (offered / "course.toml").read_text()
    course = parse(text.replace("https://github.com/owner/course", ""))
    shown = readme(course, entries(course, offered))
    assert "colab" not in shown and "git clone" not in shown and "jupyter lab" in shown


def test_milestones_and_labs_have_rows_of_their_own(offered: Path, tmp_path: Path) -> None:
    text = (offered / "course.toml").read_text()
    text = text.replace('kind = "homework"\npoints = 6\nweight = 0.25\n', 'kind = "lab"\n')
    project = 'kind = "project"\npoints = 6\nweight = 1\n'
    text = text.replace('kind = "homework"\npoints = 6\nweight = 0.75\n', project)
    text += "".join(
        f'[[assignment.milestone]]\nquestion = "{q}"\ntitle = "Part | {q}"\npoints = {points}\n'
        "due = 2027-02-14T23:59:00Z\n"
        for q, points in (("q1", 3), ("q2", 2), ("q3", 1))
    )
    mine = shutil.copytree(offered, tmp_path / "mine")
    recipe = mine / "solutions" / "sound" / "assignment.toml"
    recipe.write_text(f"ungraded = true\n{recipe.read_text()}")
    course = parse(text)
    shown = readme(course, entries(course, mine))
    assert "| lab | not graded |  | Sun 31 Jan" in shown
    assert "| ↳ Part \\| q1 | milestone | 3 |  | Sun 14 Feb 2027, 23:59 (UTC) |" in shown


def test_git_ignores_what_notebooks_make(offered: Path) -> None:
    course = read(offered)
    lines = gitignore(entries(course, offered)).splitlines()
    assert "/sound/triage.safetensors" in lines and "/later/later_*.zip" in lines
