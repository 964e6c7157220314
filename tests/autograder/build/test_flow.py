"""Every way by which a test could send a secret is refused, and every honest test is not."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from autograder.build.compose import compose
from autograder.build.flow import Leak, find_leak
from autograder.errors import BuildError

HEAD = '''
def test_it(f, model, fit, threshold):
    """A test"""
    import functools
    import operator
    from functools import partial
    import numpy as np
    import torch
    import coursekit
    from reference_impl import asking
    from reference_impl.asking import ask, numbers
    from reference_impl.cnn_imaging import hidden, metrics
    from reference_impl.course_secret import student_rng

    rng = student_rng("x")
    data = hidden.classification_set()
    X, secret = data.images, data.labels
'''


def leak_of(body: str) -> Leak | None:
    (function,) = ast.parse(HEAD + "".join(f"    {x}\n" for x in body.splitlines())).body
    assert isinstance(function, ast.FunctionDef)
    return find_leak(function)


LEAKS = {
    "directly": "f(secret.reveal())",
    "by a name": "y = secret.reveal()\nf(y)",
    "by the second name": "y = secret.reveal()\nz = y\nf(X, z)",
    "by keyword": "f(X, y=secret.reveal())",
    "by star": "f(*secret.reveal())",
    "by two stars": "f(**{'y': secret.reveal()})",
    "in a list": "f([X, secret.reveal()])",
    "in a dict": "f({'X': X, 'y': secret.reveal()})",
    "as a key": "f({str(secret.reveal()): 1})",
    "in a set": "f({secret.reveal()})",
    "in a name's list": "both = [X, secret.reveal()]\nf(both)",
    "by unpacking": "a, (b, c) = X, (1, secret.reveal())\nf(c)",
    "by unpacking a value": "half, full = hidden.STEPS.reveal()\nf(X, full)",
    "by a starred target": "a, *b = secret.reveal()\nf(b)",
    "by a chained assignment": "a = b = secret.reveal()\nf(a)",
    "by an annotated assignment": "y: list = secret.reveal()\nf(y)",
    "by adding to": "total = 0\ntotal += secret.reveal().sum()\nf(total)",
    "by a walrus": "if (y := secret.reveal()) is not None:\n    pass\nf(y)",
    "by arithmetic": "f(1 - secret.reveal())",
    "by negation": "y = secret.reveal()\nf(-y, ~y)",
    "by comparison": "f(secret.reveal() > 0)",
    "by a condition's value": "f(1 if secret.reveal()[0] else 2)",
    "by and": "f(X[0, 0] and secret.reveal())",
    "by an f-string": "f(f'{secret.reveal()[0]:.2f} or so')",
    "by %": "f('%s' % secret.reveal())",
    "by format": "f('{}'.format(secret.reveal()))",
    "by str": "f(str(secret.reveal()))",
    "by an attribute": "f(secret.reveal().shape)",
    "by an item": "f(secret.reveal()[3])",
    "by a slice": "f(X[: secret.reveal().sum()])",
    "by an index": "f(X[secret.reveal() == 1])",
    "by sorting": "f(X[np.argsort(secret.reveal())])",
    "by a method": "f(secret.reveal().mean().tolist())",
    "by numpy": "f(np.asarray(secret.reveal(), dtype=float))",
    "by torch": "y = torch.as_tensor(secret.reveal())\nf(torch.as_tensor(X), y)",
    "by numpy's out": "buffer = np.zeros(9)\nnp.add(secret.reveal(), 1, out=buffer)\nf(buffer)",
    "by copyto": "buffer = np.zeros(9)\nnp.copyto(buffer, secret.reveal())\nf(buffer)",
    "by an item's assignment": "state = {}\nstate['y'] = secret.reveal()\nf(state)",
    "by a deep item's assignment": "state = {}\nstate['a']['b'].c = secret.reveal()\nf(state)",
    "by a slice's assignment": "X[:9] = secret.reveal()\nf(X)",
    "by append": "rows = []\nfor y in secret.reveal():\n    rows.append(y)\nf(rows)",
    "by update": "rows = {}\nrows.update(y=secret.reveal())\nf(rows)",
    "by a method in place": "z = torch.zeros(3)\nz.copy_(secret.reveal())\nf(z)",
    "by a list comprehension": "f([y + 1 for y in secret.reveal()])",
    "by a generator": "f(tuple(y for y in secret.reveal()))",
    "by a dict comprehension": "f({i: y for i, y in enumerate(secret.reveal())})",
    "by a comprehension's condition": "f([x for x, y in zip(X, secret.reveal()) if y])",
    "by a loop": "for x, y in zip(X, secret.reveal()):\n    f(x, y)",
    "by a loop over rows": "for row in np.flatnonzero(secret.reveal()):\n    f(X[row])",
    "by an earlier turn of the loop": "y = 0\nfor _ in X:\n    f(y)\n    y = secret.reveal()",
    "by an alias of reveal": "show = secret.reveal\nf(show())",
    "by getattr": "f(getattr(secret, 'reveal')())",
    "by methodcaller": "f(operator.methodcaller('reveal')(secret))",
    "by map of reveal": "f(list(map(lambda s: s.reveal(), [secret])))",
    "by a seed": "f(X, np.random.default_rng(secret.reveal()[0]))",
    "to a method": "model.score(X, secret.reveal())",
    "to an attribute's method": "model.head.score(secret.reveal())",
    "to an alias": "g = f\ng(secret.reveal())",
    "to a method's alias": "g = model.forward\ng(secret.reveal())",
    "to a function in a list": "for g in [f, model]:\n    g(secret.reveal())",
    "to a function by unpacking": "for _, g in (('f', f), ('m', model)):\n    g(secret.reveal())",
    "to a function in a named list": "gs = [('f', f)]\nfor _, g in gs:\n    g(secret.reveal())",
    "to a function in a dict": "{'f': f}['f'](secret.reveal())",
    "to a chosen function": "(f if X.any() else model)(secret.reveal())",
    "to what was returned": "trained = fit(X)\ntrained(secret.reveal())",
    "to what was returned, by its name": "trained = fit(X)\nask(trained, secret.reveal(), rng)",
    "to what was unpacked": "trained, history = fit(X)\ntrained.predict(secret.reveal())",
    "to an item of what was returned": "fit(X)[0](secret.reveal())",
    "to partial": "partial(f, secret.reveal())",
    "to what partial made": "g = functools.partial(f, model)\ng(secret.reveal())",
    "to what partial made, by keyword": "g = functools.partial(f, y=secret.reveal())\ng(X)",
    "to a lambda": "g = lambda v: f(v)\ng(secret.reveal())",
    "to a lambda, by keyword": "g = lambda v, w=0: f(w)\ng(X, w=secret.reveal())",
    "to a lambda, by star": "g = lambda *v: f(v)\ng(X, secret.reveal())",
    "to a lambda at once": "(lambda v: f(v))(secret.reveal())",
    "inside a lambda": "y = secret.reveal()\nask(lambda v: f(v, y), X, rng)",
    "by a lambda's value": "g = lambda: secret.reveal()\nf(g())",
    "by a lambda's default": "g = lambda v, y=secret.reveal(): y\nf(g(X))",
    "to a function of the test": "def g(v):\n    return f(v)\ng(secret.reveal())",
    "to a function of a function": "def g(v):\n    return f(v)\ndef h(v):\n    return g(v)\n"
    "h(secret.reveal())",
    "by what a function gives back": "def g():\n    return secret.reveal()\nf(g())",
    "by a generator function": "def g():\n    yield secret.reveal()\nf(list(g()))",
    "inside a function": "y = secret.reveal()\ndef g(v):\n    return f(v, y)\nask(g, X, rng)",
    "to map": "list(map(f, secret.reveal()))",
    "to sorted": "sorted(secret.reveal(), key=f)",
    "to reduce": "functools.reduce(f, secret.reveal())",
    "to vectorize": "np.vectorize(f)(secret.reveal())",
    "to apply_along_axis": "np.apply_along_axis(f, 0, secret.reveal())",
    "to a method of the secret": "secret.reveal().apply(f)",
    "to ask": "ask(f, secret.reveal(), rng)",
    "to ask with more": "ask(partial(f, model), [X, secret.reveal()], rng)",
    "to asking.ask": "asking.ask(f, X[secret.reveal() == 0], rng)",
    "to beside": "coursekit.beside(f, 'imaging_lab').ScriptedTraining(secret.reveal())",
    "to beside, by a name": "lab = coursekit.beside(f, 'imaging_lab')\nlab.fit(f, secret.reveal())",
    "to the module's name": "coursekit.beside(f, str(secret.reveal()))",
    "to a probe": "coursekit.gradients(f, X, secret.reveal())",
    "to a probe by keyword": "coursekit.gradients(f, X, cotangent=secret.reveal())",
    "to a probe of what was returned": "coursekit.gradients(fit(X), secret.reveal())",
    "to an alias of a probe": "probe = coursekit.gradients\nprobe(f, secret.reveal())",
    "to a helper of the reference": "metrics.check(f, secret.reveal())",
    "to a helper that keeps it": "class_ = metrics.Task(f, secret.reveal())",
    "to an attribute": "model.labels = secret.reveal()",
    "by an attribute's name": "getattr(model, f'layer{secret.reveal()[0]}')",
    "with what was returned": "metrics.fit_and_score(secret.reveal(), fit(X))",
    "if": "if secret.reveal()[0]:\n    f(X)",
    "if not": "y = secret.reveal()\nif not y[0]:\n    pass\nelse:\n    f(X)",
    "while": "while secret.reveal().any():\n    f(X)",
    "if, through a name": "n = 1\nif secret.reveal()[0]:\n    n = 2\nf(n)",
    "by a conditional expression": "f(X) if secret.reveal()[0] else None",
    "by short circuit": "secret.reveal()[0] and f(X)",
    "by a comprehension's condition, calling": "[f(x) for x, y in zip(X, secret.reveal()) if y]",
    "continue": "for x, y in zip(X, secret.reveal()):\n    if y:\n        continue\n    f(x)",
    "return": "if secret.reveal()[0]:\n    return\nf(X)",
    "if, then a function of the test": "def g():\n    f(X)\nif secret.reveal()[0]:\n    g()",
    "match": "match secret.reveal()[0]:\n    case 1:\n        f(X)",
    "by a match": "match secret.reveal():\n    case [a, *b]:\n        f(b)",
    "with": "with open(str(secret.reveal())) as file:\n    f(file)",
    "in a try": "try:\n    f(secret.reveal())\nexcept ValueError:\n    pass",
    "in an except": "try:\n    f(X)\nexcept ValueError:\n    f(secret.reveal())",
    "in an assertion": "assert f(secret.reveal()) == 1",
    "in an assertion's message": "assert X.any(), f(secret.reveal())",
    "in an f-string": "assert X.any(), f'{f(secret.reveal())}'",
    "in a comparison": "assert 0 <= f(secret.reveal()) <= 1",
    "in a return": "return f(secret.reveal())",
    "in an item": "X[f(secret.reveal())]",
    "by an index of functions": "[f, model][secret.reveal()[0]](X)",
}


@pytest.mark.parametrize("way", LEAKS)
def test_a_leak_is_found(way: str) -> None:
    leak = leak_of(LEAKS[way])
    assert leak is not None, LEAKS[way]
    assert leak.line > HEAD.count("\n")


HONEST = {
    "comparison of a score": "p = ask(partial(f, model), X, rng)\n"
    "auc = metrics.roc_auc(secret.reveal(), p)\n"
    "half, _ = hidden.AUC_STEPS.reveal()\n"
    "assert auc >= half, f'AUC {auc:.3f}; expected {half:.2f}'",
    "helper that reveals by itself": "p = ask(f, X, rng)\nassert metrics.roc_auc(secret, p) > 0.5",
    "converted answers": "p = np.asarray(f(X), dtype=float)\n"
    "assert metrics.roc_auc(secret.reveal(), p) > 0.5",
    "converted in place": "assert metrics.roc_auc(secret.reveal(), np.asarray(f(X))) > 0.5",
    "checked numbers": "p = numbers(f(X), (9,))\nassert metrics.roc_auc(secret.reveal(), p) > 0",
    "a decision": "found = ask(f, X, rng) > 0\nassert metrics.dice(found, secret.reveal()) > 0.5",
    "a student's own number": "assert abs(float(threshold) - hidden.STEP.reveal()) <= 1e-4",
    "a student's own number as it is": "assert abs(threshold - hidden.STEP.reveal()) <= 1e-4",
    "retraining": "new = hidden.retraining_set()\n"
    "trained = fit((new.train.X, new.train.y), seed=1)\n"
    "p = ask(partial(f, trained), new.evaluation.images, rng, each=())\n"
    "auc = metrics.roc_auc(new.evaluation.labels.reveal(), p)\n"
    "assert auc <= hidden.FLIPPED_AUC.reveal()",
    "rows side by side": "p = ask(f, X, rng)\n"
    "for answer, y in zip(p, secret.reveal()):\n    assert abs(answer - y) <= 1",
    "inputs beside secrets": "for x, y in zip(X, secret.reveal()):\n"
    "    assert abs(float(f(x)) - y) <= 1",
    "cases with expected answers": "y = secret.reveal()\n"
    "for g, x, expected in ((f, 1, y[0]), (model, 2, y[1])):\n"
    "    assert abs(float(g(x)) - expected) <= 1",
    "named cases with expected answers": "y = secret.reveal()\n"
    "cases = [('f', f, 1, y[0]), ('m', model, 2, y[1])]\n"
    "for name, g, x, expected in cases:\n"
    "    assert abs(float(g(x)) - expected) <= 1, f'{name}: expected {expected}'",
    "numbered cases": "for i, (g, expected) in enumerate(((f, secret.reveal()), (model, 2))):\n"
    "    assert np.abs(np.asarray(g(X)) - expected).max() <= i",
    "a lambda": "score = lambda v: metrics.roc_auc(secret.reveal(), np.asarray(f(v)))\n"
    "assert score(X) > 0.5",
    "a function of the test": "def score(v, y):\n"
    "    return metrics.roc_auc(y, np.asarray(f(v)))\nassert score(X, secret.reveal()) > 0.5",
    "a function that asks": "def answers(v):\n    return np.asarray(f(model, v))\n"
    "p = ask(answers, X, rng)\nassert metrics.roc_auc(secret.reveal(), p) > 0.5",
    "plain answers in a dict": "found = {n: float(g(X)) for n, g in (('f', f), ('m', model))}\n"
    "assert max(found.values()) <= hidden.STEP.reveal()",
    "isinstance": "assert isinstance(model, torch.nn.Module)\n"
    "y = secret.reveal()\nassert len(y) == 9 and isinstance(y, np.ndarray)",
    "a secret in conditions of the test's own": "y = secret.reveal()\n"
    "p = np.asarray(f(X))\nworst = p[y == 1].min() if y.any() else 0\nassert worst > 0.5",
    "an assertion before another call": "assert ask(f, X, rng)[0] <= hidden.STEP.reveal()\n"
    "assert np.asarray(f(X))[0] >= 0",
    "numpy's testing": "np.testing.assert_allclose(np.asarray(f(X)), secret.reveal())",
    "a swallowed error": "accepted = [hidden.STEP.reveal()]\n"
    "try:\n    accepted.append(float(f(X)))\nexcept Exception:\n    pass\n"
    "assert min(abs(float(threshold) - t) for t in accepted) <= 1e-4",
    "a report": "report = coursekit.beside(f, 'imaging_lab').ScriptedTraining([1]).fit(f)\n"
    "assert report['epochs'] <= hidden.EPOCHS.reveal()",
    "no secret at all": "assert np.allclose(f(X), X), f'{f} and {model}'",
    "a word": "assert np.allclose(f(X), X), 'we reveal nothing'",
    "a training set's plain labels": "f(X, hidden.retraining_set().train.y)",
}


@pytest.mark.parametrize("use", HONEST)
def test_honest_use_is_none(use: str) -> None:
    assert leak_of(HONEST[use]) is None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("y = secret.reveal()\nf(X, y)", "gives the student's code a secret, `y` in `f(X, y)`"),
        (
            "metrics.check(f, secret.reveal())",
            "gives `metrics.check` a secret, `secret.reveal()`, together with something of the "
            "student's, `f`, that it could be passed to (make data of an answer first: float, "
            "numpy.asarray, asking.ask)",
        ),
        (
            "if secret.reveal()[0] > 1:\n    model.train()",
            "lets a secret, `secret.reveal()[0] > 1`, decide whether the student's code is "
            "called in `model.train()`",
        ),
        ("model.y = secret.reveal()", "gives the student's code a secret, in `model.y`"),
    ],
)
def test_a_leak_says_what_goes_where(body: str, problem: str) -> None:
    leak = leak_of(body)
    assert leak is not None and leak.problem == problem
    assert leak.line == HEAD.count("\n") + body.count("\n") + 1


def test_the_build_names_cell_test_line_and_expression(project: Path) -> None:
    file = project / "solutions" / "sound" / "sound.ipynb"
    notebook = json.loads(file.read_text())
    number, cell = next(
        (number, cell)
        for number, cell in enumerate(notebook["cells"], 1)
        if "hidden: true" in "".join(cell["source"]) and "def test_" in "".join(cell["source"])
    )
    config, _, source = "".join(cell["source"]).partition("def test_")
    name, _, rest = source.partition("(")
    parameter = rest.partition(")")[0].partition(",")[0]
    body = f"({parameter}):\n    y = hidden.labels.reveal()\n    {parameter}(1, y)\n"
    cell["source"] = f"{config}def test_{name}{body}"
    file.write_text(json.dumps(notebook))
    with pytest.raises(BuildError) as raised:
        compose("sound", project)
    line = config.count("\n") + 3
    assert raised.value.cell == number
    assert str(raised.value).endswith(
        f"test_{name}, line {line} of the cell, gives the student's code a secret, "
        f"`y` in `{parameter}(1, y)`."
    )
