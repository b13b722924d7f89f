"""`coval-etl export`: what the API has, into files. It must never fetch or write anything itself."""

import asyncio
import dataclasses
import json
import sys
from datetime import datetime
from pathlib import Path

import rich_click as click

from etl.api import Api, Pace
from etl.cli.fetching import counting, ids_of_test_sets
from etl.cli.options import Output, TargetFlags
from etl.cli.saying import visible, write_out
from etl.cli.screen import Screen
from etl.cli.signals import leaving_on_term, plain_interrupt
from etl.cli.target import opened_target, workspace_of
from etl.errors import UsageError
from etl.exporting import Exported, Exporter, ExportJob, Fetched, form_of, resources_named
from etl.resources import Contract


def run(  # noqa: PLR0913  # one for each flag
    *,
    resources: tuple[str, ...],
    out: str,
    filter_: str | None,
    since: datetime | None,
    test_sets: tuple[str, ...],
    columns: tuple[str, ...] | None,
    mapping: str | None,
    redact: bool,
    sign: str | None,
    restart: bool,
    concurrency: int,
    rate_per_s: float | None,
    contract: str,
    yes: bool,
    target: TargetFlags,
    output: Output,
) -> int:
    """Write what the API has into files: whole, in a fixed order, without secrets, with a manifest to check it by."""
    screen = Screen(output)
    screen.warn_of_key(target.api_key)
    job = ExportJob(
        resources=resources_named(resources),
        out=Path(out),
        target="",
        filter=filter_,
        since=since,
        test_sets=test_sets,
        columns=columns,
        mapping=mapping,
        redact=redact,
        contract=None if contract == "auto" else Contract(contract),
        sign=Path(sign).expanduser() if sign else None,
    )
    job.check()
    form_of(job.out, job.resources)
    if not redact:
        _ask_for_secrets(yes=yes)
    exported = asyncio.run(_run(job, target, screen, output, (concurrency, rate_per_s), restart=restart))
    _say(exported, screen, output)
    return 0


def _ask_for_secrets(*, yes: bool) -> None:
    """Raises UsageError where the answer is no, or nobody is there to give one."""
    if yes:
        return
    question = "The export will hold secrets: authorization headers, tokens, passwords. Write them?"
    with plain_interrupt():
        if not sys.stdin.isatty() or not click.confirm(question, err=True):
            raise UsageError("Nothing was exported: --no-redact writes secrets.", "Confirm with --yes.")


async def _run(
    job: ExportJob,
    flags: TargetFlags,
    screen: Screen,
    output: Output,
    pace: tuple[int, float | None],
    *,
    restart: bool,
) -> Exported:
    concurrency, rate_per_s = pace
    async with (
        leaving_on_term(),
        opened_target(flags, job.contract) as (target, _contract),
        Api(target, concurrency, pace=Pace(concurrency, rate_per_s), tell=screen.trace) as api,
    ):
        own = flags.use_sandbox
        job = dataclasses.replace(
            job,
            target="sandbox" if own else target.base_url,
            workspace=workspace_of(flags),
            seed=b"sandbox" if own else target.key.encode(),
            owner="" if own else target.key_fingerprint(),
            test_sets=await ids_of_test_sets(api, job.test_sets),
        )
        with counting(output) as line:
            exporter = Exporter(job, api, line.show)
            try:
                return await exporter.run(afresh=restart)
            except asyncio.CancelledError:
                screen.say("Type the same command again to carry on.")
                raise


def _say(exported: Exported, screen: Screen, output: Output) -> None:
    if output.as_json:
        write_out(json.dumps(exported.to_json(), ensure_ascii=False, indent=2) + "\n")
        return
    if exported.carried_on:
        screen.say("Carried on with what an export that was cut off had fetched (--restart begins anew).")
    for entry in exported.manifest.resources:
        words = entry.name.replace("-", " ")
        screen.say(f"{entry.count:>9,} {words.removesuffix('s') if entry.count == 1 else words}")
    for name, fetched in exported.fetched.items():
        if fetched.asked or fetched.twice:
            screen.say(f"          {name} changed meanwhile: {_changes(fetched)}")
    if exported.redacted:
        count = sum(exported.redacted.values())
        noun = "secret" if count == 1 else "secrets"
        screen.say(f"{count:>9,} {noun} replaced by markers, which import refuses (--no-redact writes them)")
    for note in exported.notes:
        screen.warn(note)
    screen.say(f"Export   {visible(str(exported.out))}")
    screen.say(f"Manifest {visible(str(exported.manifest_path))}")
    if exported.signature:
        screen.say(f"Signed   {visible(str(exported.signature))}")
    screen.say(f"Root     {exported.manifest.root}")


def _changes(fetched: Fetched) -> str:
    parts = []
    if fetched.twice:
        parts.append(f"{fetched.twice:,} came twice")
    if fetched.asked:
        parts.append(f"{fetched.asked:,} asked for by id")
    if fetched.gone:
        parts.append(f"{fetched.gone:,} of them deleted")
    return ", ".join(parts)
