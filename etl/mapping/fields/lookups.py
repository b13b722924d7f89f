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
            ids={**self.ids, **own.ids},
            folded={**self.folded, **own.folded},
            told={**self.told, **own.told},
            lost={**self.lost, **own.lost},
        )

    def look_up_ids(self, form: Form) -> Operation:
        """As `look_up`; what is no name of anything stays as it is: ids are meant, and the rules say what is wrong."""
        known = self.look_up(form).change
        if form is Form.LIST:
            return Operation(lambda items: by_column(items, self._ids_or_kept, pl.List(pl.String)))
        return Operation(lambda texts: pl.coalesce(known(texts), texts))

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

    def _ids_or_kept(self, lists: pl.Series) -> pl.Series:
        ids = [
            None if items is None else [self.find(name)[0] if len(self.find(name)) == 1 else name for name in items]
            for items in lists.to_list()
        ]
        return pl.Series(lists.name, ids, dtype=pl.List(pl.String))

    def _explain(self, name: str) -> Mistake:
        found = self.find(name)
        if found:
            shown = ", ".join(self.told.get(id_, id_) for id_ in found[:_SHOWN_IDS])
            return (
                Code.AMBIGUOUS_NAME,
                f"the id of one {self.noun}, and {len(found)} have this name: {shown}; give the id",
            )
        if lost := self.lost.get(name.strip()):
            return Code.UNKNOWN_NAME, f"the id or name of a {self.noun} there is, and {lost}; mend that row first"
        near = suggest(name, self.ids) if len(self.ids) <= _MOST_COMPARED else ""
        return Code.UNKNOWN_NAME, f"the id or name of a {self.noun} there is{near}; {self.advice}"

    def _explain_list(self, joined: str) -> Mistake:
        names = next((name for name in joined.split(", ") if len(self.find(name)) != 1), joined)
        code, end = self._explain(names)
        return code, f"{end}: {quote_value(None, names)}"


_MOST_COMPARED = 5_000


def _fold(name: str) -> str:
    return " ".join(name.split()).casefold()
