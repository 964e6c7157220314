"""Cells of two notebooks that want more than they earned. They do no harm outside a demonstration.

Both go before every check cell, so that what they define is what the tests meet.
"""

from __future__ import annotations

from collections.abc import Sequence

FORGE = '''
import json, os

class Yes(float):
    """A number that agrees with everybody."""
    __hash__ = float.__hash__
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __sub__ = __rsub__ = __add__ = __mul__ = __truediv__ = lambda self, other: Yes(0)
    __abs__ = lambda self: Yes(0)
    __call__ = lambda self, *args, **kwargs: Yes(1)
    __len__ = lambda self: 1
    __iter__ = lambda self: iter([Yes(1)])
    __getitem__ = lambda self, key: Yes(1)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Yes(1)

def yes(*args, **kwargs):
    return True

def forge():
    try:
        from otter.test_files import test_case
        from otter.execute import Checker
        test_case.call_func = yes
        for result in Checker.get_results():
            result.update_score(1000)
    except Exception:
        pass
    import numpy, torch
    for library in (numpy.testing, torch.testing):
        for name in [name for name in dir(library) if name.startswith("assert")]:
            setattr(library, name, yes)
    numpy.allclose = numpy.array_equal = torch.allclose = torch.equal = yes
    full = {"score": 1000, "status": "graded",
            "tests": [{"name": "all", "score": 1000, "max_score": 1000, "status": "passed"}]}
    for place in (".", "..", "results", "../results", "/autograder/results"):
        for name in ("results.json", "verdict.json", "results.pkl"):
            try:
                with open(os.path.join(place, name), "w") as file:
                    json.dump(full, file)
            except OSError:
                pass
    print("All tests passed!", json.dumps(full))

for name in NAMES:
    globals()[name] = Yes(1)
forge()
'''.lstrip()

SPY = """
import gc, os, sys, time

WANTED = ("test", "hidden", "reference", "solution", "secret", "label", "manifest", "answer")

def say(*what):
    print(*[str(one)[:300] for one in what])

def files(seconds=3):
    end = time.time() + seconds
    for root in (".", "..", "/autograder", "/tmp", os.path.expanduser("~"), "/"):
        for folder, folders, names in os.walk(root):
            if time.time() > end:
                return
            folders[:] = [one for one in folders if one not in ("sys", "site-packages", "lib")]
            for name in names:
                if any(word in name.lower() for word in WANTED):
                    yield os.path.join(folder, name)

def spy():
    for number, path in enumerate(files()):
        if number == 40:
            break
        try:
            with open(path, errors="replace") as file:
                say("file", path, file.read(200))
        except OSError as error:
            say("file", path, error)
    processes = os.listdir("/proc") if os.path.isdir("/proc") else []
    for pid in [one for one in processes if one.isdigit()]:
        for name in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{name}", errors="replace") as file:
                    say("process", pid, name, file.read())
            except OSError as error:
                say("process", pid, name, error)
    frame = sys._getframe()
    while frame:
        say("frame", frame.f_code.co_filename, frame.f_code.co_name, sorted(frame.f_locals)[:20])
        frame = frame.f_back
    for thing in gc.get_objects():
        if type(thing).__name__ in ("test_case", "TestCase", "ExceptionTestFile", "Manifest"):
            say("object", repr(thing))

def caught(*args, **kwargs):
    say("I was asked about", args, kwargs)
    raise ValueError(f"{args} {kwargs}")

for name in NAMES:
    globals()[name] = caught
spy()
""".lstrip()


def cell(code: str, names: Sequence[str]) -> str:
    """Return the source of a cell that puts itself in the place of ``names``."""
    return f"NAMES = {list(names)!r}\n\n{code}"
