"""`coval-etl jobs`: the imports that the ledger knows. It must never change one, but for `prune`."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

import rich_click as click
from rich.table import Table
from rich.text import Text

from etl.cli.options import Output
from etl.cli.running import forget_copies, opened_ledger
from etl.cli.saying import visible, write_out
from etl.cli.screen import stdout
from etl.errors import UsageError
from etl.jobs import is_unfinished, next_step, state_of
from etl.ledger import JobRecord, Ledger


def run(context: click.Context, *, ledger: str | None, every: bool, output: Output) -> int:
    """List imports, the newest first: their state, what became of their rows, and what to do next."""
    if context.invoked_subcommand is not None:
        return 0
    with closing(opened_ledger(ledger)) as opened:
        records = [(one, _counts(opened, one)) for one in opened.jobs()[: None if every else 20]]
    if output.as_json:
        write_out(json.dumps([_told(*one) for one in records], ensure_ascii=False, indent=2) + "\n")
    elif records:
        console, table = stdout(plain=output.plain), _table(records)
        whole = console.measure(table, options=console.options.update(width=WIDEST)).maximum
        console.width = max(console.width, whole)  # what is copied must be in one piece
        console.print(table)
    elif not output.quiet:
        write_out("The ledger knows no jobs.\n")
    return 0


def prune(*, ledger: str | None, days: int, unfinished: bool, output: Output) -> int:
    """Forget old jobs: their rows can then be imported again, and no longer be rolled back."""
    before = datetime.now(UTC) - timedelta(days=days)
    with closing(opened_ledger(ledger)) as opened:
        old = [one for one in opened.jobs() if one.facts.started <= before and one.held_by is None]
        kept = [] if unfinished else [one for one in old if is_unfinished(one)]
        gone = [one for one in old if one not in kept]
        for one in gone:
            opened.forget(one.facts.id)
            forget_copies(one.facts.id)
    if output.as_json:
        told = {"forgotten": [one.facts.id for one in gone], "kept": [one.facts.id for one in kept]}
        write_out(json.dumps(told, indent=2) + "\n")
    elif not output.quiet:
        are = "was" if len(kept) == 1 else "were"
        left = f" {len(kept)} unfinished {are} kept (--unfinished forgets them too)." if kept else ""
        write_out(f"{len(gone)} {'job was' if len(gone) == 1 else 'jobs were'} forgotten.{left}\n")
    return 0


def record_named(ledger: Ledger, job: str) -> JobRecord:
    """The job with this id, or with an id that ends so. Raises UsageError where there is none, or several."""
    jobs = ledger.jobs()
    found = [one for one in jobs if one.facts.id == job] or [one for one in jobs if one.facts.id.endswith(job)]
    if len(found) != 1:
        if found:
            raise UsageError(
                f"Several jobs end with {job}.", f"{', '.join(one.facts.id for one in found)}: name one whole."
            )
        near = get_close_matches(job, [one.facts.id for one in jobs], n=1)
        hint = f"Did you mean {near[0]}?" if near else "See coval-etl jobs."
        raise UsageError(f"The ledger has no job {job}.", hint)
    return found[0]


def _counts(ledger: Ledger, record: JobRecord) -> dict[str, int]:
    """Rows by outcome: as the last report counted them, else what the ledger has of them."""
    if record.counts is not None:
        return {name: count for name, count in record.counts.items() if count and name != "read"}
    return {state.value: count for state, count in ledger.count(record.facts.id).items() if count}


def _told(record: JobRecord, counts: dict[str, int]) -> dict[str, object]:
    facts = record.facts
    return {
        "job": facts.id,
        "state": state_of(record),
        "command": facts.command,
        "sources": [str(source["file"]) for source in facts.sources],
        "target": facts.base_url,
        "workspace": facts.workspace,
        "started": facts.started.isoformat(),
        "ended": record.ended.isoformat() if record.ended else None,
        "exit_code": record.exit_code,
        "rows": counts,
        "report": record.report,
        "held_by": record.held_by,
        "next": next_step(record),
    }


FILES_SHOWN = 3
WIDEST = 1_000
_STYLES = {"running": "cyan", "done": "green", "unfinished": "yellow"}


def _table(records: list[tuple[JobRecord, dict[str, int]]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("Job", "State", "From", "To", "Rows", "Next"):
        table.add_column(title, overflow="fold")
    for record, counts in records:
        state = state_of(record)
        names = list(dict.fromkeys(visible(str(source["file"])) for source in record.facts.sources))
        files = ", ".join(names[:FILES_SHOWN]) + (f" and {len(names) - FILES_SHOWN} more" * (len(names) > FILES_SHOWN))
        rows = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()) or "none yet"
        table.add_row(
            record.facts.id,
            Text(state, style=_STYLES.get(state, "")),
            files,
            visible(record.facts.base_url),
            rows,
            next_step(record),
        )
    return table
