"""References: whether what rows refer to exists at the API; names in columns become known, ids are asked for once.

It must never change anything at the API, nor know how rows are reported.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from etl import problems as problem
from etl.api import Api
from etl.batch import ROW
from etl.checking import Checked, Fitted, with_books
from etl.errors import UnexpectedAnswerError
from etl.mapping import NameBook
from etl.parents import read_book
from etl.problems import Code, Problem, Severity
from etl.quoting import quote_value, show_value
from etl.resources import REFERABLE, RESOURCES, TEST_CASES, TEST_SETS, Contract

_AT_ONCE = 8
"""Questions in flight."""
_EXISTS = {200: True, 404: False}


async def read_books(api: Api, fitted: Iterable[Fitted]) -> dict[str, NameBook]:
    """The names of every resource that these tables look up, each listed once. Raises what `Api.list` raises."""
    wanted = sorted({resource for one in fitted for resource in one.bound.lookups.values()})
    books = {}
    for name in wanted:
        if name == TEST_CASES.name:  # they have no names, and there may be a million
            books[name] = NameBook("test case", {}, {}, complete=False)
            continue
        advice = "check the name, or --create-missing" if name == TEST_SETS.name else "check the name"
        books[name] = await read_book(api, REFERABLE[name], advice)
    return books


async def with_names(api: Api, contract: Contract, fitted: Sequence[Fitted]) -> list[Fitted]:
    """The same tables, which know the names in their columns."""
    return with_books(fitted, contract, await read_books(api, fitted))


class References:
    """Knows which ids exist. Each is asked for once in a job."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._exist: dict[tuple[str, str], bool] = {}

    async def look_at(self, checked: Checked) -> Checked:
        """The same rows with an error on each that refers to what does not exist.

        Of rows with errors nothing is asked. Raises what `Api.get` raises.
        """
        found = list(_ids_in(checked))
        await self._ask(dict.fromkeys((resource, id_) for _, _, resource, id_ in found))
        missing = [one for one in found if not self._exist[one[2], one[3]]]
        if not missing:
            return checked
        problems = problem.frame_of(_missing(checked.fitted, *one) for one in missing)
        return replace(checked, batch=checked.batch.with_problems(problems))

    async def _ask(self, asked: Iterable[tuple[str, str]]) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def ask(resource: str, id_: str) -> None:
            async with gate:
                path = RESOURCES[resource].path if resource in RESOURCES else f"/{resource}"
                answer = await self._api.get(f"{path}/{id_}")
            if answer.status not in _EXISTS:
                raise UnexpectedAnswerError(f"GET {path}/{id_} was answered with {answer.status}.")
            self._exist[resource, id_] = _EXISTS[answer.status]

        await asyncio.gather(*(ask(*one) for one in asked if one not in self._exist))


def _ids_in(checked: Checked) -> Iterator[tuple[int, str, str, str]]:
    """Row, field, resource and id of each reference in the rows that may be sent."""
    frame = checked.batch.frame.filter(~checked.bad() & ~checked.skipped)
    lookups: Mapping[str, str] = checked.fitted.bound.lookups
    for reference in checked.fitted.resource.references:
        path, resource = reference.path, reference.resource
        bound = checked.fitted.bound
        if path not in frame.columns or (path in lookups and path not in bound.ids):  # a name that was found exists
            continue
        rows = frame.select(ROW, pl.col(path).alias("id")).filter(pl.col("id").is_not_null())
        if isinstance(rows.schema["id"], pl.List):
            rows = rows.explode("id", empty_as_null=False, keep_nulls=False)
        known, book = RESOURCES.get(resource), bound.books.get(resource)
        for row, id_ in rows.iter_rows():
            if (known is None or known.is_id(id_)) and (book is None or id_ not in book.ids):
                yield row, path, resource, id_


def _missing(fitted: Fitted, row: int, path: str, resource: str, id_: str) -> Problem:
    column = next(iter(fitted.bound.columns.get(path, ())), None)
    noun = RESOURCES[resource].singular.replace("_", " ") if resource in RESOURCES else resource.removesuffix("s")
    sentence = f"there is no {noun} with the id {quote_value(path, id_)} at the API; check {column or path}"
    cell, value = fitted.table.origin.cell(column, row), show_value(path, id_)
    return Problem(row, Severity.ERROR.value, Code.MISSING_PARENT.value, path, column, cell, value, sentence)
