"""The JSON Schema of mapping files (draft 2020-12), for editors: made from the models, the steps and the API's fields.

Must never refuse what the linter takes. It may take what the linter refuses: a schema cannot follow a chain of steps.
"""

import ast
import inspect
import re
import textwrap
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from etl.mapping.fields.kinds import NOUNS
from etl.mapping.language.spec import Mapping, Part, Rule
from etl.mapping.steps import STEPS, Step
from etl.resources import RESOURCES, Contract, FieldSpec, Kind, Resource

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SOURCES = ("from", "from_one_of", "from_pattern", "collect", "value", "template", "expr", "all_of")
"""The keys of a field of which it has one (`from_pattern` also beside the first two)."""

_NUMBERED = r"\{n\}"
_PLAIN = {"type": ["string", "number", "boolean"]}
_CONSTANTS: dict[Kind, Schema] = {
    Kind.TEXT: {"type": "string"},
    Kind.LIST: {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    Kind.INTEGER: {"type": "integer"},
    Kind.NUMBER: {"type": "number"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.OBJECT: {"type": "object"},
    Kind.JSON: {"type": ["object", "array", "string", "number", "boolean"]},
}
"""What `value` and `default` of a field may be."""


def mapping_schema() -> Schema:
    """The whole schema, as JSON values."""
    defs: Schema = {}
    parts = {part.__name__: _part_schema(part) for part in Part.__subclasses__()}
    root, rule = parts.pop(Mapping.__name__), parts[Rule.__name__]
    rule["properties"]["steps"]["items"] = {"$ref": "#/$defs/Step"}
    rule["properties"]["map"]["anyOf"][0]["additionalProperties"] = _PLAIN
    rule["properties"]["from_pattern"] |= {"pattern": _NUMBERED, "items": {"pattern": _NUMBERED}}
    rule |= _one_source()
    defs |= {"Step": _step_schema(defs)} | parts
    root["properties"]["resource"] |= {"enum": [*RESOURCES]}
    defs |= {f"fields-of-{name}": _fields_of(resource) for name, resource in RESOURCES.items()}
    return {
        "$schema": DIALECT,
        "title": "A mapping of coval-etl",
        **root,
        "allOf": [
            {
                "if": {"properties": {"resource": {"const": name}}, "required": ["resource"]},
                "then": {"properties": {"fields": {"$ref": f"#/$defs/fields-of-{name}"}}},
            }
            for name in RESOURCES
        ],
        "$defs": defs,
    }


def key_docs(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a model's fields say, by the names that the fields have in a file."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    statements = body.body if isinstance(body, ast.ClassDef) else []
    said: dict[str, str] = {}
    for field, text in pairwise(statements):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            value = text.value.value if isinstance(text.value, ast.Constant) else None
            if field.target.id in model.model_fields and isinstance(value, str):
                said[model.model_fields[field.target.id].alias or field.target.id] = inspect.cleandoc(value)
    return said


def _part_schema(part: type[BaseModel]) -> Schema:
    """A model's own schema with our words. What it consists of is referred to by the names of the classes."""
    made: Schema = _bare(part.model_json_schema())
    inner = made.pop("$defs", {})
    made = inner.get(part.__name__, made)  # where it refers to itself
    for key, said in key_docs(part).items():
        made["properties"][key]["description"] = said
    return made | {"description": inspect.cleandoc(part.__doc__ or "")}


def _bare(schema: Any) -> Any:
    """A schema of pydantic's without what an editor would only repeat: titles and defaults."""
    if isinstance(schema, list):
        return [_bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _bare(one) for name, one in value.items()} if key in {"properties", "$defs"} else _bare(value)
        for key, value in schema.items()
        if key not in {"title", "default"}
    }


def _step_schema(defs: Schema) -> Schema:
    """A step as it is written: a word, or one key with options."""
    return {
        "description": "One step: a word such as strip, or a word with options such as {split: {on: [newline]}}.",
        "anyOf": [one for name, step in STEPS.items() for one in _forms_of(name, step, defs)],
    }


def _forms_of(name: str, step: type[Step], defs: Schema) -> list[Schema]:
    made = _bare(step.model_json_schema())
    defs |= made.get("$defs", {})
    said = inspect.cleandoc(step.__doc__ or "")
    options = {key: _one_or_list(value) for key, value in made["properties"].items() if key != "step"}
    required = [key for key in made.get("required", ()) if key != "step"]
    whole: Schema = {"type": "object", "properties": options, "additionalProperties": False}
    whole |= {"required": required} if required else {}
    short = [options[step.shorthand]] if step.shorthand else []
    forms: list[Schema] = [] if required else [{"const": name, "description": said}]
    if options:
        written: Schema = {"anyOf": [*short, whole]} if short else whole
        forms.append(
            {
                "type": "object",
                "description": said,
                "properties": {name: written},
                "required": [name],
                "additionalProperties": False,
            }
        )
    return forms


def _one_or_list(option: Schema) -> Schema:
    """A list of texts may be written as its only text."""
    items = option.get("items", {})
    return {"anyOf": [items, option]} if items.get("type") == "string" else option


def _one_source() -> Schema:
    """Exactly one of the sources; steps are not for constants, `only` is for `collect`."""
    beside = {"from_pattern": {"from", "from_one_of"}, "from": {"from_pattern"}, "from_one_of": {"from_pattern"}}
    refused = {key: {other for other in SOURCES if other != key} - beside.get(key, set()) for key in SOURCES}
    clashes: dict[str, Schema] = {
        key: {"properties": {other: False for other in SOURCES if other in refused[key]}} for key in SOURCES
    }
    clashes["value"]["properties"]["steps"] = {"maxItems": 0}
    return {
        "anyOf": [{"required": [key]} for key in SOURCES],
        "dependentSchemas": clashes,
        "dependentRequired": {"only": ["collect"]},
    }


def _fields_of(resource: Resource) -> Schema:
    """The fields of one resource under either contract, and the keys inside its objects."""
    known: dict[str, FieldSpec] = {}
    for contract in Contract:  # the reference pages' words first, as `declared_spec` has it
        known = {**resource.fields(contract), **known}
    objects = [path for path, spec in known.items() if spec.kind is Kind.OBJECT]
    inside = {rf"^{re.escape(path)}\..+": {"$ref": "#/$defs/Rule"} for path in objects}
    return {
        "type": "object",
        "properties": {path: _field(spec) for path, spec in known.items()},
        "patternProperties": inside,
        "additionalProperties": False,
    }


def _field(spec: FieldSpec) -> Schema:
    takes = f"one of {', '.join(spec.options)}" if spec.options else NOUNS[spec.kind]
    constant = _CONSTANTS[spec.kind]
    return {
        "$ref": "#/$defs/Rule",
        "description": f"Takes {takes}.{' The API requires it.' if spec.required else ''}",
        "properties": {"value": constant, "default": constant},
    }
