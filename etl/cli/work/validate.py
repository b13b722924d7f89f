"""`coval-etl validate`: every bad cell, named. It must never open a connection unless it is told to (`--online`)."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from etl.checking import Checked, Fitted, check_rows, lacks_test_set, missing_test_set, report_of
from etl.cli.again import typed_again
from etl.cli.fitting import fit
from etl.cli.options import (
    Checking,
    Opening,
    Output,
    Reading,
    TargetFlags,
)
from etl.cli.screen import Screen
from etl.inputs import open_inputs
from etl.relating import Relatives
from etl.report import OF_VALIDATE, Outcome, Summary
from etl.resources import Contract

if TYPE_CHECKING:  # what needs no connection does not load what makes one
    from etl.api import Api


def run(  # noqa: PLR0913  # one for each group of flags
    *,
    files: tuple[str, ...],
    opening: Opening,
    reading: Reading,
    checking: Checking,
    near_duplicates: bool,
    target: TargetFlags,
    report_folder: str | None,
    output: Output,
    online: bool,
) -> int:
    """Check files and name every bad cell. Nothing is sent, no key is needed."""
    folder = Path(report_folder) if report_folder else None
    typed = _Command(files, opening, reading, checking, folder, output, near_duplicates)
    summary = asyncio.run(typed.run_online(target)) if online else asyncio.run(typed.run(None))
    Screen(output).show_outcome(summary)
    return int(summary.exit_code)


@dataclass(frozen=True, slots=True)
class _Command:
    """One call of the command: what was typed."""

    files: tuple[str, ...]
    opening: Opening
    reading: Reading
    checking: Checking
    folder: Path | None
    output: Output
    near_duplicates: bool

    async def run_online(self, flags: TargetFlags) -> Summary:
        """The check with an API to ask."""
        from etl.api import Api
        from etl.cli.target import opened_target

        contract = self.checking.known_contract()
        async with opened_target(flags, contract) as (target, _), Api(target, tell=Screen(self.output).trace) as api:
            return await self.run(api)

    async def run(self, api: "Api | None") -> Summary:
        """Read, map, check; with `api`, also what the rows refer to."""
        started = datetime.now(UTC)
        contract = self.checking.known_contract() or Contract.V2025_10
        with open_inputs(self.files, self.opening.options(), self.reading.mapping) as inputs:
            fitted = fit(inputs, self.opening, self.reading, self.checking, self.output, contract)
            references = None
            if api is not None:
                from etl.references import References, with_names

                fitted, references = await with_names(api, contract, fitted), References(api)
            relatives = Relatives(fitted)
            Screen(self.output).say_what_is_read(fitted, inputs.left_out)
            read = 0
            flags = self._flags()
            with report_of(
                fitted, self.folder, contract, command="validate", outcomes=OF_VALIDATE, flags=flags
            ) as report:
                for one in fitted:
                    if self.checking.test_set is None and lacks_test_set(one):
                        report.note(one.table.origin, [missing_test_set()])
                for offline in self._rows(fitted, contract, relatives):
                    relatives.note(offline)
                    checked = offline if references is None else await references.look_at(offline)
                    report.note(checked.fitted.table.origin, checked.notes)
                    report.add_checked(checked.batch, Outcome.VALID, skipped=checked.skipped)
                    read += checked.batch.rows_read
                return report.close(read=read, started=started, finished=datetime.now(UTC))

    def _flags(self) -> tuple[str, ...]:
        """What has to be typed again to check the rows that were mended."""
        named = {
            "--resource": self.reading.resource,
            "--mapping": self.reading.mapping,
            "--test-set": self.checking.test_set,
        }
        switches = {"--strict": self.checking.strict, "--near-duplicates": self.near_duplicates}
        return typed_again(named, self.reading.values(), switches)

    def _rows(self, fitted: Sequence[Fitted], contract: Contract, relatives: Relatives) -> Iterator[Checked]:
        return check_rows(
            fitted,
            contract,
            where=self.reading.where,
            limit=self.reading.limit,
            strict=self.checking.strict,
            assume_test_set=True,
            near_duplicates=self.near_duplicates,
            renew=lambda one: relatives.bound(one, contract),
        )
