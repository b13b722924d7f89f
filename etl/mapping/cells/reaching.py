"""What stands at the ends of ways into JSON, for whole columns: a cell is decoded once, however many ways go into it.

Must never know which field a value is for.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import and_

import msgspec
import polars as pl

from etl.mapping.cells.series import lists_of
from etl.mapping.cells.ways import Part, Way, follow, is_sound, members_in, objects_of, of_key, shown, type_of

Found = tuple[str, str | None]
"""A value as text, and its JSON type (None for a text)."""


def reach(cells: pl.Series, way: Way) -> tuple[pl.Series, pl.Series]:
    """What stands at the end of a way in each cell, and its JSON type (String, null for a text), for one value each.

    Null where the cell is no JSON, the way leads nowhere, or to `null`.
    """
    return reach_each(cells, [way])[way]


def reach_each(cells: pl.Series, ways: Sequence[Way]) -> dict[Way, tuple[pl.Series, pl.Series]]:
    """The same for several ways into one column."""
    near = {way.key: way for way in ways if len(way.parts) == 1 and way.key is not None}
    only = next((way for way in ways if len(way.parts) == 1 and way.parts[0].only), None)
    found: dict[Way, dict[int, Found]] = {way: {} for way in ways}
    if near or only is not None:
        for place, cell in _not_null(cells):
            members = members_in(cell.encode()) or {}
            for key in members:
                if key in near and (value := _value_of(bytes(members[key]))) is not None:
                    found[near[key]][place] = value
                if only is not None and len(members) == 1 and (value := _value_of(bytes(members[key]))) is not None:
                    found[only][place] = value
    for way in ways:
        if way is not only and way not in near.values():
            found[way] = {
                place: value
                for place, cell in _not_null(_with_keys(cells, way))
                if (value := _end_of(cell, way.parts)) is not None
            }
    return {way: _columns(cells, values) for way, values in found.items()}


def reach_all(cells: pl.Series, way: Way) -> pl.Series:
    """What stands at all ends of a way in each cell (List(String)), in order; null where there is none."""
    return reach_all_each(cells, [way])[way]


def reach_all_each(cells: pl.Series, ways: Sequence[Way]) -> dict[Way, pl.Series]:
    """The same for several ways into one column."""
    found: dict[Way, list[list[str] | None]] = {way: [None] * cells.len() for way in ways}
    asked: dict[int, list[Way]] = {}
    for way in ways:
        for place in _with_keys(cells, way).is_not_null().arg_true().to_list():
            asked.setdefault(place, []).append(way)
    for place, concerned in asked.items():
        cell = cells[place]
        items = objects_of(cell) if cell[:1] == "[" else None
        raw = cell.encode()
        for way in concerned:
            inside = items is not None and len(way.parts) > 1 and not _goes_to_items(way.parts[1])
            ends = _of_items(items or [], way.parts) if inside else follow(raw, way.parts)
            found[way][place] = [shown(end) for end in ends] or None
    return {way: lists_of(cells.name, values) for way, values in found.items()}


def _of_items(items: Sequence[Mapping[str, msgspec.Raw]], parts: tuple[Part, ...]) -> Iterator[bytes]:
    """As `follow`, into an array of objects that are opened already."""
    first, second, rest = parts[0], parts[1], parts[2:]
    for place, members in enumerate(items):
        if first.place == place or (first.every and (first.key is None or _has(members, first.key, first.equals))):
            for member in of_key(members, second):
                yield from follow(bytes(member), rest)


def _has(members: Mapping[str, msgspec.Raw], key: str, wanted: str | None) -> bool:
    if key not in members:
        return False
    raw = bytes(members[key])
    return is_sound(raw) and shown(raw) == wanted


def _goes_to_items(part: Part) -> bool:
    return part.every or part.place is not None


def _end_of(cell: str, parts: tuple[Part, ...]) -> Found | None:
    return next((_found(raw) for raw in follow(cell.encode(), parts)), None)


def _value_of(raw: bytes) -> Found | None:
    """A member of an object; None for `null`, and for what cannot be shown."""
    return _found(raw) if raw != b"null" and is_sound(raw) else None


def _found(raw: bytes) -> Found:
    return shown(raw), None if raw[:1] == b'"' else type_of(raw)


def _columns(cells: pl.Series, found: dict[int, Found]) -> tuple[pl.Series, pl.Series]:
    """Values and types as columns."""
    values: list[str | None] = [None] * cells.len()
    types: list[str | None] = [None] * cells.len()
    for place, (values[place], types[place]) in found.items():  # noqa: B007  (that fills them)
        pass
    return pl.Series(cells.name, values, dtype=pl.String), pl.Series(cells.name, types, dtype=pl.String)


def _not_null(cells: pl.Series) -> Iterator[tuple[int, str]]:
    places = cells.is_not_null().arg_true()
    return zip(places.to_list(), cells.gather(places).to_list(), strict=True)


def _with_keys(cells: pl.Series, way: Way) -> pl.Series:
    """The cells that hold every key of a way somewhere; null for the others: most rows have little of what may be."""
    keys = [*dict.fromkeys(part.key for part in way.parts if part.key is not None)]
    return cells.set(~may_hold(cells, keys), None) if keys else cells


def may_hold(cells: pl.Series, keys: Iterable[str]) -> pl.Series:
    """Which cells have all of some keys written in them somewhere."""
    there = [cells.str.contains(json.dumps(key, ensure_ascii=False), literal=True) for key in keys]
    escaped = cells.str.contains("\\u", literal=True)  # any letter of a key may be written so
    return (reduce(and_, there) | escaped).fill_null(value=False)
