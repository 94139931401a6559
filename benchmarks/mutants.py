"""Mutants of a module: its source with one small change each, which a test of the module should notice."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

_PAIRS: list[tuple[type, type]] = [
    *((ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.BitAnd, ast.BitOr), (ast.LShift, ast.RShift)),
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn)),
    (ast.And, ast.Or),
]
SWAPS: dict[type, type] = dict(_PAIRS) | {second: first for first, second in _PAIRS}
SWAPS |= {ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitXor: ast.BitOr}
# Fields and nodes without influence on numbers: they stay as they are.
FIELDS = ("annotation", "returns", "decorator_list", "type_params")
SYMMETRIC = {"max", "min", "logaddexp", "maximum", "minimum"}  # calls whose arguments may be swapped
# Keyword arguments that change nothing on one CPU, or only raise an error: they stay too.
KEYWORDS = {"device", "map_location", "strict"}
NODES = (ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Mutant:
    """A change of a module.

    Attributes:
        line: Where it is in the source.
        before: The line that changes.
        after: The same line after the change.
        source: The whole module after the change.
    """

    line: int
    before: str
    after: str
    source: str


def mutants(source: str) -> list[Mutant]:
    """All mutants of a module, in the order of its lines.

    Operators and comparisons are replaced, conditions negated, numbers and booleans changed, statements, keyword
    arguments and unary operators dropped, and the first two arguments of a call swapped. Messages of errors,
    annotations, assertions, imports and the arguments `KEYWORDS` stay as they are.
    """
    original, tree, found = ast.unparse(ast.parse(source)), ast.parse(source), []
    for parent, field, place, node in _slots(tree):
        for replacement in _replacements(node):
            _put(parent, field, place, ast.copy_location(replacement, node))
            changed = ast.unparse(tree)
            if changed != original:
                found.append(Mutant(node.lineno, *_first_difference(original, changed), changed))
            _put(parent, field, place, node)
    return sorted(found, key=lambda mutant: mutant.line)


def _slots(parent: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, Any]]:
    """Each statement and expression with its parent, the field that it is in, and its place in the field's list."""
    if isinstance(parent, ast.Raise) or (isinstance(parent, ast.If) and ast.unparse(parent.test) == "TYPE_CHECKING"):
        return
    for field, value in ast.iter_fields(parent):
        if field in FIELDS:
            continue
        for place, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or isinstance(child, NODES):
                continue
            if isinstance(child, ast.keyword) and child.arg in KEYWORDS:
                continue
            if isinstance(child, ast.stmt | ast.expr):
                yield parent, field, place if isinstance(value, list) else None, child
            yield from _slots(child)


def _put(parent: ast.AST, field: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[place] = node


def _replacements(node: ast.AST) -> list[ast.AST]:
    """What takes the place of a node, one by one."""
    found: list[ast.AST] = [ast.Pass()] if _can_be_dropped(node) else []
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPS:
        found.append(_with(node, op=SWAPS[type(node.op)]()))
    elif isinstance(node, ast.Compare):
        found += [_with(node, ops=ops) for ops in _each_changed(node.ops)]
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        found.append(_with(node, test=ast.UnaryOp(ast.Not(), node.test)))
    elif isinstance(node, ast.UnaryOp):
        found.append(node.operand)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        found.append(ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1))
    elif isinstance(node, ast.Call):
        found += _of_call(node)
    return found


def _can_be_dropped(node: ast.AST) -> bool:
    """Whether a statement has an effect, and defines no name that others need."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Subscript) for target in node.targets)
    return isinstance(node, ast.AugAssign | ast.Raise | ast.Continue | ast.Break)


def _of_call(node: ast.Call) -> list[ast.AST]:
    keywords = [each for each in node.keywords if each.arg is not None and each.arg not in KEYWORDS]
    found: list[ast.AST] = [
        _with(node, keywords=[other for other in node.keywords if other is not each]) for each in keywords
    ]
    is_symmetric = ast.unparse(node.func).rpartition(".")[2] in SYMMETRIC
    if len(node.args) >= 2 and not is_symmetric and not any(isinstance(each, ast.Starred) for each in node.args[:2]):
        found.append(_with(node, args=[node.args[1], node.args[0], *node.args[2:]]))
    return found


def _each_changed(ops: list[ast.cmpop]) -> Iterator[list[ast.cmpop]]:
    for place, op in enumerate(ops):
        if type(op) in SWAPS:
            yield [*ops[:place], SWAPS[type(op)](), *ops[place + 1 :]]


def _with(node: ast.AST, **fields: Any) -> ast.AST:
    changed = copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _first_difference(original: str, changed: str) -> tuple[str, str]:
    pairs = zip(original.splitlines(), changed.splitlines(), strict=False)
    return next(((one.strip(), two.strip()) for one, two in pairs if one != two), ("the last line", "dropped"))
