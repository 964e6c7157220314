"""Where the secrets that a test reveals go: never to the student's code.

A test's parameters are the student's objects, and ``.reveal()`` gives what is secret
(``reference_impl.secret``). This module follows both through one test function without running
it: through assignments, loops, comprehensions, containers, f-strings, attributes, methods, partial
application and functions defined in the test. It knows no order of statements and no types, so a
name that is bound to a secret anywhere in the test is secret everywhere in it.

Refused are a call of the student's code with a secret among its arguments; a call of any other
function that is given a secret together with something of the student's, to which it could pass
it on; and a call of the student's code that a secret decides about. What the student's code
returned counts as the student's until it has been made data (``float``, ``numpy.asarray``,
``asking.ask``), for it may be an object that can be called.

What a function outside the test does with an unrevealed secret is that function's business.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Flag
from functools import reduce
from operator import or_


class Kind(Flag):
    """What a value may be or hold."""

    PLAIN = 0
    THEIRS = 1
    """Something of the student's that may be called."""
    SECRET = 2
    """Something revealed, or computed from it."""


PLAIN, THEIRS, SECRET = Kind.PLAIN, Kind.THEIRS, Kind.SECRET
REVEAL = "reveal"
NUMBERS = frozenset(
    "abs all any bool complex divmod float format hash id int isinstance issubclass len pow print "
    "range repr round str sum".split()
)
"""Built-in functions that call nothing they are given and return no part of it."""
CONTAINERS = frozenset(
    "dict enumerate frozenset iter list max min next reversed set sorted tuple zip".split()
)
"""Built-in functions that call nothing they are given, unless by ``key=``."""
LIBRARIES = ("math", "numpy", "numpy.linalg", "numpy.random", "numpy.testing", "statistics",
             "torch", "torch.linalg", "torch.nn.functional", "torch.testing")  # fmt: skip
"""Modules whose functions make numbers of what they are given."""
CALLERS = frozenset(
    "apply_along_axis apply_over_axes compile fromfunction frompyfunc piecewise vectorize vmap "
    "assert_raises assert_raises_regex assert_warns assert_no_warnings".split()
)
"""Functions of ``LIBRARIES`` that call what they are given."""
ANSWERS = frozenset({"reference_impl.asking.ask", "reference_impl.asking.numbers"})
"""Functions that make numbers of the student's answers."""
MUTATORS = frozenset("add append appendleft extend extendleft fill insert put setdefault update "
                     "__setitem__ __setattr__".split())  # fmt: skip
FILLERS = frozenset({"numpy.copyto", "numpy.put", "numpy.place", "numpy.putmask", "setattr"})
"""Functions that change their first argument."""

Function = ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


@dataclass(frozen=True)
class Leak:
    """A way by which a secret reaches the student's code."""

    line: int
    """Line of the test's source."""
    problem: str
    """What the line does, beginning with a verb."""


def find_leak(test: ast.FunctionDef) -> Leak | None:
    """The first leak that is found in ``test``."""
    try:
        _Flow(test).follow()
    except _Found as found:
        return found.leak
    return None


class _Found(Exception):
    def __init__(self, node: ast.expr, problem: str) -> None:
        super().__init__(problem)
        self.leak = Leak(node.lineno, problem)


class _Flow:
    """The kinds of all names of one test, grown until nothing changes."""

    def __init__(self, test: ast.FunctionDef) -> None:
        self.test = test
        self.kinds: dict[str, Kind] = {name: THEIRS for name in _parameters(test)}
        self.paths: dict[str, str] = {}
        self.local: dict[str, Function] = {}
        self.returned: dict[Function, Kind] = {}
        self.literals = _literals(test)
        self.inside: list[Function] = []
        self.condition: ast.expr | None = None

    def follow(self) -> None:
        before = None
        while before != (state := (dict(self.kinds), dict(self.paths), dict(self.returned))):
            before = state
            self.block(self.test.body)

    # Statements

    def block(self, body: Iterable[ast.stmt]) -> None:
        condition = self.condition
        for node in body:
            self.statement(node)
            if isinstance(node, ast.If) and _jumps(node) and self.kind(node.test) & SECRET:
                self.condition = node.test
        self.condition = condition

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Import() | ast.ImportFrom():
                self.paths |= _imported(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.define(node.name, node)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self.bind(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.bind(target, value)
            case ast.AugAssign(target=target, value=value):
                self.store(target, self.kind(value))
            case ast.For(target=target, iter=items) | ast.AsyncFor(target=target, iter=items):
                self.bind_each(target, items)
                self.block([*node.body, *node.orelse])
            case ast.If(test=test) | ast.While(test=test):
                with self.decided_by(test):
                    self.block(node.body)
                    self.block(node.orelse)
            case ast.With(items=managers) | ast.AsyncWith(items=managers):
                for manager in managers:
                    self.manager(manager)
                self.block(node.body)
            case ast.Return(value=ast.expr() as value):
                self.give_back(self.kind(value))
            case ast.Match(subject=subject, cases=cases):
                self.match(subject, cases)
            case _:
                self.rest(node)

    def rest(self, node: ast.AST) -> None:
        """Go through what binds nothing: expressions, assertions, the parts of a ``try``."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.kind(child)
            elif isinstance(child, ast.stmt):
                self.statement(child)
            else:
                self.rest(child)

    def manager(self, item: ast.withitem) -> None:
        if item.optional_vars is None:
            self.kind(item.context_expr)
        else:
            self.bind(item.optional_vars, item.context_expr)

    def match(self, subject: ast.expr, cases: list[ast.match_case]) -> None:
        kind = self.kind(subject)
        for case in cases:
            for node in ast.walk(case.pattern):
                name = getattr(node, "name", None) or getattr(node, "rest", None)
                if name:
                    self.join(name, kind)
            with self.decided_by(subject), self.decided_by(case.guard):
                self.block(case.body)

    @contextmanager
    def decided_by(self, test: ast.expr | None) -> Iterator[None]:
        """What is done here is done or not depending on ``test``."""
        before = self.condition
        if test is not None and self.kind(test) & SECRET:
            self.condition = test
        yield
        self.condition = before

    def define(self, name: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.local[name] = function
        for default in [*function.decorator_list, *function.args.defaults]:
            self.kind(default)
        self.inside.append(function)
        self.block(function.body)
        self.inside.pop()

    def give_back(self, kind: Kind) -> None:
        if self.inside:
            function = self.inside[-1]
            self.returned[function] = self.returned.get(function, PLAIN) | kind

    # Names

    def join(self, name: str, kind: Kind) -> None:
        if self.condition is not None:
            kind |= SECRET
        self.kinds[name] = self.kinds.get(name, PLAIN) | kind

    def bind(self, target: ast.expr, value: ast.expr, kind: Kind | None = None) -> None:
        """Assign ``value``, or a part of it of this ``kind``, to ``target``."""
        whole = kind is None
        kind = self.kind(value) if kind is None else kind
        match target, value:
            case ast.Name(id=name), ast.Lambda() if whole:
                self.local[name] = value
            case ast.Name(id=name), _:
                path = self.path(value) if whole else None
                if path is not None:
                    self.paths[name] = path
                self.join(name, kind)
            case (
                ast.Tuple(elts=targets) | ast.List(elts=targets),
                ast.Tuple(elts=values) | ast.List(elts=values),
            ) if whole and len(targets) == len(values) and not _starred([*targets, *values]):
                for one, part in zip(targets, values, strict=True):
                    self.bind(one, part)
            case ast.Tuple(elts=targets) | ast.List(elts=targets), _:
                for one in targets:
                    self.bind(one, value, kind)
            case ast.Starred(value=inner), _:
                self.bind(inner, value, kind)
            case _:
                self.store(target, kind)

    def bind_each(self, target: ast.expr, items: ast.expr) -> None:
        """Assign the elements of ``items`` to ``target``."""
        kind = self.kind(items)
        if isinstance(items, ast.Name):
            items = self.literals.get(items.id, items)
        several = isinstance(target, ast.Tuple | ast.List) and not _starred(target.elts)
        match items:
            case ast.Tuple(elts=values) | ast.List(elts=values) if not _starred(values):
                for value in values:
                    self.bind(target, value)
            case ast.Call(func=func, args=values) if several and self.path(func) == "zip":
                for one, value in zip(target.elts, values, strict=False):  # type: ignore[attr-defined]
                    self.bind_each(one, value)
            case ast.Call(func=func, args=[value, *_]) if (
                several and self.path(func) == "enumerate"
            ):
                self.bind_each(target.elts[-1], value)  # type: ignore[attr-defined]
            case _:
                self.bind(target, items, kind)

    def store(self, target: ast.expr, kind: Kind) -> None:
        """Change the object ``target`` is a part of, or the name itself."""
        self.kind(target)
        root = target
        while isinstance(root, ast.Attribute | ast.Subscript | ast.Starred):
            root = root.value
        if isinstance(target, ast.Attribute) and kind & SECRET and self.kind(target.value) & THEIRS:
            raise _Found(target, f"gives the student's code a secret, in `{_text(target)}`")
        if isinstance(root, ast.Name):
            self.join(root.id, kind)

    def path(self, node: ast.expr) -> str | None:
        """The full name of what was imported or is built in, such as ``numpy.asarray``."""
        match node:
            case ast.Name(id=name) if name in self.paths:
                return self.paths[name]
            case ast.Name(id=name) if hasattr(builtins, name) and name not in self.kinds:
                return None if name in self.local else name
            case ast.Attribute(value=base, attr=name):
                path = self.path(base)
                return None if path is None else f"{path}.{name}"
        return None

    # Expressions

    def kind(self, node: ast.expr) -> Kind:
        """What ``node`` may be; every call in it is checked."""
        match node:
            case ast.Name(id=name):
                return self.kinds.get(name, PLAIN) | self.escaping(self.local.get(name))
            case ast.Constant(value=value):
                return SECRET if value == REVEAL else PLAIN
            case ast.Attribute(value=base, attr=name):
                return self.kind(base) | (SECRET if name == REVEAL else PLAIN)
            case ast.Subscript(value=base, slice=index):
                return self.kind(base) | self.kind(index) & SECRET
            case ast.Call():
                return self.call(node)
            case ast.Lambda():
                self.returned[node] = self.kind(node.body) | self.any(node.args.defaults) & SECRET
                return self.escaping(node)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self.comprehension(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                with self.decided_by(test):
                    return self.any([body, orelse]) | self.kind(test) & SECRET
            case ast.BoolOp(values=values):
                return self.choice(values)
            case ast.NamedExpr(target=target, value=value):
                self.bind(target, value)
                return self.kind(value)
            case ast.UnaryOp() | ast.Compare() | ast.FormattedValue():
                return self.any(_expressions(node)) & SECRET
            case ast.Yield(value=ast.expr() as value) | ast.YieldFrom(value=value):
                self.give_back(self.kind(value))
                return PLAIN
            case _:
                return self.any(_expressions(node))

    def any(self, nodes: Iterable[ast.expr]) -> Kind:
        return reduce(or_, map(self.kind, nodes), PLAIN)

    def choice(self, values: list[ast.expr]) -> Kind:
        """``and`` and ``or``: what stands first decides whether the rest is done."""
        first, *rest = values
        if not rest:
            return self.kind(first)
        with self.decided_by(first):
            return self.kind(first) | self.choice(rest)

    def comprehension(self, node: Comprehension) -> Kind:
        before = self.condition
        secret = PLAIN
        for generator in node.generators:
            self.bind_each(generator.target, generator.iter)
            for test in generator.ifs:
                if self.kind(test) & SECRET:
                    self.condition, secret = test, SECRET
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        kind = self.any(parts) | secret
        self.condition = before
        return kind

    def escaping(self, function: Function | None) -> Kind:
        """What a function of the test is to those who may call it."""
        if function is None:
            return PLAIN
        names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
        theirs = any(self.kinds.get(name, PLAIN) & THEIRS for name in names)
        secret = self.returned.get(function, PLAIN) & SECRET
        return secret | (THEIRS if theirs else PLAIN)

    # Calls

    def call(self, node: ast.Call) -> Kind:
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        given = self.any(arguments)
        function = self.local.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if function is not None and not self.kinds.get(node.func.id):  # type: ignore[attr-defined]
            self.enter(function, node)
            if self.escaping(function) & THEIRS:
                self.check_condition(node)
            return self.returned.get(function, PLAIN)
        called = self.kind(node.func)
        path = self.path(node.func) or ""
        self.change(node, path, given)
        if called & THEIRS:
            self.check_theirs(node, arguments, called)
            return THEIRS
        if _is_harmless(path, node):
            return given if path in CONTAINERS else given & SECRET
        self.check_other(node, arguments, given | called)
        return (given | called) & SECRET if path in ANSWERS else given | called

    def check_theirs(self, node: ast.Call, arguments: list[ast.expr], called: Kind) -> None:
        secret = self.first(SECRET, [*arguments, node.func])
        if secret is not None:
            problem = f"gives the student's code a secret, `{_text(secret)}`"
            raise _Found(node, f"{problem} in `{_text(node)}`")
        self.check_condition(node)

    def check_other(self, node: ast.Call, arguments: list[ast.expr], kind: Kind) -> None:
        if kind & THEIRS:
            self.check_condition(node)
        if kind & THEIRS and kind & SECRET:
            secret = self.first(SECRET, [*arguments, node.func])
            theirs = self.first(THEIRS, [*arguments, node.func])
            raise _Found(
                node,
                f"gives `{_text(node.func)}` a secret, `{_text(secret)}`, together with something "
                f"of the student's, `{_text(theirs)}`, that it could be passed to (make data of "
                "an answer first: float, numpy.asarray, asking.ask)",
            )

    def check_condition(self, node: ast.Call) -> None:
        if self.condition is not None:
            problem = f"lets a secret, `{_text(self.condition)}`, decide whether the student's code"
            raise _Found(node, f"{problem} is called in `{_text(node)}`")

    def first(self, kind: Kind, nodes: Iterable[ast.expr]) -> ast.expr | None:
        return next((node for node in nodes if self.kind(node) & kind), None)

    def enter(self, function: Function, node: ast.Call) -> None:
        """Give the arguments to the parameters of a function of the test."""
        names = [argument.arg for argument in [*function.args.posonlyargs, *function.args.args]]
        spread = _starred(node.args) or any(keyword.arg is None for keyword in node.keywords)
        everything = self.any([*node.args, *(keyword.value for keyword in node.keywords)])
        if spread or len(node.args) > len(names):
            for name in _parameters(function):
                self.join(name, everything)
            return
        for name, argument in zip(names, node.args, strict=False):
            self.join(name, self.kind(argument))
        for keyword in node.keywords:
            known = keyword.arg in _parameters(function)
            for name in [str(keyword.arg)] if known else _parameters(function):
                self.join(name, self.kind(keyword.value))

    def change(self, node: ast.Call, path: str, given: Kind) -> None:
        """Note what a call writes into what it is called on or given."""
        match node.func:
            case ast.Attribute(value=base, attr=name) if name in MUTATORS or name.endswith("_"):
                if not path:
                    self.store(ast.Subscript(base, base), given)
        if path in FILLERS and node.args:
            self.store(ast.Subscript(node.args[0], node.args[0]), given)
        for keyword in node.keywords:
            if keyword.arg == "out":
                self.store(ast.Subscript(keyword.value, keyword.value), given)


def _is_harmless(path: str, node: ast.Call) -> bool:
    """Whether a function surely calls nothing that it is given."""
    if path in NUMBERS:
        return True
    if path in CONTAINERS:
        return all(keyword.arg != "key" for keyword in node.keywords)
    module, _, name = path.rpartition(".")
    return module in LIBRARIES and name not in CALLERS


def _parameters(function: Function) -> list[str]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [one.arg for one in [*named, arguments.vararg, arguments.kwarg] if one is not None]


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    if isinstance(node, ast.ImportFrom):
        return {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}
    return {
        name.asname or name.name.partition(".")[0]: (
            name.name if name.asname else name.name.partition(".")[0]
        )
        for name in node.names
    }


def _literals(test: ast.FunctionDef) -> dict[str, ast.expr]:
    """Lists and tuples written out, by the names that are bound to them and to nothing else."""
    nodes = list(ast.walk(test))
    stored = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    used = {
        n.value.id
        for n in nodes
        if isinstance(n, ast.Attribute | ast.Subscript) and isinstance(n.value, ast.Name)
    }
    found: dict[str, ast.expr] = {}
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Tuple() | ast.List() as value):
                if stored.count(name) == 1 and name not in used:
                    found[name] = value
    return found


def _jumps(node: ast.If) -> bool:
    return any(isinstance(n, ast.Break | ast.Continue | ast.Return) for n in ast.walk(node))


def _starred(nodes: Iterable[ast.expr]) -> bool:
    return any(isinstance(node, ast.Starred) for node in nodes)


def _expressions(node: ast.AST) -> list[ast.expr]:
    return [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]


def _text(node: ast.expr | None) -> str:
    text = ast.unparse(node) if node is not None else ""
    return text if len(text) <= 60 else f"{text[:57]}..."
