"""Classes with __call__, dataclasses, partials and modules in the place of functions."""

# %% q1
from dataclasses import dataclass, field
from functools import partial


@dataclass(frozen=True)
class Featuriser:
    """Callable: SMILES in, graph out."""

    atom_features: dict
    bond_features: dict
    atom_values: tuple = (
        "GetSymbol",
        "GetDegree",
        "GetFormalCharge",
        "GetTotalNumHs",
        "GetNumRadicalElectrons",
        "GetIsAromatic",
    )

    def __call__(self, smiles):
        mol = Chem.MolFromSmiles(smiles)
        return self.graph(mol) if mol is not None and mol.GetNumAtoms() else None

    def graph(self, mol):
        x = [
            self.code(self.atom_features, [getattr(a, name)() for name in self.atom_values])
            for a in mol.GetAtoms()
        ]
        edges, attr = [], []
        for atom in mol.GetAtoms():
            for bond in atom.GetBonds():  # towards this atom, one neighbour after the other
                edges.append([bond.GetOtherAtomIdx(atom.GetIdx()), atom.GetIdx()])
                attr.append(
                    self.code(self.bond_features, [str(bond.GetBondType()), bond.GetIsConjugated()])
                )
        return dict(
            x=torch.tensor(x),
            edge_index=torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).t(),
            edge_attr=torch.tensor(attr, dtype=torch.int64).reshape(-1, 2),
        )

    @staticmethod
    def code(features, values):
        return [
            dict(zip(known, range(99))).get(value, len(known))
            for known, value in zip(features.values(), values)
        ]


mol_to_graph = Featuriser(moldata.ATOM_FEATURES, moldata.BOND_FEATURES)

# %% q2
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial


@dataclass
class Compound:
    """One record, and the compound behind it."""

    smiles: str

    @cached_property
    def molecule(self):
        mol = Chem.MolFromSmiles(self.smiles)
        if mol is None or mol.GetNumAtoms() == 0:
            return None
        main = sorted(
            Chem.GetMolFrags(mol, asMols=True),
            key=lambda f: (
                -f.GetNumHeavyAtoms(),
                -f.GetNumAtoms(onlyExplicit=False),
                Chem.MolToSmiles(f),
            ),
        )[0]
        return rdMolStandardize.Uncharger(canonicalOrder=True).uncharge(main)

    @cached_property
    def key(self):
        return (
            None
            if self.molecule is None
            else Chem.MolToSmiles(Chem.RemoveHs(self.molecule), isomericSmiles=False)
        )

    @cached_property
    def family(self):
        core = MurckoScaffold.MurckoScaffoldSmiles(
            mol=Chem.MolFromSmiles(self.key), includeChirality=False
        )
        return (core,) if core else ("alone", self.key)


class CanonicalKey:
    def __init__(self):
        self.known = {}

    def __call__(self, smiles):
        if smiles not in self.known:
            self.known[smiles] = Compound(smiles).key
        return self.known[smiles]


canonical_key = CanonicalKey()


@dataclass
class ScaffoldSplitter:
    slack: float = 0.5

    def __call__(self, smiles, frac=(0.8, 0.1, 0.1), seed=0):
        rng = np.random.RandomState(seed)
        families = {}
        for row, text in enumerate(smiles):
            families.setdefault(Compound(text).family, []).append(row)
        bins = [Bin(share * len(smiles)) for share in frac]
        smallest = min(b.wanted for b in bins[1:] if b.wanted) if any(frac[1:]) else len(smiles)
        order = [list(families.values())[k] for k in rng.permutation(len(families))]
        for rows in sorted(order, key=len, reverse=True):
            fitting = [b for b in bins if b.room >= len(rows)] or [max(bins, key=lambda b: b.room)]
            chosen = (
                bins[0] if len(rows) > self.slack * smallest else fitting[rng.randint(len(fitting))]
            )
            chosen.rows += rows
        return tuple(b.array for b in bins)


@dataclass
class Bin:
    wanted: float
    rows: list = field(default_factory=list)

    @property
    def room(self):
        return self.wanted - len(self.rows)

    @property
    def array(self):
        return np.array(sorted(self.rows), dtype=np.int64)


scaffold_split = ScaffoldSplitter()


def _conflicts(name, smiles, y):
    rows = {}
    for row, (text, label) in enumerate(zip(smiles, y)):
        if not np.isnan(label):
            rows.setdefault(name(text), []).append((row, float(label)))
    return {
        key: np.array([row for row, _ in told])
        for key, told in rows.items()
        if min(label for _, label in told) < max(label for _, label in told)
    }


label_conflicts = partial(_conflicts, canonical_key)


# %% q3
class Layer:
    """Gather at the sources, scale, add up at the targets."""

    def messages(self, x, edge_index, weight=None):
        sent = x[edge_index[0]]
        sent = sent if weight is None else sent * weight.unsqueeze(-1)
        return x.new_zeros(x.shape).index_add(0, edge_index[1], sent)


class GCN(Layer):
    def __call__(self, x, edge_index, W, b):
        kept = edge_index.T[edge_index[0] != edge_index[1]].T
        ones = x.new_ones(kept.shape[1])
        degree = x.new_ones(len(x)).index_add(0, kept[1], ones)
        weight = 1 / torch.sqrt(degree[kept[0]] * degree[kept[1]])
        # features are mixed with their neighbours first, and with W afterwards
        return torch.matmul(self.messages(x, kept, weight) + x / degree.unsqueeze(-1), W) + b


class GIN(Layer):
    def __call__(self, x, edge_index, W1, b1, W2, b2, eps=0.0):
        u = x * (1 + eps) + self.messages(x, edge_index)
        return F.linear(F.relu(F.linear(u, W1.T, b1)), W2.T, b2)


gcn_layer, gin_layer = GCN(), GIN()

# %% q6
from dataclasses import dataclass


@dataclass
class Standardiser:
    mean: np.ndarray = None
    std: np.ndarray = None

    def fit(self, values):
        values = np.asarray(values, dtype=np.float64)
        self.mean = values.mean(axis=0)
        self.std = values.std(axis=0)
        self.std = np.where((values == values[:1]).all(axis=0), 1.0, self.std)
        return self

    def transform(self, values):
        return (np.asarray(values, dtype=np.float64) - self.mean) / self.std

    def inverse(self, values):
        return np.asarray(values, dtype=np.float64) * self.std + self.mean


class Standardise:
    def __call__(self, values, train_rows):
        values = np.asarray(values, dtype=np.float64)
        scaler = Standardiser().fit(values[list(train_rows)])
        return [scaler.transform(values), scaler]


standardise = Standardise()


@dataclass(frozen=True)
class Power:
    """A mean of powered absolute errors, and its root."""

    power: float

    def __call__(self, y, p):
        gaps = np.abs(np.asarray(y, dtype=float) - np.asarray(p, dtype=float))
        return (gaps**self.power).mean() ** (1 / self.power)


rmse, mae = Power(2), Power(1)


class R2:
    def __call__(self, y, p):
        y = np.asarray(y, dtype=float)
        constant = np.full_like(y, y.mean())
        return 1 - (rmse(y, p) / rmse(y, constant)) ** 2 if np.ptp(y) else float("nan")


class Spearman:
    @staticmethod
    def ranks(values):
        ordered = np.sort(values)
        return (
            np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
        ) / 2

    def __call__(self, y, p):
        y, p = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
        if np.ptp(y) == 0 or np.ptp(p) == 0:
            return float("nan")
        return np.corrcoef(self.ranks(y), self.ranks(p))[1, 0]


r2, spearman = R2(), Spearman()


class Predictor:
    def __call__(self, model, graphs, batch_size=256):
        return np.fromiter(self.stream(model.eval(), graphs, batch_size), dtype=np.float64)

    @staticmethod
    def stream(model, graphs, batch_size):
        from itertools import islice

        waiting = iter(graphs)
        while block := list(islice(waiting, batch_size)):
            with torch.inference_mode():
                answer = model(*moldata.collate(block))
            yield from (
                float(model.target_mean) + float(model.target_std) * z for z in answer.tolist()
            )


predict = Predictor()


# %% q7
class MaskedBCE(nn.Module):
    def forward(self, logits, y, pos_weight=None):
        known = ~torch.isnan(y)
        label = torch.where(known, y, 0.5).to(logits.dtype)
        weight = (
            torch.ones_like(logits)
            if pos_weight is None
            else pos_weight.to(logits.dtype).expand_as(logits)
        )
        value = weight * label * F.softplus(-logits) + (1 - label) * F.softplus(logits)
        share = (
            known.to(logits.dtype) / known.sum(0).clamp(min=1) / (known.any(0).sum().clamp(min=1))
        )
        return (share * value).sum().to(logits.dtype)


masked_bce = MaskedBCE()


class MeanOverTasks:
    def __init__(self, score):
        self.score = score

    def __call__(self, y, s):
        y, s = np.asarray(y, dtype=float), np.asarray(s, dtype=float)
        columns = [
            (y[:, t][~np.isnan(y[:, t])], s[:, t][~np.isnan(y[:, t])]) for t in range(y.shape[1])
        ]
        found = [
            self.score(label, score) for label, score in columns if 0 < label.sum() < len(label)
        ]
        return float(sum(found) / len(found)) if found else float("nan")


multitask_auc = MeanOverTasks(roc_auc_score)

# %% q8
from dataclasses import dataclass
from functools import partial, singledispatchmethod
from typing import NamedTuple


class Parts(NamedTuple):
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    dropped: np.ndarray


@dataclass
class Dealer:
    rng: np.random.Generator
    frac: tuple

    def home(self, things):
        names = list(dict.fromkeys(things))
        cuts = [round(sum(self.frac[:k]) * len(names)) for k in (1, 2)]
        piles = np.split(self.rng.permutation(len(names)), cuts)
        return {names[k]: number for number, pile in enumerate(piles) for k in pile}


class ColdSplit:
    of = {
        "pair": lambda pair: tuple(pair),
        "drug": lambda pair: pair[0],
        "target": lambda pair: pair[1],
    }

    def __call__(self, pairs, mode, seed=0, frac=(0.7, 0.1, 0.2)):
        rows = [
            tuple(np.asarray(pair).tolist()) if isinstance(pair, np.ndarray) else tuple(pair)
            for pair in pairs
        ]
        dealer = Dealer(np.random.default_rng(seed), frac)
        sides = ["drug", "target"] if mode == "both" else [mode]
        told = [[self.of[side](row) for row in rows] for side in sides]
        homes = [dealer.home(things) for things in told]
        found = [{homes[k][told[k][row]] for k in range(len(sides))} for row in range(len(rows))]
        part = np.array([one.pop() if len(one) == 1 else 3 for one in found])
        return Parts(*(np.flatnonzero(part == number) for number in range(4)))


cold_split = ColdSplit()


class Concordance:
    def __call__(self, y, p):
        y, p = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
        order = np.argsort(y, kind="stable")
        y, p = y[order], p[order]
        won = count = 0.0
        for value in np.unique(y):
            lower, own = p[y < value], p[y == value]
            ordered = np.sort(lower)
            won += (
                0.5
                * (
                    np.searchsorted(ordered, own, "left") + np.searchsorted(ordered, own, "right")
                ).sum()
            )
            count += len(lower) * len(own)
        return won / count if count else float("nan")


concordance_index = Concordance()


@dataclass
class Additive:
    def __call__(self, train, test):
        from statistics import fmean

        pairs, y = train
        self.mean = fmean(y)
        self.levels = [self.means(pairs, y, side) for side in (0, 1)]
        return np.array([self.answer(*pair) for pair in test], dtype=np.float64)

    def means(self, pairs, y, side):
        from statistics import fmean

        names = {pair[side] for pair in pairs}
        return {
            name: fmean(float(v) for pair, v in zip(pairs, y) if pair[side] == name)
            for name in names
        }

    def answer(self, drug, target):
        return self.mean + sum(
            level.get(name, self.mean) - self.mean
            for level, name in zip(self.levels, (drug, target))
        )


additive_baseline = Additive()


class DTANet(nn.Sequential):
    """A list of blocks that pass a vector for each pair along."""

    def __init__(self, node_dims, edge_dims, h=64, L=3, protein_dim=20):
        super().__init__(
            nn.Linear(h + h, h), nn.LeakyReLU(), nn.LayerNorm(h), nn.Linear(h, 1), nn.Flatten(0)
        )
        self.towers = nn.ModuleDict(
            {
                "drug": lab.GraphEncoder(node_dims, edge_dims, h, L),
                "protein": nn.Linear(protein_dim, h),
            }
        )

    def forward(self, x, edge_index, edge_attr, batch, protein):
        out = torch.hstack(
            [self.towers["drug"](x, edge_index, edge_attr, batch), self.towers["protein"](protein)]
        )
        for block in list(self)[:5]:
            out = block(out)
        return out


# %% q9
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """A paired cluster bootstrap that draws the rows themselves."""

    def __call__(self, y, pa, pb, groups, B=2000, alpha=0.05, seed=0):
        y, pa, pb = (np.asarray(v, dtype=float) for v in (y, pa, pb))
        names = list(dict.fromkeys(np.asarray(groups).tolist()))
        rows = [np.flatnonzero(np.asarray(groups) == name) for name in names]
        diff = self.difference(y, pa, pb)
        lo = hi = float("nan")
        if len(rows) > 1:
            rng = np.random.default_rng(seed)
            found = []
            for _ in range(B):
                chosen = np.concatenate([rows[k] for k in rng.integers(len(rows), size=len(rows))])
                found.append(self.difference(y[chosen], pa[chosen], pb[chosen]))
            lo, hi = np.quantile(found, (alpha / 2, 1 - alpha / 2))
        verdict = {(True, False): "a", (False, True): "b"}.get(
            (bool(hi < 0), bool(lo > 0)), "inconclusive"
        )
        return dict(diff=diff, lo=lo, hi=hi, verdict=verdict)

    @staticmethod
    def difference(y, pa, pb):
        return np.sqrt(np.mean((y - pa) ** 2)) - np.sqrt(np.mean((y - pb) ** 2))


compare = Comparison()
