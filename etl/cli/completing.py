"""What could be meant where the cursor stands: mappings, sheets, jobs, profiles, files.

It must never say a word but suggestions, create anything, or touch the network; what cannot be looked up is left out.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import rich_click as click
from click.shell_completion import CompletionItem, split_arg_string

from etl.errors import EtlError

Items = list[CompletionItem[str]]
LATEST_JOBS = 50
MOST_BYTES = 64 << 20
"""A larger workbook is not opened for the names of its sheets while somebody types."""


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Files, as the shell knows them."""
    return [CompletionItem(incomplete, type="file")]


def folders(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Folders, as the shell knows them."""
    return [CompletionItem(incomplete, type="dir")]


def mappings(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Ready-made mappings; files where none begins so."""
    from etl.mapping import preset_names

    return _beginning(((name, None) for name in preset_names()), incomplete) or [
        CompletionItem(incomplete, type="file")
    ]


def profiles(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """The profiles of the configuration."""
    from etl.cli.profile import configuration_file
    from etl.profiles import read_configuration

    try:
        configuration = read_configuration(configuration_file())
    except EtlError:
        return []
    return _beginning(((name, None) for name in configuration.names), incomplete) if configuration else []


def sheets(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """The sheets of the workbooks that are named so far."""
    from etl.readers import sheet_names

    found: list[str] = []
    # A line that ends with an option is not parsed any further: its files are known by being there.
    for word in split_arg_string(os.environ.get("COMP_WORDS", ""))[2:]:
        file = Path(word).expanduser()
        try:
            if file.is_file() and file.stat().st_size <= MOST_BYTES:
                found += sheet_names(str(file))
        except (EtlError, OSError, ValueError):
            continue
    return _beginning(((name, None) for name in dict.fromkeys(found)), incomplete)


def unfinished_jobs(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """The jobs that can be carried on; all where none can."""
    return _jobs(context, incomplete, unfinished=True) or _jobs(context, incomplete, unfinished=False)


def jobs(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """The latest jobs, the newest first."""
    return _jobs(context, incomplete, unfinished=False)


def _jobs(context: click.Context, incomplete: str, *, unfinished: bool) -> Items:
    from etl.cli.target import ledger_at
    from etl.jobs import is_unfinished, state_of
    from etl.ledger import file_of, open_ledger

    where = ledger_at(context.params.get("ledger") or os.environ.get("COVAL_ETL_LEDGER"))
    file = file_of(where)
    if file is None or not file.exists():
        return []
    try:
        with closing(open_ledger(where)) as ledger:
            records = [one for one in ledger.jobs() if is_unfinished(one) or not unfinished][:LATEST_JOBS]
    except EtlError:
        return []
    told = ((one.facts.id, f"{state_of(one)}, {_files(one.facts.sources)}") for one in records)
    return _beginning(told, incomplete)


def _files(sources: Sequence[object]) -> str:
    names = [str(one["file"]) for one in sources if isinstance(one, dict)]
    return f"{names[0]}, …" if len(names) > 1 else "".join(names)


def _beginning(found: Iterable[tuple[str, str | None]], incomplete: str) -> Items:
    """Those that begin so. What a terminal could take for more than text is not suggested."""
    return list(_plain(found, incomplete))


def _plain(found: Iterable[tuple[str, str | None]], incomplete: str) -> Iterator[CompletionItem[str]]:
    for value, words in found:
        if value.startswith(incomplete) and value.isprintable():
            yield CompletionItem(value, help="".join(filter(str.isprintable, words)) if words else None)
