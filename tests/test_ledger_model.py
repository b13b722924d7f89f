"""The ledger against a plain dictionary: whatever is recorded, held, opened again and refused, both say the same."""

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.errors import LedgerError
from etl.ledger import Change, Known, Ledger, RowKey, State
from tests.ledger_places import Place, job, place, postgres

__all__ = ["place", "postgres"]

_examples = itertools.count()

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
CHANGES = st.builds(
    Change,
    key=st.builds(RowKey, st.sampled_from("tu"), st.integers(0, 6)),
    state=st.sampled_from(State),
    body_sha256=st.none() | st.binary(min_size=32, max_size=32),
    resource_id=st.none() | st.sampled_from("pqrst"),
    attempts=st.integers(0, 9),
    evidence=TEXTS,
    http_status=st.none() | st.integers(100, 599),
    code=TEXTS,
    field=TEXTS,
    version=TEXTS,
)
JOBS = st.sampled_from(["early", "late"])
STEPS = st.one_of(
    st.tuples(st.just("record"), JOBS, st.lists(CHANGES, min_size=1, max_size=8)),
    st.tuples(st.just("hold"), JOBS, st.sets(st.sampled_from("tu"))),
    st.tuples(st.just("reopen"), JOBS, st.none()),
    st.tuples(st.just("forget"), JOBS, st.none()),
)
Step = tuple[Literal["record", "hold", "reopen", "forget"], str, object]


@dataclass
class Model:
    """What a ledger has to say, of one example; its names are told apart from those of every other."""

    place: Place
    number: int
    ledger: Ledger
    rows: dict[str, dict[RowKey, Change]] = field(default_factory=dict)

    def name(self, short: str) -> str:
        return f"{short}-{self.number}"

    def unique(self, change: Change) -> Change:
        id_ = None if change.resource_id is None else self.name(change.resource_id)
        return change._replace(key=RowKey(self.name(change.key.table), change.key.row), resource_id=id_)

    def open_jobs(self) -> None:
        for second, name in enumerate(("early", "late")):
            if name not in self.rows:
                self.ledger.open_job(job(self.name(name), second))
                self.rows[name] = {}

    def record(self, name: str, changes: list[Change]) -> None:
        wanted = [self.unique(change) for change in changes]
        after = dict(self.rows[name])
        for change in wanted:
            before = after.get(change.key)
            kept = before.body_sha256 if before and change.body_sha256 is None else change.body_sha256
            after[change.key] = change._replace(body_sha256=kept)
        ids = Counter(change.resource_id for change in after.values() if change.resource_id)
        try:
            self.ledger.record(self.name(name), wanted)
        except LedgerError:
            # Refused where two rows have one resource: then all of it was. A row whose resource another row of the same
            # commit takes over may be refused as well, as the order of a commit is not promised.
            taken = {change.resource_id for change in self.rows[name].values()} - {None}
            assert max(ids.values(), default=0) > 1 or taken & {change.resource_id for change in wanted}
        else:
            assert max(ids.values(), default=0) <= 1
            self.rows[name] = after

    def hold(self, name: str, tables: set[str]) -> None:
        self.ledger.hold(self.name(name), {self.name(table) for table in tables})
        held = {self.name(table) for table in tables}
        for of_job in self.rows.values():
            for key, change in of_job.items():
                if key.table in held and change.state is State.SENDING:
                    of_job[key] = change._replace(state=State.IN_DOUBT)

    def reopen(self) -> None:
        self.check()
        self.ledger.close()
        self.ledger = self.place.open()

    def forget(self, name: str) -> None:
        self.ledger.forget(self.name(name))
        del self.rows[name]
        self.open_jobs()

    def check(self) -> None:
        for name, of_job in self.rows.items():
            told = [change for state in State for change in self.ledger.rows(self.name(name), state)]
            assert {change.key: change for change in told} == of_job
            assert len(told) == len(of_job)
            assert self.ledger.count(self.name(name)) == Counter(change.state for change in of_job.values())
        for table in ("t", "u"):
            wanted = [
                Known(self.name(name), of_job[key])
                for name, of_job in sorted(self.rows.items())
                for key in sorted(of_job)
                if key.table == self.name(table) and 1 <= key.row <= 5
            ]
            assert list(self.ledger.known(self.name(table), 1, 5)) == wanted
        ids = {change.resource_id for of_job in self.rows.values() for change in of_job.values()} - {None}
        assert self.ledger.owned([self.name(short) for short in "pqrst"]) == ids


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=10))
def test_a_ledger_says_what_a_dictionary_says(place: Place, steps: list[Step]) -> None:
    model = Model(place, next(_examples), place.open())
    model.open_jobs()
    for what, name, argument in steps:
        if isinstance(argument, list):
            model.record(name, argument)
        elif isinstance(argument, set):
            model.hold(name, argument)
        elif what == "reopen":
            model.reopen()
        else:
            model.forget(name)
    model.check()
    model.ledger.close()


def test_the_model_would_see_a_lost_row(place: Place) -> None:
    model = Model(place, next(_examples), place.open())
    model.open_jobs()
    model.record("early", [Change(RowKey("t", 1), State.CREATED, resource_id="p")])
    model.check()
    model.rows["early"].clear()
    with pytest.raises(AssertionError):
        model.check()
