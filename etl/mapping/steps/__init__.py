"""Steps: what a mapping may do to a column, one class each, by the name that it has in a mapping file."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from etl.mapping.steps.kinds import KINDS, Keep, Without
from etl.mapping.steps.lists import DropEmpty, Each, Join, Lines, Split, Wrap
from etl.mapping.steps.scripts import ENTRIES, SPEECH, UNMARKED, AgentLines, Transcript, Turns
from etl.mapping.steps.step import Form, Operation, Step
from etl.mapping.steps.text import EMPTY_TO_NULL, BlankToNull, Lower, Nfc, Replace, Rewrite, Strip, Upper
from etl.mapping.steps.values import Boolean, Date, Integer, Json, Number

__all__ = [
    "EMPTY_TO_NULL",
    "ENTRIES",
    "KINDS",
    "SPEECH",
    "STEPS",
    "UNMARKED",
    "AnyStep",
    "BlankToNull",
    "Boolean",
    "Each",
    "Form",
    "Integer",
    "Keep",
    "Number",
    "Operation",
    "Step",
    "Strip",
    "Wrap",
    "WrittenStep",
]

AnyStep = Annotated[
    Strip | Lower | Upper | BlankToNull | Lines | Split | DropEmpty | Json | Integer | Number | Boolean | Date | Wrap
    | Join | Turns | Each | Nfc | Replace | Rewrite | Keep | Without
    | AgentLines | Transcript,
    Field(discriminator="step"),
]  # fmt: skip

STEPS: dict[str, type[Step]] = {
    "strip": Strip,
    "lower": Lower,
    "upper": Upper,
    "blank_to_null": BlankToNull,
    "lines": Lines,
    "split": Split,
    "drop_empty": DropEmpty,
    "json": Json,
    "integer": Integer,
    "number": Number,
    "boolean": Boolean,
    "date": Date,
    "wrap": Wrap,
    "join": Join,
    "turns": Turns,
    "each": Each,
    "nfc": Nfc,
    "replace": Replace,
    "rewrite": Rewrite,
    "keep": Keep,
    "without": Without,
    "agent_lines": AgentLines,
    "transcript": Transcript,
}
"""Every step by the name it has in a mapping file."""


def _written(step: Any) -> Any:
    """A step as it may be written (`strip`, `{join: ", "}`, `{split: {on: [...]}}`), as the models take it."""
    if isinstance(step, str):
        return {"step": str(step)}
    if not isinstance(step, dict) or len(step) != 1:
        raise PydanticCustomError("mapping", "a step is a word such as strip, or {split: {on: [newline]}}", {})
    [(name, options)] = step.items()
    if name not in STEPS:
        return {"step": name}
    if isinstance(options, dict):
        return {"step": name, **options}
    option = STEPS[name].shorthand
    if option is None:
        raise PydanticCustomError("mapping", "{name} has no such option; write it alone: - {name}", {"name": name})
    return {"step": name, option: options}


WrittenStep = Annotated[AnyStep, BeforeValidator(_written)]
