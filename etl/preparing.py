"""What a job needs before its first row is sent: the contract, each table's mapping, the test sets they go into.

It must never know ledgers or reports, and creates only what it is told to.
"""

import asyncio
from collections.abc import Sequence

from etl.api import Api
from etl.api.contract import ASSUMED, find_contract
from etl.checking import Fitted, choose_mappings, lacks_test_set, with_books, with_test_set
from etl.choosing import Choose
from etl.errors import UsageError
from etl.inputs import Inputs
from etl.jobs import ImportJob
from etl.mapping import NameBook
from etl.parents import create_test_set, find_test_set, read_book
from etl.references import read_books
from etl.relating import names_given, names_in
from etl.resources import TEST_CASES, TEST_SETS, Contract
from etl.writer import Grounds

UNBORN_TEST_SET = "00000000"
"""Stands for the test set's id while rows are checked before it is created; never sent."""


class Preparation:
    """What is found out for one job."""

    def __init__(self, job: ImportJob, inputs: Inputs, api: Api, choose: Choose | None) -> None:
        self._job = job
        self._inputs = inputs
        self._api = api
        self._choose = choose
        self._books: dict[str, NameBook] = {}
        self._missing: list[str] = []
        """Names of test sets that are created before the first row is sent."""
        self.grounds = Grounds.GIVEN
        """How the contract is known."""
        self.made: list[str] = []
        """The ids of the test sets that were created."""

    @property
    def files(self) -> list[str]:
        """The files of the job, as people call them."""
        return [one.file for one in self._inputs.surveys]

    async def prepare(self) -> tuple[Contract, list[Fitted]]:
        """The contract, and every table with its mapping and its test set. Nothing is written.

        Raises UsageError when test cases have no test set to go into, or one that neither exists nor may be created.
        """
        contract = await self._find_contract()
        fitted = choose_mappings(
            self._inputs,
            contract,
            resource=self._job.resource,
            mapping=self._job.mapping,
            of_parts=self._job.mappings,
            values=self._job.values,
            sheet_named=self._job.sheet is not None,
            choose=self._choose,
            changing=self._job.mode != "create",
        )
        fitted = await self._with_test_set(contract, fitted)
        return contract, await self._with_names(contract, fitted)

    async def _find_contract(self) -> Contract:
        """What was asked for, else what the API's answers show, else what an earlier run of the job spoke."""
        if self._job.contract is not None and not self._job.auto_contract:
            return self._job.contract
        found = await find_contract(self._api)
        self.grounds = Grounds.ASSUMED if found is None else Grounds.READ
        return found or self._job.contract or ASSUMED

    async def _with_test_set(self, contract: Contract, fitted: list[Fitted]) -> list[Fitted]:
        if not any(one.resource is TEST_CASES for one in fitted):
            if self._job.test_set is not None:
                raise UsageError(
                    "--test-set is given, but no table was recognised as test cases.",
                    f"What was recognised: {', '.join(f'{one.name} as {one.resource.name}' for one in fitted)}.",
                )
            return fitted
        if self._job.test_set is None:
            if self._job.mode == "create" and any(lacks_test_set(one) for one in fitted):
                raise UsageError(
                    "The test cases name no test set to go into.",
                    'Give one: --test-set ID, or --test-set "NAME" --create-missing.',
                )
            return fitted
        found = await find_test_set(self._api, self._job.test_set)
        if found is None and not self._job.create_missing:
            raise UsageError(
                f"There is no test set with the id or name {self._job.test_set!r}.",
                "Check its name, or let it be created with --create-missing.",
            )
        return with_test_set(fitted, contract, found or UNBORN_TEST_SET)

    async def _with_names(self, contract: Contract, fitted: list[Fitted]) -> list[Fitted]:
        """Names in columns that the mapping looks up are known: each resource is listed once."""
        self._books = await read_books(self._api, fitted)
        if self._job.create_missing and TEST_SETS.name in self._books:
            book = self._books[TEST_SETS.name]
            own = await asyncio.to_thread(lambda: list(names_given(fitted, TEST_SETS.name)))
            book = book.with_names((name, UNBORN_TEST_SET) for name in own)
            for name in await asyncio.to_thread(self._names_of_sets, fitted):
                if name.strip() and not book.find(name):
                    self._missing.append(name)
                    book = book.with_names([(name, UNBORN_TEST_SET)])
            self._books[TEST_SETS.name] = self._books[TEST_SETS.name].with_names(
                (name, UNBORN_TEST_SET) for name in self._missing
            )
        return with_books(fitted, contract, self._books)

    def _names_of_sets(self, fitted: Sequence[Fitted]) -> list[str]:
        return names_in(fitted, TEST_SETS.name, where=self._job.where, limit=self._job.limit)

    def lacks_parents(self, fitted: Sequence[Fitted]) -> bool:
        """Whether rows go into test sets that do not exist yet."""
        return bool(self._missing) or any(one.values.get("test_set_id") == UNBORN_TEST_SET for one in fitted)

    async def create_missing(self, contract: Contract, fitted: Sequence[Fitted]) -> list[Fitted]:
        """The test sets that rows go into and that do not exist yet are created."""
        born = list(fitted)
        if self._job.test_set is not None and any(one.values.get("test_set_id") == UNBORN_TEST_SET for one in fitted):
            born = with_test_set(born, contract, await self._create(self._job.test_set))
        if self._missing:
            ids = [(name, await self._create(name.strip())) for name in self._missing]
            book = await read_book(self._api, TEST_SETS, "check the name")
            self._books[TEST_SETS.name] = book.with_names(ids)
            born = with_books(born, contract, self._books)
        return born

    async def _create(self, name: str) -> str:
        id_ = await create_test_set(self._api, name)
        self.made.append(id_)
        return id_
