import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.text import clean, death, escaped, one_line, overprinted, revealed, stripped


def test_escape_sequences_and_controls_are_gone_and_text_stays() -> None:
    hostile = (
        "a\x1b[31mred\x1b[0m\x1b]8;;http://evil\x07link\x1b]8;;\x07\x00\x9b\u202eb\ud800\nend\t."
    )
    assert clean(hostile) == "aredlinkb\nend\t."


def test_a_string_that_nothing_ends_takes_no_further_line_with_it() -> None:
    assert stripped("a\x1b]52;c;ZXZpbA==\nb\x1bPq\nc") == "a\nb\nc"
    assert stripped("line\n" * 100_000) == "line\n" * 100_000


def test_of_a_progress_bar_its_last_state_stays() -> None:
    assert overprinted("a\n 1%\r50%\r100%\r\nb\r") == "a\n100%\nb"


def test_hidden_characters_of_code_become_visible() -> None:
    assert revealed("if a:\r\n\tx # \u202e\x1b") == "if a:\n\tx # ⟨U+202E⟩⟨U+001B⟩"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escaped_json_says_the_same_and_is_fit_for_terminals(text: str) -> None:
    found = escaped(json.dumps({text: text}, ensure_ascii=False, indent=1))
    assert json.loads(found) == {text: text} and stripped(found) == found


def test_long_text_is_cut_to_the_limit() -> None:
    assert len(clean("x" * 10_000, 100)) == 100


@given(st.text(st.characters()))
def test_one_line_is_one_line_and_can_be_encoded(text: str) -> None:
    line = one_line(text)
    assert "\n" not in line and "\x1b" not in line and len(line) <= 200
    line.encode("utf-8")


def test_other_scripts_are_kept() -> None:
    assert one_line("शर्मा,  प्रिया — 王, 小明 חדד") == "शर्मा, प्रिया — 王, 小明 חדד"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended its process with exit code 0"),
        (7, "ended its process with exit code 7"),
        (-9, "was killed by SIGKILL"),
        (-11, "was killed by SIGSEGV"),
        (-63, "was killed by signal 63"),
    ],
)
def test_a_death_is_told_in_words(code: int, words: str) -> None:
    assert death(code) == words
