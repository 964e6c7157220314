"""Which molecules students have, and which the grader keeps.

``python -m reference_impl.gnn_drug_discovery.partition`` writes, from the tables in ``data/``,

- ``data/solubility/known.csv.gz``: four fifths of the solubility data, for students;
- ``reference_impl/gnn_drug_discovery/held_out.csv.gz``: the rest, other scaffolds, for the grader;
- ``reference_impl/gnn_drug_discovery/stock.csv.gz``: molecules of B3DB without their labels, for
  questions that need molecules and bring labels of their own.

The measurements can be found by whoever looks for them: they are published data. A score on
``held_out`` is therefore always asked for beside one on labels that the grader made up.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from reference_impl.gnn_drug_discovery.molecules import canonical_key, parse
from reference_impl.gnn_drug_discovery.splitting import scaffold, scaffold_split

__all__ = ["HELD_OUT", "STOCK", "main", "read"]

SEED = 2026
PROJECT = Path(__file__).parents[2]
HELD_OUT = Path(__file__).with_name("held_out.csv.gz")
STOCK = Path(__file__).with_name("stock.csv.gz")

FAMILY = range(3, 13)
"""How many molecules of a scaffold there must be in B3DB for the scaffold to be in stock."""
HEAVY_ATOMS = range(8, 41)


def read(file: Path) -> list[dict[str, str]]:
    """The rows of a ``.csv.gz`` table."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def main() -> None:
    """Write the three tables."""
    rows = read(PROJECT / "data/solubility/solubility.csv.gz")
    known, _, held_out = scaffold_split([row["smiles"] for row in rows], (0.8, 0.0, 0.2), SEED)
    header = ("smiles", "log_solubility", "part")
    for file, chosen in ((PROJECT / "data/solubility/known.csv.gz", known), (HELD_OUT, held_out)):
        _write(file, header, ([rows[row][name] for name in header] for row in chosen))
    molecules = [row["smiles"] for row in read(PROJECT / "data/b3db/b3db.csv.gz")]
    _write(STOCK, ("smiles", "scaffold"), stock(molecules))


def stock(molecules: Sequence[str]) -> list[tuple[str, str]]:
    """SMILES and scaffold of the molecules that are kept: medium-sized, one for each compound.

    Those of scaffolds that occur :data:`FAMILY` times, and as many without rings as there are.
    """
    compounds: dict[str, str] = {}
    for smiles in molecules:
        found = parse(smiles)
        if found is not None and found.GetNumHeavyAtoms() in HEAVY_ATOMS:
            compounds.setdefault(str(canonical_key(smiles)), smiles)
    scaffolds = {smiles: scaffold(smiles) for smiles in compounds.values()}
    sizes = Counter(scaffolds.values())
    return [(s, name) for s, name in scaffolds.items() if not name or sizes[name] in FAMILY]


def _write(file: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    file.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))
    print(f"{file.name}: {len(text.getvalue().splitlines()) - 1} rows")


if __name__ == "__main__":
    main()
