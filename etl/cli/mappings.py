"""`coval-etl mappings`: ready-made ones, the check of one's own, the schema for editors. It must never change one."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from etl.cli import completing
from etl.cli.options import CONTRACTS, Opening, Output, opening_options, output_options
from etl.cli.saying import visible, write_out
from etl.errors import ExitCode
from etl.resources import Contract

if TYPE_CHECKING:
    from etl.mapping import Fault, Mapping

_NAMED = 12
"""Columns or names in one line."""


@click.group("mappings")
def command() -> None:
    """Mappings: which columns become which fields of the API. The ready-made ones, and the check of your own."""


@command.command("list")
@output_options
def list_mappings(*, output: Output) -> None:
    """List the ready-made mappings with what they read."""
    from etl.mapping import presets

    found = sorted(presets(), key=lambda mapping: (mapping.resource, mapping.name))
    if output.as_json:
        entries = [{"name": one.name, "resource": one.resource, "description": one.description} for one in found]
        write_out(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
        return
    if output.quiet:
        write_out("".join(f"{one.name}\n" for one in found))
        return
    from rich.table import Table

    from etl.cli.screen import stdout

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("mapping", "resource", "what it reads"):
        table.add_column(heading)
    for one in found:
        table.add_row(one.name, one.resource, one.description or "")
    console = stdout(plain=output.plain)
    with console.capture() as shown:
        console.print(table)
    write_out(shown.get())


@command.command("show")
@click.argument("name", metavar="NAME", shell_complete=completing.mappings)
@output_options
def show_mapping(*, name: str, output: Output) -> None:
    """Print a ready-made mapping as it stands: redirect it into a file, edit it, and give that with --mapping."""
    from etl.mapping import load_mapping, mapping_text

    mapping = load_mapping(name)
    text = mapping_text(name)
    if output.as_json:
        shown = {"name": mapping.name, "resource": mapping.resource, "description": mapping.description, "yaml": text}
        write_out(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    else:
        write_out(text)


@command.command("schema")
def show_schema() -> None:
    """Print the JSON Schema of mapping files, for editors: completion, explanations and mistakes while typing."""
    from etl.mapping import mapping_schema

    write_out(json.dumps(mapping_schema(), indent=2, ensure_ascii=False) + "\n")


@command.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=completing.mappings)
@click.option("--against", metavar="INPUT", help="Also say which columns of this file are missing, and which unused.")
@opening_options
@click.option("--contract", type=click.Choice(CONTRACTS), default="auto", metavar="NAME", help="With --against.")
@output_options
def check_mappings(
    *, files: tuple[str, ...], against: str | None, opening: Opening, contract: str, output: Output
) -> int:
    """Name every fault of mapping files, each with line, column and the fix.

    One line a fault, FILE:LINE:COLUMN: sentence. Exit code 2 where there is one, else 0.
    """
    from etl.mapping import check_mapping

    under = Contract.V2025_10 if contract == "auto" else Contract(contract)
    entries: list[dict[str, Any]] = []
    for file in files:
        mapping, faults = check_mapping(file)
        entry: dict[str, Any] = {"file": file, "good": not faults}
        entry |= {"name": mapping.name, "resource": mapping.resource} if mapping else {}
        entry["faults"] = _shown(faults)
        if against is not None and mapping is not None:
            entry |= _try(mapping, file, against, opening, under)
        entries.append(entry)
    code = ExitCode.DONE if all(entry["good"] for entry in entries) else ExitCode.USAGE
    if output.as_json:
        document = {"mappings": entries, "exit_code": int(code)}
        write_out(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        write_out("".join(f"{visible(line)}\n" for entry in entries for line in _lines(entry, quiet=output.quiet)))
    return code


def _try(mapping: "Mapping", file: str, against: str, opening: Opening, contract: Contract) -> dict[str, Any]:
    """What `--against` found. Of several sheets, those that do not fit are left out, unless none fits."""
    from etl.inputs import open_inputs
    from etl.mapping import try_mapping

    with open_inputs((against,), opening.options(glance=True), file) as inputs:
        tables = [table for survey in inputs.surveys for table in survey.tables]
        trials = [(table.origin, try_mapping(mapping, table.origin, table.sample, contract)) for table in tables]
    good = any(not trial.faults for _, trial in trials)
    found = [
        {
            "file": origin.file,
            "sheet": origin.sheet,
            "fits": not trial.faults,
            "columns": len(origin.columns),
            "used": trial.used,
            "missing": trial.missing,
            "unused": trial.unused,
        }
        for origin, trial in trials
    ]
    nearest = min((trial.faults for _, trial in trials), key=len, default=())
    return {"good": good, "faults": [] if good else _shown(nearest), "tables": found}


def _shown(faults: "Sequence[Fault]") -> list[dict[str, Any]]:
    return [{"line": fault.line, "column": fault.column, "message": fault.sentence} for fault in faults]


def _lines(entry: dict[str, Any], *, quiet: bool) -> Iterator[str]:
    file = entry["file"]
    for fault in entry["faults"]:
        yield f"{file}:{fault['line']}:{fault['column']}: {fault['message']}"
    if entry["good"] and not quiet:
        yield f"{file}: good, a mapping of {entry['resource']}"
        for table in entry.get("tables", ()):
            yield from _lines_of_table(table)


def _lines_of_table(table: dict[str, Any]) -> Iterator[str]:
    name = f"{table['file']}, sheet {table['sheet']}" if table["sheet"] else table["file"]
    if not table["fits"]:
        yield f"{name}: left out, it does not fit"
        return
    yield f"{name}: {len(table['used'])} of {table['columns']} columns are used"
    for path, names in table["missing"].items():
        yield f"{name}: no column for {path} (it would be {_named(names)})"
    if table["unused"]:
        yield f"{name}: nothing uses {_named(table['unused'])}"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown
