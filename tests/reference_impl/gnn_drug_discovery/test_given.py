"""The graphs and the split in students' hands are what the reference makes of their data."""

import numpy as np

from reference_impl.gnn_drug_discovery import given
from reference_impl.gnn_drug_discovery.partition import PROJECT

FOLDER = PROJECT / "solutions/gnn_drug_discovery/data"


def test_the_files_can_be_made_again(tmp_path):
    given.main(tmp_path)
    for name in ("graphs.npz", "split.npz"):
        with np.load(tmp_path / name) as made, np.load(FOLDER / name) as kept:
            assert made.files == kept.files
            for key in kept.files:
                assert made[key].dtype == kept[key].dtype, key
                assert np.array_equal(made[key], kept[key]), key
