"""Header: which row names the columns, and which columns there are. Shared by every reader of tables of cells.

It must never know which names are expected: a header is known by its shape alone. Names are kept as written, but for
outer white space, which is cut, and line breaks and runs of white space, which become one space.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum, auto
from itertools import groupby
from typing import NamedTuple

from etl.batch import ERROR_COLUMN, OWN_COLUMNS, Certainty, Decision, column_letters
from etl.errors import FileError
from etl.quoting import count_words

SEARCHED_ROWS = 30
"""The header is looked for among so many rows that hold anything."""
MOST_COLUMNS = 1_000
"""More named columns than this are no table of test cases, and cost memory."""

_COVERS = 0.6
"""A header names at least this part of the columns that hold data; for the rest it is refused by name."""
_NARROW = 2 / 3
"""Above a header, only rows at most this full, in its measure, are titles and notes; fuller ones look like data."""

DOUBTFUL_SHARE = 0.2
"""So large a part of the records may be the table, though most others have one cell."""
_FEW_ROWS = 3
"""So many rows below say what a column holds."""
_SAY_WHICH = "Say which row holds the column names: --header-row N; if there is none: --columns NAME,NAME,…"
_OWN_NAMES = "Give each column a name of its own: --columns NAME,NAME,…"
_GIVE_ALL = "Give a name for each cell of a record."

_NUMBER = re.compile(r"[-+]?[\s\d.,'%€$£]*\d[\s\d.,'%€$£]*(?:[eE][-+]?\d+)?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ].*)?|\d{1,2}:\d{2}(?::\d{2})?(?:\s?[AaPp][Mm])?")
_SENTENCE = re.compile(r"(?:\S+\s+){3,}\S*[.!]")
"""Four words and more with a full stop. Questions may be names: those of a survey are."""
_SHOWN_COLUMNS = 3
_NO_NAMES = frozenset({"true", "false", "null", "n/a"})

Line = tuple[int, Mapping[int, str]]
"""A row number and the cells that hold anything, by 1-based column number."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header's row number (0: there is none), the columns' names and their 1-based numbers, in file order."""

    row: int
    names: tuple[str, ...]
    positions: tuple[int, ...]
    ignored: frozenset[int]
    """Where an earlier import has written its errors."""


def find_header(
    lines: Sequence[Line],
    chosen: int | None,
    place: str,
    widths: Mapping[int, int] | None = None,
    told: Sequence[str] | None = None,
) -> Header:
    """The header of a table whose first rows are `lines` (rows that hold nothing left out).

    `chosen` is the row number that the user gave, `told` the names: then no row holds them, or the chosen one is
    passed over. `widths` gives the number of cells of each row where records have one (delimited text): cells beyond
    the header's are then ragged, not unnamed. `place` names the table in sentences. Raises FileError where no row is a
    header, where it is not certain, and for names that are twice or missing.
    """
    if lines and ERROR_COLUMN in lines[0][1].values():
        chosen = lines[0][0]  # rejects begin with their header, wherever that of the file was said to be
    if told is not None:
        return _told_header(lines, chosen, place, widths, told)
    at = _chosen_line(lines, chosen, place) if chosen is not None else _likely_line(lines, place, widths)
    row, cells = lines[at]
    names = {position: " ".join(text.split()) for position, text in cells.items()}
    ignored = frozenset(position for position, name in names.items() if name == ERROR_COLUMN)
    kept = {position: names[position] for position in sorted(names) if position not in ignored}
    _refuse_names(kept, row, place)
    _refuse_repeated_header(lines[at + 1 : at + 2], cells, row, place)
    _refuse_unnamed(lines[at + 1 :], names.keys(), f"in the header (row {row})", place, widths[row] if widths else None)
    if chosen is None:
        _refuse_doubtful(lines, at, place)
    return Header(row, tuple(kept.values()), tuple(kept), ignored)


def _told_header(
    lines: Sequence[Line], chosen: int | None, place: str, widths: Mapping[int, int] | None, told: Sequence[str]
) -> Header:
    row, passed = (0, {}) if chosen is None else lines[_chosen_line(lines, chosen, place)]
    ignored = frozenset(position for position, text in passed.items() if text == ERROR_COLUMN)
    names = {position: " ".join(text.split()) for position, text in enumerate(told, 1)}
    _refuse_names(names, None, place)
    data = [line for line in lines if line[0] > row]
    usual = _usual(widths)
    if usual is not None and usual < len(names):
        given = "1 name was" if len(names) == 1 else f"{len(names):,} names were"
        have = count_words(usual, "cell")
        raise FileError(f"{place}: {given} given, and the records have {have}.", _GIVE_ALL)
    _refuse_unnamed(data, names.keys() | ignored, "among those that were given", place, usual)
    return Header(row, tuple(names.values()), tuple(names), ignored)


def _chosen_line(lines: Sequence[Line], chosen: int, place: str) -> int:
    for at, (row, _) in enumerate(lines):
        if row == chosen:
            return at
    raise FileError(f"{place}: row {chosen}, given as the header, is empty.", "Name the row with the column names.")


def header_decision(header: Header, chosen: int | None, told: Sequence[str] | None = None) -> Decision:
    """Which row is the header, and why."""
    value = str(header.row) if header.row else "none"
    if told is not None:
        return Decision("header row", value, "the names were given with --columns", Certainty.TOLD)
    if chosen is not None:
        return Decision("header row", value, "said with --header-row", Certainty.TOLD)
    why = "the first row whose cells name the columns below"
    return Decision("header row", value, why, Certainty.LIKELY)


class _Fit(Enum):
    """How well a row of names goes with the rows below it."""

    FULL = auto()
    """Every column that holds data has a name."""
    PARTIAL = auto()
    """Most have."""
    WIDE = auto()
    """There are more cells than in a usual record: a sentence with commas, or the header of ragged rows."""


def _likely_line(lines: Sequence[Line], place: str, widths: Mapping[int, int] | None) -> int:
    usual = _usual(widths)
    first: dict[_Fit, int] = {}
    for at, (row, cells) in enumerate(lines[:SEARCHED_ROWS]):
        if _names_columns(cells):
            data = {position for _, below in lines[at + 1 :] for position in below if position <= (usual or position)}
            wide = widths is not None and usual is not None and widths[row] > usual
            fit = _fit(cells.keys(), data, wide=wide)
            if fit is not None:
                first.setdefault(fit, at)
            if fit is _Fit.FULL:
                break
    best = _best(lines, first)
    if best is None:
        raise FileError(f"{place}: no row looks like a header.", _SAY_WHICH)
    _refuse_data_above(lines, best, place)
    return best


def _usual(widths: Mapping[int, int] | None) -> int | None:
    if not widths:
        return None
    counts = Counter(widths.values())
    usual = max(counts, key=lambda width: (counts[width], width > 1))  # titles of one cell are not what is usual
    block = find_block(list(widths.values()))
    if usual > 1 or block is None:
        return usual
    # A single record of several cells may be a line of text that holds the sign, but not where it is half of all.
    return block.width if block.share >= (DOUBTFUL_SHARE if block.records > 1 else 0.5) else usual


class WidthBlock(NamedTuple):
    """Records of several cells, all of one width, that follow each other among records of one cell: a small table
    under its titles. `share`: which part of all records they are."""

    width: int
    records: int
    share: float


def find_block(widths: Sequence[int]) -> WidthBlock | None:
    """The one block in the numbers of cells of records that hold anything; None where there is none, or several."""
    runs = [(width, len(list(run))) for width, run in groupby(widths) if width > 1]
    if len(runs) != 1:
        return None
    width, count = runs[0]
    return WidthBlock(width, count, count / len(widths))


def _fit(named: AbstractSet[int], data: AbstractSet[int], *, wide: bool) -> _Fit | None:
    if len(named) < 2 and len(data | named) > 1:
        return None
    if len(data & named) < _COVERS * len(data):
        return None
    if wide:
        return _Fit.WIDE
    return _Fit.FULL if data <= named else _Fit.PARTIAL


def _best(lines: Sequence[Line], first: Mapping[_Fit, int]) -> int | None:
    """A row that names every column wins over an earlier one that does not only if that one looks like a title."""
    full, partial = first.get(_Fit.FULL), first.get(_Fit.PARTIAL)
    if full is not None and partial is not None:
        return full if len(lines[partial][1]) <= _NARROW * len(lines[full][1]) else partial
    return next((at for at in (full, partial, first.get(_Fit.WIDE)) if at is not None), None)


def _refuse_data_above(lines: Sequence[Line], at: int, place: str) -> None:
    row, cells = lines[at]
    for above, filled in lines[:at]:
        if len(filled) > _NARROW * len(cells):
            raise FileError(
                f"{place}: row {row} could be the header, but row {above} above it looks like data.",
                f"Say which row holds the column names, for example --header-row {row}",
            )


def _names_columns(cells: Mapping[int, str]) -> bool:
    """Whether every cell could be a name, and most differ."""
    words = [text.strip() for text in cells.values()]
    return len(set(words)) * 2 >= len(words) and all(map(_is_name, words))


def _is_name(text: str) -> bool:
    if _NUMBER.fullmatch(text) or _DATE.fullmatch(text) or _SENTENCE.fullmatch(text) or text.lower() in _NO_NAMES:
        return False
    return not (text.startswith(("{", '["', "[{", "http://", "https://")))


def _refuse_names(names: Mapping[int, str], row: int | None, place: str) -> None:
    """Refuse (FileError) names that cannot be those of columns; `row` holds them, or they were given (None)."""
    where = "with --columns" if row is None else f"in row {row}"
    if not names:
        raise FileError(f"{place}: no columns are named {where}.", _SAY_WHICH)
    if len(names) > MOST_COLUMNS:
        raise FileError(
            f"{place}: {len(names):,} columns are named {where}; at most {MOST_COLUMNS:,} are read.",
            "Leave out the columns that no test case needs.",
        )
    name, count = Counter(names.values()).most_common(1)[0]
    if count > 1 and row is None:
        raise FileError(f"{place}: the name {_short(name)!r} was given to {count} columns.", _OWN_NAMES)
    if count > 1:
        twice = " and ".join(column_letters(position) for position, other in names.items() if other == name)
        raise FileError(
            f"{place}: the columns {twice} have the same name {_short(name)!r} (row {row}).",
            f"Give each its own name in the file, or here: --header-row {row} --columns NAME,NAME,…",
        )
    refuse_odd_names(names.values(), place)


def refuse_odd_names(names: Iterable[str], place: str) -> None:
    """Refuse (FileError) names that no frame can hold safely.

    These are our own columns, and what polars takes for a pattern of names instead of a name: ``, `*`, `^…$`.
    """
    for name in names:
        if name in OWN_COLUMNS or name in {"", "*"} or (name.startswith("^") and name.endswith("$")):
            raise FileError(f"{place}: a column may not be called {name!r}.", "Give the column another name.")


def _refuse_repeated_header(below: Sequence[Line], titles: Mapping[int, str], row: int, place: str) -> None:
    for number, cells in below:
        alike = sum(titles.get(position) == text for position, text in cells.items())
        if alike >= 2 and 2 * alike >= len(titles):
            raise FileError(
                f"{place}: rows {row} and {number} both hold the column names.",
                f"Say which one is the header, for example --header-row {number}",
            )


def _refuse_unnamed(data: Sequence[Line], names: AbstractSet[int], where: str, place: str, width: int | None) -> None:
    for number, cells in data:
        for position, text in cells.items():
            if position not in names and (width is None or position <= width):
                raise FileError(
                    f"{place}: column {column_letters(position)} holds data (row {number}: {_short(text)!r}) "
                    f"but has no name {where}.",
                    "Name the column, empty it, or say which row holds the names: --header-row N",
                )


def _refuse_doubtful(lines: Sequence[Line], at: int, place: str) -> None:
    """Refuse (FileError) a likely header that may be one of two, or data: `lines[at]`."""
    row, titles = lines[at]
    if at and (above := lines[at - 1])[0] == row - 1 and _is_group_row(above[1], titles):
        raise _two_rows(place, row - 1, row, row, sorted(titles.keys() - above[1].keys()))
    below = lines[at + 1 :]
    if len(below) > _FEW_ROWS and below[0][0] == row + 1 and _is_second_row(below[0][1], below[1:]):
        raise _two_rows(place, row, row + 1, row + 1)
    for position, name in titles.items():
        alike = [number for number, cells in below if cells.get(position) == name]
        if len(alike) > 1:
            raise FileError(
                f"{place}: row {row} could be the header, but its {_short(name)!r} is also in the rows "
                f"{alike[0]} and {alike[1]} of column {column_letters(position)}.",
                f"If it is the header: --header-row {row}; if there is none: --columns NAME,NAME,…",
            )


def _two_rows(place: str, first: int, second: int, likely: int, nameless: Sequence[int] = ()) -> FileError:
    """`nameless` are the columns that have no name if the first row is the header."""
    columns = ", ".join(column_letters(position) for position in nameless[:_SHOWN_COLUMNS])
    other = f"; if it is row {first}, give column {columns} a name there, for it holds data" if columns else ""
    return FileError(
        f"{place}: the rows {first} and {second} look like one header in two rows.",
        f"Say which one names the columns, for example --header-row {likely}{other}",
    )


def _is_group_row(above: Mapping[int, str], titles: Mapping[int, str]) -> bool:
    """Whether the row over the names holds names of groups of them. A note, `Owner: Ana`, stands in the first two."""
    spread = len(above) > 1 and max(above) > 2
    return spread and above.keys() <= titles.keys() and all(map(_is_name, above.values()))


def _is_second_row(cells: Mapping[int, str], data: Sequence[Line]) -> bool:
    """Whether a row below the names says more of the columns: `(text)`, or words where all that follows is numbers."""
    if all(text.strip().startswith("(") and text.strip().endswith(")") for text in cells.values()):
        return True
    if not all(map(_is_name, cells.values())):
        return False
    columns = ([row[position] for _, row in data if position in row] for position in cells)
    return sum(len(below) >= _FEW_ROWS and not any(map(_is_name, below)) for below in columns) > 1


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
