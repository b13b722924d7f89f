"""Readers: files become batches of rows, each cell exactly as the file says, or the file is refused with a reason.

They must never know the API, nor what any column means.
"""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace

from etl.batch import Table
from etl.errors import FileError
from etl.readers.options import ReadOptions, settle_options
from etl.readers.sniff import SPOKEN, is_named_like_a_table, sniff_format
from etl.readers.sources.archive import inflated_bytes
from etl.readers.sources.opening import open_input
from etl.readers.sources.source import KeptCopy, Source
from etl.readers.survey import Skipped, Survey

__all__ = [
    "READ_WHOLE_BYTES",
    "KeptCopy",
    "ReadOptions",
    "Skipped",
    "Survey",
    "is_named_like_a_table",
    "open_source",
    "sheet_names",
]

_ALL_FOUND_OUT = ReadOptions()
READ_WHOLE_BYTES = 64 << 20
"""Up to this size, inflated, a file is looked at whole where a glance would do: it takes no time, and nothing shows
late.
"""
_IN_PARTS = frozenset({"xlsx", "xlsb", "ods"})


def open_source(
    file: str,
    options: ReadOptions = _ALL_FOUND_OUT,
    fallback: ReadOptions = _ALL_FOUND_OUT,
    kept: KeptCopy | None = None,
) -> Survey:
    """Survey a file: its format, its tables, their columns and first rows.

    `file` is a path, `-` for standard input, or an http(s)://, s3://, gs:// or az:// address; what is compressed is
    unpacked.

    `kept`: a copy of it from before, which is read instead. `options` are what the user said, `fallback` what a mapping
    says where the user says nothing and the format has such a thing. Raises FileError for a file that cannot be read
    exactly, UsageError for an option that does not go with it.
    """
    with ExitStack() as undo:
        source = open_input(file, options.member, fallback.member, kept)
        undo.callback(source.close)
        format_, decision = sniff_format(source, options, fallback)
        settled = settle_options(options, fallback, format_, source.label, lenient=source.is_rejects)
        size_bytes = inflated_bytes(source) if format_ in _IN_PARTS else source.size_bytes
        settled = replace(settled, glance=settled.glance and size_bytes > READ_WHOLE_BYTES)
        tables, skipped = _survey_tables(source, format_, settled)
        undo.pop_all()
    decisions = (*source.decisions, decision)
    of_mapping = fallback.flags() - options.flags()
    return Survey(source.file, format_, decisions, tuple(tables), tuple(skipped), source, size_bytes, of_mapping)


def sheet_names(file: str) -> tuple[str, ...]:
    """The names of a workbook's sheets, hidden ones last; none where the file has no sheets.

    For XLSX only their list is read. Raises FileError for a file that cannot be read.
    """
    with closing(open_input(file)) as source:
        format_, _ = sniff_format(source, _ALL_FOUND_OUT, _ALL_FOUND_OUT)
        if format_ == "xlsx":
            from etl.readers.workbooks.xlsx.workbook import list_sheets

            return list_sheets(source)
        if format_ not in {"xls", "xlsb", "ods"}:
            return ()
        glance = settle_options(ReadOptions(glance=True), _ALL_FOUND_OUT, format_, source.label)
        tables, skipped = _survey_tables(source, format_, glance)
        return (*(str(table.origin.sheet) for table in tables), *(one.sheet for one in skipped))


def _survey_tables(source: Source, format_: str, options: ReadOptions) -> tuple[Sequence[Table], Sequence[Skipped]]:
    """The tables of a file. Libraries are loaded only for the format that needs them."""
    match format_:
        case "xlsx":
            from etl.readers.workbooks.xlsx.workbook import survey_workbook

            return survey_workbook(source, options)
        case "xls":
            from etl.readers.workbooks.xls.workbook import survey_xls

            return survey_xls(source, options)
        case "xlsb":
            from etl.readers.workbooks.xlsb.workbook import survey_xlsb

            return survey_xlsb(source, options)
        case "ods":
            from etl.readers.workbooks.ods.document import survey_ods

            return survey_ods(source, options)
        case _:
            return [_survey_table(source, format_, options)], ()


def _survey_table(source: Source, format_: str, options: ReadOptions) -> Table:
    """The one table of a file whose format has no sheets."""
    match format_:
        case "csv":
            from etl.readers.delimited.table import survey_delimited

            return survey_delimited(source, options)
        case "jsonl":
            from etl.readers.objects.jsonlines import survey_json_lines

            return survey_json_lines(source, options)
        case "json":
            from etl.readers.objects.json_document import survey_json

            return survey_json(source, options)
        case "yaml":
            from etl.readers.objects.yaml_document import survey_yaml

            return survey_yaml(source, options)
        case "parquet":
            from etl.readers.columnar.table import survey_parquet

            return survey_parquet(source, options)
        case "arrow":
            from etl.readers.columnar.table import survey_arrow

            return survey_arrow(source, options)
        case _:
            raise FileError(f"{source.label} is {SPOKEN[format_]}, which is not read.")
