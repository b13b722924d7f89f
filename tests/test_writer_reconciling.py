"""Rows in doubt: found and adopted, or proved absent and sent again once, or left to a person. Never stored twice."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from etl.errors import StoppedError
from etl.ledger import Change, State
from etl.problems import Code
from etl.report import Outcome
from etl.writer import InDoubt, Outgoing
from tests.crooked_api import DROPPED, LATE, LOST, SILENT, WELL, Body, Fate, refused
from tests.writer_bench import Bench, benched, outcomes

TROUBLE = {"connection cut": 0, "408": 408, "500": 500, "502": 502, "503": 503, "504": 504}


def for_row(number: int, fate: Fate, *, times: int = 1) -> Callable[[Body, int], Fate]:
    """That fate for the first requests of one row, and a good one for all others."""
    text = f"caller {number}"
    return lambda body, nth: fate if body["input_str"] == text and nth <= times else WELL


def fail(pages: Callable[[Mapping[str, str]], bool]) -> Callable[[str, Mapping[str, str]], int | None]:
    """Lists of test cases that fail where a test says so."""
    return lambda path, query: 500 if path == "/v1/test-cases" and pages(query) else None


@pytest.mark.parametrize("trouble", TROUBLE)
async def test_a_row_that_was_stored_although_its_answer_was_lost_is_found(tmp_path: Path, trouble: str) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = for_row(4, Fate(said=TROUBLE[trouble]))
        delivered = await bench.deliver(bench.rows(8))
        (found,) = [item for item in bench.api.stored() if item["input_str"] == "caller 4"]
    assert found
    assert outcomes(delivered) == [Outcome.CREATED] * 8
    assert len({one.resource_id for one in delivered}) == len(bench.api.posts) == 8
    assert bench.delivery is not None
    assert bench.delivery.traffic.reconciled == 1
    kept = bench.changes()[4]
    assert (kept.state, kept.resource_id) == (State.CREATED, delivered[3].resource_id)
    assert bench.api.crossed == 0


@pytest.mark.parametrize("trouble", TROUBLE)
async def test_a_row_that_is_proved_absent_is_sent_again_exactly_once(tmp_path: Path, trouble: str) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = for_row(4, Fate(stored=False, said=TROUBLE[trouble]))
        delivered = await bench.deliver(bench.rows(8))
        before = bench.api.lists
    assert outcomes(delivered) == [Outcome.CREATED] * 8
    assert delivered[3].attempts == 2
    assert len(bench.api.posts) == 9
    assert bench.api.texts() == sorted(f"caller {number}" for number in range(1, 9))
    assert before == 3  # the baseline, and two lists that do not have it
    assert bench.delivery is not None
    assert (bench.delivery.traffic.sent, bench.delivery.traffic.retried) == (9, 1)


async def test_an_answer_without_an_id_is_looked_for_and_never_sent_again(tmp_path: Path) -> None:
    for text in (b"", b"{}", b'{"test_case": null}', b'{"test_case": {"id": "short"}}', b"<html>", b'{"test_case"'):
        async with benched(tmp_path / str(len(text))) as bench:
            bench.api.fate = for_row(2, Fate(text=text))
            delivered = await bench.deliver(bench.rows(3))
        assert outcomes(delivered) == [Outcome.CREATED] * 3, text
        assert len(bench.api.posts) == 3


async def test_what_the_api_says_is_stored_but_does_not_list_is_left_to_a_person(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = for_row(2, Fate(stored=False, said=201, text=b"{}"))
        delivered = await bench.deliver(bench.rows(3))
        carried_on = await bench.deliver(bench.again(bench.rows(3)))
    for one in (delivered[1], carried_on[0]):
        assert (one.outcome, one.code, one.http_status) == (Outcome.IN_DOUBT, Code.IN_DOUBT, 201)
        assert "it was stored, but two complete lists do not have it" in one.message
    assert len(bench.api.posts) == 3


async def test_a_late_commit_within_the_settle_time_is_found(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = for_row(4, LATE)

        def shown(item: Body) -> Body:
            if bench.api.lists == 2:  # the first list that looks for it
                bench.api.commit_late()
            return item

        bench.api.shown = shown
        delivered = await bench.deliver(bench.rows(8))
    assert bench.api.lists == 3
    assert outcomes(delivered) == [Outcome.CREATED] * 8
    assert bench.api.texts() == sorted(f"caller {number}" for number in range(1, 9))


async def test_identical_rows_are_told_apart_by_number_alone(tmp_path: Path) -> None:
    fates = iter([LOST, DROPPED, WELL, LOST, WELL, DROPPED, WELL, WELL, WELL, WELL, WELL, WELL])
    async with benched(tmp_path) as bench:
        bench.api.fate = lambda _body, _times: next(fates)
        delivered = await bench.deliver([bench.row(number, "the same") for number in range(1, 8)], concurrency=2)
    assert outcomes(delivered) == [Outcome.CREATED] * 7
    assert len({one.resource_id for one in delivered}) == 7
    assert bench.api.texts() == ["the same"] * 7


async def test_a_look_alike_from_before_the_import_is_never_adopted(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        before = {bench.api.make("test-cases", {"input_str": "caller 2", "test_set_id": bench.parent}) for _ in "ab"}
        bench.api.fate = for_row(2, DROPPED)
        delivered = await bench.deliver(bench.rows(3))
    assert outcomes(delivered) == [Outcome.CREATED] * 3
    assert not before & {one.resource_id for one in delivered}
    assert bench.api.texts().count("caller 2") == 3


async def test_a_look_alike_in_another_test_set_is_never_adopted(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        other = bench.api.make("test-sets", {"display_name": "Other"})

        def fate(body: Body, times: int) -> Fate:
            if body["input_str"] == "caller 2" and times == 1:
                bench.api.make("test-cases", body | {"test_set_id": other})
                return DROPPED
            return WELL

        bench.api.fate = fate
        delivered = await bench.deliver(bench.rows(3))
    assert outcomes(delivered) == [Outcome.CREATED] * 3
    assert [body["test_set_id"] for body in bench.api.stored()].count(bench.parent) == 3


async def test_what_another_job_of_the_ledger_created_is_never_adopted(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        await bench.deliver(bench.rows(2), job="one")
        await bench.deliver([replace(bench.row(9), doubt=None)], job="two")  # its baseline is kept
        bench.api.fate = lambda _body, times: DROPPED if times == 2 else WELL
        delivered = await bench.deliver(bench.rows(2), job="three")
    assert outcomes(delivered) == [Outcome.CREATED] * 2
    assert bench.api.texts() == ["caller 1", "caller 1", "caller 2", "caller 2", "caller 9"]


async def test_a_look_alike_that_is_much_like_it_is_left_to_a_person(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:

        def fate(body: Body, times: int) -> Fate:
            if body["input_str"] == "caller 2" and times == 1:
                bench.api.make("test-cases", body | {"input_str": " Caller  2"})
                return DROPPED
            return WELL

        bench.api.fate = fate
        delivered = await bench.deliver(bench.rows(3))
    assert outcomes(delivered) == [Outcome.CREATED, Outcome.IN_DOUBT, Outcome.CREATED]
    assert "much like it, but not the same" in delivered[1].message
    assert len(bench.api.posts) == 3


async def test_a_list_whose_second_page_fails_proves_nothing(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = lambda body, _times: DROPPED if body["input_str"] == "caller 150" else WELL
        bench.api.reading = fail(lambda query: "page_token" in query)
        delivered = await bench.deliver(bench.rows(150), concurrency=8)
    assert delivered[149].outcome is Outcome.IN_DOUBT
    assert outcomes(delivered).count(Outcome.CREATED) == 149
    assert len(bench.api.posts) == 150
    assert bench.delivery is not None
    assert bench.delivery.stopped is not None


async def test_a_page_that_fails_for_a_while_only_delays_the_proof(tmp_path: Path) -> None:
    failing = [True] * 10
    async with benched(tmp_path) as bench:
        bench.api.fate = for_row(110, DROPPED)
        bench.api.reading = fail(lambda query: "page_token" in query and bool(failing) and failing.pop())
        delivered = await bench.deliver(bench.rows(110), concurrency=8)
    assert failing == []
    assert outcomes(delivered) == [Outcome.CREATED] * 110
    assert len(bench.api.posts) == 111


async def test_a_key_that_is_refused_while_rows_are_looked_for_stops(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = for_row(2, LOST)
        bench.api.reading = lambda _path, _query: 401 if len(bench.api.posts) >= 3 else None
        delivered = await bench.deliver(bench.rows(3))
        bench.api.reading = lambda _path, _query: None
        carried_on = await bench.deliver(bench.again(bench.rows(3)))
    assert delivered[1].outcome is Outcome.IN_DOUBT
    assert outcomes(carried_on) == [Outcome.CREATED]
    assert len(bench.api.posts) == 3


async def test_five_doubts_running_pause_the_sending_and_it_goes_on_after_looking(tmp_path: Path) -> None:
    lists: list[int] = []
    async with benched(tmp_path) as bench:

        def fate(body: Body, times: int) -> Fate:
            if int(body["input_str"].split()[1]) == 30:
                lists.append(bench.api.lists)
            return DROPPED if len(bench.api.posts) in range(6, 12) else WELL

        bench.api.fate = fate
        delivered = await bench.deliver(bench.rows(30), concurrency=1)
    assert outcomes(delivered) == [Outcome.CREATED] * 30
    assert lists[0] >= 2  # the thirtieth row had to wait for a list
    assert bench.api.texts() == sorted(f"caller {number}" for number in range(1, 31))


async def test_an_api_that_gives_no_clear_answer_stops_the_job_after_three_pauses(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = lambda _body, _times: refused(500)
        delivered = await bench.deliver(bench.rows(100))
    assert bench.delivery is not None
    assert isinstance(bench.delivery.stopped, StoppedError)
    assert "no clear answers" in bench.delivery.stopped.message
    assert bench.api.texts() == []
    assert len(delivered) == 100
    assert set(outcomes(delivered)) == {Outcome.IN_DOUBT, Outcome.PENDING}
    assert outcomes(delivered).count(Outcome.PENDING) > 50


async def test_a_row_is_tried_six_times_at_the_most(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = lambda body, _times: DROPPED if body["input_str"] == "caller 2" else WELL
        delivered = await bench.deliver(bench.rows(30), concurrency=2, settle_s=1.0)
    assert delivered[1].outcome in {Outcome.PENDING, Outcome.IN_DOUBT}
    assert sum(body["input_str"] == "caller 2" for body in bench.api.posts) <= 6
    assert bench.delivery is not None
    assert isinstance(bench.delivery.stopped, StoppedError)


async def test_a_stop_ends_the_wait_for_doubts_and_says_that_they_are_left(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:

        def fate(body: Body, times: int) -> Fate:
            if body["input_str"] == "caller 3":
                assert bench.delivery is not None
                bench.delivery.stop(StoppedError("You stopped it."))
                return LOST
            return WELL

        bench.api.fate = fate
        delivered = await bench.deliver(bench.rows(3), concurrency=1, settle_s=100_000)
        left = outcomes(delivered)
        bench.api.fate = lambda _body, _times: WELL
        carried_on = await bench.deliver(bench.again(bench.rows(3)))
    assert left == [Outcome.CREATED, Outcome.CREATED, Outcome.IN_DOUBT]
    assert outcomes(carried_on) == [Outcome.CREATED]
    assert len(bench.api.posts) == 3


async def test_a_row_left_by_a_killed_run_is_found_or_sent_again(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = lambda body, _times: {"caller 2": LOST, "caller 4": DROPPED}.get(body["input_str"], WELL)
        await bench.deliver(_until_sent(bench, 6), concurrency=1, settle_s=100_000)
        assert [number for number, state in bench.states().items() if state is State.IN_DOUBT] == [2, 4]
        bench.api.fate = lambda _body, _times: WELL
        carried_on = await bench.deliver(bench.again(bench.rows(6)))
    assert set(outcomes(carried_on)) == {Outcome.CREATED}
    assert bench.api.texts() == sorted(f"caller {number}" for number in range(1, 7))
    assert set(bench.states().values()) == {State.CREATED}
    assert len(bench.api.posts) == 7


async def test_a_row_left_by_a_killed_run_is_told_first_as_open_and_then_as_known(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = for_row(2, LOST)
        await bench.deliver(_until_sent(bench, 3), concurrency=1, settle_s=100_000)
        bench.api.fate = lambda _body, _times: WELL
        await bench.deliver(bench.again(bench.rows(4)))
    assert sorted((one.key.row, one.open, one.outcome) for one in bench.told) == [
        (2, False, Outcome.CREATED),
        (2, True, Outcome.IN_DOUBT),
        (3, False, Outcome.CREATED),
        (4, False, Outcome.CREATED),
    ]


async def test_without_a_baseline_nothing_is_adopted_and_nothing_sent_again(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.make("test-cases", {"input_str": "caller 2", "test_set_id": bench.parent})
        await bench.deliver([], job="job")
        doubt = Change(bench.row(2).key, State.IN_DOUBT, attempts=1)
        delivered = await bench.deliver([replace(bench.row(2), doubt=doubt)])
    assert outcomes(delivered) == [Outcome.IN_DOUBT]
    assert "not known what was there before" in delivered[0].message
    assert bench.api.posts == []


@pytest.mark.parametrize("decision", [InDoubt.KEEP, InDoubt.ACCEPT, InDoubt.RESEND])
async def test_a_person_decides_what_cannot_be_known(tmp_path: Path, decision: InDoubt) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = for_row(2, Fate(stored=False, said=201, text=b"{}"))
        await bench.deliver(bench.rows(3))
        delivered = await bench.deliver(bench.again(bench.rows(3)), in_doubt=decision)
    (decided,) = delivered
    if decision is InDoubt.KEEP:
        assert decided.outcome is Outcome.IN_DOUBT
    else:
        assert decided.outcome is Outcome.CREATED
    assert (decided.resource_id is None) == (decision is not InDoubt.RESEND)
    assert len(bench.api.posts) == (4 if decision is InDoubt.RESEND else 3)
    assert bench.states()[2] is (State.IN_DOUBT if decision is InDoubt.KEEP else State.CREATED)


@pytest.mark.parametrize("decision", [InDoubt.ACCEPT, InDoubt.RESEND])
async def test_a_decision_is_about_rows_of_before_not_about_those_of_this_run(
    tmp_path: Path, decision: InDoubt
) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = for_row(2, Fate(stored=False, said=201, text=b"{}"))
        delivered = await bench.deliver(bench.rows(3), in_doubt=decision)
    assert delivered[1].outcome is Outcome.IN_DOUBT
    assert len(bench.api.posts) == 3


async def test_a_row_that_is_found_needs_no_decision(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = for_row(2, LOST)
        await bench.deliver(_until_sent(bench, 3), concurrency=1, settle_s=100_000)
        bench.api.fate = lambda _body, _times: WELL
        delivered = await bench.deliver(bench.again(bench.rows(3)), in_doubt=InDoubt.RESEND)
    assert outcomes(delivered) == [Outcome.CREATED] * 2
    assert len(bench.api.posts) == 3


async def test_what_a_timeout_leaves_is_looked_for(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = for_row(2, SILENT)
        delivered = await bench.deliver(bench.rows(4), timeout_s=0.5)
    assert outcomes(delivered) == [Outcome.CREATED] * 4
    assert len(bench.api.posts) == 4


async def _until_sent(bench: Bench, count: int) -> AsyncIterator[Outgoing]:
    """Rows, and a stop when the last of them was handed out: what is in doubt stays so."""
    rows = bench.rows(count)
    for row in rows[:-1]:
        yield row
    for _ in rows[:-1]:
        await bench.api.arrived.acquire()
    assert bench.delivery is not None
    bench.delivery.stop(StoppedError("Killed."))
    yield rows[-1]


async def test_an_answer_that_does_not_come_holds_up_nobody_who_is_looked_for(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        fates = {"caller 2": LOST, "caller 3": SILENT}
        bench.api.fate = lambda body, times: fates.get(body["input_str"], WELL) if times == 1 else WELL
        # The one that hangs is given up after a minute, by the clock of the job; looking is due after five seconds.
        await bench.deliver(bench.rows(6), concurrency=8, timeout_s=1.2)
    told = [(one.key.row, one.open) for one in bench.told]
    assert told.index((2, False)) < told.index((3, True)), "row 2 was found only when row 3 had been given up"
    assert set(outcomes(bench.delivered)) == {Outcome.CREATED}
    assert bench.api.texts() == [f"caller {number}" for number in range(1, 7)]


async def test_an_answer_that_does_not_come_is_waited_for_where_its_row_could_be_the_one(tmp_path: Path) -> None:
    """Two rows are equal: one hangs and will be stored, the other was not."""
    async with benched(tmp_path) as bench:
        rows = [bench.row(1), bench.row(2, "the same"), bench.row(3, "the same"), bench.row(4)]
        bench.api.fate = lambda body, times: (
            {1: DROPPED, 2: SILENT}.get(times, WELL) if body["input_str"] == "the same" else WELL
        )
        delivered = await bench.deliver(rows, concurrency=8, timeout_s=0.5)
    assert set(outcomes(delivered)) == {Outcome.CREATED}
    assert bench.api.texts() == ["caller 1", "caller 4", "the same", "the same"]
    assert len({one.resource_id for one in delivered}) == 4


async def test_minutes_of_503_to_reads_delay_the_proof_and_do_not_end_the_job(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.fate = for_row(2, DROPPED)
        refusals = iter([False] + [True] * 20)  # the baseline is listed; then nothing is, for about four minutes
        bench.api.reading = fail(lambda _query: next(refusals, False))
        delivered = await bench.deliver(bench.rows(4))
        assert next(refusals, None) is None
    assert set(outcomes(delivered)) == {Outcome.CREATED}
    assert bench.api.texts() == [f"caller {number}" for number in range(1, 5)]
