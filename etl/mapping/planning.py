"""The work that a bound mapping means, as layers of polars expressions: made once, run for every batch.

A layer may use the columns that earlier layers made. Where a step can fail, the column before and the column after it
are both kept: a row that has the first and lacks the second has a problem. Must never know a row.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars as pl

from etl.mapping.dialects import Shape, Target
from etl.mapping.jsoncells import Mistake
from etl.mapping.kinds import encode, explain_type, from_json, into_kind, map_words
from etl.mapping.spec import Rule
from etl.mapping.steps import BlankToNull, Form, Operation
from etl.problems import Code
from etl.resources import Kind

Cell = str | list[str]
"""A value as a frame holds it: plain text, JSON text, or a list of texts."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One thing that can fill one field: a column, numbered columns, an expression, or a constant."""

    target: Target
    rule: Rule
    columns: tuple[str, ...] = ()
    numbered: bool = False
    """The columns together are a list; else there is at most one."""
    expression: pl.Expr | None = None
    constant: Cell | None = None

    @property
    def column(self) -> str | None:
        """The column to name in a problem."""
        return self.columns[0] if self.columns else None


@dataclass(frozen=True, slots=True)
class Check:
    """A step that can fail, between two columns of the working frame."""

    feed: Feed
    before: str
    after: str
    explain: Callable[[str], Mistake]
    type_: str | None = None
    """The column with the JSON type of each cell, where that is what is wrong."""


@dataclass(frozen=True, slots=True)
class Rivalry:
    """Two columns of the working frame that fill one field; `winner` is sent."""

    winner: str
    loser: str
    feed: Feed
    """What the loser comes from."""
    winner_name: str


@dataclass(slots=True)
class Plan:
    """Everything there is to do with a batch. `inputs` and `types` name working columns by the column of the file."""

    inputs: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    expressions: list[pl.Expr] = field(default_factory=list)
    """Run on the frame as read: their columns are named as in the file."""
    layers: list[list[pl.Expr]] = field(default_factory=list)
    outputs: list[pl.Expr] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    rivalries: list[Rivalry] = field(default_factory=list)
    refused: list[tuple[Feed, str]] = field(default_factory=list)
    """Feeds of fields that the contract does not have, with their working column."""
    demanded: list[tuple[Feed, pl.Expr]] = field(default_factory=list)
    """Fields that the mapping requires, with the condition under which a row lacks them."""


def make_plan(feeds: Sequence[Feed], *, typed: bool) -> Plan:
    """The plan for feeds; `typed` where cells may hold JSON that is no string (JSON Lines)."""
    maker = _Maker(typed)
    by_path: dict[str, list[Feed]] = {}
    for feed in feeds:
        by_path.setdefault(feed.target.path, []).append(feed)
    for path, rivals in by_path.items():
        if rivals[0].target.spec is None:
            maker.refuse(rivals)
        else:
            maker.fill(path, rivals)
    return maker.plan


class _Maker:
    """Collects a plan, feed by feed."""

    def __init__(self, typed: bool) -> None:  # noqa: FBT001 - one caller, right above
        self.plan = Plan()
        self._typed = typed
        self._made = 0

    def refuse(self, feeds: Sequence[Feed]) -> None:
        for feed in feeds:
            for column in feed.columns:
                self.plan.refused.append((feed, self._input(column)))

    def fill(self, path: str, feeds: Sequence[Feed]) -> None:
        """All feeds of one field: the first that has a value wins; `default` comes last."""
        values: list[str] = []
        for feed in feeds:
            if feed.constant is not None:
                values.append(self._place(_constant(feed.constant, feed.target), 0))
                continue
            value = self._feed(feed)
            if values:
                level = len(self.plan.layers)
                winner = self._place(pl.coalesce(values), level)
                names = " or ".join(dict.fromkeys(other.column or path for other in feeds[: len(values)]))
                self.plan.rivalries.append(Rivalry(winner, value, feed, names))
            values.append(value)
        self.plan.outputs.append(pl.coalesce(values).alias(path))

    def _feed(self, feed: Feed) -> str:
        start, form = self._start(feed)
        value, level = self._change(feed, start, 0, _operations(feed, form))
        if self._typed and feed.column is not None and not feed.numbered:
            value, level = self._with_types(feed, value, level)
        for operation in _shape(feed, form):
            value, level = self._step(feed, value, level, operation)
        self._demand(feed)
        return self._place(value, level)

    def _start(self, feed: Feed) -> tuple[pl.Expr, Form]:
        if feed.expression is not None:
            name = f"e{len(self.plan.expressions)}"
            self.plan.expressions.append(feed.expression.cast(pl.String).alias(name))
            return pl.col(name), Form.TEXT
        cells = [self._text(column) for column in feed.columns]
        if feed.numbered:
            items = pl.concat_list(cells).list.drop_nulls()
            return pl.when(items.list.len() > 0).then(items), Form.LIST
        return cells[0], Form.TEXT
