"""The shipped tables are the ones that their datasheets describe."""

import csv
import gzip
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from reference_impl.gnn_drug_discovery.molecules import canonical_key
from reference_impl.gnn_drug_discovery.splitting import scaffold

DATA = Path(__file__).parents[2] / "data"
SETS = ("solubility", "freesolv", "b3db", "kiba")


def table(name):
    with gzip.open(DATA / name, "rt", encoding="utf-8", newline="") as opened:
        header, *rows = csv.reader(opened)
    return {column: [row[n] for row in rows] for n, column in enumerate(header)}


def sheet(name):
    return (DATA / name / "DATASHEET.md").read_text("utf-8")


@pytest.mark.parametrize("name", SETS)
def test_every_file_has_the_hash_that_the_datasheet_states(name):
    stated = dict(re.findall(r"\| `([\w.]+\.gz)` \| `(\w{64})` \|", sheet(name)))
    files = {file.name: file.read_bytes() for file in (DATA / name).glob("*.gz")}
    assert stated == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


@pytest.mark.parametrize("name", SETS)
def test_every_set_has_its_licence_source_and_headings(name):
    text = sheet(name)
    for heading in ("Motivation", "Composition", "Collection process", "Preprocessing", "Uses",
                    "Distribution", "Maintenance"):  # fmt: skip
        assert f"## {heading}\n" in text
    assert re.search(r"Python package `[\w-]+` \d+\.\d+\.\d+", text)
    licence = "NOTICE.md" if name == "kiba" else "LICENSE"
    assert (DATA / name / licence).stat().st_size > 500


def test_kiba_is_shared_alike_with_attribution():
    notice = (DATA / "kiba/NOTICE.md").read_text("utf-8")
    for name in ("by-sa/3.0", "ChEMBL", "Tang", "UniProt", "pydebiaseddta"):
        assert name in notice


def test_everything_together_is_small():
    assert sum(file.stat().st_size for file in DATA.rglob("*.gz")) < 1_000_000


def test_solubility_is_as_described():
    rows = table("solubility/solubility.csv.gz")
    y, part = np.array(rows["log_solubility"], dtype=float), np.array(rows["part"])
    keys = [canonical_key(smiles) for smiles in rows["smiles"]]
    assert (len(keys), len(set(keys)), None in keys) == (1282, 1274, False)
    assert [(part == name).sum() for name in ("train", "test")] == [1025, 257]
    assert (y.min(), y.max(), round(y.mean(), 2), round(y.std(), 2)) == (-11.62, 1.58, -2.73, 2.03)
    both = [
        {key for key, p in zip(keys, part, strict=True) if p == name} for name in ("train", "test")
    ]
    assert len(both[0] & both[1]) == 4
    values = {}
    for key, value in zip(keys, y, strict=True):
        values.setdefault(key, []).append(value)
    gaps = [np.ptp(v) for v in values.values()]
    assert np.count_nonzero(gaps) == 7 and max(gaps) == pytest.approx(0.37)
    rings = [scaffold(key) for key in values]
    assert (len(set(rings) - {""}), rings.count("")) == (291, 336)
    assert len(table("solubility/known.csv.gz")["smiles"]) == 1026


def test_freesolv_is_as_described():
    rows = table("freesolv/freesolv.csv.gz")
    expt, calc = (np.array(rows[name], dtype=float) for name in ("expt", "calc"))
    assert (len(expt), len({canonical_key(s) for s in rows["smiles"]})) == (642, 639)
    assert (expt.min(), expt.max()) == (-25.47, 3.43)
    assert round(float(np.sqrt(np.mean((expt - calc) ** 2))), 2) == 1.54


def test_b3db_is_as_described():
    rows = table("b3db/b3db.csv.gz")
    enters = np.array(rows["enters"])
    assert [(enters == label).sum() for label in ("1", "0")] == [4956, 2851]
    assert [rows["group"].count(g) for g in "ABCD"] == [1058, 3621, 3077, 51]
    assert sum(value != "" for value in rows["log_bb"]) == 1058
    found = {}
    for smiles, label in zip(rows["smiles"], enters, strict=True):
        found.setdefault(canonical_key(smiles), []).append(label)
    assert len(found.pop(None)) == 2
    conflicts = [labels for labels in found.values() if len(set(labels)) > 1]
    assert (len(found), len(conflicts), sum(map(len, conflicts))) == (4033, 131, 429)


def test_kiba_is_as_described():
    drugs, proteins = table("kiba/drugs.csv.gz"), table("kiba/proteins.csv.gz")
    pairs = table("kiba/pairs.csv.gz")
    score = np.array(pairs["score"], dtype=float)
    assert (len(drugs["drug"]), len(proteins["protein"]), len(score)) == (458, 189, 5000)
    assert len(set(zip(pairs["drug"], pairs["protein"], strict=True))) == 5000
    assert set(pairs["drug"]) == set(drugs["drug"])
    assert set(pairs["protein"]) == set(proteins["protein"])
    lengths = [len(sequence) for sequence in proteins["sequence"]]
    assert (min(lengths), max(lengths)) == (215, 4128)
    assert (score.min(), round(score.max(), 1), round(score.mean(), 2)) == (7.1, 16.8, 11.65)
    part = np.array(pairs["part"])
    assert [(part == name).sum() for name in ("train", "val", "test")] == [3000, 1000, 1000]
    for column in ("drug", "protein"):
        names = np.array(pairs[column])
        seen = [set(names[part == name]) for name in ("train", "val", "test")]
        assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


def test_the_script_that_made_them_names_every_package_and_version():
    script = (DATA / "vendor.py").read_text("utf-8")
    for name in SETS:
        package, version = re.search(r"Python package `([\w-]+)` ([\d.]+\d)", sheet(name)).groups()
        assert f"{package}=={version}" in script
