"""Works in pandas tables: groups, merges and categories instead of dictionaries."""


# %% q1
def as_codes(table, features):
    """Codes of a table's columns; what is no category becomes the code after the last one."""
    coded = pd.DataFrame(index=table.index)
    for name, known in features.items():
        codes = pd.Categorical(table[name], categories=list(known)).codes.astype("int64")
        coded[name] = np.where(codes < 0, len(known), codes)
    return torch.tensor(coded.to_numpy(dtype="int64"))


def mol_to_graph(smiles):
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or mol.GetNumAtoms() == 0:
        return None
    atoms = pd.DataFrame(
        [
            {
                "element": atom.GetSymbol(),
                "degree": atom.GetDegree(),
                "charge": atom.GetFormalCharge(),
                "hydrogens": atom.GetTotalNumHs(),
                "radicals": atom.GetNumRadicalElectrons(),
                "aromatic": atom.GetIsAromatic(),
            }
            for atom in mol.GetAtoms()
        ]
    )
    bonds = pd.DataFrame(
        [
            (b.GetBeginAtomIdx(), b.GetEndAtomIdx(), b.GetBondType().name, b.GetIsConjugated())
            for b in mol.GetBonds()
        ],
        columns=["i", "j", "type", "conjugated"],
    )
    there_and_back = pd.concat([bonds, bonds.rename(columns={"i": "j", "j": "i"})])
    there_and_back = there_and_back.sort_values(["j", "i"], kind="stable")
    ends = there_and_back[["i", "j"]].to_numpy(dtype="int64").T
    return {
        "x": as_codes(atoms, moldata.ATOM_FEATURES),
        "edge_index": torch.tensor(ends),
        "edge_attr": as_codes(there_and_back, moldata.BOND_FEATURES),
    }


# %% q2
def canonical_key(smiles):
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or mol.GetNumAtoms() == 0:
        return None
    parts = pd.Series(list(Chem.GetMolFrags(mol, asMols=True)))
    table = pd.DataFrame(
        {"heavy": parts.map(lambda f: f.GetNumHeavyAtoms()), "name": parts.map(Chem.MolToSmiles)}
    )
    mol = parts[table.sort_values(["heavy", "name"], ascending=[False, True]).index[0]]
    Chem.RemoveStereochemistry(mol)
    mol = rdMolStandardize.Uncharger().uncharge(mol)
    return Chem.MolToSmiles(mol, isomericSmiles=False, canonical=True)


def families(smiles):
    table = pd.DataFrame({"key": [canonical_key(text) for text in smiles]})
    cores = {key: MurckoScaffold.MurckoScaffoldSmilesFromSmiles(key) for key in table.key.unique()}
    table["core"] = table.key.map(cores)
    return table.core.where(table.core != "", "acyclic " + table.key)


def scaffold_split(smiles, frac=(0.8, 0.1, 0.1), seed=0):
    sizes = families(smiles).value_counts()
    wanted = pd.Series(frac, index=["train", "val", "test"]) * len(smiles)
    shuffled = sizes.sample(frac=1, random_state=seed)
    limit = 0.5 * wanted[wanted > 0].min()
    big, rest = shuffled[shuffled > limit], shuffled[shuffled <= limit]
    home = dict.fromkeys(big.index, "train")
    room = wanted.copy()
    room["train"] -= big.sum()
    for name, size in rest.sort_values(ascending=False, kind="stable").items():
        part = (room / wanted).idxmax()  # where the largest share of the part is still free
        home[name] = part
        room[part] -= size
    part = families(smiles).map(home)
    return tuple(part.index[part == name].to_numpy(dtype="int64") for name in wanted.index)


def label_conflicts(smiles, y):
    table = pd.DataFrame({"key": [canonical_key(t) for t in smiles], "y": y}).dropna(subset="y")
    several = table.groupby("key")["y"].transform("nunique") > 1
    groups = table[several].groupby("key").groups
    return {key: rows.to_numpy() for key, rows in groups.items()}


# %% q6
class Standardiser:
    def fit(self, values):
        table = pd.DataFrame(np.asarray(values, dtype=float).reshape(len(values), -1))
        self.vector = np.ndim(values) == 1
        mean, std = table.mean(), table.std(ddof=0).where(table.nunique() > 1, 1.0)
        self.mean, self.std = (
            np.float64(column.iloc[0]) if self.vector else column.to_numpy()
            for column in (mean, std)
        )
        return self

    def transform(self, values):
        return (np.asarray(values, dtype=float) - self.mean) / self.std

    def inverse(self, values):
        return self.mean + self.std * np.asarray(values, dtype=float)


def standardise(values, train_rows):
    scaler = Standardiser().fit(
        pd.DataFrame(values).iloc[list(train_rows)].to_numpy().reshape(-1, *np.shape(values)[1:])
    )
    return scaler.transform(values), scaler


def rmse(y, p):
    return (pd.Series(y).sub(pd.Series(p)) ** 2).mean() ** 0.5


def mae(y, p):
    return pd.Series(y).sub(pd.Series(p)).abs().mean()


def r2(y, p):
    y = pd.Series(y, dtype=float)
    return (
        float("nan")
        if y.nunique() == 1
        else 1 - ((y - pd.Series(p)) ** 2).sum() / (y - y.mean()).pow(2).sum()
    )


def spearman(y, p):
    return (
        pd.Series(y).corr(pd.Series(p), method="spearman")
        if pd.Series(p).nunique() > 1 < pd.Series(y).nunique()
        else np.nan
    )


def predict(model, graphs, batch_size=256):
    model.eval()
    answers = pd.Series(np.nan, index=range(len(graphs)))
    # small graphs together with small ones, then back in order
    order = pd.Series([len(g["x"]) for g in graphs]).sort_values(kind="stable").index
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        with torch.inference_mode():
            answers.loc[rows] = (
                model(*moldata.collate([graphs[row] for row in rows])).double().numpy()
            )
    return (answers * float(model.target_std) + float(model.target_mean)).to_numpy()


# %% q7
def masked_bce(logits, y, pos_weight=None):
    # the labelled entries as a long list of (row, task)
    row, task = torch.nonzero(~torch.isnan(y), as_tuple=True)
    z, label = logits[row, task], y[row, task].to(logits.dtype)
    weight = torch.ones_like(z) if pos_weight is None else pos_weight.to(logits.dtype)[task]
    value = weight * label * -F.logsigmoid(z) - (1 - label) * F.logsigmoid(-z)
    tasks, place, count = torch.unique(task, return_inverse=True, return_counts=True)
    if not len(tasks):
        return 0.0 * logits.sum()
    return (value / count[place]).sum() / len(tasks)


def multitask_auc(y, s):
    long = pd.DataFrame(y).melt(var_name="task", value_name="y")
    long["s"] = pd.DataFrame(s).melt()["value"]
    long = long.dropna(subset="y")
    both = long.groupby("task")["y"].transform("nunique") == 2
    if not both.any():
        return float("nan")
    long = long[both].copy()
    long["rank"] = long.groupby("task")["s"].rank(method="average")
    ones = long[long.y == 1].groupby("task").agg(n=("y", "size"), total=("rank", "sum"))
    zeros = long[long.y == 0].groupby("task").size()
    return ((ones.total - ones.n * (ones.n + 1) / 2) / (ones.n * zeros)).mean()


# %% q8
def cold_split(pairs, mode, seed=0, frac=(0.7, 0.1, 0.2)):
    table = pd.DataFrame([tuple(pair) for pair in pairs], columns=["drug", "target"]).astype(str)
    rng = np.random.default_rng(seed)

    def dealt(column):
        names = pd.Series(column.unique()).sort_values()
        edges = np.round(np.cumsum([0, *frac]) * len(names))
        part = pd.cut(np.arange(len(names)) + 0.5, edges, labels=False, duplicates="drop")
        if len(set(edges)) < 4:  # an empty part has no bin
            part = np.repeat(range(3), np.diff(edges).astype(int))
        return column.map(dict(zip(rng.permutation(names), part)))

    if mode == "both":
        drug, target = dealt(table.drug), dealt(table.target)
        part = drug.where(drug == target, 3)
    elif mode == "pair":
        part = dealt(table.drug + "|" + table.target)
    else:
        part = dealt(table[mode])
    return tuple(table.index[part == number].to_numpy() for number in range(4))


def concordance_index(y, p):
    table = pd.DataFrame({"y": y, "p": p})
    both = table.merge(table, how="cross", suffixes=("", "2")).query("y > y2")
    if both.empty:
        return np.nan
    return (both.p > both.p2).mean() + 0.5 * (both.p == both.p2).mean()


def additive_baseline(train, test):
    known = pd.DataFrame([tuple(pair) for pair in train[0]], columns=["drug", "target"]).assign(
        y=train[1]
    )
    new = pd.DataFrame([tuple(pair) for pair in test], columns=["drug", "target"])
    mean = known.y.mean()
    parts = [
        new[side].map(known.groupby(side).y.mean() - mean).fillna(0.0)
        for side in ("drug", "target")
    ]
    return (mean + parts[0] + parts[1]).to_numpy(dtype="float64")


class DTANet(nn.Module):
    """Counts of codes in a table beside the encoder's vector: atoms looked at twice."""

    def __init__(self, node_dims, edge_dims, h=64, L=3, protein_dim=20):
        super().__init__()
        self.node_dims = tuple(node_dims)
        self.encoder = lab.GraphEncoder(node_dims, edge_dims, h, L)
        self.head = nn.Sequential(
            nn.Linear(h + sum(node_dims) + protein_dim, h), nn.ReLU(), nn.Linear(h, 1)
        )

    def forward(self, x, edge_index, edge_attr, batch, protein):
        codes = torch.cat(
            [F.one_hot(x[:, k], n) for k, n in enumerate(self.node_dims)], dim=1
        ).float()
        counts = torch.zeros(len(protein), codes.shape[1]).index_add(0, batch, codes) / 20
        vector = self.encoder(x, edge_index, edge_attr, batch)
        return self.head(torch.cat([vector, counts, protein], dim=1)).squeeze(1)


# %% q9
def compare(y, pa, pb, groups, B=2000, alpha=0.05, seed=0):
    table = pd.DataFrame({"group": list(groups), "y": y, "a": pa, "b": pb})
    table["in_a"], table["in_b"] = (table.y - table.a) ** 2, (table.y - table.b) ** 2
    per_group = table.groupby("group").agg(
        rows=("y", "size"), in_a=("in_a", "sum"), in_b=("in_b", "sum")
    )

    def difference(found):
        return (found["in_a"] / found["rows"]) ** 0.5 - (found["in_b"] / found["rows"]) ** 0.5

    diff = difference(per_group.sum())
    if len(per_group) == 1:
        return {"diff": diff, "lo": float("nan"), "hi": float("nan"), "verdict": "inconclusive"}
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(per_group), size=(B, len(per_group)))
    sums = {name: column.to_numpy()[drawn].sum(axis=1) for name, column in per_group.items()}
    replicates = difference(pd.DataFrame(sums))
    lo, hi = replicates.quantile(alpha / 2), replicates.quantile(1 - alpha / 2)
    return {
        "diff": diff,
        "lo": lo,
        "hi": hi,
        "verdict": "a" if hi < 0 else "b" if lo > 0 else "inconclusive",
    }
