"""Plain Python: loops, lists, dictionaries and the math module instead of arrays."""


# %% q1
def mol_to_graph(smiles):
    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        return None
    if mol.GetNumAtoms() == 0:
        return None
    elements = list(moldata.ATOM_FEATURES["element"])
    rows = []
    for atom in mol.GetAtoms():
        row = []
        if atom.GetSymbol() in elements:
            row.append(elements.index(atom.GetSymbol()))
        else:
            row.append(len(elements))
        degree = atom.GetDegree()
        row.append(degree if degree <= 4 else 5)
        charge = atom.GetFormalCharge()
        row.append(charge + 1 if -1 <= charge <= 1 else 3)
        hydrogens = atom.GetTotalNumHs()
        row.append(hydrogens if hydrogens <= 4 else 5)
        radicals = atom.GetNumRadicalElectrons()
        row.append(radicals if radicals <= 1 else 2)
        row.append(1 if atom.GetIsAromatic() else 0)
        rows.append(row)
    sources, targets, codes = [], [], []
    for i in range(mol.GetNumAtoms()):
        for j in range(mol.GetNumAtoms()):
            bond = mol.GetBondBetweenAtoms(i, j)
            if bond is None:
                continue
            sources.append(i)
            targets.append(j)
            name = bond.GetBondType().name
            kind = 4
            if name in ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC"):
                kind = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC").index(name)
            codes.append([kind, int(bond.GetIsConjugated())])
    return {
        "x": torch.LongTensor(rows),
        "edge_index": torch.LongTensor([sources, targets]),
        "edge_attr": torch.LongTensor(codes).view(len(codes), 2),
    }


# %% q2
def canonical_key(smiles):
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or mol.GetNumAtoms() < 1:
        return None
    best = None
    for fragment in Chem.GetMolFrags(mol, asMols=True):
        if best is None or fragment.GetNumHeavyAtoms() > best.GetNumHeavyAtoms():
            best = fragment
        elif fragment.GetNumHeavyAtoms() == best.GetNumHeavyAtoms():
            if Chem.MolToSmiles(fragment, isomericSmiles=False) < Chem.MolToSmiles(
                best, isomericSmiles=False
            ):
                best = fragment
    best = rdMolStandardize.Uncharger().uncharge(best)
    flat = Chem.MolToSmiles(best, isomericSmiles=False)
    # once more from the text, so that the key is its own key
    again = Chem.MolFromSmiles(flat)
    return Chem.MolToSmiles(again, isomericSmiles=False)


def scaffold_split(smiles, frac=(0.8, 0.1, 0.1), seed=0):
    import random

    families = {}
    for row in range(len(smiles)):
        key = canonical_key(smiles[row])
        core = MurckoScaffold.MurckoScaffoldSmiles(mol=Chem.MolFromSmiles(key))
        name = ("ring", core) if core else ("chain", key)
        if name not in families:
            families[name] = []
        families[name].append(row)
    wanted = [share * len(smiles) for share in frac]
    random_order = random.Random(seed)
    best, best_miss = None, None
    # several shuffles, the one that comes closest to the sizes asked for
    for _ in range(50):
        groups = list(families.values())
        random_order.shuffle(groups)
        groups.sort(key=lambda rows: len(rows) > 0.02 * len(smiles), reverse=True)
        parts = ([], [], [])
        for rows in groups:
            lacking = [wanted[k] - len(parts[k]) for k in range(3)]
            k = lacking.index(max(lacking))
            parts[k].extend(rows)
        miss = max(abs(wanted[k] - len(parts[k])) for k in range(3))
        if best is None or miss < best_miss:
            best, best_miss = parts, miss
        if best_miss <= 1:
            break
    return tuple(np.array(rows, dtype=np.int64) for rows in best)


def label_conflicts(smiles, y):
    labelled = {}
    for row in range(len(smiles)):
        label = float(y[row])
        if label != label:
            continue
        key = canonical_key(smiles[row])
        labelled.setdefault(key, {}).setdefault(label, []).append(row)
    conflicts = {}
    for key in labelled:
        if len(labelled[key]) >= 2:
            rows = sorted(row for same in labelled[key].values() for row in same)
            conflicts[key] = np.array(rows, dtype=np.int64)
    return conflicts


# %% q3
def gcn_layer(x, edge_index, W, b):
    n = x.shape[0]
    degree = [1.0] * n
    edges = []
    for source, target in edge_index.T.tolist():
        if source != target:
            degree[target] += 1.0
            edges.append((source, target))
    transformed = (x @ W).unbind(0)
    rows = [transformed[i] / degree[i] for i in range(n)]
    for source, target in edges:
        weight = 1.0 / (degree[source] * degree[target]) ** 0.5
        rows[target] = rows[target] + weight * transformed[source]
    return torch.stack(rows) + b


def gin_layer(x, edge_index, W1, b1, W2, b2, eps=0.0):
    own = x.unbind(0)
    rows = [(1.0 + eps) * row for row in own]
    for source, target in edge_index.T.tolist():
        rows[target] = rows[target] + own[source]
    hidden = (torch.stack(rows) @ W1 + b1).clamp(min=0)
    return hidden @ W2 + b2


# %% q4
class GINELayer(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.eps = nn.Parameter(torch.tensor(0.0))
        self.mlp = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, h))
        self.norm = nn.BatchNorm1d(h)

    def forward(self, h, edge_index, e):
        messages = torch.relu(h[edge_index[0]] + e)
        heard = [[] for _ in range(len(h))]
        for place, target in enumerate(edge_index[1].tolist()):
            heard[target].append(place)
        nothing = torch.zeros(h.shape[1])
        sums = torch.stack([messages[places].sum(0) if places else nothing for places in heard])
        return h + torch.relu(self.norm(self.mlp((1 + self.eps) * h + sums)))


class MolGNN(nn.Module):
    SIZE = 13.0

    def __init__(self, node_dims, edge_dims, h=64, L=4):
        super().__init__()
        self.register_buffer("target_mean", torch.tensor(0.0))
        self.register_buffer("target_std", torch.tensor(1.0))
        self.atoms = nn.ModuleList()
        for codes in node_dims:
            self.atoms.append(nn.Embedding(codes, h))
        self.bonds = nn.ModuleList()
        for codes in edge_dims:
            self.bonds.append(nn.Embedding(codes, h))
        self.layers = nn.ModuleList()
        for _ in range(L):
            self.layers.append(GINELayer(h))
        self.head = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 1))

    def embed(self, x, edge_index, edge_attr, batch):
        h = torch.zeros(len(x), self.head[0].in_features)
        for column in range(x.shape[1]):
            h = h + self.atoms[column](x[:, column])
        e = torch.zeros(len(edge_attr), h.shape[1])
        for column in range(edge_attr.shape[1]):
            e = e + self.bonds[column](edge_attr[:, column])
        for layer in self.layers:
            h = layer(h, edge_index, e)
        molecules = []
        for number in range(batch.max().item() + 1):
            molecules.append(h[batch == number].sum(dim=0) / self.SIZE)
        return torch.stack(molecules)

    def forward(self, x, edge_index, edge_attr, batch):
        return self.head(self.embed(x, edge_index, edge_attr, batch)).flatten()


# %% q6
import math


class Standardiser:
    def fit(self, values):
        table = [list(np.atleast_1d(row)) for row in values]
        self.mean, self.std = [], []
        for column in zip(*table):
            mean = math.fsum(column) / len(column)
            spread = math.sqrt(math.fsum((v - mean) ** 2 for v in column) / len(column))
            self.mean.append(mean)
            self.std.append(spread if min(column) != max(column) else 1.0)
        if np.ndim(values) == 1:
            self.mean, self.std = self.mean[0], self.std[0]
        self.mean, self.std = np.array(self.mean), np.array(self.std)
        return self

    def transform(self, values):
        return (np.array(values, dtype=np.float64) - self.mean) / self.std

    def inverse(self, values):
        return np.array(values, dtype=np.float64) * self.std + self.mean


def standardise(values, train_rows):
    scaler = Standardiser()
    scaler.fit([values[row] for row in train_rows])
    return scaler.transform(values), scaler


def rmse(y, p):
    total = 0.0
    for a, b in zip(y, p):
        total += (float(a) - float(b)) ** 2
    return math.sqrt(total / len(y))


def mae(y, p):
    return math.fsum(abs(float(a) - float(b)) for a, b in zip(y, p)) / len(y)


def r2(y, p):
    mean = math.fsum(y) / len(y)
    if all(value == y[0] for value in y):
        return math.nan
    missed = math.fsum((a - b) ** 2 for a, b in zip(y, p))
    return 1.0 - missed / math.fsum((a - mean) ** 2 for a in y)


def spearman(y, p):
    def ranks(values):
        order = sorted(range(len(values)), key=lambda i: values[i])
        found, start = [0.0] * len(values), 0
        while start < len(order):
            end = start
            while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
                end += 1
            for place in range(start, end + 1):
                found[order[place]] = (start + end) / 2 + 1
            start = end + 1
        return found

    a, b = ranks(list(y)), ranks(list(p))
    middle = (len(a) + 1) / 2
    top = sum((i - middle) * (j - middle) for i, j in zip(a, b))
    below = sum((i - middle) ** 2 for i in a) * sum((j - middle) ** 2 for j in b)
    return top / math.sqrt(below) if below > 0 else float("nan")


def predict(model, graphs, batch_size=256):
    # one graph at a time: no batch can change an answer
    model.eval()
    answers = []
    for graph in graphs:
        with torch.no_grad():
            standard = model(*moldata.collate([graph]))
        answers.append(model.target_mean.item() + model.target_std.item() * standard.item())
    return np.array(answers, dtype=np.float64)


# %% q7
def masked_bce(logits, y, pos_weight=None):
    rows, tasks = y.shape
    voices = []
    for t in range(tasks):
        terms = []
        for i in range(rows):
            label = float(y[i, t])
            if label != label:
                continue
            z = logits[i, t]
            weight = 1.0 if pos_weight is None else pos_weight[t]
            terms.append(weight * F.softplus(-z) if label == 1 else F.softplus(z))
        if terms:
            voices.append(sum(terms) / len(terms))
    if not voices:
        return (logits * 0.0).sum()
    return sum(voices) / len(voices)


def multitask_auc(y, s):
    found = []
    for t in range(len(y[0])):
        positive = [float(s[i][t]) for i in range(len(y)) if y[i][t] == 1]
        negative = [float(s[i][t]) for i in range(len(y)) if y[i][t] == 0]
        if positive and negative:
            won = 0.0
            for a in positive:
                for b in negative:
                    won += 1.0 if a > b else 0.5 if a == b else 0.0
            found.append(won / (len(positive) * len(negative)))
    return sum(found) / len(found) if found else float("nan")


# %% q8
import random


def cold_split(pairs, mode, seed=0, frac=(0.7, 0.1, 0.2)):
    generator = random.Random(seed)

    def deal(things):
        names = sorted(set(things), key=str)
        generator.shuffle(names)
        first = round(frac[0] * len(names))
        second = first + round(frac[1] * len(names))
        home = {}
        for place, name in enumerate(names):
            home[name] = 0 if place < first else 1 if place < second else 2
        return home

    rows = [(pair[0], pair[1]) for pair in pairs]
    parts = [[], [], [], []]
    if mode == "pair":
        home = deal(rows)
        where = [home[row] for row in rows]
    elif mode == "drug":
        home = deal([d for d, _ in rows])
        where = [home[d] for d, _ in rows]
    elif mode == "target":
        home = deal([t for _, t in rows])
        where = [home[t] for _, t in rows]
    else:
        drugs, targets = deal([d for d, _ in rows]), deal([t for _, t in rows])
        where = [drugs[d] if drugs[d] == targets[t] else 3 for d, t in rows]
    for row, part in enumerate(where):
        parts[part].append(row)
    return [np.array(part, dtype=np.int64) for part in parts]


def concordance_index(y, p):
    right, count = 0.0, 0
    for i in range(len(y)):
        for j in range(len(y)):
            if y[i] > y[j]:
                count += 1
                right += 1.0 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0.0
    return right / count if count else float("nan")


def additive_baseline(train, test):
    pairs, y = train
    mean = sum(y) / len(y)
    by_drug, by_target = {}, {}
    for (drug, target), value in zip(pairs, y):
        by_drug.setdefault(drug, []).append(value)
        by_target.setdefault(target, []).append(value)
    predictions = []
    for drug, target in test:
        answer = mean
        if drug in by_drug:
            answer += sum(by_drug[drug]) / len(by_drug[drug]) - mean
        if target in by_target:
            answer += sum(by_target[target]) / len(by_target[target]) - mean
        predictions.append(answer)
    return np.array(predictions, dtype=np.float64)


class DTANet(nn.Module):
    def __init__(self, node_dims, edge_dims, h=64, L=3, protein_dim=20):
        super().__init__()
        self.drug = lab.GraphEncoder(node_dims, edge_dims, h, L)
        self.hidden = nn.Linear(h + protein_dim, h)
        self.last = nn.Linear(h, 1)

    def forward(self, x, edge_index, edge_attr, batch, protein):
        drug = self.drug(x, edge_index, edge_attr, batch)
        return self.last(torch.relu(self.hidden(torch.cat([drug, protein], dim=1)))).view(-1)


# %% q9
def compare(y, pa, pb, groups, B=2000, alpha=0.05, seed=0):
    import math
    import random

    def error(rows, p):
        return math.sqrt(sum((y[row] - p[row]) ** 2 for row in rows) / len(rows))

    members = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    sums = [
        (len(rows), sum((y[r] - pa[r]) ** 2 for r in rows), sum((y[r] - pb[r]) ** 2 for r in rows))
        for rows in members.values()
    ]
    everything = range(len(y))
    diff = error(everything, pa) - error(everything, pb)
    if len(sums) == 1:
        return {"diff": diff, "lo": math.nan, "hi": math.nan, "verdict": "inconclusive"}
    generator = random.Random(seed)
    replicates = []
    for _ in range(B):
        size = a = b = 0.0
        for count, in_a, in_b in generator.choices(sums, k=len(sums)):
            size += count
            a += in_a
            b += in_b
        replicates.append(math.sqrt(a / size) - math.sqrt(b / size))
    replicates.sort()
    lo = replicates[int(alpha / 2 * (B - 1))]
    hi = replicates[math.ceil((1 - alpha / 2) * (B - 1))]
    verdict = "inconclusive"
    if hi < 0:
        verdict = "a"
    elif lo > 0:
        verdict = "b"
    return {"diff": float(diff), "lo": float(lo), "hi": float(hi), "verdict": verdict}
