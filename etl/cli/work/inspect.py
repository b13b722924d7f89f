"""`coval-etl inspect`: what a file is and how it is read, on one screen. It must never change the file or send it."""

import dataclasses
import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from etl.batch import Certainty, Decision
from etl.cli.options import Opening, Output
from etl.cli.saying import visible, write_out
from etl.cli.screen import problem_lines, stdout
from etl.errors import UsageError
from etl.inputs import open_inputs
from etl.inspecting import ColumnFacts, Inspection, TableFacts, Turn, in_order, inspect_file
from etl.mapping import write_mapping

_CERTAINTIES = {
    Certainty.TOLD: ("as told", "cyan"),
    Certainty.CERTAIN: ("certain", "green"),
    Certainty.LIKELY: ("likely", "yellow"),
}
_SAMPLE_WIDTH = 34


def run(
    *,
    file: str,
    opening: Opening,
    resource: str | None,
    mapping: str | None,
    output: Output,
    written: str | None,
    all_rows: bool,
) -> None:
    """Show what a file, or a folder, is: format, encoding, sheets, header, columns, and which mapping fits."""
    with open_inputs((file,), opening.options(glance=not all_rows), mapping) as inputs:
        is_folder = bool(inputs.of_folders)
        found = [inspect_file(one, resource=resource, mapping=mapping, whole=all_rows) for one in inputs.surveys]
    order = in_order(found)
    if written is not None:
        if len(found) > 1:
            raise UsageError(f"{file} holds {len(found)} files.", "Save a mapping for one of them: name it instead.")
        _write(written, found[0], opening, mapping)
    if output.as_json:
        files = [one.to_json() for one in found]
        document = {"folder": file, "files": files} if is_folder else files[0]
        document["order"] = [one.to_json() for one in order]
        write_out(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return
    said = _flags(opening, resource, mapping)
    console = stdout(plain=output.plain)
    with console.capture() as shown:
        typed = [shlex.quote(file), *([f"--mapping {shlex.quote(written)}"] if written else said)]
        for one in found:
            console.print(_page(one), Text(), soft_wrap=False)
        if len(order) > 1:
            console.print(_order(order), Text(), soft_wrap=False)
        console.print(_next_step(found, typed, written), soft_wrap=False)
    write_out("".join(f"{line.rstrip()}\n" for line in shown.get().splitlines()))


def _write(out: str, facts: Inspection, opening: Opening, mapping: str | None) -> None:
    """Save the guess as a mapping. Raises UsageError where there is not one guess, or the file is there already.

    Sheets that are read by one and the same mapping need only one.
    """
    fitting = [table for table in facts.tables if table.best is not None]
    bests = [table.best for table in fitting if table.best is not None]
    if not fitting and (near := _nearest(facts)) is not None:
        fitting, bests = [near], [near.nearest]
    if not bests or fitting[0].equals or any(one.settled != bests[0].settled for one in bests):
        raise _no_mapping(fitting)
    table, best = fitting[0], bests[0]
    told = {name: value for name, value in dataclasses.asdict(opening).items() if value}
    if table.sheet is not None and len(facts.tables) > len(fitting) == 1:
        told["sheet"] = table.sheet
    if "columns" in told:
        told["columns"] = list(told["columns"])
    taken = {*best.uses, *best.likeliest}
    columns = [column.name for one in fitting for column in one.columns if column.is_unused]
    unused = [column for column in dict.fromkeys(columns) if column not in taken]
    title = f"Made by coval-etl inspect from {Path(facts.file).name}: change it as you like."
    text = write_mapping(best, mapping or best.mapping.name, Path(out).stem, title, told, unused)
    try:
        with Path(out).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{out} exists already.", "Name another file, or remove it first.") from None
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written: {error.strerror}.", "Name a file in a folder that exists."
        ) from None


def _nearest(facts: Inspection) -> TableFacts | None:
    """Where no mapping fits: the only table, or the one of which more columns are known than of others; else None."""
    if len(facts.tables) == 1:
        return facts.tables[0]
    most = max(one.nearest.known[0] for one in facts.tables)
    nearest = [one for one in facts.tables if one.nearest.known[0] == most]
    return nearest[0] if len(nearest) == 1 else None


def _no_mapping(fitting: Sequence[TableFacts]) -> UsageError:
    if not fitting:
        return UsageError(
            "No mapping fits any of the sheets.", "Save the nearest for one of them: name it with --sheet."
        )
    if len(fitting) > 1:
        sheets = ", ".join(table.sheet or "" for table in fitting)
        return UsageError(f"The sheets {sheets} need a mapping each.", "Save one at a time: name it with --sheet.")
    names = " and ".join(fitting[0].equals)
    return UsageError(f"The mappings {names} fit equally well.", "Say which is to be saved: --mapping NAME.")


def _flags(opening: Opening, resource: str | None, mapping: str | None) -> list[str]:
    """What was said, as it has to be said again."""
    told = {**dataclasses.asdict(opening), "resource": resource, "mapping": mapping}
    told["columns"] = ",".join(opening.columns) if opening.columns else None
    said = [(f"--{name.replace('_', '-')}", value) for name, value in told.items() if value]
    return [flag if value is True else f"{flag} {shlex.quote(str(value))}" for flag, value in said]


def _order(order: Sequence[Turn]) -> RenderableType:
    """What is imported when, since rows may refer to each other."""
    grid = Table.grid(padding=(0, 2))
    for number, turn in enumerate(order, 1):
        rows = f"{turn.table.rows:,} {'row' if turn.table.rows == 1 else 'rows'}"
        grid.add_row(
            f"  {number}.",
            Text(turn.best.mapping.resource, style="bold green"),
            Text(visible(turn.name)),
            Text(rows if turn.table.whole else f"more than {rows}", style="dim"),
        )
    return Group(Text("Imported together, in this order:", style="bold"), grid)


def _page(facts: Inspection) -> RenderableType:
    head = Text(visible(facts.file), style="bold") + Text(f"  {_size(facts.size_bytes)}")
    parts: list[RenderableType] = [head, _decisions(facts.decisions)]
    if facts.sha256 is not None:
        parts.append(Text(f"  sha256 {facts.sha256}", style="dim"))
    for table in facts.tables:
        parts += [Text(), *_table(table)]
    if facts.skipped:
        parts.append(Text())
        parts += [
            Text("Not read ", style="bold") + Text(f"{visible(one.sheet)}: {visible(one.reason)}", style="dim")
            for one in facts.skipped
        ]
    return Group(*parts)


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{size:,.0f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


def _decisions(decisions: Iterable[Decision]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for one in decisions:
        words, style = _CERTAINTIES[one.certainty]
        grid.add_row(
            Text(f"  {one.subject}", style="dim"),
            Text(visible(one.value)),
            Text(words, style=style),
            Text(visible(one.evidence), style="dim"),
        )
    return grid


def _table(table: TableFacts) -> Sequence[RenderableType]:
    rows = f"{table.rows:,} {'row' if table.rows == 1 else 'rows'}" if table.whole else f"more than {table.rows:,} rows"
    name = f"Sheet {visible(table.sheet)}  " if table.sheet else f"Rows of {table.part}  " if table.part else ""
    head = Text(f"{name}{rows}, {len(table.columns):,} columns", style="bold")
    parts: list[RenderableType] = [head, *([_decisions(table.decisions)] if table.decisions else [])]
    parts += [Text(), _columns(table), Text(), _fit(table)]
    if table.problems:
        parts += [Text(), *problem_lines(table.problems)]
    return parts


def _columns(table: TableFacts) -> RenderableType:
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    lettered = any(column.letters for column in table.columns)
    for heading in ("  ", *(["col"] if lettered else []), "column", "filled", "for example", "becomes"):
        grid.add_column(heading, justify="right" if heading == "filled" else "left", overflow="fold")
    for column in table.columns:
        cells = [Text("  ")]
        if lettered:
            cells.append(Text(column.letters or "", style="dim"))
        cells += [Text(visible(column.name)), Text(f"{column.filled:,}"), Text(_example(column), style="dim")]
        grid.add_row(*cells, _field(column))
    return grid


def _example(column: ColumnFacts) -> str:
    if not column.samples:
        return ""
    sample = visible(column.samples[0])
    return sample if len(sample) <= _SAMPLE_WIDTH else f"{sample[: _SAMPLE_WIDTH - 1]}…"


def _field(column: ColumnFacts) -> Text:
    said = Text(f"  {visible(column.evidence)}", style="dim") if column.evidence else Text()
    if column.field is None and column.fate is not None and column.filled:
        return Text(column.fate, style="yellow" if column.fate == "not sent" else "green") + said
    if column.field is None:
        return Text("not used", style="yellow") + said if column.filled else Text("empty", style="dim")
    if column.confidence < 1:
        said += Text(f"  {column.confidence:.0%} sure", style="yellow")
    return Text(column.field, style="green") + (Text() if column.evidence == "same name" else said)


def _fit(table: TableFacts) -> Text:
    best = table.best
    others = [guess for guess in table.guesses if guess is not best and guess.score > 0]
    also = "; ".join(f"{guess.mapping.name} {guess.score:.0%}" for guess in others)
    if best is None:
        return Text("  No mapping fits", style="yellow") + Text(f" (nearest: {also})" if also else "", style="dim")
    if table.equals:
        return Text(f"  These mappings fit equally well: {', '.join(table.equals)}", style="yellow") + Text(
            "; say which with --mapping", style="dim"
        )
    line = Text("  Looks like ") + Text(best.mapping.resource, style="bold green")
    line += Text(f": mapping {best.mapping.name}, {best.score:.0%}")
    return line + Text(f"  (else {also})" if also else "", style="dim")


def _next_step(found: Sequence[Inspection], typed: Sequence[str], written: str | None) -> Text:
    bests = [table.best for one in found for table in one.tables if table.best is not None]
    checks = f"coval-etl mappings check {shlex.quote(written)} --against {typed[0]}" if written else ""
    if bests and not any(best.perhaps for best in bests):
        return Text(f"Next: coval-etl validate {' '.join(typed)}", style="dim")
    if written is not None:
        return Text(f"Next: finish {visible(written)} (its comments say where), then {checks}", style="dim")
    if bests:
        doubt = next(column for best in bests for column in best.perhaps)
        said = f"Next: an import asks about {visible(doubt)}; --write-mapping my.yaml saves a mapping that takes it."
        return Text(said, style="dim")
    sheet = " --sheet NAME" if len(found[0].tables) > 1 and _nearest(found[0]) is None else ""
    save = f"coval-etl inspect {typed[0]}{sheet} --write-mapping my.yaml"
    return Text(f"Next: save the nearest guess, name the columns in it, and use --mapping my.yaml: {save}", style="dim")
