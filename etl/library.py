"""The library: read, check, import and export files from a program, in one call each.

The command line does the same through the same classes. It must never read the environment, print, or exit: what is
wrong is raised as `etl.EtlError`, and what became of the rows is what a call returns.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from etl.api import Api, Pace, Target
from etl.batch import Batch
from etl.checking import Fitted, check_rows, choose_mappings, report_of
from etl.exporting import Exported, Exporter, ExportJob
from etl.importing import Importer
from etl.inputs import open_inputs
from etl.jobs import ImportJob, Resumption, facts_of, table_keys, unfinished_twin
from etl.ledger import JobRecord, Ledger, file_of, open_ledger
from etl.readers import ReadOptions, open_source
from etl.relating import Relatives
from etl.report import OF_VALIDATE, Outcome, Summary
from etl.resources import Contract
from etl.settling import Progress
from etl.writer import InDoubt

_AS_DETECTED = ReadOptions()


def read(file: str | Path, options: ReadOptions = _AS_DETECTED) -> Iterator[Batch]:
    """The rows of a file as they stand in it, in batches of a bounded size, table after table.

    `batch.source` is a polars frame: `_row` (the number that a spreadsheet program shows), then a String column for
    each column of the file; null is an empty cell. `batch.problems` says what is odd. Raises FileError.
    """
    with open_source(str(file), options) as survey:
        for table in survey.tables:
            yield from table.batches()


def validate(
    files: Sequence[str | Path],
    *,
    resource: str | None = None,
    mapping: str | None = None,
    values: Mapping[str, str] | None = None,
    contract: Contract = Contract.V2025_10,
    strict: bool = False,
    report: Path | None = None,
) -> Summary:
    """Read, map and check files; nothing is sent. `summary.rows` counts them, `summary.problems` says what is wrong.

    `mapping` is the name of a ready-made one or a file; `values` are fixed for all rows; `strict` makes errors of
    warnings; `report` is a folder for the report. Raises FileError, MappingError, UsageError.
    """
    started = datetime.now(UTC)
    read_rows = 0
    with open_inputs([str(file) for file in files], None, mapping) as inputs:
        fitted = choose_mappings(inputs, contract, resource=resource, mapping=mapping, values=values)
        relatives = Relatives(fitted)
        with report_of(fitted, report, contract, command="validate", outcomes=OF_VALIDATE) as told:
            for checked in check_rows(
                fitted,
                contract,
                strict=strict,
                assume_test_set=True,
                renew=lambda one: relatives.bound(one, contract),
            ):
                relatives.note(checked)
                told.note(checked.fitted.table.origin, checked.notes)
                told.add_checked(checked.batch, Outcome.VALID, skipped=checked.skipped)
                read_rows += checked.batch.rows_read
            return told.close(read=read_rows, started=started, finished=datetime.now(UTC))


async def plan_async(
    files: Sequence[str | Path],
    target: Target,
    *,
    ledger: str | Path | None = None,
    job: ImportJob | None = None,
    plan: Path | None = None,
    report: Path | None = None,
) -> Summary:
    """A dry run: what an import would create, change, leave alone, delete (`job.prune`) and launch. Nothing is sent.

    `ledger`: the one of the imports, so that rows which were sent count as unchanged; a file that is not there is not
    made. `plan`: a file that `import_async` can be told to do exactly. `summary.notes` say how many requests it takes,
    and how long. Raises EtlError as `import_async`.
    """
    job = job or ImportJob()
    with open_inputs([str(file) for file in files], None, job.mapping) as inputs:
        async with Api(target, job.concurrency, pace=Pace(job.concurrency, job.rate_per_s)) as api:
            importer = Importer(job.aimed_at(target.base_url, job.contract), inputs, api, planned=plan)
            contract, fitted = await importer.prepare()
            file = None if ledger is None else file_of(ledger)
            if ledger is None or (file is not None and not file.exists()):
                return await importer.plan(contract, fitted, None, report)
            with closing(open_ledger(ledger)) as opened:
                return await importer.plan(contract, fitted, opened, report)


async def import_async(  # noqa: PLR0913  (what the command has flags for)
    files: Sequence[str | Path],
    target: Target,
    *,
    ledger: str | Path,
    job: ImportJob | None = None,
    plan: Path | None = None,
    in_doubt: InDoubt = InDoubt.KEEP,
    report: Path | None = None,
    confirm: Callable[[str], bool] = lambda _question: False,
    observe: Callable[[Progress], None] = lambda _progress: None,
) -> Summary:
    """Import files; what became of every row. A task may be repeated: the same files again are `unchanged`, and an
    import that was cut off, or stopped, is carried on.

    `ledger` is a file, or `postgresql://…`: there it is known which rows were sent, so keep it between calls. `job`
    says how (its `target` is filled in). `plan`: do exactly what `plan_async` wrote there, or stop before the first
    row. `in_doubt`: what a person has decided about rows of an import that is carried on of which it cannot be known
    whether they were stored. `confirm` is asked before anything is changed, deleted or launched, and after the canary;
    not again for what is carried on. Bad rows are in the summary and never raise; what stops the whole before its first
    row does (EtlError), and what stops it later is `summary.stopped_because`.
    """
    job = job or ImportJob()
    with open_inputs([str(file) for file in files], None, job.mapping) as inputs:
        async with Api(target, job.concurrency, pace=Pace(job.concurrency, job.rate_per_s)) as api:
            begin = partial(Importer, inputs=inputs, api=api, observe=observe, confirm=confirm)
            importer = begin(job.aimed_at(target.base_url, job.contract), planned=plan)
            contract, fitted = await importer.prepare()
            with closing(open_ledger(ledger)) as opened:
                begun = None if job.again else _begun_before(importer, target, contract, fitted, opened)
                if begun is not None:
                    aimed = job.aimed_at(target.base_url, Contract(begun.facts.contract))
                    importer = begin(aimed, resumption=Resumption(begun, in_doubt))
                    contract, fitted = await importer.prepare()
                await importer.review(contract, fitted, opened)
                return await importer.run(contract, fitted, opened, report)


def _begun_before(
    importer: Importer, target: Target, contract: Contract, fitted: Sequence[Fitted], ledger: Ledger
) -> JobRecord | None:
    """The same import, cut off or stopped. Raises UsageError where it is running."""
    tables = table_keys(importer.job, target, fitted)
    facts = facts_of(importer.job, importer.id, target, contract, fitted, tables, datetime.now(UTC))
    return unfinished_twin(facts, ledger)


def plan_files(
    files: Sequence[str | Path],
    target: Target,
    *,
    ledger: str | Path | None = None,
    job: ImportJob | None = None,
    plan: Path | None = None,
    report: Path | None = None,
) -> Summary:
    """`plan_async` for a program without an event loop."""
    return asyncio.run(plan_async(files, target, ledger=ledger, job=job, plan=plan, report=report))


def import_files(
    files: Sequence[str | Path],
    target: Target,
    *,
    ledger: str | Path,
    job: ImportJob | None = None,
    plan: Path | None = None,
    in_doubt: InDoubt = InDoubt.KEEP,
    report: Path | None = None,
    confirm: Callable[[str], bool] = lambda _question: False,
) -> Summary:
    """`import_async` for a program without an event loop."""
    return asyncio.run(
        import_async(
            files, target, ledger=ledger, job=job, plan=plan, in_doubt=in_doubt, report=report, confirm=confirm
        )
    )


async def export_async(job: ExportJob, target: Target, *, concurrency: int = 16) -> Exported:
    """Write what the API has into files. Raises UsageError, and what the API's refusals raise (EtlError)."""
    job.check()
    async with Api(target, concurrency, pace=Pace(concurrency)) as api:
        return await Exporter(replace(job, target=target.base_url), api).run()


def export_files(job: ExportJob, target: Target, *, concurrency: int = 16) -> Exported:
    """`export_async` for a program without an event loop."""
    return asyncio.run(export_async(job, target, concurrency=concurrency))
