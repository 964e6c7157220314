"""Before any room exists, hidden data are drawn: by every module of hidden data that there is."""

import sys

import pytest

import reference_impl
from autograder.seal import judge


@pytest.fixture
def course(tmp_path, monkeypatch):
    folder = tmp_path / "files/reference_impl/sound_pictures"
    folder.mkdir(parents=True)
    monkeypatch.setattr(judge, "place", lambda name: tmp_path)
    monkeypatch.setattr(reference_impl, "__path__", [str(folder.parent)])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "coursekit", None)
    (folder / "__init__.py").write_text("warmed = []\n")
    yield folder
    for name in [name for name in sys.modules if "sound_pictures" in name]:
        del sys.modules[name]


def test_every_module_of_hidden_data_is_warmed(course):
    for name in ("hidden", "hidden_images"):
        lines = (
            "from reference_impl import sound_pictures",
            f"def warm(): sound_pictures.warmed.append({name!r})",
        )
        (course / f"{name}.py").write_text("\n".join(lines))
    (course / "hidden_without.py").write_text("")
    (course / "other.py").write_text("raise AssertionError\n")
    judge.warm()
    from reference_impl import sound_pictures

    assert sorted(sound_pictures.warmed) == ["hidden", "hidden_images"]
