"""Our comment is known by its mark, and by the same mark whether a person changed it."""

from __future__ import annotations

import pytest

from autograder.canvas.comment import Deed, Said, body, deed, file_name, ours
from autograder.canvas.remote import Comment

FIRST, SECOND = body("8/10"), body("9/10")
A, B = file_name(b"a", ".html"), file_name(b"b", ".html")


def there(text: str = FIRST, *files: str, number: int = 1, author: int = 7) -> Comment:
    return Comment(id=number, author=author, text=text, files=list(files))


def test_a_comment_ends_with_its_mark_and_holds_no_control_characters() -> None:
    assert body("8/10\x1b[31m\n") == FIRST and FIRST.startswith("8/10\n\n[autograder ")
    assert body(" \n") == ""


def test_a_student_who_copies_the_mark_does_not_write_our_comment() -> None:
    found = [there(number=3, author=101), there(number=2), there("hello", number=1)]
    assert [one.id for one in ours(found, {"101", "102"})] == [2]


@pytest.mark.parametrize(
    ("found", "wanted", "act"),
    [
        ([], Said(text=FIRST), Deed(make=True)),
        ([], Said(text=""), Deed()),
        ([there()], Said(text=FIRST), Deed()),
        ([there(FIRST.replace("\n", "\r\n"))], Said(text=FIRST), Deed()),
        ([there()], Said(text=SECOND), Deed(edit=1)),
        ([there(FIRST, A)], Said(text=SECOND, file=A), Deed(edit=1)),
        ([there(FIRST, A.replace(".html", "-1.html"))], Said(text=FIRST, file=A), Deed()),
        ([there(FIRST, A)], Said(text=FIRST, file=B), Deed(make=True, delete=[1])),
        ([there(FIRST, A)], Said(text=FIRST), Deed(make=True, delete=[1])),
        ([there(), there(number=2)], Said(text=FIRST), Deed(delete=[2])),
        ([there(), there(SECOND, number=2)], Said(text=SECOND), Deed(delete=[1])),
    ],
)
def test_what_is_there_becomes_what_is_wanted(
    found: list[Comment], wanted: Said, act: Deed
) -> None:
    assert deed(found, wanted, None) == act


@pytest.mark.parametrize(
    "text", [FIRST.replace("8/10", "8/10, see me"), f"{FIRST}\n\nSee me.", f"No. {FIRST}"]
)
def test_what_a_person_made_of_our_comment_stays(text: str) -> None:
    act = deed([there(text)], Said(text=SECOND), None)
    assert act.nothing and "changed in Canvas" in act.remark


def test_a_person_who_quotes_our_comment_does_not_stop_it() -> None:
    found = [there(f"{FIRST} is wrong", number=1), there(number=2)]
    assert deed(found, Said(text=SECOND), None) == Deed(edit=2)


def test_a_comment_that_a_person_deleted_is_made_again_only_if_it_says_something_new() -> None:
    last = Said(text=FIRST)
    assert deed([], Said(text=FIRST), last).nothing
    assert deed([], Said(text=SECOND), last).make


def test_a_files_name_tells_its_contents() -> None:
    assert A != B and A == file_name(b"a", ".html") and A.endswith(".html")
