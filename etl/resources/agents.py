"""Agents: `POST /agents` (reference page "Create agent"). Must never know which agent a run calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from etl.problems import Code
from etl.quoting import quote_value
from etl.resources.contract import Contract
from etl.resources.forms import (
    HTTP_URL,
    KB,
    MB,
    PHONE_OR_SIP,
    Id8,
    Id8Or22,
    Id22,
    PublicHttpUrl,
    Tags,
    at_most,
    is_phone_number,
    json_text,
    url_fault,
)
from etl.resources.resource import Body, OpenBody, Reference, Resource, Unique

ModelType2025 = Literal[
    "MODEL_TYPE_VOICE",
    "MODEL_TYPE_OUTBOUND_VOICE",
    "MODEL_TYPE_CHAT",
    "MODEL_TYPE_SMS",
    "MODEL_TYPE_WEBSOCKET",
]
ModelType2026 = Literal[
    "MODEL_TYPE_VOICE",
    "MODEL_TYPE_OUTBOUND_VOICE",
    "MODEL_TYPE_CHAT",
    "MODEL_TYPE_CHAT_A2A",
    "MODEL_TYPE_CHAT_WEBSOCKET",
    "MODEL_TYPE_EMAIL",
    "MODEL_TYPE_SMS",
    "MODEL_TYPE_WEBSOCKET",
    "MODEL_TYPE_SDK_WEBSOCKET",
    "MODEL_TYPE_LIVEKIT",
    "MODEL_TYPE_DAILY",
    "MODEL_TYPE_OPENAI_REALTIME",
    "MODEL_TYPE_GEMINI_REALTIME",
    "MODEL_TYPE_GROK_REALTIME",
    "MODEL_TYPE_DEEPGRAM_REALTIME",
]


@dataclass(frozen=True, slots=True)
class Needs:
    """What one model_type requires, beyond what its fields say for themselves (create-agent page, `model_type`)."""

    fields: tuple[str, ...] = ()
    phone_only: bool = False
    """`phone_number` must be E.164; a SIP address does not do."""
    wss: bool = False
    """`metadata.endpoint`, where it is needed, must be a public wss:// URL."""
    direct_only: bool = False
    """Needed only where `metadata.connection_mode` is `direct`, which is the default (vendor's client 0.9.7)."""


NEEDS_2025: dict[str, Needs] = {
    "MODEL_TYPE_VOICE": Needs(("phone_number",)),
    "MODEL_TYPE_OUTBOUND_VOICE": Needs(("endpoint",)),
    "MODEL_TYPE_CHAT": Needs(("metadata.chat_endpoint",)),
    "MODEL_TYPE_SMS": Needs(("phone_number",), phone_only=True),
    "MODEL_TYPE_WEBSOCKET": Needs(("metadata.endpoint", "metadata.initialization_json"), wss=True),
}
NEEDS_2026: dict[str, Needs] = NEEDS_2025 | {
    "MODEL_TYPE_CHAT_A2A": Needs(("metadata.chat_endpoint",)),
    "MODEL_TYPE_CHAT_WEBSOCKET": Needs(("metadata.endpoint",), direct_only=True),
    "MODEL_TYPE_WEBSOCKET": Needs(("metadata.endpoint",), wss=True, direct_only=True),
    "MODEL_TYPE_LIVEKIT": Needs(("metadata.generate_token_endpoint", "metadata.livekit_url")),
    "MODEL_TYPE_DAILY": Needs(("metadata.pipecat_api_key", "metadata.agent_name")),
}

JsonText = Annotated[str, json_text()]
TemplateJson = Annotated[str, json_text(templates=True)]
StringOrObject = str | dict[str, Any]


class AgentMetadata(OpenBody):
    """`metadata`: simulator settings, at most 10 MB (create-agent page, `metadata`). Other keys are kept as they are.

    `endpoint` is used by WEBSOCKET agents only, where it must be wss (checked with the model_type).
    """

    chat_endpoint: PublicHttpUrl | None = None
    authorization_header: str | None = None
    initialization_endpoint: PublicHttpUrl | None = None
    initialization_payload: Annotated[Any, json_text(templates=True), at_most(16 * KB)] = None
    custom_data: Annotated[StringOrObject, json_text(), at_most(32 * KB)] | None = None
    custom_persona_data: Annotated[StringOrObject, json_text(), at_most(16 * KB)] | None = None
    custom_headers: Annotated[StringOrObject, json_text(templates=True), at_most(16 * KB)] | None = None
    response_format: Literal["chat_completions", "responses"] | None = None
    input_template: TemplateJson | dict[str, Any] | list[Any] | None = None
    payload_wrapper: str | None = None
    response_message_path: str | None = None
    strip_message_timestamps: bool | None = None
    tool_call_extraction_config: Any = None
    persona_id: Id22 | None = None
    trigger_call_headers: JsonText | None = None
    trigger_call_payload: JsonText | None = None
    phone_number_key: str | None = None
    endpoint: str | None = None
    initialization_json: JsonText | None = None


class AgentMetadata2026(AgentMetadata):
    """`metadata` under 2026-10: settings of the newer model types (API notes)."""

    initialization_json: JsonText | dict[str, Any] | None = None  # type: ignore[assignment]
    connection_mode: Literal["direct", "http_first", "twiml_webhook"] | None = None
    generate_token_endpoint: PublicHttpUrl | None = None
    livekit_url: str | None = None
    pipecat_api_key: str | None = None
    agent_name: str | None = None


class CreateAgent(Body):
    """Body of `POST /agents` under 2025-10 (reference page "Create agent")."""

    needs: ClassVar[Mapping[str, Needs]] = NEEDS_2025

    display_name: Annotated[str, Field(min_length=1, max_length=200)]
    model_type: ModelType2025
    phone_number: Annotated[str, Field(max_length=200), PHONE_OR_SIP] | None = None
    endpoint: Annotated[str, Field(max_length=200), HTTP_URL] | None = None
    prompt: Annotated[str, Field(max_length=50_000)] | None = None
    metadata: Annotated[AgentMetadata, at_most(10 * MB)] = Field(default_factory=AgentMetadata)
    workflows: Annotated[dict[str, Any], at_most(10 * MB)] = Field(default_factory=dict)
    metric_ids: list[Id22] = Field(default_factory=list)
    test_set_ids: list[Id8Or22] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        check_needs(self.model_dump(), self.needs.get(self.model_type, Needs()))
        return self


class CreateAgent2026(CreateAgent):
    """Body of `POST /agents` under 2026-10: fifteen model types, customer_agent_id, attributes, tags (API notes)."""

    needs: ClassVar[Mapping[str, Needs]] = NEEDS_2026

    model_type: ModelType2026  # type: ignore[assignment]
    metadata: Annotated[AgentMetadata2026, at_most(10 * MB)] | None = None  # type: ignore[assignment]
    workflows: Annotated[dict[str, Any], at_most(10 * MB)] | None = None  # type: ignore[assignment]
    metric_ids: list[Id22] | None = None  # type: ignore[assignment]
    test_set_ids: list[Id8] | None = None  # type: ignore[assignment]
    customer_agent_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    language: Annotated[str, Field(max_length=200)] | None = None
    attributes: dict[str, Any] | None = None
    tags: Tags | None = None


class UpdateAgent(Body):
    """Body of `PATCH /agents/{id}`: only the fields given change (API notes)."""

    display_name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    model_type: ModelType2025 | None = None
    phone_number: Annotated[str, Field(max_length=200), PHONE_OR_SIP] | None = None
    endpoint: Annotated[str, Field(max_length=200), HTTP_URL] | None = None
    prompt: Annotated[str, Field(max_length=50_000)] | None = None
    metadata: Annotated[AgentMetadata, at_most(10 * MB)] | None = None
    workflows: Annotated[dict[str, Any], at_most(10 * MB)] | None = None
    metric_ids: list[Id22] | None = None
    test_set_ids: list[Id8Or22] | None = None


class UpdateAgent2026(UpdateAgent):
    """Body of `PATCH /agents/{id}` under 2026-10."""

    model_type: ModelType2026 | None = None  # type: ignore[assignment]
    metadata: Annotated[AgentMetadata2026, at_most(10 * MB)] | None = None
    test_set_ids: list[Id8] | None = None
    customer_agent_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    language: Annotated[str, Field(max_length=200)] | None = None
    attributes: dict[str, Any] | None = None
    tags: Tags | None = None


def check_needs(agent: Mapping[str, Any], needs: Needs) -> None:
    """Raise the first thing that an agent lacks for its model_type, as a pydantic error that names the field."""
    model_type = agent["model_type"]
    if needs.direct_only and _at(agent, "metadata.connection_mode") not in (None, "direct"):
        return
    for path in needs.fields:
        if _at(agent, path) in (None, "", {}):
            raise PydanticCustomError(
                Code.REQUIRED,
                "{model_type} needs {path}",
                {"model_type": model_type, "path": path, "field": path},
            )
    if needs.phone_only and not is_phone_number(agent["phone_number"]):
        raise PydanticCustomError(
            Code.WRONG_FORM,
            "{model_type} needs a phone number such as +12345678901; a SIP address does not do",
            {"model_type": model_type, "field": "phone_number"},
        )
    if needs.wss:
        fault = url_fault(str(_at(agent, "metadata.endpoint")), ("wss",), public=True)
        if fault:
            raise PydanticCustomError(
                Code.BAD_URL,
                "metadata.endpoint is {found}; it {fault}",
                {
                    "found": quote_value("endpoint", _at(agent, "metadata.endpoint")),
                    "fault": fault,
                    "field": "metadata.endpoint",
                },
            )


def _at(body: Mapping[str, Any], path: str) -> Any:
    value: Any = body
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


AGENTS = Resource(
    name="agents",
    path="/agents",
    singular="agent",
    plural="agents",
    label="display_name",
    names=("display_name", "customer_agent_id"),
    unique=(Unique("customer_agent_id", refused=True), Unique("display_name")),
    create={Contract.V2025_10: CreateAgent, Contract.V2026_10: CreateAgent2026},
    update={Contract.V2025_10: UpdateAgent, Contract.V2026_10: UpdateAgent2026},
    references=(
        Reference("metric_ids", "metrics"),
        Reference("test_set_ids", "test-sets"),
        Reference("metadata.persona_id", "personas"),
    ),
    cleared_by_null=frozenset({"phone_number", "endpoint", "prompt", "language"}),  # its create page: `string | null`
)
