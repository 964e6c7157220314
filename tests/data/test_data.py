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
SETS = ("solubility", "freesolv", "b3db", "kiba", "support2", "cxr_metadata")


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
    licence = "NOTICE.md" if name in ("kiba", "cxr_metadata") else "LICENSE"
    assert (DATA / name / licence).stat().st_size > 500


def test_kiba_is_shared_alike_with_attribution():
    notice = (DATA / "kiba/NOTICE.md").read_text("utf-8")
    for name in ("by-sa/3.0", "ChEMBL", "Tang", "UniProt", "pydebiaseddta"):
        assert name in notice


def test_everything_together_is_small():
    assert sum(file.stat().st_size for file in DATA.rglob("*.gz")) < 1_500_000


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


def test_support2_is_as_described():
    rows = table("support2/support2.csv.gz")
    assert (len(rows), len(rows["sno"]), len(set(rows["sno"]))) == (48, 9105, 9105)
    assert round(rows["hospdead"].count("1") / 9105, 3) == 0.259
    races = {"white": 7191, "black": 1391, "hispanic": 290, "other": 112, "asian": 79, "": 42}
    assert {name: rows["race"].count(name) for name in races} == races
    stay = [
        (a, b) for a, b, d in zip(rows["dnrday"], rows["slos"], rows["dnr"], strict=True)
        if d == "no dnr"
    ]  # fmt: skip
    assert all(a == b for a, b in stay)


def test_equally_ill_patients_die_equally_often_and_are_charged_differently():
    rows = table("support2/support2.csv.gz")
    aps, race = np.array([float(v or "nan") for v in rows["aps"]]), np.array(rows["race"])
    charges = np.log([float(v or "nan") for v in rows["charges"]])
    worst = aps >= np.nanquantile(aps, 0.8)
    found = [
        (np.array(rows["hospdead"], float)[worst & (race == name)].mean(),
         np.nanmean(charges[worst & (race == name)]))
        for name in ("black", "white")
    ]  # fmt: skip
    assert np.round(found, 2).tolist() == [[0.63, 10.81], [0.62, 11.02]]


def test_cxr_metadata_is_as_described():
    rows = table("cxr_metadata/cxr_metadata.csv.gz")
    assert (len(rows["patient"]), len(set(rows["patient"]))) == (112120, 30805)
    assert (rows["sex"].count("M"), rows["view"].count("PA")) == (63340, 67310)
    assert not any("" in column for column in rows.values())


def test_the_script_that_made_them_names_every_package_and_version():
    script = (DATA / "vendor.py").read_text("utf-8")
    for name in SETS:
        package, version = re.search(r"Python package `([\w-]+)` ([\d.]+\d)", sheet(name)).groups()
        assert f"{package}=={version}" in script
