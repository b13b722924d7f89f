"""By what a row is known again at the API: its own name or a mark where it has one, else by what came back of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from etl.ledger import RowKey, State
from etl.problems import Code
from etl.report import Outcome
from etl.resources import AGENTS, RUN_TEMPLATES, RUNS, Contract, Resource
from etl.writer import InDoubt
from etl.writer.marks import IMPORT_KEY, mark_for, mark_of, marked
from tests.crooked_api import DROPPED, LATE, LOST, WELL, Body, Fate
from tests.writer_bench import TABLE, agent_row, benched, outcomes, parents_of_runs, run_row, template_row

OURS = {"customer_agent_id": "agent-7"}


def lose_first(fate: Fate) -> Any:
    """That fate for the first POST of all, and a good one afterwards."""
    left = [fate]
    return lambda _body, _times: left.pop() if left else WELL


async def test_an_agent_is_known_by_its_own_id_whatever_else_the_api_makes_of_it(tmp_path: Path) -> None:
    async with benched(tmp_path, Contract.V2026_10) as bench:
        bench.api.fate = lose_first(LOST)
        bench.api.shown = lambda item: item | {"display_name": item.get("display_name", "").upper()}
        (one,) = await bench.deliver([agent_row(1, "Agent", **OURS)], resource=AGENTS)
    assert one.outcome is Outcome.CREATED
    assert len(bench.api.posts) == len(bench.api.stored("agents")) == 1


async def test_a_409_after_a_doubt_looks_for_our_own_earlier_agent(tmp_path: Path) -> None:
    async with benched(tmp_path, Contract.V2026_10) as bench:

        def fate(_body: Body, times: int) -> Fate:
            if times == 2:  # the first request takes effect only now, long after it should have
                bench.api.commit_late()
            return LATE if times == 1 else WELL

        bench.api.fate = fate
        (one,) = await bench.deliver([agent_row(1, "Agent", **OURS)], resource=AGENTS)
    assert (one.outcome, one.http_status) == (Outcome.CREATED, 409)
    assert len(bench.api.posts) == 2
    assert len(bench.api.stored("agents")) == 1
    assert bench.states()[1] is State.CREATED


async def test_a_409_that_is_somebody_elses_is_a_refusal_also_after_a_doubt(tmp_path: Path) -> None:
    async with benched(tmp_path, Contract.V2026_10) as bench:
        theirs = bench.api.make("agents", json.loads(agent_row(1, "Theirs", **OURS).body))
        bench.api.fate = lose_first(DROPPED)
        told = await bench.deliver([agent_row(1, "Ours", **OURS), agent_row(2, "Theirs", **OURS)], resource=AGENTS)
    for one in told:
        assert (one.outcome, one.code, one.http_status) == (Outcome.FAILED, Code.API_REFUSED, 409)
        assert one.resource_id != theirs
    assert sorted(one.attempts for one in told) == [1, 2]
    assert len(bench.api.stored("agents")) == 1


@pytest.mark.parametrize("contract", Contract)
async def test_run_templates_carry_a_mark_and_equal_ones_are_told_apart_by_it(
    tmp_path: Path, contract: Contract
) -> None:
    async with benched(tmp_path, contract) as bench:
        parents = parents_of_runs(bench.api)
        ours: dict[str, Any] = (
            {f"{name}s": [id_] for name, id_ in parents.items()} if contract is Contract.V2026_10 else parents
        )
        fates = iter([LOST, DROPPED, LOST, WELL, WELL])
        bench.api.fate = lambda _body, _times: next(fates)
        rows = [template_row(number, "Nightly", ours) for number in (1, 2, 3)]
        rows[0] = template_row(1, "Nightly", ours, metadata={"team": "a"})
        told = await bench.deliver(rows, resource=RUN_TEMPLATES, concurrency=1)
        items = bench.api.stored("run-templates")
    assert outcomes(told) == [Outcome.CREATED] * 3
    assert sorted(item["metadata"][IMPORT_KEY] for item in items) == sorted(
        mark_for("job", RowKey(TABLE, number)) for number in (1, 2, 3)
    )
    assert [item["metadata"].get("team") for item in items].count("a") == 1
    assert len(bench.api.posts) == 4


async def test_a_template_without_our_mark_is_nobodys_proof(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        parents = parents_of_runs(bench.api)

        def fate(body: Body, times: int) -> Fate:
            if times == 1 and body["display_name"] == "Nightly":
                bench.api.make("run-templates", {name: value for name, value in body.items() if name != "metadata"})
                return DROPPED
            return WELL

        bench.api.fate = fate
        rows = [template_row(1, "Daily", parents), template_row(2, "Nightly", parents)]
        told = await bench.deliver(rows, resource=RUN_TEMPLATES)
    assert told[1].outcome is Outcome.IN_DOUBT
    assert len(bench.api.posts) == 2


async def test_a_run_that_was_launched_is_found_by_its_mark(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        parents = parents_of_runs(bench.api)
        bench.api.fate = lose_first(LOST)
        rows = [run_row(number, parents, metadata={"customer": {"team": "a"}}) for number in (1, 2, 3)]
        told = await bench.deliver(rows, resource=RUNS)
    assert outcomes(told) == [Outcome.CREATED] * 3
    assert len(bench.api.posts) == len(bench.api.stored("runs")) == 3
    assert {one["metadata"]["customer"]["team"] for one in bench.api.stored("runs")} == {"a"}
    assert len({one["metadata"]["customer"][IMPORT_KEY] for one in bench.api.stored("runs")}) == 3


async def test_a_run_is_never_launched_again_by_itself(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        parents = parents_of_runs(bench.api)
        bench.api.fate = lose_first(DROPPED)
        rows = [run_row(number, parents) for number in (1, 2, 3)]
        told = await bench.deliver(rows, resource=RUNS, concurrency=1)
        left = bench.again(rows)
        again = await bench.deliver(left, resource=RUNS)
        launched = len(bench.api.posts)
        decided = await bench.deliver(bench.again(rows), resource=RUNS, in_doubt=InDoubt.RESEND)
    assert outcomes(told) == [Outcome.IN_DOUBT, Outcome.CREATED, Outcome.CREATED]
    assert "never launched again by itself" in told[0].message
    assert outcomes(again) == [Outcome.IN_DOUBT]
    assert launched == 3
    assert outcomes(decided) == [Outcome.CREATED]
    assert len(bench.api.stored("runs")) == 3


def hiding(field: str) -> Any:
    return lambda item: {name: value for name, value in item.items() if name != field}


async def test_a_field_that_never_comes_back_leaves_the_comparison(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        bench.api.shown = lambda item: hiding("expected_output_str")(hiding("expected_behaviors")(item))
        bench.api.fate = lambda body, times: (
            LOST
            if body["input_str"] == "caller 2"
            else DROPPED
            if times == 1 and body["input_str"].endswith("3")
            else WELL
        )
        rows = [bench.row(number, expected_behaviors=[f"does {number}", "and more"]) for number in range(1, 5)]
        told = await bench.deliver(rows, concurrency=1)
    assert outcomes(told) == [Outcome.CREATED] * 4
    assert bench.api.texts() == [f"caller {number}" for number in range(1, 5)]
    assert len(bench.api.posts) == 5


async def test_rows_that_differ_only_in_what_does_not_come_back_are_not_mistaken_for_each_other(
    tmp_path: Path,
) -> None:
    async with benched(tmp_path) as bench:
        bench.api.shown = hiding("expected_behaviors")
        fates = {("a", 1): LOST, ("b", 1): DROPPED}
        bench.api.fate = lambda body, times: fates.get((body["expected_behaviors"][0], times), WELL)
        rows = [bench.row(1, "other", expected_behaviors=["c"])]
        rows += [bench.row(number, "same", expected_behaviors=[text]) for number, text in ((2, "a"), (3, "b"))]
        told = await bench.deliver(rows, concurrency=1)
        by_id = {one.resource_id: one.key.row for one in told if one.resource_id}
        stored = [body["expected_behaviors"][0] for body in bench.api.stored()]
    assert outcomes(told)[0] is Outcome.CREATED
    assert stored.count("a") == 1
    assert len(by_id) == outcomes(told).count(Outcome.CREATED)
    if Outcome.IN_DOUBT not in outcomes(told):
        assert sorted(stored) == ["a", "b", "c"]
    else:
        assert stored.count("b") <= 1


@pytest.mark.parametrize(
    ("name", "crooked"),
    [
        ("hidden", hiding("input_str")),
        ("upper case", lambda item: item | {"input_str": item.get("input_str", "").upper()}),
        ("trimmed", lambda item: item | {"input_str": item.get("input_str", "").strip()}),
        ("another test set", lambda item: item | {"test_set_id": "zzzzzzzz"} if "input_str" in item else item),
    ],
)
async def test_where_rows_cannot_be_known_again_they_are_left_to_the_person(
    tmp_path: Path, name: str, crooked: Any
) -> None:
    field = "test_set_id" if name == "another test set" else "input_str"
    async with benched(tmp_path) as bench:
        bench.api.shown = crooked
        bench.api.fate = lambda body, _times: LOST if "second" in body["input_str"] else WELL
        told = await bench.deliver([bench.row(1, " first "), bench.row(2, " second ")], concurrency=1)
    assert outcomes(told) == [Outcome.CREATED, Outcome.IN_DOUBT]
    assert field in told[1].message
    assert "cannot be told apart" in told[1].message
    assert len(bench.api.posts) == 2


@pytest.mark.parametrize("contract", Contract)
async def test_one_expectation_is_known_again_however_it_was_sent(tmp_path: Path, contract: Contract) -> None:
    async with benched(tmp_path, contract) as bench:
        bench.api.fate = lambda body, _times: LOST if body["input_str"] in {"caller 2", "caller 3"} else WELL
        rows = [
            bench.row(1, expected_behaviors=["Names the day"]),
            bench.row(2, expected_behaviors=["Names the day"]),
            bench.row(3, expected_output_str="Names the day"),
            bench.row(4),
        ]
        told = await bench.deliver(rows, concurrency=1)
    assert outcomes(told) == [Outcome.CREATED] * 4
    assert len(bench.api.posts) == 4


async def test_a_resource_that_cannot_be_read_back_teaches_nothing_and_is_asked_for_again(tmp_path: Path) -> None:
    async with benched(tmp_path) as bench:
        hidden = [True]

        def reading(path: str, _query: object) -> int | None:
            return 404 if path.count("/") == 3 and hidden and hidden.pop() else None

        bench.api.reading = reading
        bench.api.fate = lambda body, times: DROPPED if body["input_str"] == "caller 3" and times == 1 else WELL
        told = await bench.deliver(bench.rows(4), concurrency=1)
    assert outcomes(told) == [Outcome.CREATED] * 4
    assert len(bench.api.gets) == 2
    assert len(bench.api.posts) == 5


@pytest.mark.parametrize("resource", [RUN_TEMPLATES, RUNS])
def test_a_mark_is_found_where_it_was_put_and_nothing_else_changes(resource: Resource) -> None:
    body = {"display_name": "N ü", "metadata": {"customer": {"a": 1}, "team": "x"}}
    mark = mark_for("job", RowKey(TABLE, 7))
    sent = json.loads(marked(resource, json.dumps(body).encode(), "job", RowKey(TABLE, 7)))
    assert mark_of(resource, sent) == mark
    inner = sent["metadata"]["customer"] if resource is RUNS else sent["metadata"]
    del inner[IMPORT_KEY]
    assert sent == body


def test_marks_differ_by_job_table_and_row_and_stay_the_same() -> None:
    marks = [mark_for(job, RowKey(table, row)) for job in "ab" for table in ("t", "u") for row in (1, 11)]
    assert len(set(marks)) == len(marks) == 8
    assert marks[0] == mark_for("a", RowKey("t", 1))
