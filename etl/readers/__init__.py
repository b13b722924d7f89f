"""Readers: files become batches of rows, each cell exactly as the file says, or the file is refused with a reason.

They must never know the API, nor what any column means.
"""

from collections.abc import Sequence
from contextlib import ExitStack

from etl.batch import Table
from etl.readers.options import ReadOptions, settle_options
from etl.readers.sniff import sniff_format
from etl.readers.source import Source, open_input
from etl.readers.survey import Skipped, Survey

__all__ = ["ReadOptions", "Skipped", "Survey", "open_source"]

_ALL_FOUND_OUT = ReadOptions()


def open_source(file: str, options: ReadOptions = _ALL_FOUND_OUT, fallback: ReadOptions = _ALL_FOUND_OUT) -> Survey:
    """Survey a file: its format, its tables, their columns and first rows; `-` is standard input.

    `options` are what the user said, `fallback` what a mapping says where the user says nothing and the format has
    such a thing. Raises FileError for a file that cannot be read exactly, UsageError for an option that does not go
    with it.
    """
    with ExitStack() as undo:
        source = open_input(file)
        undo.callback(source.close)
        format_, decision = sniff_format(source, options.format or fallback.format)
        settled = settle_options(options, fallback, format_, source.label)
        tables, skipped = _survey_tables(source, format_, settled)
        undo.pop_all()
    return Survey(file, format_, (decision,), tuple(tables), tuple(skipped), source)


def _survey_tables(source: Source, format_: str, options: ReadOptions) -> tuple[Sequence[Table], Sequence[Skipped]]:
    """The tables of a file. Libraries are loaded only for the format that needs them."""
    match format_:
        case "xlsx":
            from etl.readers.workbook import survey_workbook

            return survey_workbook(source, options)
        case "jsonl":
            from etl.readers.jsonlines import survey_json_lines

            return [survey_json_lines(source, options)], ()
        case _:
            from etl.readers.delimited import survey_delimited

            return [survey_delimited(source, options)], ()
