"""Leans on SciPy, scikit-learn and RDKit's own standardisers wherever they have the thing."""

# %% q1
from sklearn.preprocessing import OrdinalEncoder

WORDS = {
    name: OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=len(known),
        categories=[[str(v) for v in known]],
    ).fit([[str(known[0])]])
    for name, known in (moldata.ATOM_FEATURES | moldata.BOND_FEATURES).items()
}


def encoded(columns):
    """Codes int64 [rows, columns] of columns of values by the feature's name."""
    found = [
        WORDS[name].transform([[str(v)] for v in values])[:, 0] if values else np.zeros(0)
        for name, values in columns.items()
    ]
    return torch.as_tensor(np.column_stack(found)).long()


def mol_to_graph(smiles):
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or not len(mol.GetAtoms()):
        return None
    atoms = mol.GetAtoms()
    x = encoded(
        {
            "element": [a.GetSymbol() for a in atoms],
            "degree": [a.GetDegree() for a in atoms],
            "charge": [a.GetFormalCharge() for a in atoms],
            "hydrogens": [a.GetTotalNumHs() for a in atoms],
            "radicals": [a.GetNumRadicalElectrons() for a in atoms],
            "aromatic": [a.GetIsAromatic() for a in atoms],
        }
    )
    # the adjacency matrix lists every bond twice, row by row
    source, target = np.nonzero(Chem.GetAdjacencyMatrix(mol))
    bonds = [mol.GetBondBetweenAtoms(int(i), int(j)) for i, j in zip(source, target)]
    attr = encoded(
        {
            "type": [b.GetBondType().name for b in bonds],
            "conjugated": [b.GetIsConjugated() for b in bonds],
        }
    )
    edges = torch.as_tensor(np.stack([source, target])).long()
    return {"edge_index": edges, "edge_attr": attr, "x": x}


# %% q2
LARGEST = rdMolStandardize.LargestFragmentChooser()
UNCHARGER = rdMolStandardize.Uncharger(True)
SETTINGS = rdMolStandardize.CleanupParameters()
SETTINGS.largestFragmentChooserCountHeavyAtomsOnly = True


def canonical_key(smiles):
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
        if mol is None or mol.GetNumAtoms() == 0:
            return None
        parent = rdMolStandardize.LargestFragmentChooser(SETTINGS).choose(mol)
        parent = UNCHARGER.uncharge(parent)
        Chem.RemoveStereochemistry(parent)
        return Chem.CanonSmiles(Chem.MolToSmiles(parent, isomericSmiles=False), useChiral=0)


def scaffold_split(smiles, frac=(0.8, 0.1, 0.1), seed=0):
    from sklearn.preprocessing import LabelEncoder
    from sklearn.utils import check_random_state

    names = []
    for text in smiles:
        key = canonical_key(text)
        core = Chem.MolToSmiles(MurckoScaffold.GetScaffoldForMol(Chem.MolFromSmiles(key)))
        names.append(core or key + " (no ring)")
    family = LabelEncoder().fit_transform(names)
    sizes = np.bincount(family)
    dice = check_random_state(seed)
    # fill test and validation as far as sums of family sizes allow; training takes the rest
    part = np.zeros(len(sizes), dtype=int)
    for number in (2, 1):
        goal = int(round(frac[number] * len(smiles)))
        room = goal
        for one in dice.permutation(len(sizes)):
            if part[one] == 0 and sizes[one] <= min(room, max(1, goal // 2)):
                part[one] = number
                room -= sizes[one]
    rows = np.arange(len(smiles))
    return tuple(rows[part[family] == number].astype("int64") for number in (0, 1, 2))


def label_conflicts(smiles, y):
    import scipy.stats

    y = np.asarray(y, dtype=float)
    keys = [canonical_key(text) for text in smiles]
    found = {}
    for key in dict.fromkeys(keys):
        rows = np.array(
            [row for row, other in enumerate(keys) if other == key and not np.isnan(y[row])],
            dtype=int,
        )
        if len(rows) > 1 and scipy.stats.mode(y[rows]).count < len(rows):
            found[key] = rows
    return found


# %% q4
class GINELayer(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.eps = nn.Parameter(torch.zeros([]))
        self.mlp = nn.Sequential(nn.Linear(h, h), nn.ReLU(inplace=True), nn.Linear(h, h))
        self.norm = nn.BatchNorm1d(num_features=h)

    def forward(self, h, edge_index, e):
        # a sparse incidence matrix [N, E] adds the messages up
        E, N = edge_index.shape[1], h.shape[0]
        where = torch.stack([edge_index[1], torch.arange(E)])
        incidence = torch.sparse_coo_tensor(where, torch.ones(E), (N, E))
        total = torch.sparse.mm(incidence, F.relu(h.index_select(0, edge_index[0]) + e))
        return F.relu(self.norm(self.mlp(h + self.eps * h + total))) + h


class MolGNN(nn.Module):
    SIZE = 13.0

    def __init__(self, node_dims, edge_dims, h=64, L=4):
        super().__init__()
        self.atoms = nn.ModuleList(nn.Embedding(codes, h) for codes in node_dims)
        self.bonds = nn.ModuleList(nn.Embedding(codes, h) for codes in edge_dims)
        self.layers = nn.ModuleList(GINELayer(h) for _ in range(L))
        self.head = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 1))
        self.register_buffer("target_mean", torch.zeros(()))
        self.register_buffer("target_std", torch.ones(()))

    @staticmethod
    def looked_up(tables, codes):
        """One lookup in all tables laid end to end."""
        sizes = torch.tensor([0] + [len(table.weight) for table in tables][:-1]).cumsum(0)
        joined = torch.cat([table.weight for table in tables])
        return F.embedding(codes + sizes, joined).sum(dim=1)

    def embed(self, x, edge_index, edge_attr, batch):
        h, e = self.looked_up(self.atoms, x), self.looked_up(self.bonds, edge_attr)
        for layer in self.layers:
            h = layer(h, edge_index, e)
        belongs = F.one_hot(batch).to(h.dtype)  # [N, B]
        return belongs.T @ h / self.SIZE

    def forward(self, x, edge_index, edge_attr, batch):
        return self.head(self.embed(x, edge_index, edge_attr, batch))[:, 0]


# %% q6
import scipy.stats
from sklearn import metrics as skm
from sklearn.preprocessing import StandardScaler


class Standardiser(StandardScaler):
    """scikit-learn's scaler, for vectors too."""

    def fit(self, values, y=None, sample_weight=None):
        values = np.asarray(values, dtype=np.float64)
        super().fit(values.reshape(len(values), -1))
        self.mean = self.mean_.reshape(values.shape[1:])
        self.std = self.scale_.reshape(values.shape[1:])
        return self

    def transform(self, values, copy=None):
        values = np.asarray(values, dtype=np.float64)
        return super().transform(values.reshape(len(values), -1)).reshape(values.shape)

    def inverse(self, values):
        values = np.asarray(values, dtype=np.float64)
        return super().inverse_transform(values.reshape(len(values), -1)).reshape(values.shape)


def standardise(values, train_rows):
    scaler = Standardiser().fit(np.take(values, train_rows, axis=0))
    return scaler.transform(values), scaler


def rmse(y, p):
    return skm.root_mean_squared_error(y, p)


def mae(y, p):
    return skm.mean_absolute_error(y, p)


def r2(y, p):
    return skm.r2_score(y, p) if len(set(np.ravel(y))) > 1 else float("nan")


def spearman(y, p):
    if np.ptp(y) == 0 or np.ptp(p) == 0:
        return float("nan")
    return scipy.stats.spearmanr(y, p).statistic


def predict(model, graphs, batch_size=256):
    from sklearn.utils import gen_batches

    was_training = model.training
    model.train(False)
    try:
        with torch.no_grad():
            parts = [
                model(*moldata.collate(graphs[rows]))
                for rows in gen_batches(len(graphs), batch_size)
            ]
    finally:
        model.train(was_training)  # as it was found
    answers = torch.cat(parts).to(torch.float64)
    return (answers * model.target_std + model.target_mean).numpy()


# %% q7
def masked_bce(logits, y, pos_weight=None):
    losses = []
    for task in range(logits.shape[1]):
        known = torch.isfinite(y[:, task])
        if known.any():
            weight = None if pos_weight is None else pos_weight[task].to(logits.dtype)
            losses.append(
                nn.BCEWithLogitsLoss(pos_weight=weight)(
                    logits[known, task], y[known, task].to(logits.dtype)
                )
            )
    return torch.stack(losses).mean() if losses else logits.sum() * 0


def multitask_auc(y, s):
    from scipy.stats import mannwhitneyu

    y, s = np.asarray(y, dtype=float), np.asarray(s, dtype=float)
    found = []
    for labels, scores in zip(y.T, s.T):
        ones, zeros = scores[labels == 1], scores[labels == 0]
        if len(ones) and len(zeros):
            found.append(mannwhitneyu(ones, zeros).statistic / (len(ones) * len(zeros)))
    return np.mean(found) if found else np.nan


# %% q8
from scipy.stats import kendalltau
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder


def cold_split(pairs, mode, seed=0, frac=(0.7, 0.1, 0.2)):
    names = [(str(a), str(b)) for a, b in pairs]

    def dealt(things, state):
        distinct = sorted(set(things))
        n_test, n_val = int(round(frac[2] * len(distinct))), int(round(frac[1] * len(distinct)))
        rest, test, val = distinct, [], []
        if n_test:
            rest, test = train_test_split(rest, test_size=n_test, random_state=state)
        if n_val:
            rest, val = train_test_split(rest, test_size=n_val, random_state=state)
        home = dict.fromkeys(rest, 0) | dict.fromkeys(val, 1) | dict.fromkeys(test, 2)
        return np.array([home[thing] for thing in things])

    by = {
        "drug": lambda: dealt([d for d, _ in names], seed),
        "target": lambda: dealt([t for _, t in names], seed + 1),
        "pair": lambda: dealt(names, seed),
    }
    if mode == "both":
        first, second = by["drug"](), by["target"]()
        part = np.where(first == second, first, 3)
    else:
        part = by[mode]()
    return tuple(np.nonzero(part == k)[0] for k in range(4))


def concordance_index(y, p):
    """From Kendall's tau-c, which is the excess of pairs in order over a known number."""
    y, p = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    n, m = len(y), min(len(np.unique(y)), len(np.unique(p)))
    _, ties = np.unique(y, return_counts=True)
    pairs = (n * (n - 1) - (ties * (ties - 1)).sum()) / 2
    if pairs == 0:
        return float("nan")
    excess = kendalltau(y, p, variant="c").statistic * n**2 * (m - 1) / m / 2 if m > 1 else 0.0
    return 0.5 + 0.5 * excess / pairs


def additive_baseline(train, test):
    pairs, y = train
    y = np.asarray(y, dtype=float)
    answer = np.full(len(test), y.mean())
    for side in (0, 1):
        column = [[str(pair[side])] for pair in pairs]
        encoder = OneHotEncoder(handle_unknown="ignore").fit(column)
        seen, new = (
            encoder.transform(column),
            encoder.transform([[str(pair[side])] for pair in test]),
        )
        levels = (seen.T @ (y - y.mean())) / np.asarray(seen.sum(axis=0)).ravel()
        answer += new @ levels
    return answer


class DTANet(nn.Module):
    """Two towers; the prediction is a dot product plus a level of each."""

    def __init__(self, node_dims, edge_dims, h=64, L=3, protein_dim=20):
        super().__init__()
        self.left = lab.GraphEncoder(node_dims, edge_dims, h, L)
        self.right = nn.Sequential(
            nn.BatchNorm1d(protein_dim), nn.Linear(protein_dim, h), nn.ELU(), nn.Linear(h, h)
        )
        self.level = nn.ModuleList([nn.Linear(h, 1), nn.Linear(h, 1)])

    def forward(self, x, edge_index, edge_attr, batch, protein):
        a, b = self.left(x, edge_index, edge_attr, batch), self.right(protein)
        return (a * b).mean(1) + self.level[0](a)[:, 0] + self.level[1](b)[:, 0]


# %% q9
from scipy.sparse import csr_array
from scipy.stats import bootstrap


def compare(y, pa, pb, groups, B=2000, alpha=0.05, seed=0):
    from sklearn.preprocessing import LabelEncoder

    y, pa, pb = (np.asarray(v, dtype=np.float64) for v in (y, pa, pb))
    code = LabelEncoder().fit_transform(np.asarray(groups))
    G = code.max() + 1
    member = csr_array((np.ones(len(y)), (code, np.arange(len(y)))), shape=(G, len(y)))
    sums = member @ np.column_stack([np.ones(len(y)), (y - pa) ** 2, (y - pb) ** 2])  # [G, 3]

    def difference(chosen, axis=-1):
        size, a, b = np.moveaxis(sums[chosen].sum(axis=-2), -1, 0)
        return np.sqrt(a / size) - np.sqrt(b / size)

    answer = {
        "diff": difference(np.arange(G)),
        "lo": np.nan,
        "hi": np.nan,
        "verdict": "inconclusive",
    }
    if G > 1:
        found = bootstrap(
            (np.arange(G),),
            difference,
            n_resamples=B,
            confidence_level=1 - alpha,
            method="percentile",
            rng=np.random.default_rng(seed),
            vectorized=True,
        ).confidence_interval
        answer["lo"], answer["hi"] = found.low, found.high
        answer["verdict"] = "a" if found.high < 0 else "b" if found.low > 0 else "inconclusive"
    return answer
