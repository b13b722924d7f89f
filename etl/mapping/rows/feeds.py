"""Feed: one thing that can fill one field, of a mapping that knows its table. Must never know a row."""

from collections.abc import Mapping as Pairs
from dataclasses import dataclass, field

import polars as pl

from etl.expressions import Cast
from etl.mapping.cells.ways import Input, Part
from etl.mapping.fields.dialects import Target
from etl.mapping.fields.lookups import NameBook
from etl.mapping.language.spec import Rule
from etl.mapping.steps import Each, Form, Keep

Cell = str | list[str]
"""A value as a frame holds it: plain text, JSON text, or a list of texts."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One thing that can fill one field: a column, numbered columns, a template, an expression, or a constant."""

    target: Target
    rule: Rule
    inputs: tuple[Input, ...] = ()
    numbered: bool = False
    """The inputs together are a list; else there is at most one, but in a template."""
    template: tuple[tuple[str, Input | None], ...] = ()
    """Texts, each with the input that follows it."""
    is_object: bool = False
    """The inputs together are a JSON object, by the names of the columns."""
    parts: tuple[tuple["Feed", ...], ...] = ()
    """What several sources give, one after the other; of each source the first feed that has a value."""
    is_part: bool = False
    """Whether it is one of another's `parts`: it stays a list, whatever the field is sent as."""
    expression: pl.Expr | None = None
    casts: tuple[Cast, ...] = ()
    """What of the expression can fail on a cell."""
    only: Pairs[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Of the rows of a record, those that have one of these words in these columns."""
    gives: Form = Form.TEXT
    """What the expression gives."""
    constant: Cell | None = None
    names: NameBook | None = None
    """What its texts are looked up in."""
    holds_ids: bool = False
    """The column is called like the field: its texts are ids, though a name of something known is understood."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it takes something from."""
        return tuple(dict.fromkeys(one.column for one in self.inputs))

    @property
    def column(self) -> str | None:
        """The column to name in a problem."""
        return self.inputs[0].column if self.inputs else None

    @property
    def subject(self) -> str:
        """What sentences call it: the column, with the way into it, or else the field."""
        return str(self.inputs[0]) if self.inputs else self.target.path

    @property
    def is_from_columns(self) -> bool:
        """Whether the value is what stands in columns, neither computed nor fixed."""
        other = self.template or self.is_object or self.parts
        return self.expression is None and self.constant is None and not other

    @property
    def leaves(self) -> tuple["Feed", ...]:
        """The feeds that take something from the table themselves."""
        return tuple(feed for part in self.parts for feed in part) or (self,)

    def ways_from(self, one: Input, whole: "Feed") -> list[tuple[Part, ...]]:
        """The ways into a column at whose ends everything is used. `whole` is the feed that this is a leaf of: a
        pattern of `each` uses the keys that it names, and no others.
        """
        start = one.way.parts if one.way else ()
        own = self.rule.steps if self.is_from_columns else ()
        steps = [*own, *(whole.rule.steps if self.is_from_columns and whole is not self else ())]
        for step in steps:
            if isinstance(step, Each):
                ends = [(*start, *way.parts) for way in step.ways]
                return [*ends, *((*start, Part(every=True), *way.parts) for way in step.ways)]
            if isinstance(step, Keep) and step.kinds == ["text"] and one.way is None:
                return []
            if step.step not in _PASSING:
                break
        return [start]


_PASSING = frozenset({"strip", "nfc", "blank_to_null", "drop_empty", "keep", "json"})
"""Steps that leave the keys of a JSON object as they are."""
