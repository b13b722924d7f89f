"""Running a job from a command: files, API, ledger and screen are opened, and closed whatever happens.

It must never know which command asked for it.
"""

import asyncio
import gc
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import rich_click as click

from etl.api import Api, Pace
from etl.checking import Fitted
from etl.choosing import Choose
from etl.cli.logfile import LogFile
from etl.cli.options import Opening, TargetFlags
from etl.cli.screen import Screen
from etl.cli.signals import leaving_on_term, plain_interrupt, stopping_on_signals
from etl.cli.target import ledger_at, opened_target, state_folder
from etl.errors import EtlError
from etl.importing import Importer
from etl.inputs import open_inputs
from etl.jobs import ImportJob, Resumption, is_unfinished
from etl.ledger import Ledger, file_of, open_ledger
from etl.mapping import Guess
from etl.readers import KeptCopy
from etl.report import Summary
from etl.resources import Contract
from etl.settling import Progress

LOOK_EVERY_S = 0.5
"""How often the progress line is refreshed when no row is settled."""
COLLECTED_AFTER = (50_000, 20, 50)
"""Objects, and collections of younger ones, after which Python looks for garbage while rows are sent: some 20 MB."""


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One job on its way. `yes`: nothing is asked. `choose`: asked for a mapping; None: nobody is there to ask."""

    files: tuple[str, ...]
    opening: Opening
    flags: TargetFlags
    screen: Screen
    folder: Path | None
    yes: bool
    choose: Choose | None
    dry_run: bool = False
    resumption: Resumption | None = None
    planned: Path | None = None
    kept: Mapping[str, KeptCopy] = field(default_factory=dict)
    log_file: str | None = None

    def run(self, job: ImportJob) -> tuple[Summary, EtlError | None]:
        """Plan or import. The summary, and why it ended early."""
        with LogFile(self.log_file, "resume" if self.resumption else "import", self.screen.warn) as log:
            summary, stopped = asyncio.run(self._run(job, log))
            log.ended(summary)
        return summary, stopped

    async def _run(self, job: ImportJob, log: LogFile) -> tuple[Summary, EtlError | None]:
        with open_inputs(self.files, self.opening.options(), job.mapping, self.kept, self._of_job) as inputs:
            async with (
                leaving_on_term(),
                opened_target(self.flags, job.contract) as (target, contract),
                Api(
                    target,
                    job.concurrency,
                    pace=Pace(job.concurrency, job.rate_per_s),
                    tell=log.telling(target.key, self.screen.trace),
                ) as api,
            ):
                name = "sandbox" if self.flags.use_sandbox else target.base_url
                meter = Meter(log.progress)
                importer = Importer(
                    job.aimed_at(name, contract),
                    inputs,
                    api,
                    observe=meter,
                    confirm=self._confirm,
                    choose=self._choose,
                    resumption=self.resumption,
                    planned=self.planned,
                    keep=lambda: {"kept": _as_json(inputs.keep(spool_folder(importer.id)))},
                )
                log.job = importer.id
                form, fitted = await importer.prepare()
                log.read(fitted)
                self.screen.say_what_is_read(fitted, inputs.left_out)
                if self.dry_run:
                    with ledger_if_there(self.flags.ledger) as known:
                        return await importer.plan(form, fitted, known, self.folder), None
                with closing(opened_ledger(self.flags.ledger)) as ledger:
                    plan = await importer.review(form, fitted, ledger)
                    if plan.runs:
                        self.screen.say(f"Launching {plan}.")
                    with sending(importer, meter, self.screen):
                        return await self._send(importer, form, fitted, ledger), importer.stopped

    @property
    def _of_job(self) -> set[str] | None:
        """The files that a job was begun with; None where it is begun now."""
        return {str(one["file"]) for one in self.resumption.record.facts.sources} if self.resumption else None

    async def _send(self, importer: Importer, contract: Contract, fitted: list[Fitted], ledger: Ledger) -> Summary:
        folder = self.folder or Path(f"coval-etl-report-{importer.id}")
        summary = await importer.run(contract, fitted, ledger, folder)
        record = ledger.job(importer.id)
        if record is not None and not is_unfinished(record):
            forget_copies(importer.id)
        return summary

    def _confirm(self, question: str) -> bool:
        """Answered by --yes, by the person at the terminal, else no. Against the sandbox nothing is asked."""
        if self.yes or self.flags.use_sandbox:
            return True
        if not sys.stdin.isatty():
            return False
        with self.screen.asking(), plain_interrupt():
            try:
                return click.confirm(question, err=True)
            except click.Abort:  # Ctrl-C answers it
                self.screen.say("")
                return False

    def _choose(self, undecided: str, guesses: Sequence[Guess]) -> Guess | None:
        if self.choose is None:
            return None
        with plain_interrupt():
            return self.choose(undecided, guesses)


@contextmanager
def sending(importer: Importer, meter: "Meter", screen: Screen) -> Iterator[None]:
    """While rows are sent: a bar, and a Ctrl-C that loses nothing."""
    hint = f"Carry on with: coval-etl resume {importer.id}"
    with screen.progress() as meter.show, stopping_on_signals(importer, hint), _seldom_collected():
        refreshing = asyncio.get_running_loop().create_task(meter.refresh(importer))
        try:
            yield
        finally:
            refreshing.cancel()


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """What is loaded by now is not looked through for garbage again, the rest not often: a sixth less work a row."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def opened_ledger(where: str | None) -> Ledger:
    """The ledger that a flag or the environment names, else the one in the state folder. Raises UsageError."""
    return open_ledger(ledger_at(where))


@contextmanager
def ledger_if_there(where: str | None) -> Iterator[Ledger | None]:
    """As `opened_ledger`, for what writes nothing: a file that is not there is not made."""
    file = file_of(ledger_at(where))
    if file is not None and not file.exists():
        yield None
        return
    with closing(opened_ledger(where)) as ledger:
        yield ledger


def spool_folder(job_id: str) -> Path:
    """Where copies of what can be read only once are kept until a job is done."""
    return state_folder() / "spool" / job_id


def _as_json(kept: Mapping[str, KeptCopy]) -> dict[str, list[str]]:
    return {file: list(copy) for file, copy in kept.items()}


def forget_copies(job_id: str) -> None:
    """Remove what was kept for a job."""
    shutil.rmtree(spool_folder(job_id), ignore_errors=True)


class Meter:
    """Hands progress on to the log, and to whatever shows it, once there is something."""

    def __init__(self, log: Callable[[Progress], None]) -> None:
        self.show: Callable[[Progress], None] = lambda _progress: None
        self._log = log

    def __call__(self, progress: Progress) -> None:
        self.show(progress)
        self._log(progress)

    async def refresh(self, importer: Importer) -> None:
        """Show how it stands now and again, also while everybody waits."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self(importer.progress())
