"""Test sets: `POST /test-sets` (API notes, "Facts beyond the reference pages"). Must never know its test cases."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from etl.resources.contract import Contract
from etl.resources.resource import Body, Resource, Unique

Slug = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[a-z0-9_-]+$")]
Name100 = Annotated[str, Field(min_length=1, max_length=100)]


class CreateTestSet(Body):
    """Body of `POST /test-sets`: display_name 1-100; slug unique, made from the name if absent (API notes)."""

    display_name: Name100
    slug: Slug | None = None
    description: str | None = None
    test_set_type: Annotated[str, Field(max_length=50)] | None = None
    test_set_metadata: dict[str, Any] | None = None
    parameters: dict[str, Any] | None = None


class CreateTestSet2026(CreateTestSet):
    """Body of `POST /test-sets` under 2026-10: with tags (vendor's client 0.9.7)."""

    tags: list[str] | None = None


class UpdateTestSet(Body):
    """Body of `PATCH /test-sets/{id}`: only the fields given change (API notes)."""

    display_name: Name100 | None = None
    slug: Slug | None = None
    description: str | None = None
    test_set_type: Annotated[str, Field(max_length=50)] | None = None
    test_set_metadata: dict[str, Any] | None = None
    parameters: dict[str, Any] | None = None


class UpdateTestSet2026(UpdateTestSet):
    """Body of `PATCH /test-sets/{id}` under 2026-10."""

    tags: list[str] | None = None


TEST_SETS = Resource(
    name="test-sets",
    path="/test-sets",
    singular="test_set",
    plural="test_sets",
    label="display_name",
    names=("display_name", "slug"),
    unique=(Unique("slug", refused=True), Unique("display_name")),
    create={Contract.V2025_10: CreateTestSet, Contract.V2026_10: CreateTestSet2026},
    update={Contract.V2025_10: UpdateTestSet, Contract.V2026_10: UpdateTestSet2026},
    id_length=8,
)
