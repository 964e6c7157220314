"""What the tests of this assignment share."""

import importlib
import shutil
import sys
from pathlib import Path

import pytest

from autograder import coursekit
from reference_impl.cnn_imaging import dermsim

sys.modules.setdefault("dermsim", dermsim)  # as it is published

PROJECT = Path(__file__).parents[3]
PUBLIC = (
    "data/support2/support2.csv.gz",
    "data/cxr_metadata/cxr_metadata.csv.gz",
    "reference_impl/model_audit/supplied.npz",
)


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """The public files in one folder, as students have them."""
    folder = tmp_path_factory.mktemp("data")
    for name in PUBLIC:
        shutil.copy(PROJECT / name, folder)
    return folder


@pytest.fixture
def cohorts(monkeypatch):
    """The loaders, beside a ``coursekit.py`` as they are published."""
    monkeypatch.setitem(sys.modules, "coursekit", coursekit)
    return importlib.import_module("reference_impl.model_audit.cohorts")
