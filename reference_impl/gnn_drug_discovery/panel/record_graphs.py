"""Everything is a graph of networkx: molecules, records that belong together, drugs and targets."""

# %% q1
import networkx as nx


def as_networkx(mol):
    graph = nx.Graph()
    for atom in mol.GetAtoms():
        graph.add_node(
            atom.GetIdx(),
            element=atom.GetSymbol(),
            charge=atom.GetFormalCharge(),
            hydrogens=atom.GetTotalNumHs(),
            radicals=atom.GetNumRadicalElectrons(),
            aromatic=atom.GetIsAromatic(),
        )
    for bond in mol.GetBonds():
        graph.add_edge(
            bond.GetBeginAtomIdx(),
            bond.GetEndAtomIdx(),
            type=bond.GetBondType().name,
            conjugated=bond.GetIsConjugated(),
        )
    nx.set_node_attributes(graph, dict(graph.degree()), "degree")
    return graph


def mol_to_graph(smiles):
    try:
        mol = Chem.MolFromSmiles(smiles)
        graph = as_networkx(mol)
    except AttributeError:  # None has no atoms
        return None
    if not graph:
        return None

    def codes(told, features):
        found = []
        for name, known in features.items():
            try:
                found.append(known.index(told[name]))
            except ValueError:
                found.append(len(known))
        return found

    both = list(graph.to_directed().edges(data=True))
    return {
        "x": torch.tensor([codes(graph.nodes[n], moldata.ATOM_FEATURES) for n in sorted(graph)]),
        "edge_index": torch.tensor([[i for i, _, _ in both], [j for _, j, _ in both]]).long(),
        "edge_attr": torch.tensor([codes(t, moldata.BOND_FEATURES) for _, _, t in both])
        .long()
        .reshape(len(both), 2),
    }


# %% q2
import networkx as nx


def canonical_key(smiles):
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or mol.GetNumAtoms() == 0:
        return None
    bonds = nx.Graph()
    bonds.add_nodes_from(a.GetIdx() for a in mol.GetAtoms())
    bonds.add_edges_from((b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds())

    def text(atoms):
        return Chem.MolFragmentToSmiles(mol, atomsToUse=sorted(atoms), isomericSmiles=False)

    def heavy(atoms):
        return sum(mol.GetAtomWithIdx(n).GetAtomicNum() > 1 for n in atoms)

    largest = max(nx.connected_components(bonds), key=lambda atoms: (heavy(atoms), text(atoms)))
    piece = Chem.MolFromSmiles(text(largest))
    return Chem.MolToSmiles(
        rdMolStandardize.Uncharger(canonicalOrder=True).uncharge(piece), isomericSmiles=False
    )


def scaffold_split(smiles, frac=(0.8, 0.1, 0.1), seed=0):
    """Families are connected components of rows, compounds and scaffolds."""
    shared = nx.Graph()
    for row, text in enumerate(smiles):
        key = canonical_key(text)
        shared.add_edge(row, ("compound", key))
        scaffold = MurckoScaffold.MurckoScaffoldSmiles(mol=Chem.MolFromSmiles(key))
        if scaffold:
            shared.add_edge(row, ("scaffold", scaffold))
    families = [
        sorted(node for node in part if isinstance(node, int))
        for part in nx.connected_components(shared)
    ]
    np.random.default_rng(seed).shuffle(families)
    families.sort(key=len, reverse=True)
    wanted = [share * len(smiles) for share in frac]
    largest = min(size for size in wanted[1:] if size) / 2
    parts = [[], [], []]
    for rows in families:
        # the part that is furthest from full, in shares of itself
        full = [len(part) / size if size else 1 for part, size in zip(parts, wanted)]
        parts[0 if len(rows) > largest else int(np.argmin(full))] += rows
    return tuple(np.array(sorted(part), dtype=np.int64) for part in parts)


def label_conflicts(smiles, y):
    same = nx.Graph()
    for row, label in enumerate(y):
        if label == label:
            same.add_edge(("row", row), canonical_key(smiles[row]))
    found = {}
    for key in [node for node in same if isinstance(node, str)]:
        rows = sorted(row for _, row in same[key])
        if len({float(y[row]) for row in rows}) > 1:
            found[key] = np.array(rows, dtype=np.int64)
    return found


# %% q8
import networkx as nx


def cold_split(pairs, mode, seed=0, frac=(0.7, 0.1, 0.2)):
    screen = nx.MultiGraph()
    for row, (drug, target) in enumerate(pairs):
        screen.add_edge(("drug", str(drug)), ("target", str(target)), row=row)
    rng = np.random.default_rng(seed)

    def dealt(things):
        things = sorted(things)
        rng.shuffle(things)
        ends = np.rint(np.cumsum(frac) * len(things)).astype(int)
        ends[2] = len(things)
        return {
            tuple(thing): int(np.searchsorted(ends, n, "right")) for n, thing in enumerate(things)
        }

    sides = {side: [n for n in screen if n[0] == side] for side in ("drug", "target")}
    parts = [[], [], [], []]
    if mode == "pair":
        home = dealt({(a[1], b[1]) for a, b in pairs_of(screen)})
    else:
        home = {}
        for side in ("drug", "target") if mode == "both" else (mode,):
            home |= dealt(sides[side])
    for a, b, row in screen.edges(data="row"):
        a, b = (a, b) if a[0] == "drug" else (b, a)
        told = [home[a[1], b[1]]] if mode == "pair" else [home[n] for n in (a, b) if n in home]
        parts[told[0] if len(set(told)) == 1 else 3].append(row)
    return tuple(np.array(sorted(part), dtype=np.int64) for part in parts)


def pairs_of(screen):
    return [sorted((a, b)) for a, b in screen.edges()]


def concordance_index(y, p):
    """Of all pairs of rows, a tournament: who is above whom, truly and as predicted."""
    truth = nx.DiGraph((i, j) for i in range(len(y)) for j in range(len(y)) if y[i] > y[j])
    if not truth.number_of_edges():
        return float("nan")
    points = sum((p[i] > p[j]) + 0.5 * (p[i] == p[j]) for i, j in truth.edges)
    return float(points / truth.number_of_edges())


def additive_baseline(train, test):
    pairs, y = train
    screen, mean = nx.MultiGraph(), float(np.mean(y))
    for (drug, target), value in zip(pairs, y):
        screen.add_edge((0, drug), (1, target), y=float(value))

    def part(node):
        if node not in screen:
            return 0.0
        return screen.degree(node, weight="y") / screen.degree(node) - mean

    return np.array([mean + part((0, d)) + part((1, t)) for d, t in test], dtype=np.float64)


class DTANet(nn.Module):
    """A transformer over the atoms of each molecule, padded, that the protein joins as one more."""

    def __init__(self, node_dims, edge_dims, h=64, L=3, protein_dim=20):
        super().__init__()
        self.atoms = nn.ModuleList(nn.Embedding(n, h) for n in node_dims)
        self.bonds = nn.ModuleList(nn.Embedding(n, h) for n in edge_dims)
        self.protein = nn.Linear(protein_dim, h)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(h, 4, 2 * h, dropout=0.0, batch_first=True, norm_first=True)
            for _ in range(L)
        )
        self.head = nn.Sequential(nn.LayerNorm(h), nn.Linear(h, 1))

    def forward(self, x, edge_index, edge_attr, batch, protein):
        from torch_geometric.utils import to_dense_batch

        h = sum(table(x[:, k]) for k, table in enumerate(self.atoms))
        e = sum(table(edge_attr[:, k]) for k, table in enumerate(self.bonds))
        h = h.index_add(0, edge_index[1], torch.relu(h[edge_index[0]] + e))
        padded, there = to_dense_batch(h, batch, batch_size=len(protein))
        tokens = torch.cat([self.protein(protein)[:, None], padded], dim=1)
        there = torch.cat([torch.ones(len(protein), 1, dtype=torch.bool), there], dim=1)
        for block in self.blocks:
            tokens = block(tokens, src_key_padding_mask=~there)
        return self.head(tokens[:, 0])[:, 0]


# %% q9
def compare(y, pa, pb, groups, B=2000, alpha=0.05, seed=0):
    import heapq
    import random

    import networkx as nx

    membership = nx.Graph()
    for row, group in enumerate(groups):
        membership.add_edge(("row", row), ("group", str(group)))
    blocks = []
    for node in membership:
        if node[0] == "group":
            rows = [row for _, row in membership[node]]
            errors = [sum((float(y[r]) - float(p[r])) ** 2 for r in rows) for p in (pa, pb)]
            blocks.append((len(rows), *errors))

    def difference(drawn):
        size, a, b = (sum(column) for column in zip(*drawn))
        return (a / size) ** 0.5 - (b / size) ** 0.5

    lo = hi = float("nan")
    if len(blocks) > 1:
        random.seed(seed)
        replicates = [difference(random.choices(blocks, k=len(blocks))) for _ in range(B)]
        tail = max(1, round(alpha / 2 * B))
        lo, hi = heapq.nsmallest(tail, replicates)[-1], heapq.nlargest(tail, replicates)[-1]
    verdict = "a" if hi < 0 else "b" if lo > 0 else "inconclusive"
    return {"diff": difference(blocks), "lo": lo, "hi": hi, "verdict": verdict}
