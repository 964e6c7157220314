import re
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from autograder.bundle import Manifest, Question, TestEntry
from autograder.errors import ExportError
from autograder.grades import Grade
from autograder.intake import Intake, Unmatched
from autograder.model import (
    WATERMARK,
    QuestionVerdict,
    Standing,
    Status,
    Student,
    TestVerdict,
    Verdict,
)
from autograder.report import render, report
from autograder.report.attention import attention
from autograder.report.chart import histogram
from autograder.report.statistics import failures, headline, questions

EVIL = "</pre><script>alert('evil')</script><img src=x onerror=alert(1)>"
MANIFEST = Manifest(name="hw", title="HW <1>", notebook="hw.ipynb", otter_zip="x.zip", questions=[
    Question(name="q1", points=2, tests=[
        TestEntry(name="test_a", points=1, hidden=False, label="Label of a"),
        TestEntry(name="test_b", points=1, hidden=True, label="Label of b")]),
    Question(name="q2", points=5, written=True)])  # fmt: skip


def verdict(student: str, *statuses: Status, message: str = "", **more: Any) -> Verdict:
    tests = [
        TestVerdict(name=f"test_{letter}", status=status, points=float(status is Status.PASSED),
                    possible=1, hidden=letter == "b", message=message)
        for letter, status in zip("ab", statuses, strict=False)
    ]  # fmt: skip
    score = sum(test.points for test in tests)
    fields: dict[str, Any] = {
        "student": student, "name": f"Name {student}", "assignment": "hw", "possible": 2.0,
        "status": Standing.GRADED, "score": score, "isolation": "A", "seconds": 1,
        "questions": {"q1": QuestionVerdict(score=score, possible=2, tests=tests)} if tests else {},
    }  # fmt: skip
    return Verdict(**fields | more)


P, F = Status.PASSED, Status.FAILED
CLASS = [
    verdict("1", P, P),
    verdict("2", P, F, message="off by 0.25"),
    verdict("3", F, F, message="off by 0.5"),
    verdict("4", Status.TIMEOUT, Status.ERROR, message=EVIL, name=EVIL, notes=[EVIL]),
    verdict("5", status=Standing.UNREADABLE, message="The file is a PDF document."),
    verdict("6", status=Standing.GRADER_ERROR, message="Room T ended."),
]
FOUND = Intake(
    submissions=[], missing=[Student(id="7", name="Tanaka, Yuki")],
    unmatched=[Unmatched(source=f"zip/{EVIL}", reason="no student has the id 999")], unused=[],
)  # fmt: skip


class Structure(HTMLParser):
    """Tags with their attributes, and whether they nest."""

    VOID = {"meta", "line", "rect", "br", "img", "link"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def page() -> str:
    return render(CLASS, MANIFEST, intake=FOUND, provenance={"Bundle": "9f31c2"})


def test_nothing_a_student_writes_becomes_markup(page: str) -> None:
    structure = Structure(page)
    assert structure.open == []
    names = {tag for tag, _ in structure.tags}
    assert not names & {"script", "img", "iframe", "object", "link", "form"}
    assert not any(name.startswith("on") for _, attrs in structure.tags for name in attrs)
    assert page.count("alert(1)") >= 4


def test_the_page_forbids_scripts_and_needs_no_network(page: str) -> None:
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    metas = [attrs for tag, attrs in Structure(page).tags if tag == "meta"]
    assert any(meta.get("content") == policy for meta in metas)
    assert not re.search(r"(?:src|href)=\"(?!#)|url\(|@import", page)


def test_tables_have_headers_with_scope_and_the_chart_a_title_and_a_table(page: str) -> None:
    tags = Structure(page).tags
    assert all("scope" in attrs for tag, attrs in tags if tag == "th")
    assert any(tag == "svg" and attrs.get("role") == "img" for tag, attrs in tags)
    assert "<title id=" in page and "The same as a table" in page
    assert ("html", {"lang": "en"}) in tags


def test_what_was_skipped_is_shown_as_such_and_is_no_failure() -> None:
    one = verdict("8", P, Status.SKIPPED, message="builds on q1")
    page = render([one], MANIFEST)
    assert '<span aria-hidden="true">↷</span> skipped</span>' in page
    assert "1 skipped" in page and failures([one]) == []


def test_every_state_is_a_sign_and_a_word(page: str) -> None:
    cells = re.findall(
        r'<span class="state"><span aria-hidden="true">(.)</span> ([a-z ]+)</span>', page
    )
    assert {word for _, word in cells} == {"full", "part", "none", "time", "not graded"}


def test_text_has_a_contrast_of_four_and_a_half_to_one() -> None:
    style = (Path(render.__code__.co_filename).parent / "page.css").read_text()
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", style))
    grounds = [
        colours["ground"],
        colours["shade"],
        *re.findall(r"background: (#fd\w{4}|#fc\w{4})", style),
    ]
    for name in ("ink", "quiet", "blue", "green", "amber", "red"):
        for ground in grounds:
            assert contrast(colours[name], ground) >= 4.5, (name, ground)


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_who_needs_attention_comes_by_urgency_with_why() -> None:
    found = [(case.kind, case.id) for case in attention(CLASS, FOUND)]
    assert found == [("grader error", "6"), ("belongs to nobody", ""), ("unreadable", "5"),
                     ("out of time", "4")]  # fmt: skip
    (slow,) = [case for case in attention(CLASS) if case.kind == "out of time"]
    assert slow.why[0].startswith("q1, test_a") and slow.why[1].startswith("q1, test_b")


def test_a_grader_error_in_one_test_calls_for_staff() -> None:
    (case,) = attention([verdict("1", P, Status.GRADER_ERROR, message="T fell")])
    assert case.kind == "grader error" and "T fell" in case.why[0]


def test_the_headline_counts_graded_submissions_only() -> None:
    line = headline(CLASS, MANIFEST, FOUND)
    assert (line.graded, line.median, line.mean, line.possible) == (4, 0.5, 0.75, 2)
    assert line.missing == 1


def test_an_empty_class_has_a_report_too() -> None:
    page = render([], MANIFEST)
    assert "No submission was graded yet" in page and Structure(page).open == []


def test_pass_rates_are_counted_by_test() -> None:
    (line,) = questions(CLASS, MANIFEST)
    assert (line.name, line.full, line.none, line.tried, line.mean) == ("q1", 1, 2, 4, 0.375)
    first, second = line.tests
    assert (first.passed, first.tried, first.rate) == (2, 4, 0.5)
    assert first.others == [("failed", 1), ("out of time", 1)]
    assert second.rate == 0.25


def test_messages_that_differ_in_numbers_are_one_group() -> None:
    top = failures(CLASS)[0]
    assert (top.test, top.message, top.names) == ("test_b", "off by 0.25", ["Name 2", "Name 3"])
    assert len(failures(CLASS)) == 4


@pytest.mark.parametrize(
    ("score", "bin_"), [(0, 0), (0.7, 7), (0.69, 6), (1.0, 9), (0.3, 3), (0.1 + 0.7, 8)]
)
def test_scores_fall_into_the_right_class(score: float, bin_: int) -> None:
    bars = histogram([verdict("1", P, score=score * 2)]).bars
    assert [bar.count for bar in bars].index(1) == bin_


def test_the_report_is_one_file_and_says_when_a_verdict_is_not_for_the_record(
    tmp_path: Path,
) -> None:
    unsealed = [verdict("1", P, P, isolation="0")]
    path = report(unsealed, MANIFEST, tmp_path / "report" / "index.html", provenance={"Seed": "7"})
    assert [file.name for file in path.parent.iterdir()] == ["index.html"]
    page = path.read_text("utf-8")
    assert page.count(WATERMARK) == 2 and "<dt>Seed</dt><dd>7</dd>" in page
    assert WATERMARK not in render([*CLASS, verdict("8", isolation="A-")], MANIFEST)


def test_staff_see_what_rooms_lacked_of_full_isolation() -> None:
    lacking = ["Landlock <in this kernel>", "a\x1b[31mb"]
    page = render([*CLASS, verdict("8", P, P, isolation="A-", lacking=lacking)], MANIFEST)
    assert "isolation A (6), isolation A- (1)" in page
    assert "<strong>Isolation A-</strong>, 1 submission: the rooms lacked" in page
    assert "Landlock &lt;in this kernel&gt;; ab." in page
    sealed = render(CLASS, MANIFEST)
    assert "isolation A</p>" in sealed and "the rooms lacked" not in sealed


def test_no_control_character_of_any_name_is_in_the_page() -> None:
    evil = "a\x1b[31mb\x9b\u202ec"
    found = Intake(
        submissions=[], missing=[Student(id="7", name=evil, section=evil)],
        unmatched=[Unmatched(source=evil, reason=evil)],
        unused=[Unmatched(source=evil, reason=evil)],
    )  # fmt: skip
    page = render([verdict("1", P, F, name=evil, message=evil)], MANIFEST, intake=found)
    assert not set(page) & set("\x1b\x9b\u202e") and page.count("abc") >= 7


def test_remarks_for_the_student_are_shown_to_staff_too() -> None:
    (case,) = attention([verdict("1", P, P, remarks=["Code cell 3 ran for more than 90 s."])])
    assert (case.kind, case.why) == ("remark", ["Code cell 3 ran for more than 90 s."])


def test_a_path_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ExportError, match="cannot be written"):
        report([], MANIFEST, tmp_path / "file" / "index.html")


def test_the_team_stands_beside_each_of_its_members() -> None:
    page = render([verdict("1", P, P, team="Blue (Name 1; Name 2)"), verdict("2", P, P)], MANIFEST)
    assert page.count("team Blue") == 1


def graded(student: str, **more: Any) -> Grade:
    found = verdict(student, P, P, attempt=3)
    facts: dict[str, Any] = {"points": Decimal(2), "arithmetic": "2/2"}
    return Grade(verdict=found, **(facts | more))


def test_what_counts_has_columns_with_its_sum_lateness_and_attempt() -> None:
    sums = [
        graded("1"),
        graded("2", points=Decimal("1.80"), arithmetic="2/2, 1 day late: −10 % of 2 → 1.8",
               late=timedelta(days=1), attempts=2),
        graded("3", problem=f"Nobody knows {EVIL}.", late=None),
    ]  # fmt: skip
    page = render([one.verdict for one in sums], MANIFEST, grades=sums)
    for header in ("Earned", "Counts", "Late", "Attempt"):
        assert f'<th scope="col">{header}</th>' in page
    rows = re.findall(r"<tr>\n(<th scope=\"row\"><bdi>Name.*?)</tr>", page, re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row)[1:4] for row in rows]
    assert cells[0] == ['2<span class="state">2/2</span>', "–", "3"]
    assert cells[1][0].startswith('1.8<span class="state">2/2, 1 day late: −10 % of 2')
    assert cells[1][1:] == ["1 day", "3, of 2 graded"]
    assert cells[2][0].startswith("–<") and cells[2][1] == "by an unknown time"
    assert page.count('class="mark"') == 0 and "<script" not in page
    assert headline([], MANIFEST, grades=sums).late == 2


def test_who_was_graded_and_has_no_grade_needs_attention() -> None:
    sums = [graded("1"), graded("2", problem="It is late.")]
    (case,) = attention([one.verdict for one in sums], None, sums)
    assert (case.kind, case.id, case.why) == ("no grade", "2", ["It is late."])
    unreadable = [Grade(verdict=CLASS[4], points=Decimal(0), arithmetic="", problem="Look.")]
    assert [one.kind for one in attention([CLASS[4]], None, unreadable)] == ["unreadable"]
