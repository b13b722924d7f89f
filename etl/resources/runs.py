"""Runs: `POST /runs` launches one (reference page "Launch run"). Must never know whether a launch was paid for."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from etl.problems import Code
from etl.resources.contract import Contract
from etl.resources.forms import Length8, Length22, Length26
from etl.resources.resource import Body, OpenBody, Reference, Resource


class Status(StrEnum):
    """Where a run is (API notes: get and list say it with a space, a launch with a line)."""

    PENDING = "PENDING"
    QUEUED = "IN QUEUE"
    GOING = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    DELETED = "DELETED"


ENDED_BADLY: frozenset[str] = frozenset({Status.FAILED, Status.CANCELLED, Status.DELETED})
"""A run that ended so did not do what it was launched for."""
ENDED: frozenset[str] = ENDED_BADLY | {Status.COMPLETED}


class RunOptions(OpenBody):
    """`options` of a launch. The page says no more than "execution options"; the bounds are those of the API notes."""

    iteration_count: Annotated[int, Field(ge=1, le=50)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=100)] | None = None
    sub_sample_size: Annotated[int, Field(ge=0)] | None = None
    sub_sample_seed: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = None
    test_case_ids: Annotated[list[Length22], Field(min_length=1, max_length=100)] | None = None


class RunMetadata(OpenBody):
    """`metadata` of a launch: for tracking; `customer` is free, `tags` at most 20 (API notes)."""

    customer: dict[str, Any] | None = None
    created_by: str | None = None
    display_name: Annotated[str, Field(max_length=200)] | None = None
    tags: Annotated[list[Annotated[str, StringConstraints(max_length=200)]], Field(max_length=20)] | None = None


class LaunchRun(Body):
    """Body of `POST /runs` (reference page "Launch run").

    `persona_metrics` takes base names: `latency`, not `persona:latency` (the prefix is a warning, not an error).
    """

    agent_id: Length22
    persona_id: Length22
    test_set_id: Length8
    metric_ids: list[Length22] = Field(default_factory=list)
    mutation_id: Length26 | None = None
    mutation_ids: Annotated[list[Length26], Field(max_length=100)] = Field(default_factory=list)
    persona_metrics: list[str] = Field(default_factory=list)
    options: RunOptions = Field(default_factory=RunOptions)
    metadata: RunMetadata = Field(default_factory=RunMetadata)

    @model_validator(mode="after")
    def _one_way_of_naming_mutations(self) -> Self:
        if self.mutation_id is not None and self.mutation_ids:
            raise PydanticCustomError(
                Code.MUTUALLY_EXCLUSIVE,
                "mutation_id and mutation_ids exclude each other: put every id into mutation_ids",
                {"field": "mutation_id"},
            )
        return self


class LaunchRun2026(LaunchRun):
    """Body of `POST /runs` under 2026-10: `config_overrides` (vendor's client 0.9.7), null for what was not given."""

    metric_ids: list[Length22] | None = None  # type: ignore[assignment]
    mutation_ids: Annotated[list[Length26], Field(max_length=100)] | None = None  # type: ignore[assignment]
    persona_metrics: list[str] | None = None  # type: ignore[assignment]
    options: RunOptions | None = None  # type: ignore[assignment]
    metadata: RunMetadata | None = None  # type: ignore[assignment]
    config_overrides: dict[str, Any] | None = None


class UpdateRun(Body):
    """Runs cannot be updated through the endpoints that this tool speaks."""


RUNS = Resource(
    name="runs",
    path="/runs",
    singular="run",
    plural="runs",
    label="name",
    names=(),
    create={Contract.V2025_10: LaunchRun, Contract.V2026_10: LaunchRun2026},
    update={Contract.V2025_10: UpdateRun, Contract.V2026_10: UpdateRun},
    id_field="run_id",
    created_status=200,
    page_size_max=1000,
    references=(
        Reference("agent_id", "agents"),
        Reference("persona_id", "personas"),
        Reference("test_set_id", "test-sets"),
        Reference("metric_ids", "metrics"),
        Reference("options.test_case_ids", "test-cases"),
    ),
    updatable=False,
)
