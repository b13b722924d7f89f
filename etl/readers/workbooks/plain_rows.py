"""Plain rows: whole rows of a worksheet part, as spreadsheet programs write them, taken apart in columns.

It must never know what a cell's value means, and never guesses: bytes that are not of exactly the form described here
are for the XML parser. The form is `<row r="2" …><c r="A2" s="1" t="s"><v>0</v></c>…</row>`; a cell may hold a
formula before its value, or an inline text instead, or nothing.
"""

from typing import NamedTuple

import polars as pl

from etl.batch import column_letters
from etl.readers.workbooks.plain_tags import PlainTags
from etl.readers.workbooks.plain_text import CHARACTERS, decoded, is_well_formed, unescaped

MOST_ROWS = 1_048_576
MOST_SHEET_COLUMNS = 16_384
"""The size of a sheet; a cell beyond is damage."""

_SPACE = r'(?: xml:space="preserve")?'
_ROW = r'^ r="[1-9][0-9]{0,6}"[^<>]*>$'
_FORMULA = rf"<f(?: [^<>]*)?(?:/>|>{CHARACTERS}</f>)"
_CELL = (
    r'^[A-Z]{1,3}[1-9][0-9]{0,6}"[^<>]*(?:/>|>(?:'
    rf"(?:{_FORMULA})?(?:<v>{CHARACTERS}</v>)?|<is><t{_SPACE}>{CHARACTERS}</t></is>"
    r")</c>)$"
)
_HOLLOW = r'(?:<c r="[A-Z]{1,3}[1-9][0-9]{0,6}"(?: s="[0-9]{1,6}")?/>)+'
"""Cells that hold nothing: they are left out in any case, and where they are many, beforehand."""
_HOLLOW_SIGN = b"/><c "
_HOLLOW_SHARE = 500
"""So many bytes of a block for each such cell, at most: taking them out takes some time of its own."""
_LOOKED_AT_BYTES = 1 << 16
_LETTERS = pl.Series([column_letters(position) for position in range(1, MOST_SHEET_COLUMNS + 1)])
_POSITIONS = pl.Series(range(1, MOST_SHEET_COLUMNS + 1), dtype=pl.Int32)


class Kind(NamedTuple):
    """What the tag of a cell says: its type (`n` where none is given) and its style."""

    type: str
    style: int


class StoredCells(NamedTuple):
    """The cells of some rows that hold a value or a formula.

    `cells` has `row`, `column`, `kind` (a place in `kinds`), `text` (of the value, null where there is none) and
    `formula` (whether there is one). `last_row` is the number of the last row, also where that holds nothing.
    """

    cells: pl.DataFrame
    kinds: list[Kind]
    last_row: int


def read_plain_rows(content: bytes, prefix: str, tags: PlainTags, above: int) -> StoredCells | None:
    """What is in whole rows, below the row `above`; None where it could not be proven that nothing else is there."""
    block = _without_prefix(content, prefix) if prefix else content
    text = decoded(block) if block is not None else None
    if text is not None and _is_hollow(content):
        text = text.str.replace_all(_HOLLOW, "")
    rows = _split_rows(text, tags, above) if text is not None else None
    cells = _split_cells(rows) if rows is not None else None
    if rows is None or cells is None:
        return None
    known = _read_kinds(cells, tags)
    if known is None:
        return None
    with_kinds, kinds = known
    values = _read_values(with_kinds, kinds)
    texts = unescaped(values["text"])
    if texts is None or not _are_formulas(values, tags):
        return None
    return StoredCells(values.select("row", "column", "kind", "formula", texts), kinds, int(rows["row"][-1]))


def _is_hollow(content: bytes) -> bool:
    """Whether many cells hold nothing where the block begins, or in its middle."""
    middle = len(content) // 2
    places = content[:_LOOKED_AT_BYTES], content[middle : middle + _LOOKED_AT_BYTES]
    return any(place.count(_HOLLOW_SIGN) > len(place) // _HOLLOW_SHARE for place in places)


def _without_prefix(content: bytes, prefix: str) -> bytes | None:
    """The same elements without the prefix of their names; None where some have none."""
    opening, closing = f"<{prefix}".encode(), f"</{prefix}".encode()
    if content.count(b"<") != content.count(opening) + content.count(closing):
        return None
    return content.replace(opening, b"<").replace(closing, b"</")


def _split_rows(text: pl.Series, tags: PlainTags, above: int) -> pl.DataFrame | None:
    """`row`, its number as text (`label`) and what follows each `<c r="`, by row."""
    piece, head, cells = pl.col("piece"), pl.col("head"), pl.col("cells")
    rows = (
        pl.DataFrame({"piece": text.str.split("<row").explode()[1:]})
        .select(closed=piece.str.ends_with("</row>"), cells=piece.str.strip_suffix("</row>").str.split('<c r="'))
        .with_columns(head=cells.list.first(), cells=cells.list.slice(1))
    )
    is_right = (
        head.str.contains(_ROW)
        & (pl.col("closed") != head.str.ends_with("/>"))
        & (pl.col("closed") | (cells.list.len() == 0))
    )
    if not rows.select(is_right.all()).item():
        return None
    parts = rows["head"].str.splitn('"', 3)
    tails, label = parts.struct.field("field_2").unique(), parts.struct.field("field_1")
    if any(tags.attributes(f'row r="1"{tail.rstrip("/>")}') is None for tail in tails):
        return None
    row = label.cast(pl.Int32)
    if row[0] <= above or row[-1] > MOST_ROWS or (row.diff() <= 0).any():
        return None
    return rows.select("cells", row=row, label=label)


def _split_cells(rows: pl.DataFrame) -> pl.DataFrame | None:
    """`row`, `column`, the attributes but `r` (`tag`), and what stands between the cell's tags (`body`)."""
    cells = rows.filter(pl.col("cells").list.len() > 0).explode("cells")
    if not cells["cells"].str.contains(_CELL).all():
        return None
    head, body = (pl.col("parts").struct.field(name) for name in ("field_0", "field_1"))
    letters = head.struct.field("field_0").str.strip_suffix(pl.col("label"))
    cells = (
        cells.select("row", "label", parts=pl.col("cells").str.splitn(">", 2))
        .select("row", "label", body=body, parts=pl.struct(head.str.splitn('"', 2).alias("field_0")))
        .select(
            "row",
            "body",
            column=letters.replace_strict(_LETTERS, _POSITIONS, default=None, return_dtype=pl.Int32),
            tag=head.struct.field("field_1"),
        )
    )
    place = cells["row"].cast(pl.Int64) * (2 * MOST_SHEET_COLUMNS) + cells["column"]
    return None if place.null_count() or (place.diff() <= 0).any() else cells


def _read_kinds(cells: pl.DataFrame, tags: PlainTags) -> tuple[pl.DataFrame, list[Kind]] | None:
    """The cells with `kind` instead of `tag`, and the kinds."""
    kinds: list[Kind] = []
    known = cells["tag"].unique()
    for tag in known:
        attributes = tags.attributes(f'c r="A1"{tag.removesuffix("/")}')
        style = (attributes.get("s") or "0") if attributes is not None else ""
        if attributes is None or not (style.isascii() and style.isdecimal()):
            return None
        kinds.append(Kind(attributes.get("t", "n"), int(style)))
    place = pl.col("tag").replace_strict(known, range(len(kinds))).cast(pl.UInt32)
    return cells.select("row", "column", "body", kind=place), kinds


def _read_values(cells: pl.DataFrame, kinds: list[Kind]) -> pl.DataFrame:
    """`text` instead of `body`, and what stands before a value (`formula`); only cells that have either."""
    before, after = (pl.col("parts").struct.field(name) for name in ("field_0", "field_1"))
    cells = cells.select("row", "column", "kind", parts=pl.col("body").str.splitn("<v>", 2)).select(
        "row", "column", "kind", before=before, text=after.str.strip_suffix("</v></c>")
    )
    inline = pl.col("before").str.starts_with("<is>")
    if cells.select(inline.any()).item():
        inline_kinds = [place for place, kind in enumerate(kinds) if kind.type == "inlineStr"]
        text = pl.col("before").str.strip_suffix("</t></is></c>").str.strip_prefix('<is><t xml:space="preserve">')
        is_text = inline & pl.col("kind").is_in(inline_kinds)
        cells = cells.with_columns(text=pl.when(is_text).then(text.str.strip_prefix("<is><t>")).otherwise("text"))
    formula = pl.col("before").str.starts_with("<f")
    return cells.with_columns(formula=formula).filter(pl.col("text").is_not_null() | pl.col("formula"))


def _are_formulas(cells: pl.DataFrame, tags: PlainTags) -> bool:
    """Whether what is taken for formulas is well-formed."""
    formulas = cells["before"].filter(cells["formula"])
    if formulas.is_empty():
        return True
    openings = formulas.str.extract("^<(f[^<>]*)>").unique()
    return is_well_formed(formulas) and all(tags.attributes(tag.removesuffix("/")) is not None for tag in openings)
