"""User-written column expressions, guarded: SQL in, a polars expression out.

`pl.sql_expr` opens files and URLs named in an expression while it parses it, so polars never sees the user's text: it
is parsed by sqlglot, every node is held against a list of what is allowed, and polars gets SQL written anew from that
tree.
This file must never know which flag or mapping an expression came from.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce

import polars as pl
import sqlglot
from polars.exceptions import PanicException, PolarsError
from sqlglot import exp
from sqlglot.errors import SqlglotError

TEXT_LIMIT = 2_000
"""Characters in an expression."""
LITERAL_LIMIT = 500
"""Characters in one quoted text of an expression."""
PAD_LIMIT = 1_000
"""The widest that LPAD and RPAD may make a text: without it, one cell can fill the memory."""
DEPTH_LIMIT = 40
"""Brackets within brackets."""

_OPERATORS = (
    exp.Paren, exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT,
    exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between, exp.Like, exp.ILike, exp.DPipe, exp.Case, exp.If,
)  # fmt: skip
_VALUES = (exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null)
_CASTS = (exp.Cast, exp.TryCast, exp.DataType)
_FUNCTIONS = (
    exp.Coalesce, exp.Nullif, exp.Upper, exp.Lower, exp.Initcap, exp.Trim, exp.SplitPart, exp.Substring, exp.Replace,
    exp.RegexpReplace, exp.RegexpLike, exp.Concat, exp.ConcatWs, exp.Length, exp.Round, exp.Abs, exp.Greatest,
    exp.Least, exp.Left, exp.Right, exp.StartsWith, exp.EndsWith, exp.Reverse, exp.Pad,
)  # fmt: skip
_ALLOWED = frozenset((*_OPERATORS, *_VALUES, *_CASTS, *_FUNCTIONS))

FUNCTIONS = (
    "ABS", "CASE", "CAST", "COALESCE", "CONCAT", "CONCAT_WS", "ENDS_WITH", "GREATEST", "IF", "INITCAP", "LEAST", "LEFT",
    "LENGTH", "LOWER", "LPAD", "LTRIM", "NULLIF", "REGEXP_LIKE", "REGEXP_REPLACE", "REPLACE", "REVERSE", "RIGHT",
    "ROUND", "RPAD", "RTRIM", "SPLIT_PART", "STARTS_WITH", "SUBSTR", "TRIM", "TRY_CAST", "UPPER",
)  # fmt: skip
"""The functions that an expression may use, beside comparisons, AND, OR, NOT, IN, LIKE, IS NULL and arithmetic."""

_LITERAL_PATTERNS: dict[type[exp.Expr], str] = {
    exp.Like: "expression",
    exp.ILike: "expression",
    exp.RegexpLike: "expression",
    exp.RegexpReplace: "expression",
    exp.SplitPart: "delimiter",
}
"""Where a pattern must be written out: taken from a cell, one odd cell could stop the job."""

_TYPES = {
    exp.DataType.Type.INT: "BIGINT",
    exp.DataType.Type.BIGINT: "BIGINT",
    exp.DataType.Type.FLOAT: "DOUBLE",
    exp.DataType.Type.DOUBLE: "DOUBLE",
    exp.DataType.Type.VARCHAR: "VARCHAR",
    exp.DataType.Type.TEXT: "VARCHAR",
}

_TRIAL = ("", "a", "0", "5", "-1", "-1.5", "99999999999", "\U0001f600", None)
"""Odd cells on which every expression is tried, so that it cannot fail on a row of the file."""


_STRICT = "strict"
"""In the notes of a cast: it was written CAST, not TRY_CAST."""


@dataclass(frozen=True, slots=True)
class Cast:
    """A CAST of an expression, for the rows in which it fails: TRY_CAST would be the user's own choice.

    `failed` is a Boolean expression without nulls, `operand` the text that could not be cast, `column` the one that it
    comes from (None: none), `whole` whether a whole number was asked for.
    """

    failed: pl.Expr
    operand: pl.Expr
    column: str | None
    whole: bool


class ExpressionError(ValueError):
    """An expression that is refused. The text is one sentence; the caller says where the expression stands."""


def check_expression(text: str) -> None:
    """Refuse (ExpressionError) an expression that no columns could make right: syntax, functions, size."""
    _guarded(text)


def compile_expression(text: str, columns: Sequence[str]) -> pl.Expr:
    """A polars expression over String columns from a SQL scalar expression.

    Names match exactly or, where that is unambiguous, without regard to case. A cell that cannot be cast counts as
    empty; `find_casts` tells where. Raises ExpressionError: bad syntax, anything but scalar operators and `FUNCTIONS`,
    an unknown column, a type error such as a number compared with text. The expression has been tried on odd cells and
    does not fail on rows.
    """
    tree = _resolved(text, columns)
    with _translated(text):
        compiled = _compiled(tree)
        _try_on_odd_cells(compiled)
    return compiled


def find_casts(text: str, columns: Sequence[str]) -> tuple[Cast, ...]:
    """The casts of an expression that can fail on a cell which is not blank.

    What is not reached is not asked: the branches of CASE and IF that a row does not take, what stands in COALESCE
    behind a value, behind AND what is false already, and behind OR what is true. Raises as `compile_expression` does.
    """
    with _translated(text):
        found = [_cast(node, guards) for node, guards in _strict_casts(_resolved(text, columns), ())]
        for one in found:
            _try_on_odd_cells(one.failed)
    return tuple(found)


def compile_condition(text: str, columns: Sequence[str]) -> pl.Expr:
    """As `compile_expression`, for `where`: a Boolean expression without nulls (unknown counts as false)."""
    compiled = compile_expression(text, columns)
    trial = pl.DataFrame(schema=dict.fromkeys([*compiled.meta.root_names(), "_"], pl.String))
    if trial.select(compiled.alias("_")).schema["_"] != pl.Boolean:
        raise ExpressionError(f"{_quoted(text)} is a value, not a condition; compare it with something: = 'Ready'")
    return compiled.fill_null(value=False)


def find_unclear(text: str, columns: Sequence[str]) -> pl.Expr | None:
    """In which rows a condition cannot be told, since one of its casts fails: a Boolean expression; None: in none.

    Where the rest of the condition decides (`… OR TRUE`), it can. What swallows an empty value (CASE, COALESCE, IS
    NULL) does not decide. Raises as `compile_expression` does.
    """
    casts = find_casts(text, columns)
    if not casts:
        return None
    tree = _resolved(text, columns)
    with _translated(text):
        told = _compiled(tree)
    unsure = ~told.fill_null(value=False) if tree.find(exp.Case, exp.If, exp.Coalesce, exp.Is) else told.is_null()
    return pl.any_horizontal([cast.failed for cast in casts]) & unsure


def _resolved(text: str, columns: Sequence[str]) -> exp.Expr:
    """The guarded tree with the names of columns as the file has them."""
    tree = _guarded(text)
    for column in list(tree.find_all(exp.Column)):
        column.this.set("this", _resolve(column.name, columns))
        column.this.set("quoted", value=True)
    return tree


def _compiled(tree: exp.Expr) -> pl.Expr:
    return pl.sql_expr(tree.sql(comments=False))


def _try_on_odd_cells(compiled: pl.Expr) -> None:
    trial = pl.DataFrame({name: pl.Series(_TRIAL, dtype=pl.String) for name in compiled.meta.root_names()})
    trial.select(compiled.alias("_"))


Guards = tuple[pl.Expr, ...]
"""Conditions that hold where a part of an expression is reached."""


def _strict_casts(node: exp.Expr, guards: Guards) -> Iterator[tuple[exp.TryCast, Guards]]:
    """Every CAST in a tree, with what must hold for it to be reached."""
    if isinstance(node, exp.TryCast) and node.meta.get(_STRICT):
        yield node, guards
    if isinstance(node, exp.Case | exp.If):
        yield from _in_branches(node, guards)
    elif isinstance(node, exp.Coalesce | exp.And | exp.Or):
        parts = [node.this, *node.expressions] if isinstance(node, exp.Coalesce) else [node.left, node.right]
        for part in parts:
            yield from _strict_casts(part, guards)
            done = _compiled(part)
            guards = (*guards, done.is_null() if isinstance(node, exp.Coalesce) else _open(node, done))
    else:
        for part in node.iter_expressions():
            yield from _strict_casts(part, guards)


def _open(node: exp.And | exp.Or, done: pl.Expr) -> pl.Expr:
    """Whether the left side of AND or OR leaves the right side to be asked."""
    return done.fill_null(value=True) if isinstance(node, exp.And) else ~done.fill_null(value=False)


def _in_branches(node: exp.Case | exp.If, guards: Guards) -> Iterator[tuple[exp.TryCast, Guards]]:
    """The casts of CASE and IF: of the conditions as far as they are asked, of the one branch that is taken."""
    branches = node.args["ifs"] if isinstance(node, exp.Case) else [node]
    subject = node.this if isinstance(node, exp.Case) else None
    otherwise = node.args.get("default") if isinstance(node, exp.Case) else node.args.get("false")
    if subject is not None:
        yield from _strict_casts(subject, guards)
    for branch in branches:
        yield from _strict_casts(branch.this, guards)
        asked = branch.this if subject is None else exp.EQ(this=subject.copy(), expression=branch.this.copy())
        holds = _compiled(asked).fill_null(value=False)
        yield from _strict_casts(branch.args["true"], (*guards, holds))
        guards = (*guards, ~holds)
    if otherwise is not None:
        yield from _strict_casts(otherwise, guards)


def _cast(node: exp.TryCast, guards: Guards) -> Cast:
    operand = _compiled(node.this).cast(pl.String)
    failed = (operand.str.strip_chars() != "") & _compiled(node).is_null()
    column = next((one.name for one in node.find_all(exp.Column)), None)
    whole = node.to.this == exp.DataType.Type.BIGINT
    return Cast(reduce(pl.Expr.and_, guards, failed).fill_null(value=False), operand, column, whole)


def _guarded(text: str) -> exp.Expr:
    """The expression as a tree in which every node is allowed, casts cannot fail, and no size is absurd."""
    if not text.strip():
        raise ExpressionError("the expression is empty; write a comparison such as Status = 'Ready'")
    if len(text) > TEXT_LIMIT:
        raise ExpressionError(f"the expression has {len(text):,} characters; use at most {TEXT_LIMIT:,}")
    if _depth(text) > DEPTH_LIMIT:
        raise ExpressionError(f"the expression has more than {DEPTH_LIMIT} brackets within each other; make it simpler")
    try:
        tree = sqlglot.parse_one(text)
    except (SqlglotError, RecursionError):
        raise ExpressionError(
            f"{_quoted(text)} is not a SQL expression; texts stand in 'single quotes', column names with spaces in"
            ' "double quotes"'
        ) from None
    for node in list(tree.walk()):
        _check(node)
    return tree.transform(_safe_cast)


def _check(node: exp.Expr) -> None:
    if type(node) not in _ALLOWED:
        use = ", ".join(FUNCTIONS) if isinstance(node, exp.Func) else "comparisons, arithmetic and functions of cells"
        raise ExpressionError(f"{_name(node)} is not allowed in an expression; use {use}")
    if isinstance(node, exp.Column) and len(node.parts) > 1:
        raise ExpressionError(f'{node.sql()} names a table; write the column alone, in "double quotes" if it has a dot')
    if isinstance(node, exp.Literal) and len(node.name) > LITERAL_LIMIT:
        raise ExpressionError(f"a text in the expression has more than {LITERAL_LIMIT} characters; make it shorter")
    if isinstance(node, exp.In) and not (node.expressions and _only_literals(node.expressions)):
        raise ExpressionError("IN takes a list of values, such as Status IN ('Ready', 'Done')")
    if isinstance(node, exp.DataType) and node.this not in _TYPES:
        raise ExpressionError(f"CAST to {node.sql()} is not allowed; use INT, DOUBLE or VARCHAR")
    if isinstance(node, exp.Pad) and not _is_small(node.expression):
        raise ExpressionError(f"LPAD and RPAD take a written width of at most {PAD_LIMIT:,}")
    part = _LITERAL_PATTERNS.get(type(node))
    if part and not isinstance(node.args.get(part), exp.Literal):
        raise ExpressionError(f"{_name(node)} takes a pattern written out in 'single quotes'")


def _only_literals(nodes: Sequence[exp.Expr]) -> bool:
    return all(isinstance(node, exp.Literal | exp.Null | exp.Boolean | exp.Neg) for node in nodes)


def _is_small(width: exp.Expr | None) -> bool:
    return isinstance(width, exp.Literal) and width.name.isdigit() and int(width.name) <= PAD_LIMIT


def _safe_cast(node: exp.Expr) -> exp.Expr:
    """CAST as TRY_CAST, to the wide types: a cell that is no number is empty, and 3,000,000,000 is one."""
    if not isinstance(node, exp.Cast):
        return node
    safe = exp.TryCast(this=node.this, to=exp.DataType.build(_TYPES[node.to.this]))
    safe.meta[_STRICT] = not isinstance(node, exp.TryCast)
    return safe


def _resolve(name: str, columns: Sequence[str]) -> str:
    found = name if name in columns else _only([column for column in columns if column.casefold() == name.casefold()])
    if found is None:
        raise ExpressionError(f'there is no column "{name}"; the columns are {", ".join(columns)}')
    if found == "*" or (found.startswith("^") and found.endswith("$")):
        raise ExpressionError(f'the column "{found}" cannot be used in an expression; rename it in the file')
    return found


def _only(found: Sequence[str]) -> str | None:
    return found[0] if len(found) == 1 else None


@contextmanager
def _translated(text: str) -> Iterator[None]:
    try:
        yield
    except (PolarsError, PanicException, TypeError, ValueError, OverflowError):
        raise ExpressionError(
            f"{_quoted(text)} cannot be computed; every cell is text: compare it with '2', or write"
            " CAST(column AS INT) > 2, and patterns must be valid regular expressions"
        ) from None


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return str(node.this).upper()
    return node.sql_name() if isinstance(node, exp.Func) else type(node).__name__.upper()


def _quoted(text: str) -> str:
    shown = " ".join(text.split())
    return f"`{shown if len(shown) <= 80 else shown[:79] + '…'}`"
