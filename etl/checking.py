"""File to checked rows: what `inspect`, `preview`, `validate` and `import` share. Read, map, check; nothing is sent.

It must never know the network or the terminal.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import polars as pl

from etl import mapping as maps
from etl import problems as problem
from etl.batch import BESIDE, ROW, Batch, Table
from etl.choosing import Choose, ask_for_one, nothing_fits, only_one, why_left_out
from etl.errors import UsageError
from etl.expressions import ExpressionError
from etl.inputs import Inputs
from etl.mapping import Bound, Condition, Guess
from etl.problems import Code, Problem, Severity
from etl.readers import Skipped, Survey
from etl.report import Outcome, Report, Source
from etl.resources import RESOURCES, TEST_CASES, Contract, Resource
from etl.validators import Nearness, Repeats, check

if TYPE_CHECKING:
    from etl.writer import Update  # which sends, and knows the libraries for that: checking alone needs none of them


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table with the mapping that reads it. `number` counts the tables of a job from 0."""

    number: int
    survey: Survey
    table: Table
    resource: Resource
    bound: Bound
    values: Mapping[str, str]
    """Fixed for all rows (`--set`, the test set)."""
    doubts: Mapping[str, str] = field(default_factory=dict)
    """Columns that detection left out although their names are known, and why."""

    @property
    def name(self) -> str:
        """`calls.xlsx, sheet Cases`."""
        origin = self.table.origin
        if origin.part is not None:
            return f"{origin.file} ({origin.part})"
        return f"{origin.file}, sheet {origin.sheet}" if origin.sheet else origin.file


@dataclass(frozen=True, slots=True)
class Checked:
    """A checked batch. `skipped` (Boolean, as long as the batch) marks rows left out on purpose: `where`, `limit`."""

    fitted: Fitted
    batch: Batch
    skipped: pl.Series
    notes: Sequence[Problem] = ()
    """What is to be said of the table as a whole, and is known only when this batch has been checked."""
    updates: Mapping[int, "Update"] = field(default_factory=dict)
    """What rows change of what is there, by row number; the other rows are to be created."""
    there: Mapping[int, str | None] = field(default_factory=dict)
    """For a plan: the rows that an older job created just so, by number, with the id of what they became."""

    def bad(self) -> pl.Series:
        """Boolean: the rows that may not be sent."""
        return self.batch.frame[ROW].is_in(problem.rows_with_errors(self.batch.problems).implode())


class Check(Protocol):
    """Maps and checks rows as read. `changing`: they change what is there, so that nothing is required of them."""

    def __call__(self, batch: Batch, bound: Bound, *, changing: bool) -> Batch: ...


@dataclass(frozen=True, slots=True)
class Decided:
    """A checked batch, in which each row is new, or changes something (`updates`), or is left out (`skipped`)."""

    batch: Batch
    updates: Mapping[int, "Update"] = field(default_factory=dict)
    skipped: frozenset[int] = frozenset()


class Decide(Protocol):
    """Tells new rows from those that change something, and has each checked by its own rules."""

    def __call__(self, batch: Batch, fitted: Fitted, check: Check) -> Decided: ...


def all_new(batch: Batch, fitted: Fitted, check: Check) -> Decided:
    """The decision where nothing that is there is looked at."""
    return Decided(check(batch, fitted.bound, changing=False))


def choose_mappings(  # noqa: PLR0913  (what is known of it beforehand)
    inputs: Inputs,
    contract: Contract,
    *,
    resource: str | None = None,
    mapping: str | None = None,
    values: Mapping[str, str] | None = None,
    sheet_named: bool = False,
    choose: Choose | None = None,
    changing: bool = False,
    of_parts: Mapping[str, str] = MappingProxyType({}),
) -> list[Fitted]:
    """The mapping of every table that fits one, in dependency order of the resources.

    `mapping` is a preset's name or a file; without it every ready-made mapping is tried. `of_parts`: that of the tables
    that say what they are, by resource. `values` are fixed for all rows. `choose` is asked where this would raise
    because nothing fits, or several equally. `changing`: rows may change what is there, so that no column is required.
    Raises MappingError when nothing fits, when two mappings fit equally, or when a table that was named (`sheet_named`,
    or the only one of its file) does not fit.
    """
    candidates = (maps.load_mapping(mapping),) if mapping else None
    found: list[tuple[Survey, Table, Guess]] = []
    nearest: tuple[Table | None, list[Guess]] = None, []
    for survey in inputs.surveys:
        must_fit = sheet_named or (len(survey.tables) == 1 and survey.file not in inputs.of_folders)
        for table in survey.tables:
            told, named = table.origin.part or resource, of_parts.get(table.origin.part or "")
            tried = (maps.load_mapping(named),) if named else candidates
            guesses = maps.guess(table.origin, table.sample, told, tried, tuple(values or ()), changing=changing)
            if guesses and guesses[0].score >= maps.FITS:
                found.append((survey, table, only_one(table, guesses, choose)))
            elif must_fit:
                if candidates:  # the mapping was named: it says best what it lacks
                    maps.bind(candidates[0], table.origin, contract, values)
                found.append((survey, table, ask_for_one(table, guesses, choose)))
            else:
                inputs.left_out.append(Skipped(table.origin.sheet or table.origin.file, why_left_out(guesses)))
                if nearest[0] is None or [one.known for one in guesses[:1]] > [one.known for one in nearest[1][:1]]:
                    nearest = table, guesses
    if not found:
        raise nothing_fits(*nearest)
    order = list(RESOURCES)
    found.sort(key=lambda fit: order.index(fit[2].mapping.resource))
    own = _values_by_resource({fit[2].mapping.resource for fit in found}, values or {})
    return [
        _fit(number, survey, table, guess, contract, own[guess.mapping.resource])
        for number, (survey, table, guess) in enumerate(found)
    ]


def _fit(
    number: int, survey: Survey, table: Table, guess: Guess, contract: Contract, values: Mapping[str, str]
) -> Fitted:
    bound = maps.bind(guess.settled, table.origin, contract, values)
    doubts = {column: doubt.evidence for column, doubt in guess.doubts.items()}
    return Fitted(number, survey, table, RESOURCES[guess.mapping.resource], bound, values, doubts)


def _values_by_resource(resources: Iterable[str], values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Each resource with the values that it has a field for; one that none has goes to all, which refuse it."""
    takers = {path: {name for name in resources if maps.declared_spec(RESOURCES[name], path)} for path in values}
    return {
        name: {path: value for path, value in values.items() if name in takers[path] or not takers[path]}
        for name in resources
    }


def with_value(fitted: Fitted, contract: Contract, path: str, value: str) -> Fitted:
    """The same table with one more value fixed for all its rows."""
    bound, values = fitted.bound, {**fitted.values, path: value}
    bound = maps.bind(bound.mapping, fitted.table.origin, contract, values, bound.books)
    return replace(fitted, values=values, bound=bound)


def with_books(fitted: Sequence[Fitted], contract: Contract, books: Mapping[str, maps.NameBook]) -> list[Fitted]:
    """The same tables, which look names up in `books`, by resource."""
    return [
        replace(one, bound=maps.bind(one.bound.mapping, one.table.origin, contract, one.values, books))
        if one.bound.lookups
        else one
        for one in fitted
    ]


def mapped_batches(fitted: Fitted) -> Iterator[Batch]:
    """The rows of a table in the API's fields, not checked."""
    return (maps.apply(fitted.bound, batch) for batch in records(fitted, conditions_of(fitted, None)))


def check_rows(  # noqa: PLR0913  (the switches of a check, and who takes part in it)
    fitted: Sequence[Fitted],
    contract: Contract,
    *,
    where: str | None = None,
    limit: int | None = None,
    strict: bool = False,
    assume_test_set: bool = False,
    near_duplicates: bool | Nearness = False,
    renew: Callable[[Fitted], Fitted] = lambda one: one,
    decide: Decide = all_new,
) -> Iterator[Checked]:
    """Every row of every table: read, mapped, checked, in order.

    `where` is an expression over the columns, `limit` the number of rows to take, `strict` turns warnings into errors,
    `assume_test_set` lets `test_set_id` be absent (it is decided later), `near_duplicates` has test cases compared with
    each other; a `Nearness` that has seen rows before compares none of them again. `renew` is handed each table before
    its first row is read, when the rows before it have been checked, and gives it back as it is to be checked. `decide`
    tells rows that change something from new ones. Raises FileError where a file breaks off and UsageError for an
    expression that cannot be used.
    """
    left = limit
    with ExitStack() as undo:
        repeats = {
            resource.name: undo.enter_context(Repeats(resource, strict=strict))
            for resource in {one.resource.name: one.resource for one in fitted}.values()
        }
        nearness = near_duplicates if isinstance(near_duplicates, Nearness) else Nearness(strict=strict)
        nearness.begin_again()
        for one in map(renew, fitted):
            conditions = conditions_of(one, where)
            wanted = maps.wanted_by(conditions)
            compared = near_duplicates is not False and one.resource is TEST_CASES
            for batch in records(one, conditions):
                skipped, left = left_out(batch, wanted, left)
                decided = decide(
                    batch, one, _check_of(one, contract, conditions, strict=strict, assume_test_set=assume_test_set)
                )
                skipped = skipped | batch.frame[ROW].is_in(list(decided.skipped))
                checked = repeats[one.resource.name].look_at(decided.batch, one.bound.columns, skipped=skipped)
                notes: list[Problem] = []
                if compared:
                    checked = nearness.look_at(checked, one.bound.columns, skipped=skipped)
                    notes += nearness.notes(one.table.origin.header_row or 0)
                yield Checked(one, checked, skipped, notes, decided.updates)


def records(fitted: Fitted, conditions: Sequence[Condition] = ()) -> Iterator[Batch]:
    """The batches of a table, in records where the mapping makes them of several rows, of those that are wanted."""
    batches = (maps.tell_unclear(batch, conditions) for batch in fitted.table.batches())
    if fitted.bound.grouping is None:
        return batches
    return maps.gather(fitted.bound.grouping, batches, maps.wanted_by(conditions))


def _check_of(
    fitted: Fitted, contract: Contract, conditions: Sequence[Condition], *, strict: bool, assume_test_set: bool
) -> Check:
    """How the rows of a table are checked."""

    def checked(batch: Batch, bound: Bound, *, changing: bool) -> Batch:
        mapped = maps.apply(bound, _traced(batch, bound, conditions))
        return check(
            mapped,
            fitted.resource,
            contract,
            bound.fields,
            bound.columns,
            make_bodies=body_maker(bound),
            strict=strict,
            assume_test_set=assume_test_set,
            unresolved=bound.unresolved,
            changing=changing,
        )

    return checked


def _traced(batch: Batch, bound: Bound, conditions: Sequence[Condition]) -> Batch:
    """The same rows; what the reader found names the field that its column fills.

    What is odd about a cell that nothing takes is nobody's trouble: that its column is not used is said once.
    """
    if batch.problems.is_empty():
        return batch
    fields = {column: path for path, columns in bound.columns.items() for column in columns}
    field = pl.col("field").fill_null(pl.col("column").replace_strict(fields, default=None, return_dtype=pl.String))
    asked = (cast.column for one in conditions for cast in one.casts if cast.column is not None)
    told = pl.col("column").is_null() | pl.col("column").is_in([*_taken(bound), *asked])
    return replace(batch, problems=batch.problems.filter(told).with_columns(field))


def _taken(bound: Bound) -> list[str]:
    """The columns that anything comes from: values, what makes records of rows, conditions."""
    leaves = (one for feed in bound.feeds for one in (feed, *feed.leaves))
    taken = {column for one in leaves for column in (*one.columns, *one.only)}
    if bound.grouping is not None:
        taken |= {*bound.grouping.by, bound.grouping.order or ""}
    conditions = [condition for _, condition in bound.rules] + ([] if bound.where is None else [bound.where])
    return sorted(taken.union(*(condition.meta.root_names() for condition in conditions)))


def body_maker(bound: Bound) -> Callable[[pl.DataFrame], pl.Series]:
    """The function that makes the request bodies of a mapped frame: one JSON text a row."""
    return lambda frame: maps.bodies(frame, bound.fields)


def conditions_of(fitted: Fitted, where: str | None) -> list[Condition]:
    """What a row must meet to be taken: the mapping's `where` and the one that was given. Raises UsageError."""
    origin, own = fitted.table.origin, fitted.bound.mapping.source.where
    conditions = [] if own is None else [maps.condition_of("where", own, origin.mapped_columns)]
    if where is not None:
        try:
            conditions.append(maps.condition_of("--where", where, origin.columns))
        except ExpressionError as error:
            hint = "Write a comparison such as Status = 'Ready'."
            raise UsageError(f"--where, for {fitted.name}: {error}.", hint) from None
    return conditions


def left_out(batch: Batch, wanted: pl.Expr | None, left: int | None) -> tuple[pl.Series, int | None]:
    """The rows that are left out on purpose, and how many may be taken after them; `left`: of these."""
    skipped = pl.repeat(value=False, n=len(batch), dtype=pl.Boolean, eager=True)
    if wanted is not None:
        skipped = ~maps.without_nulls(batch.source).select(wanted.alias("wanted"))["wanted"]
    if left is None:
        return skipped, None
    skipped = skipped | (~skipped).cum_sum().gt(left)
    return skipped, left - int((~skipped).sum())


def lacks_test_set(fitted: Fitted) -> bool:
    """Whether the table holds test cases and neither a column nor a fixed value gives them a test set."""
    return fitted.resource is TEST_CASES and "test_set_id" not in fitted.bound.fields


def missing_test_set() -> Problem:
    """The one warning of a check that need not know where the test cases go."""
    words = "No test set is given or mapped; import needs one: --test-set ID or NAME."
    return Problem(0, Severity.WARNING, Code.MISSING_TEST_SET, "test_set_id", None, None, None, words)


def with_test_set(fitted: Sequence[Fitted], contract: Contract, test_set_id: str) -> list[Fitted]:
    """The same tables; all test cases go into one test set, whatever a column says."""
    return [
        with_value(one, contract, "test_set_id", test_set_id) if one.resource is TEST_CASES else one for one in fitted
    ]


def report_of(
    fitted: Sequence[Fitted],
    folder: Path | None,
    contract: Contract,
    *,
    command: str,
    outcomes: Sequence[Outcome],
    job: str | None = None,
    flags: Sequence[str] = (),
) -> Report:
    """The report of a job over these tables; what is to be said of a table as a whole is in it.

    `flags`: what has to be typed again to import the rows that were mended.
    """
    sources = [source_of(one) for one in fitted]
    report = Report(
        folder, job=job, command=command, contract=contract, sources=sources, outcomes=outcomes, flags=flags
    )
    for one in fitted:
        report.note(one.table.origin, table_problems(one))
    return report


def source_of(fitted: Fitted) -> Source:
    """A table as the report names it."""
    origin, survey, name = fitted.table.origin, fitted.survey, fitted.resource.name
    unused = tuple(one.column for one in table_problems(fitted) if one.column is not None)
    return Source(origin.file, origin.sheet, name, survey.sha256, survey.source.open, origin.part, unused)


def table_problems(fitted: Fitted) -> list[Problem]:
    """What is to be said about a table as a whole: what holds data and nothing uses, columns and keys of a document."""
    origin, row = fitted.table.origin, fitted.table.origin.header_row or 0
    beside = [
        Problem(row, Severity.WARNING, Code.NOT_CONVERTIBLE, None, None, None, None,
                f"The document has {one.value} {one.evidence}; write into the records what is meant for them.")
        for one in fitted.table.decisions if one.subject == BESIDE
    ]  # fmt: skip
    return beside + [
        Problem(
            row,
            Severity.WARNING,
            Code.UNMAPPED_COLUMN,
            None,
            column,
            origin.cell(column, row),
            None,
            f"The column {column!r} is not used by the mapping {fitted.bound.mapping.name}{_doubt(fitted, column)}; "
            "its cells are not sent.",
        )
        for column in fitted.bound.unmapped
    ]


def _doubt(fitted: Fitted, column: str) -> str:
    return f" ({fitted.doubts[column]})" if column in fitted.doubts else ""
