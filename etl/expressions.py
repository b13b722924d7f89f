"""User-written column expressions, guarded: SQL in, a polars expression out.

`pl.sql_expr` opens files and URLs named in an expression while it parses it, so polars never sees the user's text: it
is parsed by sqlglot, every node is held against a list of what is allowed, and polars gets SQL written anew from that
tree.
This file must never know which flag or mapping an expression came from.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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


class ExpressionError(ValueError):
    """An expression that is refused. The text is one sentence; the caller says where the expression stands."""


def check_expression(text: str) -> None:
    """Refuse (ExpressionError) an expression that no columns could make right: syntax, functions, size."""
    _guarded(text)


def compile_expression(text: str, columns: Sequence[str]) -> pl.Expr:
    """A polars expression over String columns from a SQL scalar expression.

    Names match exactly or, where that is unambiguous, without regard to case. A cell that cannot be cast counts as
    empty. Raises ExpressionError: bad syntax, anything but scalar operators and `FUNCTIONS`, an unknown column, a type
    error such as a number compared with text. The expression has been tried on odd cells and does not fail on rows.
    """
    tree = _guarded(text)
    for column in list(tree.find_all(exp.Column)):
        column.this.set("this", _resolve(column.name, columns))
        column.this.set("quoted", value=True)
    with _translated(text):
        compiled = pl.sql_expr(tree.sql(comments=False))
        trial = pl.DataFrame({name: pl.Series(_TRIAL, dtype=pl.String) for name in compiled.meta.root_names()})
        trial.select(compiled.alias("_"))
    return compiled


def compile_condition(text: str, columns: Sequence[str]) -> pl.Expr:
    """As `compile_expression`, for `where`: a Boolean expression without nulls (unknown counts as false)."""
    compiled = compile_expression(text, columns)
    trial = pl.DataFrame(schema=dict.fromkeys([*compiled.meta.root_names(), "_"], pl.String))
    if trial.select(compiled.alias("_")).schema["_"] != pl.Boolean:
        raise ExpressionError(f"{_quoted(text)} is a value, not a condition; compare it with something: = 'Ready'")
    return compiled.fill_null(value=False)


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
    return exp.TryCast(this=node.this, to=exp.DataType.build(_TYPES[node.to.this]))


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
