"""`coval-etl migrate`: an organisation, or an export of one, into another. It must never move anything itself."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import rich_click as click

from etl.api import Api, Pace, Target
from etl.cli.fetching import Counting, counting, ids_of_test_sets
from etl.cli.logfile import LogFile
from etl.cli.moved import say_moved, say_plan
from etl.cli.options import (
    Again,
    Opening,
    Output,
    TargetFlags,
)
from etl.cli.profile import chosen_profile, configuration_file
from etl.cli.running import Meter, opened_ledger, sending
from etl.cli.screen import Screen
from etl.cli.signals import leaving_on_term, plain_interrupt
from etl.cli.target import state_folder, target_of_profile
from etl.cli.typed import typed_settings
from etl.errors import UsageError
from etl.importing import Importer
from etl.jobs import ImportJob
from etl.ledger import JobRecord
from etl.migrating import Migration, Moved, Organisation, Origin, Plan, Wanted, Ways, Written, opened_place
from etl.profiles import Profile, read_configuration
from etl.resources import MOVED_NAMES, Contract
from etl.writer import InDoubt

_NO_OPENING = Opening(None, None, None, None, None, None, None, None, None, None, fill_merged=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed. `origin` and `to` are names of profiles; `origin` may be the path of an export."""

    origin: str
    to: str
    only: tuple[str, ...]
    filter: str | None
    test_sets: tuple[str, ...]
    report: str | None
    timeout_s: float
    ledger: str | None
    yes: bool
    dry_run: bool = False
    in_doubt: InDoubt = InDoubt.KEEP
    new_key: bool = False
    log_file: str | None = None


def run(  # noqa: PLR0913  # one for each flag
    *,
    origin: str,
    to: str,
    only: tuple[str, ...],
    filter_: str | None,
    test_sets: tuple[str, ...],
    dry_run: bool,
    concurrency: int,
    rate_per_s: float | None,
    settle_s: float | None,
    timeout_s: float,
    contract: str,
    ledger: str | None,
    yes: bool,
    report_folder: str | None,
    log_file: str | None,
    output: Output,
) -> int:
    """Copy what was asked for to another organisation, with every id replaced."""
    if test_sets and set(only) == set(MOVED_NAMES):
        only = ("test-sets", "test-cases")
    if filter_ is not None and len(only) > 1:
        raise UsageError("--filter is for one resource: each has fields of its own.", "Name it with --only.")
    asked = Asked(
        origin,
        to,
        only,
        filter_,
        test_sets,
        report_folder,
        timeout_s,
        ledger,
        yes=yes,
        dry_run=dry_run,
        log_file=log_file,
    )
    job = ImportJob(
        concurrency=concurrency,
        rate_per_s=rate_per_s,
        settle_s=settle_s,
        contract=None if contract == "auto" else Contract(contract),
        auto_contract=contract == "auto",
    )
    return migrate(asked, job, output)


def resumed(  # what may be said anew
    record: JobRecord,
    again: Again,
    output: Output,
    pace: tuple[int | None, float | None, float | None],
    in_doubt: InDoubt,
    report: str | None,
    log_file: str | None,
    *,
    new_key: bool,
) -> int:
    """A migration that was cut off, by its job. `pace`: concurrency, rate and settle time, where they are said anew."""
    kept: Mapping[str, Any] = record.facts.settings
    wanted, before = dict(kept["migration"]), kept["job"]
    asked = Asked(
        wanted["origin"],
        again.profile or wanted["to"],
        tuple(wanted["only"]),
        wanted["filter"],
        tuple(wanted["test_sets"]),
        report or record.report or wanted["report"],
        wanted["timeout_s"],
        again.ledger,
        yes=True,
        in_doubt=in_doubt,
        new_key=new_key,
        log_file=log_file,
    )
    concurrency, rate_per_s, settle_s = pace
    job = ImportJob(
        concurrency=concurrency or before["concurrency"],
        rate_per_s=rate_per_s or before["rate_per_s"],
        settle_s=before["settle_s"] if settle_s is None else settle_s,
        contract=Contract(record.facts.contract),
    )
    return migrate(asked, job, output)


def migrate(asked: Asked, job: ImportJob, output: Output) -> int:
    """Run it, and say what became of it."""
    screen = Screen(output)
    with LogFile(asked.log_file, "migrate", screen.warn) as log:
        moved = asyncio.run(_run(asked, job, screen, output, log))
        if moved.summary is not None:
            log.ended(moved.summary)
    say_moved(moved, (asked.origin, asked.to), screen, output, dry_run=asked.dry_run)
    return int(moved.exit_code)


async def _run(asked: Asked, job: ImportJob, screen: Screen, output: Output, log: LogFile) -> Moved:
    to = _profile_named(asked.to, "--to")
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(leaving_on_term())
        target = await target_of_profile(to, asked.timeout_s)
        api = await opened.enter_async_context(_opened(target, to, job, log, screen))
        origin = await _origin(asked, target, job, screen, opened)
        test_sets = asked.test_sets
        if isinstance(origin, Organisation):
            test_sets = await ids_of_test_sets(origin.api, test_sets)
        wanted = Wanted(asked.only, asked.filter, test_sets)
        place = opened.enter_context(
            opened_place(state_folder(), origin.identity, [to.name, target.base_url, target.workspace])
        )
        line = opened.enter_context(counting(output))
        meter = Meter(log.progress)
        ways = Ways(
            fetching=line.show,
            rows=meter,
            confirm=lambda plan: _confirm(plan, asked, screen, line),
            during=lambda importer: _sending(importer, meter, screen, line),
        )
        migration = Migration(origin, api, wanted, _job_for(asked, job, to, target), place, ways)
        if asked.dry_run:
            return await migration.plan()
        with closing(opened_ledger(asked.ledger)) as ledger:
            folder = Path(asked.report) if asked.report else None
            return await migration.run(ledger, folder, in_doubt=asked.in_doubt, new_key=asked.new_key)


@asynccontextmanager
async def _opened(target: Target, profile: Profile, job: ImportJob, log: LogFile, screen: Screen) -> AsyncIterator[Api]:
    """An API at the pace that its profile says, else at that of the flags."""
    concurrency = profile.concurrency or job.concurrency
    pace = Pace(concurrency, profile.rate_per_s or job.rate_per_s)
    async with Api(target, concurrency, pace=pace, tell=log.telling(target.key, screen.trace)) as api:
        yield api


def _job_for(asked: Asked, job: ImportJob, to: Profile, target: Target) -> ImportJob:
    """The job as the ledger keeps it: `resume`, `report` and `rollback` find what they need."""
    contract = job.contract or to.contract
    job = replace(
        job,
        target=target.base_url,
        contract=contract,
        auto_contract=contract is None,
        concurrency=to.concurrency or job.concurrency,
        rate_per_s=to.rate_per_s or job.rate_per_s,
        flags=("--profile", to.name),
    )
    flags = TargetFlags(
        use_sandbox=False,
        profile=to,
        base_url=None,
        api_key_file=None,
        api_key=None,
        workspace=target.workspace,
        timeout_s=asked.timeout_s,
        ca_bundle=to.ca_bundle,
        ledger=asked.ledger,
    )
    settings = typed_settings(job, [f"{name}.jsonl" for name in asked.only], _NO_OPENING, flags, asked.report)
    settings["migration"] = {
        "origin": _absolute(asked.origin),
        "to": asked.to,
        "only": list(asked.only),
        "filter": asked.filter,
        "test_sets": list(asked.test_sets),
        "report": asked.report,
        "timeout_s": asked.timeout_s,
    }
    return replace(job, typed=settings)


def _absolute(origin: str) -> str:
    return str(Path(origin).resolve()) if _is_path(origin) else origin


def _is_path(origin: str) -> bool:
    """Whether an export is meant: what is called like a profile is one, unless it is written as a path."""
    if "/" in origin or "\\" in origin or Path(origin).suffix in {".jsonl", ".ndjson"}:
        return True
    configuration = read_configuration(configuration_file())
    return Path(origin).exists() and (configuration is None or origin not in configuration.names)


def _profile_named(name: str, flag: str) -> Profile:
    """A profile that says where its key is. Raises UsageError."""
    profile = chosen_profile(name)
    if profile is None:  # only where no name is given
        raise UsageError(f"{flag} names no profile.")
    if profile.key is None:
        words = f"The profile {name} does not say where its key is."
        raise UsageError(words, f"Add key_env, key_file or key_command to [profiles.{name}] in {profile.file}.")
    return profile


async def _origin(asked: Asked, target: Target, job: ImportJob, screen: Screen, opened: AsyncExitStack) -> Origin:
    """Where it comes from. Raises UsageError where that is where it goes."""
    if _is_path(asked.origin):
        return Written(Path(asked.origin), target.key.encode())
    profile = _profile_named(asked.origin, "--from")
    source = await target_of_profile(profile, asked.timeout_s)
    same_key = source.key == target.key
    if (source.base_url, source.workspace) == (target.base_url, target.workspace) and same_key:
        raise UsageError(f"{asked.origin} and {asked.to} are the same organisation.", "Name two of them.")
    quiet = LogFile(None, "migrate", screen.warn)
    api = await opened.enter_async_context(_opened(source, profile, job, quiet, screen))
    return Organisation(api, profile.name, profile.contract)


@contextmanager
def _sending(importer: Importer, meter: Meter, screen: Screen, line: Counting) -> Iterator[None]:
    """While rows are sent, the line that counts makes room for the bar."""
    line.pause()
    screen.say(f"Job      {importer.id}")
    with sending(importer, meter, screen):
        yield


def _confirm(plan: Plan, asked: Asked, screen: Screen, line: Counting) -> bool:
    """Show what is about to be done, and ask, unless --yes has answered."""
    line.pause()
    say_plan(plan, (asked.origin, asked.to), screen)
    if asked.yes:
        return True
    if not sys.stdin.isatty():
        return False
    with plain_interrupt():
        return click.confirm("Go on?", err=True)
