"""Makes every file of the sample project that is computed: run it where the notebook is.

    cd assignments/final_project && python ../../solutions/final_project/train.py [FOLDER] [--leaky]

It splits by scaffold, fits ridge regression and three networks, and writes split.csv,
predictions.csv, results.json, data_card.json, model.safetensors, model_card.json,
audit.json and report.md.
prereg.json, deviations.json, predict.py and the report's template are written by hand. FOLDER is
where files go, beside this one by default. --leaky deals rows instead of scaffolds, as a team does
that has not understood P1; the demonstration shows what becomes of it.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(Path.cwd())]

import numpy as np  # noqa: E402
import predict as own  # noqa: E402
import projectkit as kit  # noqa: E402
import topics  # noqa: E402
import torch  # noqa: E402
from audit import audit  # noqa: E402
from predict import Network, descriptors, features, predict  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

ARGUMENTS = [one for one in sys.argv[1:] if not one.startswith("-")]
OUT = Path(ARGUMENTS[0]).resolve() if ARGUMENTS else HERE
LEAKY = "--leaky" in sys.argv
TOPIC, METRIC = "solubility", "mae"
FRACTIONS = {"train": 0.5, "val": 0.1, "test": 0.4}


def split_by_group(groups: np.ndarray, seed: int = 3) -> np.ndarray:
    """The part of each row: whole groups, dealt in random order, large ones to training."""
    rng = np.random.default_rng(seed)
    names, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    room = {part: share * len(groups) for part, share in FRACTIONS.items()}
    part_of = {}
    for group in rng.permutation(len(names)):
        fits = [
            part for part in ("test", "val") if room[part] >= sizes[group] and sizes[group] < 30
        ]
        part = rng.choice(["train", *fits], p=_shares(fits))
        part_of[group] = part
        room[part] -= sizes[group]
    return np.array([part_of[group] for group in number])


def _shares(fits: list[str]) -> np.ndarray:
    weights = np.array([FRACTIONS["train"], *(FRACTIONS[part] for part in fits)])
    return weights / weights.sum()


def ridge(X: np.ndarray, y: np.ndarray, X_new: np.ndarray, penalty: float = 1.0) -> np.ndarray:
    """Ridge regression on standardised columns."""
    mean, std = X.mean(axis=0), X.std(axis=0)
    Z = (X - mean) / std
    w = np.linalg.solve(Z.T @ Z + penalty * np.eye(Z.shape[1]), Z.T @ (y - y.mean()))
    return y.mean() + (X_new - mean) / std @ w


def train_network(X: np.ndarray, y: np.ndarray, seed: int, epochs: int = 60) -> Network:
    """Train on the absolute error; X [N, 261] and y [N] are the training part's."""
    torch.manual_seed(seed)
    network = Network()
    std = X.std(axis=0)
    network.mean.copy_(torch.tensor(X.mean(axis=0)))
    network.std.copy_(torch.tensor(np.where(std > 0, std, 1.0)))
    network.y_mean.fill_(y.mean())
    network.y_std.fill_(y.std())
    x, target = (torch.tensor(values, dtype=torch.float32) for values in (X, y))
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.1)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(32):
            optimiser.zero_grad()
            torch.nn.functional.l1_loss(network(x[rows]), target[rows]).backward()
            optimiser.step()
    return network.eval()


def main() -> None:
    """Write all files."""
    torch.set_num_threads(1)
    data = topics.load(TOPIC)
    part = split_by_group(data.meta["row" if LEAKY else "group"])
    names = data.meta["row"].tolist()
    split = dict(zip(names, part.tolist(), strict=True))
    rows = {name: kit.rows_of(data, split, name) for name in kit.PARTS}
    write_csv("split.csv", ("row", "part"), zip(names, part, strict=True))

    X = features(data.X)
    train, test = rows["train"], rows["test"]
    state = {}
    for seed in range(kit.SEEDS):
        network = train_network(X[train], data.y[train], seed)
        state |= {f"seed{seed}.{name}": value for name, value in network.state_dict().items()}
    own.WEIGHTS = OUT / "model.safetensors"
    save_file(state, own.WEIGHTS)

    D = descriptors(data.X)
    smiles = [data.X[row] for row in test]
    runs = {
        "mean": np.full(len(test), np.median(data.y[train])),
        "ridge": ridge(D[train], data.y[train], D[test]),
        **{f"net-{seed}": predict(smiles, seed) for seed in range(kit.SEEDS)},
    }
    test_names = [names[row] for row in test]
    write_csv(
        "predictions.csv",
        ("run", "row", "prediction"),
        (
            (run, name, f"{value:.6f}")
            for run, values in runs.items()
            for name, value in zip(test_names, values, strict=True)
        ),
    )
    write_results(runs, data, test)
    write_cards(data, rows)
    practice = audit(TOPIC, Path("practice") / f"{TOPIC}.csv", "practice")
    write_json("audit.json", practice)
    fill_report()


def write_results(runs: dict[str, np.ndarray], data: Any, test: np.ndarray) -> None:
    """results.json: what was done, each run, seeds, comparison, subgroups."""
    plan = json.loads((HERE / "prereg.json").read_text())
    y, groups = data.y[test], data.meta["group"][test]
    runs = {name: np.round(values, 6) for name, values in runs.items()}
    methods = {"mean": "the median of the training part", "ridge": plan["baseline"]}
    table = [
        {
            "run": name,
            "kind": "model" if name.startswith("net") else "baseline",
            "method": methods.get(name, "one hidden layer on descriptors and fragment counts"),
            "deep": name.startswith("net"),
            "seed": int(name[-1]) if name[-1].isdigit() else 0,
            "value": round(topics.score(METRIC, y, values), 4),
            "n": len(test),
        }
        for name, values in runs.items()
    ]
    nets = np.stack([runs[f"net-{seed}"] for seed in range(kit.SEEDS)])
    scores = [topics.score(METRIC, y, one) for one in nets]
    difference = kit.improvement(METRIC, y, runs["ridge"], nets)
    low, high = kit.interval(METRIC, y, runs["ridge"], nets, groups)
    subgroup = data.meta["subgroup"][test]
    write_json(
        "results.json",
        {
            **{key: plan[key] for key in kit.REGISTERED},
            "runs": table,
            "model": {
                "runs": [f"net-{seed}" for seed in range(kit.SEEDS)],
                "mean": round(float(np.mean(scores)), 4),
                "sd": round(float(np.std(scores, ddof=1)), 4),
            },
            "comparison": {
                "baseline": "ridge",
                "difference": round(difference, 4),
                "low": round(low, 4),
                "high": round(high, 4),
                "verdict": kit.verdict(difference, low, high, plan["success"]["improvement"]),
            },
            "by_subgroup": [
                {
                    "name": name,
                    "n": int((subgroup == name).sum()),
                    "value": round(
                        float(
                            np.mean(
                                [
                                    topics.score(METRIC, y[subgroup == name], one[subgroup == name])
                                    for one in nets
                                ]
                            )
                        ),
                        4,
                    ),
                }
                for name in sorted(set(subgroup.tolist()))
            ],
        },
    )


def write_cards(data: Any, rows: dict[str, np.ndarray]) -> None:
    """data_card.json and model_card.json."""
    results = json.loads((OUT / "results.json").read_text())
    write_json(
        "data_card.json",
        {
            "topic": TOPIC,
            "title": "Solubility of organic compounds in water",
            "source": "moldata.load('solubility'); DATASHEET.md in data/solubility says where from",
            "licence": data.licence,
            "provenance": "real",
            "collected": "By many laboratories over decades; temperature is not recorded.",
            "rows": len(data),
            "groups": len(set(data.meta["group"].tolist())),
            "target": {"name": "solubility", "unit": "log10(mol/L)"},
            "parts": {part: len(rows[part]) for part in kit.PARTS},
            "known_problems": [
                "No error bar comes with a value, and no temperature.",
                "Drug-like molecules are few: a third of the compounds has no ring at all.",
            ],
        },
    )
    write_json(
        "model_card.json",
        {
            "name": "Three small networks for solubility",
            "topic": TOPIC,
            "intended_use": "Ranking ideas by expected solubility before anything is synthesised.",
            "out_of_scope": "Salts, mixtures and peptides, and any decision on a dose.",
            "data": {
                "provenance": "real",
                "licence": data.licence,
                "n_train": len(rows["train"]),
                "n_test": len(rows["test"]),
            },
            "performance": {
                "metric": METRIC,
                "mean": results["model"]["mean"],
                "sd": results["model"]["sd"],
                "n": len(rows["test"]),
            },
            "subgroups": subgroup_table(data, rows["test"]),
            "limits": [
                "It is not better than ridge regression on five descriptors.",
                "Its scaffolds are those of a published collection, not of a drug project.",
            ],
        },
    )


def subgroup_table(data: Any, test: np.ndarray) -> list[dict[str, Any]]:
    """Mean error of each subgroup with a bootstrap interval over its rows."""
    smiles = [data.X[row] for row in test]
    nets = np.stack([np.round(predict(smiles, seed), 6) for seed in range(kit.SEEDS)])
    error = np.abs(nets - data.y[test]).mean(axis=0)
    subgroup, rng, table = data.meta["subgroup"][test], np.random.default_rng(0), []
    for name in sorted(set(subgroup.tolist())):
        own = error[subgroup == name]
        draws = rng.choice(own, (1000, len(own))).mean(axis=1)
        low, high = np.percentile(draws, [2.5, 97.5])
        table.append(
            {
                "name": name,
                "n": len(own),
                "value": round(float(own.mean()), 4),
                "low": round(float(low), 4),
                "high": round(float(high), 4),
            }
        )
    return table


def fill_report() -> None:
    """report.md: the numbers of its tables, from results.json."""
    results = json.loads((OUT / "results.json").read_text())

    def number(key: str) -> str:
        value = results
        for step in key.split("."):
            value = value[int(step)] if isinstance(value, list) else value[step]
        return f"{value:.3f}" if isinstance(value, float) else str(value)

    text = (HERE / "report.template.md").read_text()
    text = re.sub(r"@([\w.]+)@", lambda found: number(found[1]), text)
    (OUT / "report.md").write_text(text)


def write_csv(name: str, header: tuple[str, ...], rows: Iterable[Any]) -> None:
    """A table among the files made."""
    with (OUT / name).open("w", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_json(name: str, content: dict[str, Any]) -> None:
    """A JSON file among the files made."""
    (OUT / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
