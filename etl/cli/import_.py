"""`coval-etl import`: the whole pipeline into the API. It must never hold a step that the library does not have."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import rich_click as click

from etl.api import Api
from etl.checking import Fitted, open_inputs
from etl.choosing import Choose
from etl.cli.fitting import asking
from etl.cli.options import (
    Checking,
    Opening,
    Output,
    Reading,
    Sending,
    TargetFlags,
    checking_options,
    files_argument,
    near_duplicates_option,
    opening_options,
    output_options,
    reading_options,
    report_option,
    sending_options,
    target_options,
)
from etl.cli.screen import Screen
from etl.cli.signals import leaving_on_term, plain_interrupt, stopping_on_signals
from etl.cli.target import ledger_file, opened_target
from etl.errors import EtlError
from etl.importing import Importer, Progress
from etl.jobs import ImportJob
from etl.ledger import open_sqlite
from etl.mapping import Guess
from etl.report import Summary
from etl.resources import Contract


@click.command("import")
@files_argument
@opening_options
@reading_options
@checking_options
@near_duplicates_option
@target_options
@sending_options
@report_option
@output_options
def command(  # noqa: PLR0913  # one for each group of flags
    *,
    files: tuple[str, ...],
    opening: Opening,
    reading: Reading,
    checking: Checking,
    near_duplicates: bool,
    target: TargetFlags,
    sending: Sending,
    report_folder: str | None,
    output: Output,
) -> int:
    """Check files and create their rows in Coval; report what became of every row.

    Bad rows never stop good ones: they are in the report's rejects.* as they were read, with the reason; mend that file
    and import it. Typed again, the rows that were created are left alone.
    """
    most, share = sending.most_errors()
    job = ImportJob(
        resource=reading.resource,
        mapping=reading.mapping,
        values=reading.values(),
        sheet=opening.sheet,
        where=reading.where,
        limit=reading.limit,
        test_set=checking.test_set,
        create_missing=sending.create_missing,
        contract=checking.known_contract(),
        strict=checking.strict,
        near_duplicates=near_duplicates,
        all_or_nothing=sending.all_or_nothing,
        max_errors=most,
        max_error_share=share,
        concurrency=sending.concurrency,
        rate_per_s=sending.rate_per_s,
        again=sending.again,
        trust_mapping=sending.yes,
    )
    screen = Screen(output)
    if target.api_key:
        screen.warn("--api-key can be seen by others on this machine; COVAL_API_KEY or --api-key-file cannot.")
    typed = _Command(
        files,
        opening,
        reading.mapping,
        target,
        sending,
        screen,
        Path(report_folder) if report_folder else None,
        asking(output),
    )
    summary, stopped = asyncio.run(typed.run(job))
    screen.show_outcome(summary, stopped)
    return int(summary.exit_code)


@dataclass(frozen=True, slots=True)
class _Command:
    """One call of the command: what was typed, and where it is shown."""

    files: tuple[str, ...]
    opening: Opening
    mapping: str | None
    flags: TargetFlags
    sending: Sending
    screen: Screen
    folder: Path | None
    asking: Choose | None

    async def run(self, job: ImportJob) -> tuple[Summary, EtlError | None]:
        """Open the files and the API, plan or import, close everything. The summary, and why it ended early."""
        with open_inputs(self.files, self.opening.options(), self.mapping) as inputs:
            async with (
                leaving_on_term(),
                opened_target(self.flags, job.contract) as (target, contract),
                Api(target, job.concurrency) as api,
            ):
                name = "sandbox" if self.flags.use_sandbox else target.base_url
                meter = Meter()
                importer = Importer(
                    job.aimed_at(name, contract), inputs, api, observe=meter, confirm=self._confirm, choose=self._choose
                )
                form, fitted = await importer.prepare()
                self.screen.say_what_is_read(fitted, inputs.left_out)
                if self.sending.dry_run:
                    return await importer.plan(form, fitted, self.folder), None
                importer.ask(fitted)
                with self.screen.progress() as meter.show, stopping_on_signals(importer):
                    return await self._send(importer, form, fitted), importer.stopped

    async def _send(self, importer: Importer, contract: Contract, fitted: list[Fitted]) -> Summary:
        folder = self.folder or Path(f"coval-etl-report-{importer.id}")
        with closing(open_sqlite(ledger_file(self.flags.ledger))) as ledger:
            return await importer.run(contract, fitted, ledger, folder)

    def _confirm(self, question: str) -> bool:
        """Answered by --yes, by the person at the terminal, else no. Against the sandbox nothing is asked."""
        if self.sending.yes or self.flags.use_sandbox:
            return True
        if not sys.stdin.isatty():
            return False
        with plain_interrupt():
            return click.confirm(question, err=True)

    def _choose(self, undecided: str, guesses: Sequence[Guess]) -> Guess | None:
        if self.asking is None:
            return None
        with plain_interrupt():
            return self.asking(undecided, guesses)


class Meter:
    """Hands progress on to whatever shows it, once there is something."""

    def __init__(self) -> None:
        self.show: Callable[[Progress], None] = lambda _progress: None

    def __call__(self, progress: Progress) -> None:
        self.show(progress)
