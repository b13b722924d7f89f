"""The main job on real input: each sample, imported by the command into a sandbox, lands exactly its valid rows.

What each row should become is written beside the samples by somebody who knows nothing of the importer.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from coval_sdk import models

from etl.resources import RESOURCES, Contract
from etl.sandbox import RunningSandbox, Store, running_sandbox
from etl.sandbox.store import Room
from tests.command import etl

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
KEY = "k-0123456789"
TEST_SET, AGENT, PERSONA = "aB1cD2eF", "gk3jK9mPq2xRt5vW8yZaBc", "hL4kL0nQr3ySt6vX9zAcDd"

RESOURCE_OF = {
    "support_calls.xlsx": "test-cases",
    "airline_de.csv": "test-cases",
    "clinic_cases.jsonl": "test-cases",
    "delivery_cases.csv": "test-cases",
    "agents.csv": "agents",
    "agents.jsonl": "agents",
    "test_sets.csv": "test-sets",
    "personas.csv": "personas",
    "run_templates.csv": "run-templates",
    "runs.jsonl": "runs",
}

SDK_MODELS = {
    "test-cases": models.TestCasesAPICreateTestCaseRequest,
    "agents": models.CovalAgentsAPICreateAgentRequest,
    "test-sets": models.TestSetsAPICreateTestSetRequest,
    "personas": models.CovalPersonasAPICreatePersonaRequest,
    "run-templates": models.CovalRunTemplatesAPICreateRunTemplateRequest,
    "runs": models.CovalRunsAPILaunchRunRequest,
}


@dataclass
class Landing:
    """What one import left behind."""

    exit_code: int
    summary: dict[str, Any]
    results: list[dict[str, Any]]
    bodies: list[dict[str, Any]]
    stderr: str
    folder: Path


@asynccontextmanager
async def organisation(folder: Path, contract: Contract) -> Iterator[RunningSandbox]:
    """A sandbox that knows the agent, the persona and the test set of the reference pages' examples."""
    store = Store(folder / "sandbox.db")
    with store.transaction():
        for resource, id_, fields in (
            ("test-sets", TEST_SET, {"display_name": "Pages", "slug": "pages"}),
            ("agents", AGENT, {"display_name": "Pages", "model_type": "MODEL_TYPE_VOICE"}),
            ("personas", PERSONA, {"name": "Pages", "voice_name": "v", "language_code": "en-US"}),
        ):
            store.add(Room("", resource), id_, fields, None, "{}")
    store.close()
    async with running_sandbox(db=folder / "sandbox.db", contract=contract, key=KEY) as sandbox:
        yield sandbox


async def import_sample(name: str, folder: Path, contract: Contract, *more: str) -> Landing:
    async with organisation(folder, contract) as sandbox:
        command = [sys.executable, "-m", "etl", "import", str(SAMPLES / name), "--json", "--yes"]
        command += ["--base-url", sandbox.base_url, "--contract", contract, "--report", str(folder / "report"), *more]
        if RESOURCE_OF[name] == "test-cases":
            command += ["--test-set", TEST_SET]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
            env={"COVAL_API_KEY": KEY, "HOME": str(folder), "XDG_STATE_HOME": str(folder), "PATH": "/usr/bin:/bin"},
        )
        out, err = await process.communicate()
        bodies = sandbox.store.all_bodies(RESOURCE_OF[name])
    assert process.returncode in {0, 1}, err.decode()
    results = [json.loads(line) for line in (folder / "report" / "results.jsonl").read_text().splitlines()]
    landed = [unmarked(body, MARKED_IN.get(RESOURCE_OF[name], ())) for body in bodies if body]
    return Landing(process.returncode or 0, json.loads(out), results, landed, err.decode(), folder / "report")


def expectations(name: str) -> list[dict[str, Any]]:
    lines = (SAMPLES / "expected" / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line.replace("{{test_set_id}}", TEST_SET)) for line in lines]


def unmarked(body: dict[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    """The body without the import's mark, which every run and every run template has (docs/delivery.md)."""
    if not place:
        return body
    whole = json.loads(json.dumps(body))
    holders = [whole]
    for name in place:
        holders.append(holders[-1][name])
    assert len(holders[-1].pop("coval_etl_import")) == 26
    for name, holder, inner in zip(reversed(place), reversed(holders[:-1]), reversed(holders[1:]), strict=True):
        if not inner:
            del holder[name]
    return dict(whole)


MARKED_IN = {"run-templates": ("metadata",), "runs": ("metadata", "customer")}


def exactly(bodies: list[dict[str, Any]]) -> list[str]:
    """Bodies as text in a canonical order: `1` and `1.0` differ, key order does not."""
    return sorted(json.dumps(body, sort_keys=True, ensure_ascii=False) for body in bodies)


def in_2026(resource: str, body: dict[str, Any]) -> dict[str, Any]:
    """A 2025-10 body in the words of 2026-10, as the API notes say."""
    body = json.loads(json.dumps(body))
    if resource == "run-templates":
        for name in ("agent_id", "persona_id", "test_set_id"):
            body[f"{name}s"] = [body.pop(name)]
    if resource == "test-cases" and "script_turns" in body.get("simulation_metadata_input", {}):
        body["script_turns"] = body["simulation_metadata_input"].pop("script_turns")
        if not body["simulation_metadata_input"]:
            del body["simulation_metadata_input"]
    return body


@pytest.mark.parametrize("name", RESOURCE_OF)
async def test_a_sample_lands_exactly_its_valid_rows(name: str, tmp_path: Path) -> None:
    landing = await import_sample(name, tmp_path, Contract.V2025_10)
    expected = expectations(name)
    assert exactly(landing.bodies) == exactly([row["body"] for row in expected if row["ok"]])

    statuses = {(line["sheet"], line["row"]): line["status"] for line in landing.results}
    wanted = {(row["sheet"], row["row"]): "created" if row["ok"] else "rejected" for row in expected}
    assert statuses == wanted

    rows = landing.summary["rows"]
    assert rows["read"] == len(expected) == sum(count for outcome, count in rows.items() if outcome != "read")
    assert landing.exit_code == landing.summary["exit_code"] == (0 if all(row["ok"] for row in expected) else 1)
    assert landing.summary == json.loads((landing.folder / "summary.json").read_text())
    ids = [line["id"] for line in landing.results if line["status"] == "created"]
    assert len(ids) == len(set(ids)) == len(landing.bodies)


@pytest.mark.parametrize("name", RESOURCE_OF)
async def test_a_samples_bad_rows_are_named_with_their_field_and_code(name: str, tmp_path: Path) -> None:
    landing = await import_sample(name, tmp_path, Contract.V2025_10, "--dry-run")
    found = {(line["sheet"], line["row"]): line["issues"] for line in landing.results}
    for row in expectations(name):
        issues = found[(row["sheet"], row["row"])]
        errors = [issue for issue in issues if issue["severity"] == "error"]
        assert {issue["code"] for issue in errors} == set(row.get("codes", ())), (row, issues)
        assert {issue["field"] for issue in errors} >= set(row.get("fields", ())), (row, issues)
        warnings = {issue["code"] for issue in issues if issue["severity"] == "warning"}
        assert warnings >= set(row.get("warnings", ())), (row, issues)
        assert all(issue["message"] for issue in issues)


@pytest.mark.parametrize("name", RESOURCE_OF)
async def test_under_the_newer_contract_the_bodies_pass_the_vendors_models(name: str, tmp_path: Path) -> None:
    resource = RESOURCE_OF[name]
    landing = await import_sample(name, tmp_path, Contract.V2026_10)
    expected = [in_2026(resource, row["body"]) for row in expectations(name) if row["ok"]]
    assert exactly(landing.bodies) == exactly(expected)
    assert landing.bodies
    for body in landing.bodies:
        assert SDK_MODELS[resource].from_json(json.dumps(body)) is not None


@pytest.mark.parametrize("contract", list(Contract))
@pytest.mark.parametrize("name", RESOURCE_OF)
def test_the_expected_bodies_keep_the_pages_rules(name: str, contract: Contract) -> None:
    resource = RESOURCES[RESOURCE_OF[name]]
    for row in expectations(name):
        if row["ok"]:
            body = row["body"] if contract is Contract.V2025_10 else in_2026(resource.name, row["body"])
            resource.create[contract].model_validate_json(json.dumps(body))


@pytest.mark.parametrize(
    ("name", "told_only_by_the_cells_type"),
    # A number of more than 15 digits comes back as text, as it was read: what was wrong with it was its being a number.
    [("support_calls.xlsx", 1), ("airline_de.csv", 0), ("clinic_cases.jsonl", 0), ("agents.csv", 0)],
)
async def test_the_rejects_are_exactly_the_bad_rows_and_are_refused_alike(
    name: str, told_only_by_the_cells_type: int, tmp_path: Path
) -> None:
    landing = await import_sample(name, tmp_path, Contract.V2025_10)
    bad = [row for row in expectations(name) if not row["ok"]]
    (rejects,) = landing.folder.glob("rejects.*")
    said = etl(tmp_path, "validate", rejects, "--json", "--resource", RESOURCE_OF[name])
    valid = told_only_by_the_cells_type
    assert said.json["rows"] == {"read": len(bad), "valid": valid, "rejected": len(bad) - valid}
