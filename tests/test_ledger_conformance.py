"""What every ledger promises, in SQLite and in PostgreSQL."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from etl.errors import LedgerError
from etl.ledger import Baseline, Change, JobFacts, Known, Ledger, RowKey, State
from tests.ledger_places import OTHER, TABLE, Place, created, job, place, postgres, sending

__all__ = ["place", "postgres"]


@pytest.fixture
def ledger(place: Place) -> Ledger:
    ledger = place.open()
    ledger.open_job(job("a"))
    return ledger


def all_rows(ledger: Ledger, job_id: str = "a") -> dict[RowKey, Change]:
    return {change.key: change for state in State for change in ledger.rows(job_id, state)}


def test_a_job_is_told_as_it_was_opened_and_closed(place: Place) -> None:
    facts = JobFacts(
        id="20261122-040000-9f3a",
        command="import",
        base_url="https://api.example",
        workspace="w",
        key_fingerprint="f00d",
        contract="2025-10",
        started=datetime(2026, 11, 22, 4, 0, 0, 123456, tzinfo=UTC),
        sources=({"file": "Fälle ☎.xlsx", "sheet": None, "sha256": "0" * 64, "table": TABLE},),
        identity="c" * 40,
        settings={"limit": 5, "values": {"a": ["b", None, 1.5]}},
    )
    place.open().open_job(facts)
    ledger = place.open()
    record = ledger.job(facts.id)
    assert record is not None
    assert record.facts == facts
    assert (record.ended, record.exit_code, record.counts, record.report, record.held_by) == (None,) * 5
    ledger.close_job(facts.id, 4, {"created": 3, "pending": 1}, "/reports/a")
    record = place.open().job(facts.id)
    assert record is not None
    assert record.ended is not None
    assert record.ended.tzinfo is not None
    assert (record.exit_code, record.counts, record.report) == (4, {"created": 3, "pending": 1}, "/reports/a")
    assert ledger.job("another") is None


def test_jobs_are_told_newest_first(place: Place) -> None:
    ledger = place.open()
    for name, second in (("b", 2), ("a", 1), ("c", 3)):
        ledger.open_job(job(name, second))
    assert [record.facts.id for record in ledger.jobs()] == ["c", "b", "a"]


def test_a_job_has_one_id(ledger: Ledger) -> None:
    ledger.open_job(job("a"))  # the same again: an answer was lost
    with pytest.raises(LedgerError, match="another job a"):
        ledger.open_job(job("a", 5))


def test_a_job_that_nobody_opened_is_not_recorded_for(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="knows no job x"):
        ledger.record("x", sending(1))


def test_a_row_has_its_last_state_and_keeps_the_hash_of_its_intent(ledger: Ledger) -> None:
    key = RowKey(TABLE, 17)
    outcome = Change(key, State.CREATED, None, "x" * 22, 2, "as told", 201, "a-code", "a_field", "2026-11-22T04:00:00Z")
    ledger.record("a", [Change(key, State.SENDING, body_sha256=b"h" * 32)])
    ledger.record("a", [outcome])
    assert list(ledger.rows("a", State.CREATED)) == [outcome._replace(body_sha256=b"h" * 32)]
    assert list(ledger.rows("a", State.SENDING)) == []


def test_a_row_that_changes_twice_in_one_commit_has_its_last_state_and_its_hash(ledger: Ledger) -> None:
    ledger.record("a", [*sending(1), *created(1), *sending(2)])
    assert all_rows(ledger)[RowKey(TABLE, 1)] == created(1)[0]._replace(body_sha256=b"h" * 32)
    assert ledger.count("a") == {State.CREATED: 1, State.SENDING: 1}


def test_texts_that_a_database_does_not_take_are_kept_as_well_as_can_be(ledger: Ledger) -> None:
    for number, text in enumerate(("a\0b", "half \ud83d of it", "☎ é 𝄞", "")):
        ledger.record("a", [Change(RowKey(TABLE, number), State.FAILED, evidence=text)])
    kept = [change.evidence for change in ledger.rows("a", State.FAILED)]
    assert kept == ["a\N{SYMBOL FOR NULL}b", "half ? of it", "☎ é 𝄞", ""]


def test_one_resource_cannot_belong_to_two_rows_of_a_job(ledger: Ledger) -> None:
    ledger.record("a", [created(1)[0]._replace(resource_id="same")])
    with pytest.raises(LedgerError, match="same resource"):
        ledger.record("a", [created(2, table=OTHER)[0]._replace(resource_id="same")])
    ledger.open_job(job("b"))
    ledger.record("b", [created(1)[0]._replace(resource_id="same")])


def test_changes_are_recorded_all_or_none(ledger: Ledger) -> None:
    with pytest.raises(LedgerError):
        ledger.record("a", [change._replace(resource_id="same") for change in created(1, 2, 3)])
    assert all_rows(ledger) == {}
    ledger.record("a", created(1))
    assert list(all_rows(ledger)) == [RowKey(TABLE, 1)]


def test_what_was_recorded_is_there_when_it_is_opened_again(place: Place) -> None:
    first = place.open()
    first.open_job(job("a"))
    first.record("a", sending(1))
    first.close()
    assert [change.state for change in place.open().rows("a", State.SENDING)] == [State.SENDING]


def test_known_rows_come_by_job_the_oldest_first(ledger: Ledger) -> None:
    for name, second in (("late", 9), ("early", 5)):
        ledger.open_job(job(name, second))
        ledger.record(name, sending(1, 2, 3, 4))
        ledger.record(name, sending(2, table=OTHER))
    ledger.record("early", created(3))
    found = list(ledger.known(TABLE, 2, 3))
    assert [(known.job_id, known.change.key.row) for known in found] == [
        ("early", 2), ("early", 3), ("late", 2), ("late", 3)
    ]  # fmt: skip
    assert found[1] == Known("early", created(3)[0]._replace(body_sha256=b"h" * 32))
    assert list(ledger.known("c" * 40, 0, 100)) == []


def test_rows_of_a_state_come_by_table_and_row(ledger: Ledger) -> None:
    ledger.record("a", [*sending(3, 1, table=OTHER), *sending(2), *created(9), *sending(2**40)])
    assert [change.key for change in ledger.rows("a", State.SENDING)] == [
        RowKey(TABLE, 2),
        RowKey(TABLE, 2**40),
        RowKey(OTHER, 1),
        RowKey(OTHER, 3),
    ]


def test_more_rows_than_are_in_memory_at_a_time_all_come(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.ledger.sql.CHUNK", 10)
    for total in (9, 10, 11, 20, 25):
        ledger.record("a", sending(*range(total)))
        assert [change.key.row for change in ledger.rows("a", State.SENDING)] == list(range(total))


def test_rows_may_be_recorded_while_others_are_read(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.ledger.sql.CHUNK", 2)
    ledger.record("a", sending(1, 2, 3, 4, 5))
    seen = []
    for change in ledger.rows("a", State.SENDING):
        seen.append(change.key.row)
        ledger.record("a", created(change.key.row))
    assert seen == [1, 2, 3, 4, 5]


def test_the_first_a_middle_and_the_last_created_row_are_asked_for(ledger: Ledger) -> None:
    assert list(ledger.created_ids(TABLE)) == []
    ledger.record("a", created(7))
    assert list(ledger.created_ids(TABLE)) == ["id-7"]
    ledger.open_job(job("b", 5))
    ledger.record("b", created(100, 52, 3))
    ledger.record("a", [*sending(1, 200), Change(RowKey(TABLE, 300), State.FAILED)])
    assert list(ledger.created_ids(TABLE)) == ["id-3", "id-52", "id-100"]
    ledger.record("b", [change._replace(state=State.UNDONE) for change in created(3)])
    assert next(iter(ledger.created_ids(TABLE))) == "id-7"


def test_ids_are_owned_whatever_the_job_and_however_many_are_asked_for(ledger: Ledger) -> None:
    ledger.open_job(job("b"))
    ledger.record("a", created(1))
    ledger.record("b", created(2))
    assert ledger.owned([f"id-{number}" for number in range(3000)]) == {"id-1", "id-2"}
    assert ledger.owned([]) == set()
    assert ledger.owned({"id-2"}) == {"id-2"}


def test_a_baseline_is_kept_once_even_when_it_is_empty(place: Place, ledger: Ledger) -> None:
    ledger.open_job(job("b"))
    assert ledger.baseline("a", "set") is None
    ledger.keep_baseline("a", "set", Baseline([], None))
    assert ledger.baseline("a", "set") == Baseline(set(), None)
    ledger.keep_baseline("a", "set", Baseline(["late"], "later"))
    assert ledger.baseline("a", "set") == Baseline(set(), None)
    assert ledger.baseline("b", "set") is None
    many = Baseline([f"id-{number}" for number in (*range(25_000), 1)], "2026-11-22T04:00:00Z")
    ledger.keep_baseline("a", "another", many)
    assert place.open().baseline("a", "another") == Baseline(set(many.ids), many.since)


def test_a_job_is_forgotten_with_all_it_had_and_nothing_else(place: Place, ledger: Ledger) -> None:
    for name in ("b", "c"):
        ledger.open_job(job(name))
        ledger.record(name, [change._replace(resource_id=f"{name}{change.key.row}") for change in created(1, 2)])
        ledger.keep_baseline(name, "set", Baseline(["x"]))
    ledger.forget("b")
    assert [record.facts.id for record in ledger.jobs()] == ["c", "a"]
    assert ledger.owned(["b1", "c1"]) == {"c1"}
    assert [known.job_id for known in ledger.known(TABLE, 0, 9)] == ["c", "c"]
    assert ledger.baseline("c", "set") is not None
    ledger.forget("b")
    ledger.forget("never was")
    again = place.open()
    again.open_job(job("b"))
    assert again.count("b") == {}
    assert again.baseline("b", "set") is None
    ledger.forget("c")
    with pytest.raises(LedgerError):
        place.open().record("c", sending(1))


def test_tables_that_nobody_ever_held_are_quiet(ledger: Ledger) -> None:
    assert ledger.hold("a", [TABLE, OTHER]).quiet_s == math.inf
    assert ledger.hold("a", [TABLE, "c" * 40]).quiet_s == math.inf
    assert ledger.hold("a", []).quiet_s == math.inf


def test_what_is_being_sent_is_in_doubt_when_its_table_is_held_and_never_pending(place: Place, ledger: Ledger) -> None:
    ledger.record("a", [*sending(1, 2), *created(2), Change(RowKey(TABLE, 3), State.PENDING), *sending(4, table=OTHER)])
    second = place.open()
    second.open_job(job("b", 5))
    second.hold("b", [TABLE])
    states: Mapping[RowKey, State] = {key: change.state for key, change in all_rows(second).items()}
    assert states == {
        RowKey(TABLE, 1): State.IN_DOUBT,
        RowKey(TABLE, 2): State.CREATED,
        RowKey(TABLE, 3): State.PENDING,
        RowKey(OTHER, 4): State.SENDING,
    }
    assert all_rows(second)[RowKey(TABLE, 1)].body_sha256 == b"h" * 32
