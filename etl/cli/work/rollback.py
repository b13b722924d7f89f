"""`coval-etl rollback`: what an import created is deleted again. It must never delete without having asked."""

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import closing

import rich_click as click

from etl.api import Api, Pace
from etl.cli.logfile import LogFile
from etl.cli.options import (
    Again,
    Output,
    TargetFlags,
)
from etl.cli.running import opened_ledger
from etl.cli.saying import visible, write_out
from etl.cli.screen import Screen
from etl.cli.signals import stopping_on_signals
from etl.cli.target import opened_target
from etl.cli.typed import target_before
from etl.cli.work.jobs import record_named
from etl.errors import UsageError
from etl.jobs import refuse_other_key
from etl.ledger import JobRecord, Ledger
from etl.resources import Contract
from etl.undoing import Rollback, Undone, refuse_rollback


def run(
    *,
    job: str,
    dry_run: bool,
    yes: bool,
    new_key: bool,
    concurrency: int,
    again: Again,
    log_file: str | None,
    output: Output,
) -> int:
    """Delete exactly what an import created, after showing how much that is."""
    screen = Screen(output)
    screen.warn_of_key(again.api_key)
    with closing(opened_ledger(again.ledger)) as opened:
        record = record_named(opened, job)
        flags = target_before(record.facts, again)
        with LogFile(log_file, "rollback", screen.warn) as log:
            log.job = record.facts.id
            undone = asyncio.run(_run(record, opened, flags, screen, log, concurrency, (dry_run, yes, new_key)))
            if isinstance(undone, Undone):
                told = {"deleted": undone.deleted, "gone": undone.gone, "kept": len(undone.kept)}
                log.write("ended", {**told, "exit_code": int(undone.exit_code)})
    if not isinstance(undone, Undone):
        if output.as_json:
            write_out(json.dumps({"job": record.facts.id, **undone}, indent=2) + "\n")
        return 0
    _say(undone, output)
    return int(undone.exit_code)


async def _run(
    record: JobRecord,
    ledger: Ledger,
    flags: TargetFlags,
    screen: Screen,
    log: LogFile,
    concurrency: int,
    wanted: tuple[bool, bool, bool],
) -> Undone | Mapping[str, Mapping[str, int]]:
    """What was undone; with `dry_run` how many of each resource would be deleted or put back."""
    dry_run, yes, new_key = wanted
    contract = Contract(record.facts.contract)
    async with (
        opened_target(flags, contract) as (target, _contract),
        Api(target, concurrency, pace=Pace(concurrency), tell=log.telling(target.key, screen.trace)) as api,
    ):
        refuse_other_key(record.facts, target.key_fingerprint(), new_key=new_key)
        rollback = Rollback(record, ledger, api, concurrency)
        made, changed = rollback.counts(), rollback.restored_counts()
        refuse_rollback(record, {**made, **changed})
        did = [f"{verb} {_listed(counts)}" for verb, counts in (("created", made), ("changed", changed)) if counts]
        screen.say(f"Job {record.facts.id} {' and '.join(did)} at {record.facts.base_url}.")
        if dry_run:
            return {"would_delete": made, "would_restore": changed}
        if not (yes or flags.use_sandbox):
            todo = [f"delete {_listed(made)}"] if made else []
            todo += [f"put {_listed(changed)} back"] if changed else []
            question = " and ".join(todo)
            _ask(f"{question[0].upper()}{question[1:]}?")
        with stopping_on_signals(rollback, f"Carry on with: coval-etl rollback {record.facts.id}"):
            return await rollback.run()


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(_counted(count, name) for name, count in counts.items())


def _counted(count: int, resource: str) -> str:
    words = resource.replace("-", " ")
    return f"1 {words.removesuffix('s')}" if count == 1 else f"{count:,} {words}"


def _ask(question: str) -> None:
    """Raises UsageError where the answer is no, or nobody is there to give one."""
    if not sys.stdin.isatty() or not click.confirm(question, err=True):
        raise UsageError("Nothing was undone.", "Confirm with --yes.")


def _say(undone: Undone, output: Output) -> None:
    if output.as_json:
        write_out(json.dumps(undone.to_json(), ensure_ascii=False, indent=2) + "\n")
        return
    screen = Screen(output)
    screen.say(f"{undone.deleted:>9,} deleted")
    if undone.restored:
        screen.say(f"{undone.restored:>9,} put back")
    if undone.gone:
        screen.say(f"{undone.gone:>9,} were gone already")
    if undone.kept:
        screen.say(f"{len(undone.kept):>9,} kept:")
    for one in undone.kept:
        place = f"row {one.row} of {one.file}" if one.row and one.resource else one.file
        screen.say(f"          {one.resource} {one.id or ''} ({visible(place)}): {visible(one.reason)}")
    if undone.stopped is not None:
        screen.warn(f"{undone.stopped.message} {undone.stopped.hint}")
