"""Run templates: `POST /run-templates` and `PATCH /run-templates/{id}` (their two reference pages).

Must never know whether a blank cell means "leave" or "clear"; that is planning's.
"""

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from etl.problems import Code
from etl.resources.contract import Contract
from etl.resources.forms import Id8, Id22, Id26
from etl.resources.resource import Body, Reference, Resource, Unique

Name200 = Annotated[str, Field(min_length=1, max_length=200)]
Iterations = Annotated[int, Field(ge=1, le=100)]
Concurrency = Annotated[int, Field(ge=1, le=50)]
SampleSize = Annotated[int, Field(ge=0)]


class _TemplateOptions(Body):
    """What both contracts share beside the three references (page "Create run template")."""

    display_name: Name200
    description: str = ""
    metric_ids: list[Id22] = Field(default_factory=list)
    mutation_ids: list[Id26] = Field(default_factory=list)
    iteration_count: Iterations = 1
    concurrency: Concurrency = 1
    sub_sample_size: SampleSize = 0
    sub_sample_seed: int | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class CreateRunTemplate(_TemplateOptions):
    """Body of `POST /run-templates` under 2025-10 (reference page "Create run template")."""

    agent_id: Id22
    persona_id: Id22
    test_set_id: Id8


class CreateRunTemplate2026(_TemplateOptions):
    """Body of `POST /run-templates` under 2026-10: the three references are lists (API notes)."""

    agent_ids: Annotated[list[Id22], Field(min_length=1)]
    persona_ids: Annotated[list[Id22], Field(min_length=1)]
    test_set_ids: Annotated[list[Id8], Field(min_length=1)]
    metric_ids: list[Id22] | None = None  # type: ignore[assignment]
    mutation_ids: list[Id26] | None = None  # type: ignore[assignment]
    metadata: dict[str, Any] | None = None  # type: ignore[assignment]
    test_case_ids: Annotated[list[Id22], Field(min_length=1, max_length=100)] | None = None
    tags: list[str] | None = None


class _TemplateChanges(Body):
    """What updating a run template has in common under both contracts (page "Update run template").

    null means "no change" for `metric_ids`, `mutation_ids` and `metadata` only, and `[]` or `{}` clears them; a null
    `sub_sample_seed` is a value. The other fields may be absent but not null.
    """

    nullable: ClassVar[frozenset[str]] = frozenset({"metric_ids", "mutation_ids", "metadata", "sub_sample_seed"})

    display_name: Name200 | None = None
    description: str | None = None
    metric_ids: list[Id22] | None = None
    mutation_ids: list[Id26] | None = None
    iteration_count: Iterations | None = None
    concurrency: Concurrency | None = None
    sub_sample_size: SampleSize | None = None
    sub_sample_seed: int | None = None
    metadata: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _null_only_where_the_page_says_so(self) -> Self:
        for name in self.model_fields_set - self.nullable:
            if getattr(self, name) is None:
                raise PydanticCustomError(Code.WRONG_TYPE, "{field} may be left out, but not null", {"field": name})
        return self

    def changes(self) -> dict[str, Any]:
        """What this update changes: the provided fields, without those whose null means "no change"."""
        given = self.model_dump(exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None or name == "sub_sample_seed"}


class UpdateRunTemplate(_TemplateChanges):
    """Body of `PATCH /run-templates/{id}` (reference page "Update run template"): only provided fields change."""

    agent_id: Id22 | None = None
    persona_id: Id22 | None = None
    test_set_id: Id8 | None = None


class UpdateRunTemplate2026(_TemplateChanges):
    """Body of `PATCH /run-templates/{id}` under 2026-10: lists of references, test_case_ids, tags (API notes)."""

    nullable: ClassVar[frozenset[str]] = _TemplateChanges.nullable | {"test_case_ids", "tags"}

    agent_ids: Annotated[list[Id22], Field(min_length=1)] | None = None
    persona_ids: Annotated[list[Id22], Field(min_length=1)] | None = None
    test_set_ids: Annotated[list[Id8], Field(min_length=1)] | None = None
    test_case_ids: Annotated[list[Id22], Field(min_length=1, max_length=100)] | None = None
    tags: list[str] | None = None


RUN_TEMPLATES = Resource(
    name="run-templates",
    path="/run-templates",
    singular="run_template",
    plural="run_templates",
    label="display_name",
    names=("display_name",),
    unique=(Unique("display_name"),),
    create={Contract.V2025_10: CreateRunTemplate, Contract.V2026_10: CreateRunTemplate2026},
    update={Contract.V2025_10: UpdateRunTemplate, Contract.V2026_10: UpdateRunTemplate2026},
    references=(
        Reference("agent_id", "agents"),
        Reference("persona_id", "personas"),
        Reference("test_set_id", "test-sets"),
        Reference("agent_ids", "agents"),
        Reference("persona_ids", "personas"),
        Reference("test_set_ids", "test-sets"),
        Reference("test_case_ids", "test-cases"),
        Reference("metric_ids", "metrics"),
    ),
    cleared_by_null=frozenset({"sub_sample_seed"}),  # its update page
)
