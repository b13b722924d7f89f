"""Readers: files become batches of rows, each cell exactly as the file says, or the file is refused with a reason.

They must never know the API, nor what any column means.
"""

from contextlib import ExitStack
from dataclasses import dataclass

from etl.batch import Table
from etl.errors import UsageError
from etl.readers.sniff import FORMATS, sniff_format
from etl.readers.source import Source, open_input
from etl.readers.survey import Skipped, Survey

__all__ = ["FORMATS", "ReadOptions", "Skipped", "Survey", "open_source"]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user says of a file instead of having it found out.

    `format` is one of `FORMATS`; `sheet` a workbook's sheet, hidden ones too; `header_row` the row number of the
    header; `delimiter` one character, `\\t` or `tab`; `encoding` a name that Python knows. None: the
    content decides.
    """

    format: str | None = None
    sheet: str | None = None
    header_row: int | None = None
    delimiter: str | None = None
    encoding: str | None = None


def open_source(file: str, options: ReadOptions = ReadOptions()) -> Survey:
    """Survey a file: its format, its tables, their columns and first rows; `-` is standard input.

    Raises FileError for a file that cannot be read exactly, UsageError for an option that does not go with it.
    """
    with ExitStack() as undo:
        source = open_input(file)
        undo.callback(source.close)
        format_ = sniff_format(source, options.format)
        if options.sheet is not None and format_ != "xlsx":
            raise UsageError(f"{source.label} is no workbook and has no sheets.", "Leave out --sheet.")
        tables, skipped = _survey_tables(source, format_, options)
        undo.pop_all()
    return Survey(file, format_, source.sha256, source.size_bytes, tables, skipped, source)


def _survey_tables(source: Source, format_: str, options: ReadOptions) -> tuple[tuple[Table, ...], tuple[Skipped, ...]]:
    if format_ == "xlsx":
        from etl.readers.workbook import survey_workbook

        return survey_workbook(source, sheet=options.sheet, header_row=options.header_row)
    if format_ == "jsonl":
        from etl.readers.jsonlines import survey_json_lines

        return (survey_json_lines(source, encoding=options.encoding),), ()
    from etl.readers.delimited import survey_delimited

    table = survey_delimited(
        source, header_row=options.header_row, delimiter=options.delimiter, encoding=options.encoding
    )
    return (table,), ()
