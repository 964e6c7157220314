"""Which tests grade a metric, and whether a number typed into one is its threshold.

A *score* is what comes of both the student's objects and the truth: of a parameter of the test,
through whatever was called with it, and of something revealed (``reference_impl.secret``) or
returned by a function of the assignment's ``hidden``. Where a score is compared by ``<``, ``<=``,
``>`` or ``>=``, the other side must come from :mod:`reference_impl.thresholds`, not from the
keyboard. A number by which an answer is multiplied or divided is a unit or a mean, not a threshold.
Numbers up to :data:`TOLERANCE` are tolerances of an exact comparison, which no metric's
threshold is. A comparison with an oracle that was computed in the test reveals nothing and is none
of this module's business, nor is counting (``len``, ``==``).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Flag

TOLERANCE = 1e-3
"""The largest typed number that passes for a tolerance."""
ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
COUNTS = frozenset({"len", "isinstance", "hasattr", "type"})
"""Functions that say nothing of how good an answer is."""
FORM = frozenset({"shape", "ndim", "dtype", "size"})
"""Attributes that do not either."""


class _Origin(Flag):
    NOWHERE = 0
    THEIRS = 1
    TRUTH = 2


NOWHERE, THEIRS, TRUTH = _Origin.NOWHERE, _Origin.THEIRS, _Origin.TRUTH
SCORE = THEIRS | TRUTH


@dataclass(frozen=True)
class Typed:
    """A number that a score is compared with."""

    line: int
    """Line of the test's source"""
    text: str
    """The comparison"""
    number: float


def typed_threshold(test: ast.FunctionDef) -> Typed | None:
    """The first typed number that a score of ``test`` is compared with."""
    origins = _Origins(test)
    for node, sides in _comparisons(test):
        if SCORE not in map(origins.of, sides):
            continue
        for side in sides:
            for number in origins.numbers(side):
                if abs(number) > TOLERANCE:
                    return Typed(node.lineno, ast.unparse(node), number)
    return None


def is_metric_test(test: ast.FunctionDef) -> bool:
    """Whether ``test`` compares what comes of the student's objects with something revealed.

    A score is such; so is what needs no truth, such as how often an alarm sounded without reason.
    """
    origins = _Origins(test)
    sides = [[origins.of(side) for side in pair] for _, pair in _comparisons(test)]
    return any(
        one == TRUTH and other & THEIRS
        for left, right in sides
        for one, other in ((left, right), (right, left))
    )


def _comparisons(test: ast.FunctionDef) -> list[tuple[ast.Compare, list[ast.expr]]]:
    """The two sides of every comparison by order."""
    found = []
    for node in ast.walk(test):
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            for operator, left, right in zip(node.ops, operands[:-1], operands[1:], strict=True):
                if isinstance(operator, ORDERS):
                    found.append((node, [left, right]))
    return sorted(found, key=lambda pair: pair[0].lineno)


class _Origins:
    """Where the names of one test come from, grown until nothing changes."""

    def __init__(self, test: ast.FunctionDef) -> None:
        self.names = {argument.arg: THEIRS for argument in test.args.args}
        self.values: dict[str, list[ast.expr]] = {}
        self.hidden = {"hidden"}
        before: object = None
        while before != self.names:
            before = dict(self.names)
            self.values.clear()
            for node in ast.walk(test):
                self.bind(node)

    def bind(self, node: ast.AST) -> None:
        """Give the names that ``node`` binds the origin of what it binds them to."""
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self.assign(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.assign(target, value)
            case ast.AugAssign(target=target, value=value):
                self.join(target, self.of(value))
            case ast.NamedExpr(target=target, value=value):
                self.assign(target, value)
            case ast.For(target=target, iter=items) | ast.comprehension(target=target, iter=items):
                self.join(target, self.of(items))
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name) as base), args=arguments):
                if name in self.names:  # scores.append(score), model.load_state_dict(weights)
                    self.join(base, self.any(arguments))
            case ast.FunctionDef(name=name, body=body):
                inside = [n.value for one in body for n in ast.walk(one)
                          if isinstance(n, ast.Return) and n.value is not None]  # fmt: skip
                self.names[name] = self.names.get(name, NOWHERE) | self.any(inside)

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.values.setdefault(target.id, []).append(value)
        same = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
        if same and len(target.elts) == len(value.elts):  # type: ignore[attr-defined]
            for one, part in zip(target.elts, value.elts, strict=True):  # type: ignore[attr-defined]
                self.assign(one, part)
        else:
            self.join(target, self.of(value))

    def join(self, target: ast.expr, origin: _Origin) -> None:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                self.names[node.id] = self.names.get(node.id, NOWHERE) | origin

    def any(self, nodes: list[ast.expr]) -> _Origin:
        origin = NOWHERE
        for node in nodes:
            origin |= self.of(node)
        return origin

    def of(self, node: ast.expr) -> _Origin:
        """Where what ``node`` says comes from."""
        match node:
            case ast.Name(id=name):
                return self.names.get(name, NOWHERE)
            case ast.Attribute(attr=name) if name in FORM:
                return NOWHERE
            case ast.Call(func=ast.Name(id=name)) if name in COUNTS:
                return NOWHERE
            case ast.Call(func=ast.Attribute(attr="reveal") as function):
                return self.of(function.value) | TRUTH
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module)), args=arguments) if (
                module in self.hidden and self.any(arguments) & THEIRS
            ):
                return SCORE
            case ast.Lambda(body=body):
                return self.of(body)
        return self.any([n for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]
                        + [k.value for k in getattr(node, "keywords", [])]
                        + [part for g in getattr(node, "generators", [])
                           for part in (g.iter, *g.ifs)])  # fmt: skip

    def numbers(self, node: ast.expr, seen: frozenset[str] = frozenset()) -> list[float]:
        """Numbers typed in an expression of arithmetic; those inside calls and indices are not."""
        parts: list[ast.expr] = []
        match node:
            case ast.Constant(value=value) if isinstance(value, int | float):
                return [] if isinstance(value, bool) else [float(value)]
            case ast.Name(id=name) if name not in seen:
                parts, seen = self.values.get(name, []), seen | {name}
            case ast.UnaryOp(operand=operand):
                parts = [operand]
            case ast.BinOp(op=operator) if (
                not isinstance(operator, ast.Add | ast.Sub) and self.of(node) & THEIRS
            ):
                return []
            case ast.BinOp(left=left, right=right):
                parts = [left, right]
            case ast.IfExp(body=body, orelse=orelse):
                parts = [body, orelse]
            case ast.Call(func=ast.Name(id="float" | "min" | "max" | "abs"), args=arguments):
                parts = arguments
        return [number for part in parts for number in self.numbers(part, seen)]
