"""Personas: `POST /personas` (API notes; bounds as in the vendor's client 0.9.7). Must never know who calls whom."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from etl.resources.contract import Contract
from etl.resources.resource import Body, Resource, Unique

Name200 = Annotated[str, Field(min_length=1, max_length=200)]
_SOUNDS = (
    "off|office|lounge|crowd|airport|bus|playground|doorbell|train-arrival|portable-air-conditioner|skatepark|"
    "small-dog-bark|cafe|ferry-and-announcement|heavy-rain|moderate-wind|newborn-baby-crying|office-with-alarm|"
    "street-with-sirens|construction-work|backchanneling|custom:[A-Za-z0-9_-]+"
)
BackgroundSound = Annotated[str, StringConstraints(max_length=100, pattern=rf"^({_SOUNDS})$")]
"""The sounds that the vendor's client 0.9.7 lets through, in a request and in an answer."""


class _PersonaOptions(Body):
    """What creating and updating a persona share. The notes name three fields; the bounds are the vendor's client's."""

    persona_prompt: str | None = None
    background_sound: BackgroundSound | None = None
    background_sound_volume: Annotated[float, Field(ge=0)] | None = None
    voice_volume: Annotated[float, Field(ge=0, le=2)] | None = None
    voice_speed: Annotated[float, Field(ge=0.25, le=2)] | None = None
    wait_seconds: Annotated[float, Field(ge=0.1, le=2)] | None = None
    conversation_initiation: Literal["speak_first", "wait_for_user"] | None = None
    interruption_rate: Literal["NONE", "LOW", "MEDIUM", "HIGH"] | None = None
    interruption_instructions_enabled: bool | None = None
    multi_language_stt: bool | None = None
    hold_music_timeout_seconds: Annotated[float, Field(ge=5, le=300)] | None = None
    silent_mode: bool | None = None
    custom_persona_data: Annotated[str, Field(max_length=16_383)] | None = None
    initialization_parameters: dict[str, Any] | None = None


class CreatePersona(_PersonaOptions):
    """Body of `POST /personas`: name 1-200, voice_name and language_code required (API notes)."""

    name: Name200
    voice_name: str
    language_code: str


class PhoneChoice(Body):
    """Which of the organisation's numbers the persona calls from (vendor's client 0.9.7)."""

    phone_number_index: Annotated[int, Field(ge=1)]
    phone_number_name: str | None = None


class AudioDegradation(Body):
    """How bad the line is (vendor's client 0.9.7)."""

    preset: str
    preset_version: int | None = None


Voice = Literal["alloy", "ash", "ballad", "coral", "echo", "marin", "sage", "shimmer", "verse"]
PersonaTags = Annotated[list[Annotated[str, StringConstraints(max_length=200)]], Field(max_length=20)]


class CreatePersona2026(CreatePersona):
    """Body of `POST /personas` under 2026-10: what the vendor's client 0.9.7 added, at most 20 tags."""

    voice: Voice | None = None
    custom_voice_id: Annotated[str, Field(min_length=1)] | None = None
    situate_speaker: Literal["speakerphone-easy", "speakerphone-hard"] | None = None
    multi_phone_config: PhoneChoice | None = None
    audio_degradation: AudioDegradation | None = None
    tags: PersonaTags | None = None


class UpdatePersona(_PersonaOptions):
    """Body of `PATCH /personas/{id}`: only the fields given change (API notes)."""

    name: Name200 | None = None
    voice_name: str | None = None
    language_code: str | None = None


class UpdatePersona2026(UpdatePersona):
    """Body of `PATCH /personas/{id}` under 2026-10."""

    voice: Voice | None = None
    custom_voice_id: Annotated[str, Field(min_length=1)] | None = None
    situate_speaker: Literal["speakerphone-easy", "speakerphone-hard"] | None = None
    multi_phone_config: PhoneChoice | None = None
    audio_degradation: AudioDegradation | None = None
    tags: PersonaTags | None = None


PERSONAS = Resource(
    name="personas",
    path="/personas",
    singular="persona",
    plural="personas",
    label="name",
    names=("name",),
    unique=(Unique("name"),),
    create={Contract.V2025_10: CreatePersona, Contract.V2026_10: CreatePersona2026},
    update={Contract.V2025_10: UpdatePersona, Contract.V2026_10: UpdatePersona2026},
    cleared_by_null=frozenset(  # vendor's client 0.9.7
        {
            *("persona_prompt", "background_sound", "background_sound_volume", "voice_volume", "voice_speed"),
            *("wait_seconds", "conversation_initiation", "multi_language_stt", "hold_music_timeout_seconds"),
            *("silent_mode", "custom_persona_data", "initialization_parameters"),
        }
    ),
)
