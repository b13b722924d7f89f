"""Test cases: `POST /test-cases` (reference page "Create test case").

Must never know how a spreadsheet spells turns; that is mapping's.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from etl.problems import Code
from etl.resources.contract import Contract
from etl.resources.forms import Length8
from etl.resources.resource import Body, OpenBody, Reference, Resource

InputType = Literal["SCENARIO", "TRANSCRIPT", "IVR", "AUDIO", "MANUAL", "SCRIPT"]

_NO_TURNS = "A SCRIPT test case needs script turns: the persona's lines, in order"


class SimulationMetadata(OpenBody):
    """`simulation_metadata_input`: contents vary by input_type; SCRIPT needs `script_turns`, the persona's lines."""

    script_turns: list[str] | None = None


class CreateTestCase(Body):
    """Body of `POST /test-cases` under 2025-10 (reference page "Create test case").

    `expected_output_str` is deprecated: alone it is wrapped into `expected_behaviors`; it is never sent.
    """

    turns_field: ClassVar[str] = "simulation_metadata_input.script_turns"

    input_str: Annotated[str, Field(min_length=1)]
    test_set_id: Length8
    expected_behaviors: list[str] | None = None
    expected_output_str: str | None = None
    expected_output_json: dict[str, Any] = Field(default_factory=dict)
    description: str | None = None
    input_type: InputType | None = "SCENARIO"
    simulation_metadata_input: SimulationMetadata = Field(default_factory=SimulationMetadata)
    metric_input: dict[str, Any] = Field(default_factory=dict)
    user_notes: str | None = None

    @model_validator(mode="after")
    def _script_has_turns(self) -> Self:
        if self.input_type == "SCRIPT" and not self._turns():
            raise PydanticCustomError(Code.MISSING_TURNS, _NO_TURNS, {"field": self.turns_field})
        return self

    def _turns(self) -> list[Any]:
        return self.simulation_metadata_input.script_turns or []


Digits = Annotated[str, StringConstraints(min_length=1, pattern=r"^[0-9#*+(). -]+$")]


class TextTurn(Body):
    """A spoken turn (2026-10)."""

    type: Literal["text"]
    text: Annotated[str, Field(min_length=1)]


class KeypadTurn(Body):
    """Keys pressed (2026-10)."""

    type: Literal["dtmf"]
    digits: Digits


class SilentTurn(Body):
    """The persona says nothing (2026-10)."""

    type: Literal["skip"]


Turn = Annotated[str, Field(min_length=1)] | Annotated[TextTurn | KeypadTurn | SilentTurn, Field(discriminator="type")]


class OpenSimulationMetadata(OpenBody):
    """`simulation_metadata_input` under 2026-10: nested turns are deprecated, still accepted, and may be typed."""

    script_turns: list[Turn] | None = None


class CreateTestCase2026(CreateTestCase):
    """Body of `POST /test-cases` under 2026-10 (API notes): `script_turns` at the top level, turns may be typed.

    The vendor's client sends null for objects that were not given.
    """

    turns_field: ClassVar[str] = "script_turns"

    expected_output_json: dict[str, Any] | None = None  # type: ignore[assignment]
    simulation_metadata_input: OpenSimulationMetadata | None = None  # type: ignore[assignment]
    metric_input: dict[str, Any] | None = None  # type: ignore[assignment]
    script_turns: list[Turn] | None = None

    def _turns(self) -> list[Any]:
        nested = self.simulation_metadata_input
        return self.script_turns or (nested.script_turns if nested else None) or []


class UpdateTestCase(Body):
    """Body of `PATCH /test-cases/{id}`: only the fields given change (API notes)."""

    input_str: Annotated[str, Field(min_length=1)] | None = None
    test_set_id: Length8 | None = None
    expected_behaviors: list[str] | None = None
    expected_output_str: str | None = None
    expected_output_json: dict[str, Any] | None = None
    description: str | None = None
    input_type: InputType | None = None
    simulation_metadata_input: SimulationMetadata | None = None
    metric_input: dict[str, Any] | None = None
    user_notes: str | None = None


class UpdateTestCase2026(UpdateTestCase):
    """Body of `PATCH /test-cases/{id}` under 2026-10."""

    simulation_metadata_input: OpenSimulationMetadata | None = None  # type: ignore[assignment]
    script_turns: list[Turn] | None = None


TEST_CASES = Resource(
    name="test-cases",
    path="/test-cases",
    singular="test_case",
    plural="test_cases",
    label="input_str",
    names=(),
    create={Contract.V2025_10: CreateTestCase, Contract.V2026_10: CreateTestCase2026},
    update={Contract.V2025_10: UpdateTestCase, Contract.V2026_10: UpdateTestCase2026},
    references=(Reference("test_set_id", "test-sets", named=True),),
    model_decides=False,
    # Its create page calls them `string | null`.
    cleared_by_null=frozenset({"expected_behaviors", "expected_output_str", "description", "user_notes"}),
)
