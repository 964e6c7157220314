"""Which system calls the course's work makes, and which of them rooms refuse.

Run ``python benchmarks/syscalls.py`` to trace every kind of work, or name some. It needs ``strace``
and, for ``gnn``, the package ``rdkit``. The work runs outside rooms, where nothing is refused, so
a library's first choice is seen and not what it falls back on.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from autograder.room import syscalls

_LINE = re.compile(r"^\d+\s+(\w+)\((.*)$")
_SHOWN = {"ioctl": 1, "prctl": 0, "personality": 0, "socket": 0, "socketpair": 0}
"""Calls on whose arguments the filter decides, and the argument's place."""


def cnn() -> None:
    """Train, keep, load and evaluate a convolutional network, with and without loader workers."""
    import torch
    import torchvision
    from safetensors.torch import load_file, save_file
    from torch.utils.data import DataLoader, TensorDataset
    from torchvision.transforms import v2

    network = torchvision.models.resnet18(num_classes=2)
    flip = v2.RandomHorizontalFlip()
    optimiser = torch.optim.Adam(network.parameters())
    data = TensorDataset(torch.randn(32, 3, 32, 32), torch.randint(0, 2, (32,)))
    torch.set_num_threads(2)
    for workers in (0, 2):
        for x, y in DataLoader(data, batch_size=16, shuffle=True, num_workers=workers):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(flip(x)), y).backward()
            optimiser.step()
    save_file(network.state_dict(), "weights.safetensors")
    torch.save(network.state_dict(), "weights.pt")
    network.load_state_dict(load_file("weights.safetensors"))
    network.load_state_dict(torch.load("weights.pt", weights_only=True))
    with torch.inference_mode():
        network.eval()(data.tensors[0])


def gnn() -> None:
    """Train a graph network on molecules."""
    import torch
    from rdkit import Chem
    from rdkit.Chem import AllChem, Descriptors, Draw
    from torch_geometric.data import Data
    from torch_geometric.loader import DataLoader
    from torch_geometric.nn import GCNConv, global_mean_pool

    def graph(smiles: str) -> Data:
        molecule = Chem.MolFromSmiles(smiles)
        atoms = [[atom.GetAtomicNum(), atom.GetDegree()] for atom in molecule.GetAtoms()]
        ends = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()]
        weight = Descriptors.MolWt(molecule)
        return Data(torch.tensor(atoms).float(), torch.tensor(ends).T, y=torch.tensor([weight]))

    graphs = [graph(smiles) for smiles in ("CCO", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O")]
    first, last = GCNConv(2, 8), torch.nn.Linear(8, 1)
    for workers in (0, 2):
        for batch in DataLoader(graphs, batch_size=2, num_workers=workers):
            hidden = first(batch.x, batch.edge_index).relu()
            last(global_mean_pool(hidden, batch.batch)).sum().backward()
    molecule = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    AllChem.MMFFOptimizeMolecule(molecule)
    Draw.MolToImage(molecule).save("molecule.png")


def gan() -> None:
    """Train a small GAN and show a grid of its images."""
    import torch
    from torchvision.utils import make_grid, save_image

    generator = torch.nn.Sequential(
        torch.nn.ConvTranspose2d(8, 16, 4), torch.nn.BatchNorm2d(16), torch.nn.ReLU(),
        torch.nn.ConvTranspose2d(16, 1, 4, 2), torch.nn.Tanh(),
    )  # fmt: skip
    critic = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(100, 1))
    optimisers = [torch.optim.Adam(part.parameters(), fused=True) for part in (generator, critic)]
    for _ in range(3):
        for sign, optimiser in zip((-1, 1), optimisers, strict=True):
            optimiser.zero_grad()
            (sign * critic(generator(torch.randn(16, 8, 1, 1))).mean()).backward()
            optimiser.step()
    save_image(make_grid(generator(torch.randn(16, 8, 1, 1))), "grid.png")


def plots() -> None:
    """Load, analyse and plot a table, with figures inline."""
    import matplotlib

    matplotlib.use("module://matplotlib_inline.backend_inline")
    import matplotlib.pyplot as plt
    import numpy as np
    import pandas as pd
    from scipy import stats
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.manifold import TSNE
    from sklearn.model_selection import cross_val_score

    numbers = np.random.default_rng(1)
    table = pd.DataFrame(numbers.normal(size=(60, 4)), columns=list("abcd"))
    table["class"] = (table.a > 0).astype(int)
    table.to_csv("table.csv", index=False)
    table.to_pickle("table.pkl")
    table = pd.read_csv("table.csv")
    repr(table.groupby("class").describe())
    stats.ttest_ind(table.a, table.b)
    forest = RandomForestClassifier(20, n_jobs=2)
    cross_val_score(forest, table[list("abcd")], table["class"], cv=2, n_jobs=2)
    PCA(2).fit(table[list("abcd")])
    TSNE(perplexity=5, n_jobs=2).fit_transform(table[list("abcd")])
    figure, axes = plt.subplots(2, 2)
    axes[0, 0].hist(table.a)
    axes[0, 1].imshow(table.corr())
    axes[1, 0].scatter(table.a, table.b, c=table["class"])
    axes[1, 1].boxplot(table[list("abcd")])
    axes[1, 1].set_title("μ ± σ, $x^2$")
    for kind in ("png", "pdf", "svg"):
        figure.savefig(f"figure.{kind}")
    plt.show()


def notebook() -> None:
    """What notebooks do besides: files, programs, threads, processes, clocks, magics."""
    for part in (_files, _programs, _processes, _clocks, _magics):
        part()


def _files() -> None:
    import fcntl
    import mmap
    import os
    import shutil
    import sqlite3
    import tempfile
    import zipfile

    import numpy as np
    from PIL import Image

    Image.new("RGB", (8, 8)).save("image.png")
    Image.open("image.png").resize((4, 4)).convert("L").save("image.jpg")
    np.savez_compressed("arrays.npz", a=np.arange(9))
    np.save("array.npy", np.arange(9))
    np.load("array.npy", mmap_mode="r").sum()
    with zipfile.ZipFile("files.zip", "w") as archive:
        archive.write("image.png")
    shutil.unpack_archive("files.zip", "unpacked")
    shutil.make_archive("packed", "gztar", "unpacked")
    shutil.copytree("unpacked", "copied")
    shutil.move("copied", "moved")
    shutil.rmtree("moved")
    with sqlite3.connect("base.sqlite") as base:
        base.execute("pragma journal_mode=wal")
        base.execute("create table t (x)")
        base.execute("insert into t values (1)")
    with tempfile.NamedTemporaryFile() as file, tempfile.TemporaryDirectory():
        file.write(b"x" * 5000)
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        os.fsync(file.fileno())
        os.ftruncate(file.fileno(), 4096)
        mmap.mmap(file.fileno(), 4096).close()
    os.link("image.png", "hard.png")
    os.symlink("image.png", "soft.png")
    os.chmod("hard.png", 0o600)
    os.utime("hard.png")
    os.mkfifo("fifo")
    os.statvfs(".")
    os.listxattr(".")
    shutil.disk_usage("/")


def _programs() -> None:
    import os
    import subprocess

    subprocess.run("ls -la | head -3; cat image.png > copy.png; cp copy.png copy2.png; df .; nproc;"
                   "free; uname -a; ps aux | wc; du -s .; find . -name '*.png'; grep -r x .;"
                   "mv copy2.png copy3.png; rm copy3.png; touch x; sleep 0.1; id; date; tail -1 x;"
                   "tar czf x.tgz x; sort x; unzip -l files.zip; git --version",
                   shell=True, capture_output=True)  # fmt: skip
    subprocess.run([sys.executable, "-m", "pip", "list"], capture_output=True)
    subprocess.run(["bash", "-c", "for i in 1 2; do echo $i & done; wait"], capture_output=True)
    os.system("true")
    os.popen("echo x").read()
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def _square(x: int) -> int:
    return x * x


def _processes() -> None:
    import asyncio
    import multiprocessing
    import os
    import resource
    import socket
    import threading
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
    from multiprocessing import shared_memory

    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2) as processes:
        list(threads.map(_square, range(4)))
        list(processes.map(_square, range(4)))
    for way in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(way)
        with context.Pool(2) as pool:
            pool.map(_square, range(4))
        queue = context.Queue()
        queue.put(1)
        queue.get()
        context.Value("i", 1)
    shared = shared_memory.SharedMemory(create=True, size=4096)
    shared.close()
    shared.unlink()
    multiprocessing.Manager().dict(a=1)
    threading.Timer(0.01, print).start()
    left, right = socket.socketpair()
    left.sendall(b"x")
    right.recv(1)
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.listen()
    server.close()

    async def wait() -> None:
        await asyncio.to_thread(_square, 2)
        await (await asyncio.create_subprocess_shell("true")).wait()

    asyncio.run(wait())
    resource.getrusage(resource.RUSAGE_SELF)
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    os.nice(1)
    os.getpriority(os.PRIO_PROCESS, 0)
    os.getloadavg()
    os.getrandom(8)


def _clocks() -> None:
    import select
    import signal
    import time
    import timeit

    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.alarm(1)
    signal.pause()
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.sigwait([signal.SIGALRM]) if signal.pthread_sigmask(
        signal.SIG_BLOCK, [signal.SIGALRM]
    ) is not None else None
    time.sleep(0.01)
    time.process_time()
    time.clock_getres(time.CLOCK_MONOTONIC)
    timeit.timeit("1 + 1")
    select.select([], [], [], 0.01)
    select.epoll().poll(0.01)


def _magics() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    for line in ("%timeit -n 1 1", "!ls", "%ls", "%cd .", "%env", "%%bash\nls", "%%time\n1",
                 "%%writefile cell.py\nx = 1", "%run cell.py", "%matplotlib inline", "%pip list",
                 "%%capture\nprint(1)", "from tqdm.auto import tqdm; list(tqdm([1]))",
                 "import psutil; psutil.virtual_memory(); psutil.Process().memory_info()",
                 ):  # fmt: skip
        shell.run_cell(line)


WORK: dict[str, Callable[[], None]] = {
    "cnn": cnn, "gnn": gnn, "gan": gan, "plots": plots, "notebook": notebook
}  # fmt: skip


def traced(kind: str) -> Counter[tuple[str, str]]:
    """Run one kind of work under ``strace``: how often each call, with its argument, was made."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record"
        command = ["strace", "-f", "-qq", "-s", "0", "-X", "raw", "-e", "signal=none", "-o", record]
        work = Path(folder) / "work"
        work.mkdir()
        subprocess.run(
            [*command, sys.executable, Path(__file__).resolve(), "--work", kind],
            cwd=work, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        with record.open(errors="replace") as lines:
            return Counter(_call(found) for found in map(_LINE.match, lines) if found)


def _call(found: re.Match[str]) -> tuple[str, str]:
    name, rest = found.groups()
    if name not in _SHOWN:
        return name, ""
    argument = re.split("[, )]+", rest)[_SHOWN[name]]
    return name, hex(int(argument, 0) & 0xFFFFFFFF)


def main(kinds: list[str]) -> None:
    """Trace and print."""
    seen: Counter[tuple[str, str]] = Counter()
    for kind in kinds:
        made = traced(kind)
        seen += made
        print(f"{kind}: {len({name for name, _ in made})} different calls")
        print("  " + " ".join(sorted({name for name, _ in made})))
    for name in _SHOWN:
        print(f"{name}: " + " ".join(sorted(value for call, value in seen if call == name)))
    called = {name for name, _ in seen}
    print("called and refused: " + " ".join(sorted(called - set(syscalls.ALLOWED))))
    print("allowed and not called: " + " ".join(sorted(set(syscalls.ALLOWED) - called)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        WORK[sys.argv[2]]()
    else:
        main(sys.argv[1:] or list(WORK))
