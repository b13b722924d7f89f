"""What would be created, changed, left alone: the rows of a file against what the API has.

It must never send anything.
"""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import polars as pl

from etl import mapping as maps
from etl import problems as problem
from etl.api import Api
from etl.batch import ROW, Batch
from etl.checking import Check, Checked, Decided, Fitted, conditions_of, records
from etl.errors import UsageError
from etl.existing import Existing, Item
from etl.jobs import ImportJob
from etl.mapping import Bound
from etl.problems import Code, Problem, Severity
from etl.quoting import quote_value, show_value
from etl.resources import RESOURCES, RUNS, TEST_CASES, TEST_SETS, Contract
from etl.resources.dialects import respelled
from etl.tokens import Tokens, given_bodies, take_tokens
from etl.validators import check_wholes
from etl.writer import Likeness, Update, update_of


class Mode(StrEnum):
    """What rows do (product page, "Options")."""

    CREATE = "create"
    UPDATE = "update"
    """They change what is there, and nothing is created."""
    UPSERT = "upsert"
    """They change what is there, and create what is not; an id that nothing has is one that something had."""


class OnConflict(StrEnum):
    """What becomes of a row to create whose key something has already."""

    SKIP = "skip"
    UPDATE = "update"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Aim:
    """What is wanted. `key`: the field by which rows and what is there belong together."""

    mode: Mode = Mode.CREATE
    key: str = "id"
    on_conflict: OnConflict | None = None
    prune: bool = False
    """What rows mean has to be remembered: what none of them means is deleted."""
    strict: bool = False
    """Warnings are errors."""

    @classmethod
    def of(cls, job: ImportJob) -> "Aim":
        """What a job wants."""
        on_conflict = OnConflict(job.on_conflict) if job.on_conflict else None
        return cls(Mode(job.mode), job.key, on_conflict, job.prune, job.strict)

    @property
    def compares(self) -> bool:
        """Whether what is there has to be known."""
        return self.mode is not Mode.CREATE or self.on_conflict is not None

    @property
    def changes(self) -> bool:
        """Whether anything that is there may be changed."""
        return self.mode is not Mode.CREATE or self.on_conflict is OnConflict.UPDATE


class Planner:
    """Tells, batch by batch, which rows are new and what the others change."""

    def __init__(self, aim: Aim, contract: Contract, fitted: Sequence[Fitted]) -> None:
        """Raises UsageError where a table has no such key, or its resource cannot be changed."""
        self._aim = aim
        self._contract = contract
        self._existing: dict[int, Existing] = {}
        self._likeness = {one.resource.name: Likeness(one.resource, contract) for one in fitted}
        self._bound: dict[int, tuple[Bound, Bound]] = {}
        self._rows: dict[tuple[str, str], tuple[int, int]] = {}
        self._meant: set[tuple[str, str]] = set()
        for one in fitted:
            if one.resource is RUNS:
                if aim.mode is Mode.UPDATE:
                    raise UsageError("Runs cannot be updated; they are launched.", "Leave out --mode update.")
                continue
            self._existing[one.number] = Existing(one.resource, _key_field(aim.key, one))

    async def load(self, api: Api, fitted: Iterable[Fitted], where: str | None = None) -> None:
        """Look at everything at the API that rows of these tables may mean. Raises what `Api.list` raises."""
        for one in fitted:
            if one.number in self._existing:
                wanted = await asyncio.to_thread(self._keys_in, one, where)
                set_id = one.values.get("test_set_id") if one.resource is TEST_CASES else None
                query = {"filter": f"test_set_id={set_id}"} if set_id and self._aim.key != "id" else None
                await self._existing[one.number].load(api, wanted, query)

    def close(self) -> None:
        """Forget what is at the API."""
        for existing in self._existing.values():
            existing.close()

    def check(self, batch: Batch, fitted: Fitted, check: Check) -> Decided:
        """Check a batch as read: new rows by the rules of new ones, the others by what they change."""
        existing = self._existing.get(fitted.number)
        if existing is None:
            return Decided(check(batch, fitted.bound, changing=False))
        bound = self._changing(fitted)
        plain, tokens = take_tokens(batch, bound)
        keys = dict(zip(batch.source[ROW], _keys_of(maps.apply(bound, plain), existing, fitted), strict=True))
        items, problems = self._tell_apart(keys, existing, batch, fitted)
        skipped = frozenset(items) if self._aim.on_conflict is OnConflict.SKIP else frozenset[int]()
        there = [row for row in keys if row in items and row not in skipped]
        others = [row for row in keys if row not in there]
        if self._aim.mode is Mode.UPDATE:  # they name nothing that is there: what else is wrong is said all the same
            new = check(plain.take(others), bound, changing=True)
        else:
            new = check(batch.take(others), fitted.bound, changing=False)
        changed = check(plain.take(there), bound, changing=True)
        updates, wholes = self._updates(changed, bound, items, tokens)
        changed = check_wholes(changed, fitted.resource, self._contract, bound.columns, wholes)
        changed = changed.with_problems(tokens.problems(changed, fitted.resource, bound))
        return Decided(_together(batch, new, changed).with_problems(problems), updates, skipped)

    def _tell_apart(
        self, keys: Mapping[int, str | None], existing: Existing, batch: Batch, fitted: Fitted
    ) -> tuple[dict[int, Item], pl.DataFrame]:
        """What each row means of what is there; and the rows of which that is not clear, as problems."""
        items: dict[int, Item] = {}
        found: list[Problem] = []
        column = _key_column(existing, fitted)
        for row, key in keys.items():
            what = self._why_unclear(key, row, items, existing, fitted)
            if what is not None:
                code, words = what
                severity = Severity.WARNING if self._makes_anew(code, key, existing) else Severity.ERROR
                cell, value = batch.origin.cell(column, row), show_value(existing.key, key)
                found.append(Problem(row, severity, code, None, column, cell, value, words))
        if self._aim.prune:
            resource = existing.resource
            self._meant |= {(resource.name, str(item[resource.id_field])) for item in items.values()}
        return items, problem.frame_of(found)

    def means(self, resource: str, id_: str) -> bool:
        """Whether a row that was checked means something that is there. With `prune` only."""
        return (resource, id_) in self._meant

    def _why_unclear(
        self, key: str | None, row: int, items: dict[int, Item], existing: Existing, fitted: Fitted
    ) -> tuple[Code, str] | None:
        """Find what a row means (into `items`); why that cannot be said."""
        noun = fitted.resource.singular.replace("_", " ")
        if key is None or not key.strip():
            if self._aim.mode is not Mode.UPDATE:
                return None
            return Code.REQUIRED, f"{existing.key} is missing; it says which {noun} is to be changed"
        found = existing.find(key)
        if len(found) > 1:
            return Code.AMBIGUOUS_NAME, _several(existing, key, found)
        before = self._rows.setdefault((fitted.resource.name, key), (fitted.number, row))
        if before != (fitted.number, row):
            return (
                Code.REPEATED_KEY,
                f"{existing.key} is {quote_value(existing.key, key)} in row {before[1]} too; keep one",
            )
        if found and self._aim.on_conflict is not OnConflict.FAIL:
            items[row] = found[0]
            return None
        return self._why_not(key, found, existing, noun)

    def _why_not(self, key: str, found: Sequence[Item], existing: Existing, noun: str) -> tuple[Code, str] | None:
        """Why a row may not create something, or change what it means; None: it may create."""
        said = f"the {existing.key} {quote_value(existing.key, key)}"
        if found:
            return Code.REPEATED_KEY, f"the {noun} {found[0][existing.resource.id_field]} has {said} already"
        if self._aim.mode is Mode.UPDATE or (self._aim.mode is Mode.UPSERT and existing.key == "id"):
            more = "" if existing.key == "id" else "; --mode upsert would create it"
            if self._makes_anew(Code.UNKNOWN_NAME, key, existing):
                more = f": the row is of a new {noun}, under an id that the API gives"
            return Code.UNKNOWN_NAME, f"there is no {noun} with {said}{more}"
        return None

    def _makes_anew(self, code: Code, key: str | None, existing: Existing) -> bool:
        """Whether a row that names an id which nothing has is to be created: what had the id was deleted."""
        may = self._aim.mode is Mode.UPSERT and not self._aim.strict and existing.key == "id"
        return may and code is Code.UNKNOWN_NAME and key is not None and existing.resource.is_id(key)

    def _updates(
        self, changed: Batch, bound: Bound, items: Mapping[int, Item], tokens: Tokens
    ) -> tuple[dict[int, Update], list[tuple[int, str, str]]]:
        """What the good rows change; and each resource as it is and as it would be."""
        updates: dict[int, Update] = {}
        wholes: list[tuple[int, str, str]] = []
        bad = problem.rows_with_errors(changed.problems)
        good = changed.frame.filter(~pl.col(ROW).is_in(bad.implode()))
        resource = RESOURCES[bound.mapping.resource]
        known = set(resource.create[self._contract].model_fields)
        for row, body, parts in given_bodies(good, bound, tokens):
            item = items[row]
            update = updates[row] = update_of(body, item, resource, self._likeness[resource.name], parts)
            if update.after:
                changed_item = {**item, **{name: json.loads(text) for name, text in update.after.items()}}
                # Checked as this job speaks, whatever the words in which the API answers.
                both = (respelled(resource.name, one, self._contract) or one for one in (item, changed_item))
                before, after = ({name: one[name] for name in known if one.get(name) is not None} for one in both)
                wholes.append((row, json.dumps(before), json.dumps(after)))
        return updates, wholes

    def _changing(self, fitted: Fitted) -> Bound:
        """The table's mapping for rows that change something: blank cells say nothing, and neither do defaults."""
        known = self._bound.get(fitted.number)
        if known is None or known[0] is not fitted.bound:
            mapping = fitted.bound.mapping.asking_nothing(defaults=False)
            bound = maps.bind(mapping, fitted.table.origin, self._contract, fitted.values, fitted.bound.books)
            known = self._bound[fitted.number] = fitted.bound, bound
        return known[1]

    def _keys_in(self, fitted: Fitted, where: str | None) -> set[str]:
        existing, bound = self._existing[fitted.number], self._changing(fitted)
        return {
            key
            for batch in records(fitted, conditions_of(fitted, where))
            for key in _keys_of(maps.apply(bound, take_tokens(batch, bound)[0]), existing, fitted)
            if key
        }


PROBES = 3
"""So many requests tell how long one takes."""


def differences(checked: Checked) -> list[str]:
    """What the rows of a batch would change, field by field, a line each: `agents.csv row 3: prompt: null → "Hi"`."""
    return [
        f"{checked.fitted.name} row {row}: {name}: {quote_value(name, before)} → {quote_value(name, json.loads(after))}"
        for row, update in checked.updates.items()
        for name, (before, after) in update.changes.items()
    ]


async def expected(api: Api, requests: int, job: ImportJob) -> str:
    """How long so many requests would take, in words. Raises what `Api.get` raises."""
    times_s = []
    for _ in range(PROBES):
        began_s = time.monotonic()
        await api.get(TEST_SETS.path, {"page_size": "1"})
        times_s.append(time.monotonic() - began_s)
    one_s = sorted(times_s)[len(times_s) // 2]
    whole_s = requests * one_s / job.concurrency
    pace = f"{job.concurrency} at a time, {one_s * 1000:.0f} ms each"
    if job.rate_per_s is not None and requests / job.rate_per_s > whole_s:
        whole_s, pace = requests / job.rate_per_s, f"{job.rate_per_s:g} a second"
    noun = "request that writes" if requests == 1 else "requests that write"
    return f"{requests:,} {noun}: {_duration(whole_s)} ({pace})"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} minutes" if seconds < 7200 else f"about {seconds / 3600:.1f} hours"


def _several(existing: Existing, key: str, found: Sequence[Item]) -> str:
    ids = ", ".join(str(one[existing.resource.id_field]) for one in found[:3])
    said = f"the {existing.key} {quote_value(existing.key, key)}"
    return f"{len(found)} {existing.resource.name} have {said}: {ids}; give the id in a column, and --key id"


def _key_field(key: str, fitted: Fitted) -> str:
    """The field of a resource that is meant by `--key`. Raises UsageError where the table does not have it."""
    resource, bound = fitted.resource, fitted.bound
    field = resource.label if key in {"display_name", "name"} and key not in bound.fields else key
    if key == "id" and _id_column(fitted) is None:
        raise UsageError(
            f"{fitted.name} has no column with ids (id or {resource.singular}_id), which say what is to be changed.",
            f"Name another key that both the file and Coval have, such as --key {resource.label}.",
        )
    if field != "id" and field not in bound.fields:
        known = ", ".join(bound.fields)
        raise UsageError(f"--key {key}: nothing in {fitted.name} becomes {field}.", f"There is: {known}.")
    return field


def _id_column(fitted: Fitted) -> str | None:
    known = {name.replace("_", ""): name for name in ("id", f"{fitted.resource.singular}_id", fitted.resource.id_field)}
    for column in fitted.table.origin.columns:
        if "".join(letter for letter in column.lower() if letter.isalnum()) in known:
            return column
    return None


def _key_column(existing: Existing, fitted: Fitted) -> str | None:
    return _id_column(fitted) if existing.key == "id" else next(iter(fitted.bound.columns.get(existing.key, ())), None)


def _keys_of(mapped: Batch, existing: Existing, fitted: Fitted) -> list[str | None]:
    if existing.key == "id":
        column = _id_column(fitted)
        read = maps.without_nulls(mapped.source)  # a null of JSON is no id
        cells = read[column] if column in read.columns else pl.Series([None] * len(mapped))
        return [None if cell is None else cell.strip() for cell in cells.cast(pl.String)]
    cells = mapped.frame[existing.key]
    return cells.cast(pl.String).to_list() if cells.dtype != pl.List else [None] * len(mapped)


def _together(batch: Batch, new: Batch, changed: Batch) -> Batch:
    """Two parts of a batch as one again, in the order of its rows."""
    frame = pl.concat([new.frame, changed.frame], how="diagonal").sort(ROW)
    whole = replace(batch, problems=problem.NONE).with_frame(frame)
    return whole.with_problems(new.problems, changed.problems)
