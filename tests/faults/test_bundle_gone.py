"""The bundle may go away, or be built again, while a class is graded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autograder.bundle import Bundle
from autograder.errors import BundleError


def test_a_bundle_that_goes_away_during_a_run_is_needed_again_only_for_the_next(
    undisturbed: Any,
) -> None:
    away = undisturbed.bundle.with_name("away")
    undisturbed.bundle.rename(away)
    try:
        gone = undisturbed.run()
        assert gone.returncode == 2 and "Traceback" not in gone.stderr
        assert str(undisturbed.bundle) in gone.stderr
    finally:
        away.rename(undisturbed.bundle)
    before = undisturbed.verdicts()
    back = undisturbed.run()
    assert back.returncode == 0, back.stderr
    summary = json.loads(back.stdout)
    assert (summary["graded"], summary["cached"]) == (0, len(before))
    assert undisturbed.verdicts() == before


@pytest.mark.parametrize("change", ["gone", "other"])
def test_a_bundle_that_changes_between_opening_and_unpacking_is_an_error(
    small_class: Any, tmp_path: Path, change: str
) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    for path in small_class.bundle.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    bundle = Bundle(folder)
    if change == "gone":
        bundle.otter_zip.unlink()
    else:
        bundle.otter_zip.write_bytes(b"PK other")
    with pytest.raises(BundleError, match=r"nothing graded is lost|was changed since the build"):
        bundle.unpack(tmp_path / "unpacked")
    assert not (tmp_path / "unpacked").exists()
