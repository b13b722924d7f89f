"""Lookups: names in cells become the ids that the API knows them by.

Must never ask the API itself: it is handed a book of names. A name that several have, or none, is a problem.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from etl.mapping.cells.jsoncells import Mistake
from etl.mapping.cells.names import suggest
from etl.mapping.cells.series import by_column
from etl.mapping.steps import Form, Operation
from etl.problems import Code
from etl.quoting import quote_value

_SHOWN_IDS = 3


@dataclass(frozen=True, slots=True)
class NameBook:
    """The names and ids of one resource's items at the API.

    `noun` is what one is called (`test set`). An id stands for itself; a name is first sought as it is written, then
    without regard to case and white space. `advice` ends the sentence about a name that nothing has.
    """

    noun: str
    ids: Mapping[str, tuple[str, ...]]
    """By name as it is written."""
    folded: Mapping[str, tuple[str, ...]]
    """By name without case and white space."""
    advice: str = "check the name"
    told: Mapping[str, str] = field(default_factory=dict)
    """What to call an id that means nothing to anybody yet (`row 3 of agents.csv`)."""
    lost: Mapping[str, str] = field(default_factory=dict)
    """Names that nothing has, though something was to have them, and why (`row 3 of agents.csv has errors`)."""
    complete: bool = True
    """False where the API was not asked: what the book does not know may be known there."""

    @classmethod
    def of(cls, noun: str, items: Iterable[tuple[str, Sequence[str]]], advice: str = "check the name") -> "NameBook":
        """From the id and the names of each item."""
        ids: dict[str, tuple[str, ...]] = {}
        folded: dict[str, tuple[str, ...]] = {}
        for id_, names in items:
            for name in dict.fromkeys((id_, *names)):
                ids[name] = (*ids.get(name, ()), id_)
                folded[_fold(name)] = tuple(dict.fromkeys((*folded.get(_fold(name), ()), id_)))
        return cls(noun, ids, folded, advice)

    def with_names(self, names: Iterable[tuple[str, str]]) -> "NameBook":
        """The same book with more names, each with its id."""
        added = NameBook.of(self.noun, [(id_, [name]) for name, id_ in names])
        return replace(self, ids={**added.ids, **self.ids}, folded={**added.folded, **self.folded})

    def with_own(self, own: "NameBook") -> "NameBook":
        """The same book with the names of another, which outweigh it."""
        return replace(
            self,
            noun=own.noun,
            ids={**self.ids, **own.ids},
            folded={**self.folded, **own.folded},
            told={**self.told, **own.told},
            lost={**self.lost, **own.lost},
        )

    def look_up_known(self, form: Form) -> Operation:
        """As `look_up`; what is no name of anything stays as it is: it is an id, or a name that others know."""
        if form is Form.LIST:
            return Operation(
                lambda items: by_column(items, self._known_in_lists, pl.List(pl.String)), self._explain_list
            )
        return Operation(lambda texts: by_column(texts, self._known_or_kept, pl.String), self._explain)

    def find(self, name: str) -> tuple[str, ...]:
        """The ids that a name may stand for."""
        return self.ids.get(name.strip()) or self.folded.get(_fold(name), ())

    def look_up(self, form: Form) -> Operation:
        """What a column of names (a text, or a list of them) becomes: their ids, null where one is not clear."""
        if form is Form.LIST:
            return Operation(lambda items: by_column(items, self._ids_of_lists, pl.List(pl.String)), self._explain_list)
        return Operation(lambda texts: by_column(texts, self._ids_of, pl.String), self._explain)

    def _ids_of(self, names: pl.Series) -> pl.Series:
        known = {name: found[0] for name in names.unique().drop_nulls() if len(found := self.find(name)) == 1}
        return names.replace_strict(known, default=None, return_dtype=pl.String)

    def _ids_of_lists(self, lists: pl.Series) -> pl.Series:
        found = [None if items is None else [self.find(name) for name in items] for items in lists.to_list()]
        ids = [
            None if items is None or any(len(one) != 1 for one in items) else [one[0] for one in items]
            for items in found
        ]
        return pl.Series(lists.name, ids, dtype=pl.List(pl.String))

    def _known_or_kept(self, names: pl.Series) -> pl.Series:
        return names.replace_strict(
            {name: self._known(name) for name in names.unique().drop_nulls()}, default=None, return_dtype=pl.String
        )

    def _known_in_lists(self, lists: pl.Series) -> pl.Series:
        found = [None if items is None else [self._known(name) for name in items] for items in lists.to_list()]
        ids = [None if items is None or None in items else items for items in found]
        return pl.Series(lists.name, ids, dtype=pl.List(pl.String))

    def _known(self, name: str) -> str | None:
        """The id of a name, or the text itself; None where the name is not clear, or what was to have it is gone."""
        found = self.find(name)
        if not found:
            return None if name.strip() in self.lost else name
        return found[0] if len(found) == 1 else None

    def _explain(self, name: str) -> Mistake:
        found = self.find(name)
        if found:
            shown = ", ".join(self.told.get(id_, id_) for id_ in found[:_SHOWN_IDS])
            return (
                Code.AMBIGUOUS_NAME,
                f"the id of one {self.noun}, and {len(found)} have this name: {shown}; give the id",
            )
        if lost := self.lost.get(name.strip()):
            return Code.UNKNOWN_NAME, f"the id or name of {_a(self.noun)} there is, and {lost}; mend that row first"
        near = suggest(name, self.ids) if len(self.ids) <= _MOST_COMPARED else ""
        return Code.UNKNOWN_NAME, f"the id or name of {_a(self.noun)} there is{near}; {self.advice}"

    def _explain_list(self, joined: str) -> Mistake:
        each = joined.split(", ")
        names = next((name for name in each if self._known(name) is None), "") or next(
            (name for name in each if len(self.find(name)) != 1), joined
        )
        code, end = self._explain(names)
        return code, f"{end}: {quote_value(None, names)}"


_MOST_COMPARED = 5_000


def _a(noun: str) -> str:
    return f"an {noun}" if noun[:1] in "aeiou" else f"a {noun}"


def _fold(name: str) -> str:
    return " ".join(name.split()).casefold()
