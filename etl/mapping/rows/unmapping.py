"""The other direction: bodies of the API become rows in a mapping's columns, so that reading them gives the bodies.

Nothing is believed: the rows are mapped forwards again, and a body that does not come back as it was is a problem. Must
never know where bodies come from or where rows go.
"""

import json
from collections.abc import Mapping as Pairs
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from etl import problems as problem
from etl.batch import ROW, Batch, Origin
from etl.errors import MappingError
from etl.mapping.cells.jsoncells import members, quoted
from etl.mapping.cells.names import fold, spelled
from etl.mapping.fields.dialects import Shape, Target, find_target
from etl.mapping.fields.lookups import NameBook
from etl.mapping.language.spec import Mapping, Rule
from etl.mapping.rows.applying import apply
from etl.mapping.rows.binding import bind
from etl.mapping.rows.bodies import bodies
from etl.problems import Code, Problem, Severity
from etl.resources import RESOURCES, Contract


@dataclass(frozen=True, slots=True)
class _Place:
    """A field of the body and the column that it is written to; with `{n}` in its name, numbered ones."""

    target: Target
    rule: Rule
    column: str

    @property
    def is_numbered(self) -> bool:
        return "{n}" in self.column

    def cell(self, value: str, *, readable: bool) -> list[str]:
        """A value (JSON text) as it is written into its cells: one, or one for each number."""
        read = json.loads(value, parse_int=_Number, parse_float=_Number)
        if self.target.shape is Shape.LIST_TO_ONE and isinstance(read, str):
            read = [read]
        if self.target.shape is Shape.ONE_TO_LIST and isinstance(read, list) and len(read) == 1:
            read = read[0]
        if isinstance(read, list) and all(type(item) is str for item in read):
            if self.is_numbered:
                return read
            lines = "\n".join(read)
            return [lines if readable and read and lines.splitlines() == read else value]
        return [self._word(str(read))] if isinstance(read, str | _Number) else [value]

    def _word(self, text: str) -> str:
        """The word of the file that means what the API says."""
        return next((str(word) for word, meant in (self.rule.map_ or {}).items() if str(meant) == text), text)


class _Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


def unmap(
    mapping: Mapping, contract: Contract, texts: Sequence[str], books: Pairs[str, NameBook] | None = None
) -> Batch:
    """One row a body (JSON text), in the columns of the mapping; row numbers from 1.

    A list is written line by line where that comes back as it was, else as JSON. `problems` name the bodies that do not
    come back at all (`not_convertible`): a field that the mapping has no column for, or a value that its steps change.
    Raises MappingError for a mapping that makes a record of several rows, or that takes nothing from columns.
    """
    places = _places(mapping, contract)
    if mapping.source.group_by is not None or not places:
        raise MappingError(
            f"The mapping {mapping.name} cannot be written backwards: it does not give each row a record of its own.",
            "Name another mapping.",
        )
    taken = [_take_apart(text, places) for text in texts]
    found = _Try(mapping, contract, books or {}, places, taken, texts)
    readable = found.rows(dict.fromkeys(range(len(texts)), True))
    plain = found.come_back(readable)
    if all(plain):
        return readable
    batch = found.rows(dict(enumerate(plain)))
    lost = [found.lost(at) for at, whole in enumerate(found.come_back(batch)) if not whole]
    return batch.with_problems(problem.frame_of(lost)) if lost else batch


@dataclass(frozen=True, slots=True)
class _Try:
    """Bodies on their way into columns and back."""

    mapping: Mapping
    contract: Contract
    books: Pairs[str, NameBook]
    places: Sequence[_Place]
    taken: Sequence[tuple[dict[str, str], dict[str, str]]]
    texts: Sequence[str]

    def rows(self, readable: Pairs[int, bool]) -> Batch:
        """The rows; `readable` says of which lists may be written line by line."""
        columns: dict[str, list[str | None]] = {}
        for place in self.places:
            cells = [
                place.cell(values[place.target.path], readable=readable[at]) if place.target.path in values else []
                for at, (values, _) in enumerate(self.taken)
            ]
            width = max(map(len, cells), default=0) if place.is_numbered else 1
            for number in range(width):
                name = place.column.replace("{n}", str(number + 1))
                columns[name] = [row[number] if number < len(row) else None for row in cells]
        names = tuple(columns)
        schema = {ROW: pl.Int64, **dict.fromkeys(names, pl.String)}
        source = pl.DataFrame({ROW: range(1, len(self.texts) + 1), **columns}, schema=schema)
        origin = Origin(self.mapping.name, None, "csv", names, tuple(range(1, len(names) + 1)), 1)
        return Batch(origin, source, source)

    def come_back(self, batch: Batch) -> list[bool]:
        """Whether each row becomes its body again."""
        bound = bind(self.mapping, batch.origin, self.contract, None, self.books)
        made = bodies(apply(bound, batch).frame, bound.fields)
        return [_read(one) == _read(other) for one, other in zip(made, self.texts, strict=True)]

    def lost(self, at: int) -> Problem:
        """Why a body does not come back."""
        left = self.taken[at][1]
        why = f"no column for {spelled(list(left))}" if left else "steps that change a value on its way back"
        sentence = f"The mapping {self.mapping.name} has {why}; reading this row again gives another body"
        return Problem(at + 1, Severity.ERROR, Code.NOT_CONVERTIBLE, next(iter(left), None), None, None, None, sentence)


def _places(mapping: Mapping, contract: Contract) -> list[_Place]:
    """Where each field is written: the first of the names that its rule reads and no other field has."""
    found: dict[str, _Place] = {}
    used: set[str] = set()
    for path, rule in mapping.fields.items():
        target = find_target(RESOURCES[mapping.resource], path, contract)
        names = [*(rule.from_ or ()), *(rule.from_one_of or ()), *(rule.from_pattern or ())]
        name = next((name for name in names if fold(name) not in used), None)
        before = found.get(target.path)
        if target.spec is None or name is None or (before is not None and before.target.shape is Shape.AS_IS):
            continue
        used.add(fold(name))
        found[target.path] = _Place(target, rule, name)
    return list(found.values())


def _take_apart(text: str, places: Sequence[_Place]) -> tuple[dict[str, str], dict[str, str]]:
    """The values that have a place, by path, and the keys that are left. Inner fields come before their objects."""
    left = members(text)
    values: dict[str, str] = {}
    for place in sorted(places, key=lambda one: -one.target.path.count(".")):
        found = _take(left, place.target.path.split("."))
        if found is not None and found != "null":
            values[place.target.path] = found
    return values, {key: value for key, value in left.items() if value != "null"}


def _take(left: dict[str, str], keys: Sequence[str]) -> str | None:
    key, *rest = keys
    if not rest:
        return left.pop(key, None)
    if not left.get(key, "").startswith("{"):
        return None
    inside = members(left[key])
    found = _take(inside, rest)
    if found is not None:
        left[key] = "{" + ",".join(f"{quoted(name)}:{value}" for name, value in inside.items()) + "}"
        if not inside:
            del left[key]
    return found


def _read(text: str) -> Any:
    whole = json.loads(text, parse_int=_Number, parse_float=_Number)
    return {key: _plain(value) for key, value in whole.items() if value is not None}


def _plain(value: Any) -> Any:
    """Numbers apart from texts, so that "1" and 1 are not the same."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return (type(value).__name__, value)
