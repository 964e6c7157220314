import pytest

from autograder.errors import ReleaseError
from autograder.release.requirements import merged


def test_every_package_is_there_once_with_the_highest_lower_bound() -> None:
    texts = {"a": "numpy>=2.0\ntorch>=2.11  # big\n\n# why\n", "b": "NumPy>=1.26,<3\npandas\n"}
    assert merged(texts) == "numpy<3,>=2.0\npandas\ntorch>=2.11\n"


def test_versions_are_compared_as_versions() -> None:
    assert merged({"a": "x>=2.9", "b": "x>=2.11", "c": "x"}) == "x>=2.11\n"


def test_what_depends_on_the_platform_stays_apart() -> None:
    text = 'x>=1\nx>=2; sys_platform == "win32"\n'
    assert merged({"a": text}) == 'x>=1\nx>=2; sys_platform == "win32"\n'


@pytest.mark.parametrize("line", ["-r other.txt", "numpy>>2", "./wheel.whl"])
def test_what_is_no_requirement_is_refused_by_file_and_line(line: str) -> None:
    with pytest.raises(ReleaseError, match=r"b: .* cannot be merged") as raised:
        merged({"a": "numpy", "b": line})
    assert line in str(raised.value)
