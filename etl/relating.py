"""Rows of one job that refer to each other: by what they are called before they exist, by their ids as soon as they do.

It must never ask the API, nor know how rows are sent.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

import polars as pl

from etl.batch import ROW
from etl.checking import Checked, Fitted, conditions_of, left_out, mapped_batches, records, with_books
from etl.mapping import NameBook, apply, wanted_by
from etl.report import Outcome, Result
from etl.resources import RESOURCES, Contract, Resource

_UNBORN = "U"
"""How the id of a row begins that does not exist yet. It stands in for the real one while rows are checked, and is
never sent."""


_NOT_ASKED = NameBook("", {}, {}, complete=False)


class _Fate(Enum):
    UNBORN = auto()
    HERE = auto()
    GONE = auto()
    """It will not be created by this job."""


@dataclass(slots=True)
class _Relative:
    """A row that others may refer to. `id`: the real one once it is here, else what stands for it."""

    place: str
    names: tuple[str, ...]
    id: str
    fate: _Fate = _Fate.UNBORN
    why: str = ""


class Relatives:
    """What the rows of a job are called that other rows of it refer to.

    A table that refers is bound again (`bound`) after the rows it refers to were checked, and once more after they were
    sent: names of rows that were refused are then a problem of the rows that need them.
    """

    def __init__(self, fitted: Iterable[Fitted]) -> None:
        tables = list(fitted)
        wanted = {resource for one in tables for resource in one.bound.lookups.values()}
        self._rows: dict[str, dict[tuple[int, int], _Relative]] = {
            one.resource.name: {} for one in tables if one.resource.name in wanted
        }
        self._unborn = 0

    def refers(self, fitted: Fitted) -> bool:
        """Whether a table looks up names that rows of this job may have."""
        return any(resource in self._rows for resource in fitted.bound.lookups.values())

    def note(self, checked: Checked) -> None:
        """Remember what the rows of a batch are called."""
        rows = self._rows.get(checked.fitted.resource.name)
        if rows is None:
            return
        bad = dict(zip(checked.batch.frame[ROW], checked.bad(), strict=True))
        skipped = dict(zip(checked.batch.frame[ROW], checked.skipped, strict=True))
        for row, names in _names_in(checked.batch.frame, checked.batch.source, checked.fitted):
            if not names:  # nobody can refer to it
                continue
            key = checked.fitted.number, row
            known = rows.get(key)
            if known is not None and known.fate is _Fate.HERE:
                continue
            id_ = known.id if known is not None else self._unborn_id(checked.fitted.resource)
            one = rows[key] = _Relative(f"row {row} of {checked.fitted.name}", names, id_)
            if (update := checked.updates.get(row)) is not None:
                one.id, one.fate = update.resource_id, _Fate.HERE
            elif bad[row] or skipped[row]:
                one.fate, one.why = _Fate.GONE, "was left out" if skipped[row] else "has errors"

    def settled(self, fitted: Fitted, results: Iterable[Result]) -> None:
        """What became of rows: those that have an id can be referred to."""
        rows = self._rows.get(fitted.resource.name)
        if rows is None:
            return
        for result in results:
            one = rows.get((fitted.number, result.row))
            if one is None:
                continue
            if result.resource_id is not None:
                one.id, one.fate = result.resource_id, _Fate.HERE
            elif result.outcome in _HERE:  # a person has accepted it; the API knows its id by its name
                one.fate, one.why = _Fate.GONE, "is at the API, and its id is not known here"
                one.names = ()
            elif result.outcome in _OVER:
                one.fate, one.why = _Fate.GONE, _OVER[result.outcome]

    def bound(self, fitted: Fitted, contract: Contract) -> Fitted:
        """The same table, which knows what the rows of this job are called that were noted until now."""
        books = dict(fitted.bound.books)
        for resource in {*fitted.bound.lookups.values()} & self._rows.keys():
            books[resource] = books.get(resource, _NOT_ASKED).with_own(self._book(resource))
        return with_books([fitted], contract, books)[0]

    def here(self) -> dict[str, str]:
        """What rows of this job are called that exist by now, and their ids."""
        rows = (one for rows in self._rows.values() for one in rows.values() if one.fate is _Fate.HERE)
        return {name: one.id for one in rows for name in one.names}

    def unborn(self, resource: str) -> set[str]:
        """What stands for the ids of rows of which it is still open whether they will exist."""
        return {one.id for one in self._rows.get(resource, {}).values() if one.fate is _Fate.UNBORN}

    def waiting(self, checked: Checked) -> list[int]:
        """The rows of a batch that refer to rows of this job of which it is still open whether they will exist."""
        unborn = [id_ for resource in self._rows for id_ in self.unborn(resource)]
        paths = [path for path, resource in checked.fitted.bound.lookups.items() if resource in self._rows]
        frame = checked.batch.frame
        named = [_holds(frame.schema[path], path, unborn) for path in paths if path in frame.columns]
        if not unborn or not named:
            return []
        return frame.filter(pl.any_horizontal(named))[ROW].to_list()

    def _unborn_id(self, resource: Resource) -> str:
        """An id of the right form that no other row of the job has."""
        self._unborn += 1
        return f"{_UNBORN}{self._unborn:0{resource.id_length - len(_UNBORN)}d}"

    def _book(self, resource: str) -> NameBook:
        rows = self._rows[resource].values()
        noun = RESOURCES[resource].singular.replace("_", " ")
        there = [one for one in rows if one.fate is not _Fate.GONE]
        told = {one.id: one.place for one in there}
        lost = {name: f"{one.place} {one.why}" for one in rows if one.fate is _Fate.GONE for name in one.names}
        return replace(NameBook.of(noun, [(one.id, one.names) for one in there]), told=told, lost=lost)


_HERE = frozenset({Outcome.CREATED, Outcome.UNCHANGED})
_OVER: Mapping[Outcome, str] = {
    Outcome.REJECTED: "has errors",
    Outcome.FAILED: "was refused by the API",
    Outcome.SKIPPED: "was left out",
}
"""Why a row will not exist."""


def names_given(fitted: Sequence[Fitted], resource: str) -> Iterator[str]:
    """What the rows of this job are called that become a resource. Reads their tables through."""
    for one in fitted:
        if one.resource.name == resource:
            for batch in mapped_batches(one):
                for _, names in _names_in(batch.frame, batch.source, one):
                    yield from names


def names_in(
    fitted: Sequence[Fitted], resource: str, *, where: str | None = None, limit: int | None = None
) -> list[str]:
    """The different texts that rows which are taken, not looked up yet, have for names of a resource. Reads all."""
    found: dict[str, None] = {}
    left = limit
    for one in fitted:
        paths = [path for path, looked_up in one.bound.lookups.items() if looked_up == resource]
        conditions = conditions_of(one, where)
        for batch in records(one, conditions) if paths or left is not None else ():
            skipped, left = left_out(batch, wanted_by(conditions), left)
            for path in paths:
                cells = apply(one.bound, batch).frame[path].filter(~skipped)
                texts = cells.explode() if isinstance(cells.dtype, pl.List) else cells
                found |= dict.fromkeys(texts.drop_nulls().unique(maintain_order=True))
    return list(found)


def _names_in(frame: pl.DataFrame, source: pl.DataFrame, fitted: Fitted) -> Iterator[tuple[int, tuple[str, ...]]]:
    labels = [name for name in fitted.resource.names if name in frame.columns and frame.schema[name] == pl.String]
    own = [column for column in fitted.bound.known_as if column in source.columns]
    told = pl.concat([frame.select(ROW, *labels), source.select(pl.col(own).cast(pl.String))], how="horizontal")
    for row, *names in told.iter_rows():
        yield row, tuple(dict.fromkeys(name for name in names if name is not None and name.strip()))


def _holds(dtype: pl.DataType, path: str, ids: Sequence[str]) -> pl.Expr:
    cells = pl.col(path)
    if isinstance(dtype, pl.List):
        return cells.list.eval(pl.element().is_in(ids)).list.any().fill_null(value=False)
    return cells.is_in(ids).fill_null(value=False)
