"""Trial: the beginning of a text read with certain signs, to see how well they fit.

It must never choose: it counts.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

from etl.readers.header import WidthBlock, find_block

_NUMBER = re.compile(r"[-+]?[\d.,]+")


@dataclass(frozen=True)
class Cell:
    """A cell as it stands in the text, quotes included."""

    text: str
    is_quoted: bool


@dataclass(frozen=True)
class Trial:
    """A text read with certain signs. `records` are those that hold anything and are whole.

    `broken`: text follows a closing quote. `unfinished`: the text ends inside quotes; `open_lines` says how many line
    ends stand behind that quote. `whole`: the text is the whole file.
    """

    delimiter: str
    quote: str
    escape: str
    records: tuple[tuple[Cell, ...], ...]
    ends: tuple[str, ...]
    broken: bool
    unfinished: bool
    open_lines: int
    whole: bool
    doubt: tuple[str, str] | None = None
    """A sentence and a hint: why these signs may be wrong although they fit."""

    @cached_property
    def _commonest(self) -> tuple[int, int]:
        widths = Counter(map(len, self.records))
        return max(widths.items(), key=lambda found: (found[1], found[0])) if widths else (0, 0)

    @property
    def width(self) -> int:
        """The commonest number of cells."""
        return self._commonest[0]

    @property
    def share(self) -> float:
        """The part of the records that have that number."""
        return self._commonest[1] / len(self.records) if self.records else 0.0

    @property
    def share_below(self) -> float:
        """The same part of the records from the first such on: what stands above are titles and notes."""
        widths = [len(record) for record in self.records]
        below = widths[widths.index(self.width) :] if widths else []
        return below.count(self.width) / max(len(below), 1)

    @property
    def second_share(self) -> float:
        """The part of the records that have the next commonest number above one."""
        widths = Counter(len(record) for record in self.records if len(record) > 1)
        return max(widths.values(), default=0) / max(len(self.records), 1)

    @cached_property
    def block(self) -> WidthBlock | None:
        """The records of several cells, where they are one small table under titles of one cell."""
        return find_block([len(record) for record in self.records])

    @property
    def sound(self) -> bool:
        """Quotes open and close where cells do, as far as can be seen."""
        return not self.broken and not (self.unfinished and self.whole)

    def sound_within(self, lines: int) -> bool:
        """The same, where a quote that is still open after so many lines is not waited for."""
        return self.sound and not (self.unfinished and self.open_lines >= lines)

    @property
    def opens_alone(self) -> bool:
        """The first record has one cell only."""
        return bool(self.records) and len(self.records[0]) == 1

    @cached_property
    def prose(self) -> bool:
        """The delimiter is mostly followed by a space, as a comma in a sentence is."""
        later = [cell for record in self.records for cell in record[1:]]
        return 2 * sum(cell.text.startswith(" ") for cell in later) > len(later)

    @cached_property
    def quoted(self) -> int:
        """How many cells are in quotes."""
        return sum(cell.is_quoted for record in self.records for cell in record)

    @cached_property
    def texts(self) -> int:
        """How many cells hold something that is no number."""
        cells = (cell.text.strip() for record in self.records for cell in record)
        return sum(bool(text) and not _NUMBER.fullmatch(text) for text in cells)

    @property
    def header_is_quoted(self) -> bool:
        """Every cell of the first record that holds anything is in quotes."""
        return bool(self.records) and all(cell.is_quoted for cell in self.records[0] if cell.text.strip())

    @cached_property
    def escaped_quotes(self) -> int:
        """How many quotes inside quoted cells have the escape before them."""
        pair = self.escape + self.quote
        return sum(
            cell.text.replace(self.escape * 2, "").count(pair)
            for record in self.records
            for cell in record
            if cell.is_quoted and self.escape
        )

    def enclosed(self, quote: str) -> int:
        """How many cells begin and end with a sign, whatever that means."""
        cells = (cell.text for record in self.records for cell in record)
        return sum(len(text) > 1 and text.startswith(quote) and text.endswith(quote) for text in cells)

    @property
    def spaced_quotes(self) -> str | None:
        """A cell that would be in quotes but for spaces before them, where the header or most such cells are so."""
        if not self.quote:
            return None
        found = [[cell.text for cell in record if self._is_spaced(cell)] for record in self.records]
        many = sum(map(len, found)) > max(self.quoted, 1)
        return next((texts[0][:40] for texts in found if texts), None) if many or (found and found[0]) else None

    def _is_spaced(self, cell: Cell) -> bool:
        text = cell.text.strip(" ")
        return cell.text.startswith(" ") and len(text) > 1 and text[0] == text[-1] == self.quote

    def line_ends(self) -> dict[str, int]:
        """How often each line end stands outside quotes, LF first."""
        return {end: self.ends.count(end) for end in ("\n", "\r\n", "\r")}

    def doubted(self, doubt: tuple[str, str]) -> "Trial":
        """The same, with a reason to ask."""
        return replace(self, doubt=doubt)


def try_signs(text: str, delimiter: str, quote: str, escape: str, *, whole: bool) -> Trial:
    """Read the beginning of a file; `whole`: the text is all of it, else the record it ends in is left out."""
    cell, open_cell = _patterns(delimiter, quote, escape)
    records: list[tuple[Cell, ...]] = []
    ends: list[str] = []
    record: list[Cell] = []
    at = text.startswith("\ufeff")
    broken = unfinished = False
    open_lines = 0
    position = int(at)
    while position < len(text) or record:
        found = cell.match(text, position)
        if found is None:
            rest = open_cell.match(text, position) if open_cell else None
            unfinished, broken = rest is not None, rest is None
            open_lines = len(text[position:].splitlines()) if unfinished else 0
            record.clear()
            break
        record.append(Cell(found[1], bool(quote) and found[1].startswith(quote)))
        position = found.end()
        if found[2] == delimiter:
            continue
        if found[2]:
            ends.append(found[2])
        elif not whole and records:
            break
        if any(one.text.strip(" \t\xa0" + quote) for one in record):
            records.append(tuple(record))
        record = []
    return Trial(delimiter, quote, escape, tuple(records), tuple(ends), broken, unfinished, open_lines, whole)


def _patterns(delimiter: str, quote: str, escape: str) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    """A cell and what ends it; a cell in quotes that is still open at the end of the text."""
    sign, mark, pair = re.escape(delimiter), re.escape(quote), re.escape(escape)
    escaped = rf"|{pair}[\s\S]|{pair}" if escape else ""
    bare = rf"(?:[^{sign}{pair}\r\n]++{escaped})*+"
    end = rf"({sign}|\r\n|\r|\n|\Z)"
    if not quote:
        return re.compile(f"({bare}){end}"), None
    inside = rf"{mark}(?:[^{mark}{pair}]++|{mark * 2}{escaped})*+"
    return re.compile(f"({inside}{mark}|(?!{mark}){bare}){end}"), re.compile(rf"{inside}\Z")
