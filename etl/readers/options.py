"""Options: what the user says of a file instead of having it found out. It must never know how a file is read."""

from dataclasses import dataclass, fields, replace

from etl.errors import UsageError
from etl.formats import CELL_FORMATS, WORKBOOK_FORMATS


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a file is to be read; None (False): the content decides.

    `format` is one of `etl.formats.FORMATS`. `glance`: of a large file only the beginning is looked at before the first
    batch, as for a preview; what shows later (a byte that is no text, a new key) then stops the reading or is left out
    of the columns.
    """

    format: str | None = None
    sheet: str | None = None
    """A workbook's sheet, hidden ones too."""
    header_row: int | None = None
    """The row number of the header."""
    columns: tuple[str, ...] | None = None
    """The names of the columns, from the first on, where no row holds them, or instead of those in `header_row`."""
    delimiter: str | None = None
    """What separates cells: one character, `\\t` or `tab`."""
    quote: str | None = None
    """What encloses cells: one character, or `none`."""
    escape: str | None = None
    """What stands before a quote that is meant as text; without it a quote is written twice."""
    encoding: str | None = None
    """A name that Python knows."""
    member: str | None = None
    """The file inside a zip archive."""
    records: str | None = None
    """The key of a JSON or YAML document that holds the rows."""
    fill_merged: bool = False
    """The value of a merged area belongs to each of its cells."""
    glance: bool = False

    def flags(self) -> frozenset[str]:
        """The flags that say what is said here: `--sheet`."""
        return frozenset(f"--{one.name.replace('_', '-')}" for one in fields(self) if getattr(self, one.name))


_GOES_WITH = {
    "sheet": (WORKBOOK_FORMATS, "no workbook"),
    "fill_merged": (WORKBOOK_FORMATS, "no workbook"),
    "header_row": (CELL_FORMATS, "no table of cells"),
    "columns": (CELL_FORMATS, "no table of cells"),
    "delimiter": (("csv",), "no delimited text"),
    "quote": (("csv",), "no delimited text"),
    "escape": (("csv",), "no delimited text"),
    "encoding": (("csv", "jsonl", "json", "yaml"), "no text file"),
    "records": (("json", "yaml"), "no JSON or YAML document"),
}
"""Options that only some formats have, and what a file of another format is not."""


def settle_options(
    told: ReadOptions, fallback: ReadOptions, format_: str, label: str, *, lenient: bool = False
) -> ReadOptions:
    """The options that hold for a file whose format is known: as told, else as in `fallback`, where they apply.

    Raises UsageError for one that was told and means nothing for the format; `lenient` passes over it.
    """
    settled: dict[str, str | int | bool | tuple[str, ...] | None] = {}
    for name, (formats, what) in _GOES_WITH.items():
        value = getattr(told, name)
        if format_ in formats:
            settled[name] = value if value or value == "" else getattr(fallback, name)  # nothing, told, is something
        elif value and not lenient:
            raise UsageError(f"{label} is {what}.", f"Leave out --{name.replace('_', '-')}.")
    return replace(told, **settled)  # type: ignore[arg-type]  # names and values are the fields' own
