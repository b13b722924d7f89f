"""Differences as a file: JSON Lines, CSV, a workbook or a page. It must never know how they were found."""

import html
from collections.abc import Iterable, Iterator
from pathlib import Path

from etl.auditing.differing import Difference
from etl.auditing.inline import inline
from etl.errors import UsageError
from etl.tables import (
    CELL_LIMIT,
    Dialect,
    NewFile,
    TypedSheet,
    guard,
    json_text,
    write_delimited,
    write_lines,
    write_typed_workbook,
)

FORMS = (".jsonl", ".csv", ".xlsx", ".html")
_COLUMNS = ("resource", "change", "key", "label", "field", "before", "after", "inline")
_STYLE = """
:root { color-scheme: light dark; --added: #1a7f37; --removed: #cf222e; --changed: #9a6700 }
@media (prefers-color-scheme: dark) { :root { --added: #3fb950; --removed: #ff7b72; --changed: #d29922 } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h1, h2 { overflow-wrap: anywhere } h2 { font-size: 1rem; margin: 2rem 0 .3rem; break-after: avoid }
small { font-weight: normal; opacity: .75 }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid #8884; padding: .3rem .6rem; text-align: left; vertical-align: top }
td { white-space: pre-wrap; overflow-wrap: anywhere; width: 100% }
del { background: #f8514940 } ins { background: #2ea04340; text-decoration: none }
.added { color: var(--added) } .removed { color: var(--removed) } .changed { color: var(--changed) }
@media (max-width: 40rem) { td, th { display: block; width: auto; padding: .2rem 0 } th { border: 0 } }
@media print { body { margin: 0; max-width: none } del, ins { print-color-adjust: exact } tr { break-inside: avoid } }
"""


def check_form(path: Path) -> None:
    """Raises UsageError for a file whose suffix says no form."""
    if path.suffix.lower() not in FORMS:
        raise UsageError(f"{path.name} ends in no form that differences are written in.", f"Use {', '.join(FORMS)}.")


def write_differences(path: Path, found: Iterable[Difference], title: str) -> None:
    """Write them in the form that the suffix says. Raises UsageError, StoppedError where it cannot be written."""
    check_form(path)
    file = NewFile(path)
    try:
        match path.suffix.lower():
            case ".jsonl":
                write_lines(file, (json_text(to_json(one)) for one in found))
            case ".csv":
                rows = ([guard(cell) for cell in row] for row in _rows(found))
                write_delimited(file, _COLUMNS, rows, Dialect(encoding="utf-8-sig"))
            case ".xlsx":
                cut = ([_cut(cell) for cell in row] for row in _rows(found))
                write_typed_workbook(file, [TypedSheet("differences", _COLUMNS, cut)])
            case _:
                for part in _page(found, title):
                    file.write(part.encode("utf-8", "backslashreplace"))
        file.commit()
    finally:
        file.discard()


def to_json(one: Difference) -> dict[str, object]:
    """A difference as JSON has it."""
    fields = [{"field": field.field, "before": field.before, "after": field.after} for field in one.fields]
    return {"resource": one.resource, "change": one.change, "key": one.key, "label": one.label, "fields": fields}


def _rows(found: Iterable[Difference]) -> Iterator[list[str | None]]:
    for one in found:
        head: list[str | None] = [one.resource, one.change, one.key, one.label]
        if not one.fields:
            yield [*head, None, None, None, None]
        for field in one.fields:
            marks = {" ": "{}", "-": "[-{}-]", "+": "{{+{}+}}"}
            pieces = inline(field.before or "", field.after or "")
            text = "".join(marks[piece.change].format(piece.text) for piece in pieces)
            yield [*head, field.field, field.before, field.after, text]


def _cut(cell: str | None) -> str | None:
    """A workbook's cell holds no more; the other forms do."""
    return cell if cell is None or len(cell) * 2 <= CELL_LIMIT else f"{cell[: CELL_LIMIT // 2 - 1]}…"


def _page(found: Iterable[Difference], title: str) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><meta charset="utf-8">'
    yield f'<meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    yield f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>"
    count = 0
    for one in found:
        count += 1
        where = f"{one.resource} · {html.escape(one.label)} <small>{html.escape(one.key)}</small>"
        yield f'<h2><span class="{one.change}">{one.change}</span> {where}</h2>'
        if one.fields:
            yield "<table>"
            for field in one.fields:
                pieces = inline(field.before or "", field.after or "")
                marks = {" ": "{}", "-": "<del>{}</del>", "+": "<ins>{}</ins>"}
                text = "".join(marks[piece.change].format(html.escape(piece.text)) for piece in pieces)
                yield f"<tr><th>{html.escape(field.field)}</th><td>{text}</td></tr>"
            yield "</table>"
    yield "<p>No differences.</p>" if not count else f"<p>{count:,} difference{'' if count == 1 else 's'}.</p>"
    yield "</html>\n"
