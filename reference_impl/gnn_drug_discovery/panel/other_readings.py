"""Where the text leaves a choice, the other one: coarser families, doubles, other orders."""

# %% q1
from collections import OrderedDict


def mol_to_graph(smiles):
    """The edges in the order of a walk through the molecule, deepest first."""
    settings = Chem.SmilesParserParams()
    settings.allowCXSMILES = True
    mol = Chem.MolFromSmiles(smiles, settings)
    if mol is None or mol.GetNumAtoms() == 0:
        return None
    walked, seen = [], set()

    def walk(atom):
        seen.add(atom.GetIdx())
        for bond in atom.GetBonds():
            other = bond.GetOtherAtom(atom)
            if bond.GetIdx() not in walked:
                walked.append(bond.GetIdx())
            if other.GetIdx() not in seen:
                walk(other)

    for atom in mol.GetAtoms():
        if atom.GetIdx() not in seen:
            walk(atom)
    elements, kinds = moldata.ATOM_FEATURES["element"], moldata.BOND_FEATURES["type"]
    x = torch.zeros(mol.GetNumAtoms(), 6).long()
    for atom in mol.GetAtoms():
        symbol, charge = atom.GetSymbol(), atom.GetFormalCharge()
        x[atom.GetIdx()] = torch.tensor(
            [
                elements.index(symbol) if symbol in elements else len(elements),
                min(atom.GetDegree(), 5),
                charge + 1 if abs(charge) < 2 else 3,
                min(atom.GetTotalNumHs(), 5),
                min(atom.GetNumRadicalElectrons(), 2),
                int(atom.GetIsAromatic()),
            ]
        )
    edges, codes = [], []
    for number in walked:
        bond = mol.GetBondWithIdx(number)
        i, j, name = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond.GetBondType().name
        code = (kinds.index(name) if name in kinds else len(kinds), int(bond.GetIsConjugated()))
        edges += [(j, i), (i, j)]
        codes += [code, code]
    return OrderedDict(
        edge_attr=torch.tensor(codes, dtype=torch.int64).reshape(-1, 2),
        edge_index=torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T,
        x=x,
    )


# %% q2
def canonical_key(smiles):
    """Uncharged first, each piece by itself; then the largest piece."""
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or mol.GetNumAtoms() == 0:
        return None
    pieces = []
    for piece in Chem.GetMolFrags(mol, asMols=True):
        neutral = rdMolStandardize.Uncharger(canonicalOrder=True).uncharge(piece)
        Chem.RemoveStereochemistry(neutral)
        pieces.append((neutral.GetNumHeavyAtoms(), Chem.MolToSmiles(neutral, isomericSmiles=False)))
    return max(pieces)[1]


def scaffold_split(smiles, frac=(0.8, 0.1, 0.1), seed=0):
    """Rings of one shape are one family, whatever their elements: coarser, so nothing is shared."""
    families = {}
    for row, text in enumerate(smiles):
        mol = Chem.MolFromSmiles(canonical_key(text))
        core = MurckoScaffold.GetScaffoldForMol(mol)
        name = f"no ring {Chem.MolToSmiles(mol)}"
        if core.GetNumAtoms():
            name = Chem.MolToSmiles(MurckoScaffold.MakeScaffoldGeneric(core))
        families.setdefault(name, []).append(row)
    rng = np.random.default_rng(seed)
    groups = [families[name] for name in sorted(families)]
    groups = [groups[k] for k in rng.permutation(len(groups))]
    groups.sort(key=len, reverse=True)
    wanted = np.array(frac) * len(smiles)
    parts = [[], [], []]
    for rows in groups:
        room = wanted - [len(part) for part in parts]
        large = len(rows) > wanted[wanted > 0].min() / 2
        parts[0 if large else int(np.argmax(room))].extend(rows)
    for part in parts:
        rng.shuffle(part)  # rows in no order
    return tuple(np.array(part, dtype=np.int64) for part in parts)


def label_conflicts(smiles, y):
    rows_of = {}
    for row in reversed(range(len(smiles))):
        if not pd.isna(y[row]):
            rows_of.setdefault(canonical_key(smiles[row]), []).insert(0, row)
    return {
        key: np.array(rows, dtype=np.int64)
        for key, rows in rows_of.items()
        if max(y[row] for row in rows) != min(y[row] for row in rows)
    }


# %% q3
def gcn_layer(x, edge_index, W, b):
    """Adds up in double precision along sorted edges, by differences of cumulated sums."""
    n, kind = len(x), x.dtype
    x, W = x.double(), W.double()
    source, target = edge_index[:, edge_index[0] != edge_index[1]]
    source, target = torch.cat([source, torch.arange(n)]), torch.cat([target, torch.arange(n)])
    order = torch.argsort(target)
    source, target = source[order], target[order]
    ends = torch.bincount(target, minlength=n).cumsum(0)
    degree = torch.diff(ends, prepend=torch.zeros(1, dtype=torch.int64)).double()
    message = (x / degree.sqrt()[:, None])[source] / degree.sqrt()[target][:, None]
    total = message.cumsum(0)[ends - 1]
    gathered = torch.diff(total, dim=0, prepend=torch.zeros(1, x.shape[1], dtype=x.dtype))
    return (gathered @ W + b.double()).to(kind)


def gin_layer(x, edge_index, W1, b1, W2, b2, eps=0.0):
    """Each round takes one more edge of every node: as many rounds as the largest degree."""
    source, target = edge_index
    order = torch.argsort(target, stable=True)
    source, target = source[order], target[order]
    count = torch.bincount(target, minlength=len(x))
    place = torch.arange(len(target)) - (count.cumsum(0) - count)[target]
    u = (1 + eps) * x
    for turn in range(int(count.max())):
        now = place == turn
        padded = torch.zeros_like(x)
        padded = padded.index_copy(0, target[now], x[source[now]])
        u = u + padded
    return torch.relu(u @ W1 + b1) @ W2 + b2


# %% q4
class GINELayer(nn.ModuleDict):
    def __init__(self, h):
        mlp = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, h))
        super().__init__({"mlp": mlp, "norm": nn.BatchNorm1d(h)})
        self.register_parameter("eps", nn.Parameter(torch.tensor(0.0)))

    def forward(self, h, edge_index, e):
        heard = torch.zeros(h.shape, dtype=torch.float64)
        heard = heard.index_add(0, edge_index[1], torch.relu(h[edge_index[0]] + e).double())
        return h + torch.relu(self["norm"](self["mlp"](h + self.eps * h + heard.to(h.dtype))))


class MolGNN(nn.Module):
    SIZE = 13.0

    def __init__(self, node_dims, edge_dims, h=64, L=4):
        super().__init__()
        self.register_buffer("target_mean", torch.tensor(0.0))
        self.register_buffer("target_std", torch.tensor(1.0))
        for name, dims in (("atoms", node_dims), ("bonds", edge_dims)):
            setattr(self, name, nn.ModuleList([nn.Embedding(codes, h) for codes in dims]))
        self.layers = nn.ModuleList([GINELayer(h) for _ in range(L)])
        self.head = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 1))

    def embed(self, x, edge_index, edge_attr, batch):
        h = self.atoms[0](x[:, 0])
        for table, codes in zip(self.atoms[1:], x.T[1:]):
            h = h + table(codes)
        e = self.bonds[0](edge_attr[:, 0])
        for table, codes in zip(self.bonds[1:], edge_attr.T[1:]):
            e = e + table(codes)
        for layer in self.layers:
            h = layer(h, edge_index, e)
        # every atom's share first, then the sum
        return torch.zeros(int(batch.max()) + 1, h.shape[1], dtype=h.dtype).index_add(
            0, batch, h / self.SIZE
        )

    def forward(self, x, edge_index, edge_attr, batch):
        return self.head(self.embed(x, edge_index, edge_attr, batch)).mean(dim=1)


# %% q5
def train_regressor(train, val, seed=0, device="cpu", max_seconds=60.0):
    """In double precision, with a rate that halves when validation stops falling."""
    began = time.monotonic()
    torch.manual_seed(seed)
    shuffler = torch.Generator().manual_seed(seed)
    y = np.asarray(train[1], dtype=np.float64)
    scaler = [y.mean(), np.sqrt(np.mean((y - y.mean()) ** 2))]
    z = torch.tensor((y - scaler[0]) / scaler[1])
    model = MolGNN(moldata.NODE_DIMS, moldata.EDGE_DIMS).to(device).double()
    optimiser = torch.optim.RAdam(model.parameters(), lr=3e-3)
    plan = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.5, patience=3)
    watched = moldata.collate(val[0])
    history, out_of_time = [], False
    while len(history) < 35 and not out_of_time:
        model.train()
        losses = []
        for rows in torch.randperm(len(y), generator=shuffler).split(24):
            if len(rows) < 2:
                continue
            graphs_in = moldata.collate([train[0][row] for row in rows.tolist()])
            out = model(*(part.to(device) for part in graphs_in))
            loss = F.mse_loss(out, z[rows].to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss))
            out_of_time = time.monotonic() - began > max_seconds
            if out_of_time:
                break
        model.eval()
        with torch.no_grad():
            p = scaler[0] + scaler[1] * model(*(part.to(device) for part in watched)).cpu().numpy()
        history.append((np.mean(losses), np.sqrt(np.mean((p - np.asarray(val[1])) ** 2))))
        plan.step(history[-1][1])
    model = model.float().cpu().eval()
    model.target_mean.fill_(scaler[0])
    model.target_std.fill_(scaler[1])
    model.history = history
    return model


# %% q5
sol_model = None
with lab.needs("q4", "q5"):
    sol_model = coursekit.load_or_train(
        "a2_sol.safetensors",
        build=lambda: MolGNN(moldata.NODE_DIMS, moldata.EDGE_DIMS),
        train=lambda: train_regressor(
            (graphs["train"], sol["train"].y),
            (graphs["val"], sol["val"].y),
            seed=0,
            device=device,
            max_seconds=180,
        ),
        metadata={"seed": "0"},
    )
