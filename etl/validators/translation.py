"""The model's verdict as findings: every kind of pydantic error has its code here, in one closed table.

A test walks pydantic's list of error types, so that an upgrade cannot add one that has no code. Must never know which
resource a model belongs to.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from etl.problems import Code
from etl.resources import FieldSpec, Kind
from etl.validators.sentences import Finding

_TYPES: Mapping[Code, str] = {
    Code.REQUIRED: """missing missing_argument missing_keyword_only_argument missing_positional_only_argument
        union_tag_not_found""",
    Code.UNKNOWN_FIELD: "extra_forbidden no_such_attribute unexpected_keyword_argument unexpected_positional_argument",
    Code.MALFORMED_JSON: "json_invalid json_type recursion_loop recursion_depth_exceeded",
    Code.TOO_SHORT: "string_too_short bytes_too_short",
    Code.TOO_LONG: "string_too_long bytes_too_long url_too_long",
    Code.TOO_FEW_ITEMS: "too_short",
    Code.TOO_MANY_ITEMS: "too_long",
    Code.NOT_AN_OPTION: "literal_error enum union_tag_invalid",
    Code.WRONG_FORM: """string_pattern_mismatch string_unicode string_not_ascii bytes_invalid_encoding value_error
        assertion_error date_parsing date_from_datetime_parsing date_from_datetime_inexact time_parsing datetime_parsing
        datetime_object_invalid datetime_from_date_parsing timezone_naive timezone_aware timezone_offset
        time_delta_parsing uuid_parsing uuid_version invalid_key""",
    Code.OUT_OF_RANGE: """greater_than greater_than_equal less_than less_than_equal multiple_of finite_number
        int_parsing_size date_past date_future datetime_past datetime_future decimal_max_digits decimal_max_places
        decimal_whole_digits""",
    Code.BAD_URL: "url_parsing url_syntax_violation url_scheme",
    Code.NOT_AN_INTEGER: "int_type int_parsing int_from_float",
    Code.NOT_A_NUMBER: """float_type float_parsing decimal_type decimal_parsing fraction_type fraction_parsing
        complex_type complex_str_parsing""",
    Code.NOT_A_BOOLEAN: "bool_type bool_parsing",
    Code.MUTUALLY_EXCLUSIVE: "multiple_argument_values",
    Code.WRONG_TYPE: """model_type string_type dict_type list_type none_required needs_python_object frozen_field
        frozen_instance get_attribute_error model_attributes_type dataclass_type dataclass_exact_type named_tuple_type
        default_factory_not_called iterable_type iteration_error frozen_dict_type ordered_dict_type counter_type
        mapping_type deque_type tuple_type set_type set_item_not_hashable bytes_type missing_sentinel_error
        ellipsis_error date_type time_type datetime_type time_delta_type frozen_set_type is_instance_of is_subclass_of
        callable_type arguments_type url_type uuid_type""",
}

_OURS: Mapping[str, Code] = {code.value: code for code in Code}
"""Our models' own errors are named by their code."""

CODES: Mapping[str, Code] = {**_OURS, **{kind: code for code, kinds in _TYPES.items() for kind in kinds.split()}}
"""The code of every error that a model can raise."""

_KINDS: Mapping[str, str] = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a JSON list",
    "dict_type": "a JSON object",
    "model_type": "a JSON object",
}
"""What a field takes, by the error that says it was given something else."""


def translate(errors: Sequence[ErrorDetails], fields: Mapping[str, FieldSpec]) -> Iterator[Finding]:
    """The findings in a body's validation errors: one for each field, or for each item of a list.

    Where a field takes several kinds of value, pydantic lists why each kind did not fit. The finding speaks of the kind
    that was meant; where none was, it names them all. `fields` are the model's, by dotted path.
    """
    places: dict[tuple[str | None, int | None], list[ErrorDetails]] = {}
    for error in errors:
        field, item, _ = _locate(error, fields)
        places.setdefault((field, item), []).append(error)
    for together in places.values():
        meant = next((error for error in together if error["type"] not in _KINDS), together[0])
        wanted = dict.fromkeys(_KINDS[error["type"]] for error in together if error["type"] in _KINDS)
        yield _finding(meant, fields, tuple(wanted) if len(together) > 1 or meant["type"] in _KINDS else ())


def _finding(error: ErrorDetails, fields: Mapping[str, FieldSpec], wanted: tuple[str, ...]) -> Finding:
    context = error.get("ctx", {})
    field, item, part = _locate(error, fields)
    spec = _spec(field, item, part, context, fields)
    code = _code(error, wanted)
    found = None if code is Code.REQUIRED or error["type"] == "json_invalid" else error["input"]
    if not error["loc"] and error["type"] in _OURS:
        return Finding(code, context.get("field"), None, spec, condition=error["msg"])
    if code is Code.NOT_AN_OPTION and isinstance(found, dict):
        found = context.get("tag")
    return Finding(code, field, found, spec, item, part, reason=_reason(error), wanted=wanted)


def _code(error: ErrorDetails, wanted: tuple[str, ...]) -> Code:
    """As the table says, but for a field of several kinds, and for text whose length was asked after another check."""
    code = CODES[error["type"]]
    if error["type"] in _KINDS and len(wanted) > 1:
        return Code.WRONG_TYPE
    if isinstance(error["input"], str):
        return {Code.TOO_MANY_ITEMS: Code.TOO_LONG, Code.TOO_FEW_ITEMS: Code.TOO_SHORT}.get(code, code)
    return code


def _reason(error: ErrorDetails) -> str:
    """The model's own words where they are ours ("should be …"); else pydantic's, made to follow the field's name."""
    if error["type"] in _OURS:
        return error["msg"]
    return "" if error["type"] == "string_pattern_mismatch" else f"is not accepted: {error['msg']}"


def _locate(error: ErrorDetails, fields: Mapping[str, FieldSpec]) -> tuple[str | None, int | None, str | None]:
    """The dotted path of the field, the place of the item in its list, and the key inside that item.

    pydantic puts the names of a union's members between: `("script_turns", 5, "tagged-union[…]", "dtmf", "digits")`.
    """
    path, rest = "", list(error["loc"])
    while rest and isinstance(rest[0], str) and (not path or f"{path}.{rest[0]}" in fields):
        path = f"{path}.{rest.pop(0)}" if path else str(rest.pop(0))
    item = rest.pop(0) if rest and isinstance(rest[0], int) else None
    part = str(rest[-1]) if len(rest) > 2 else None
    if error["type"] == "union_tag_not_found":
        part = error["ctx"]["discriminator"].strip("'")
    return path or None, item if isinstance(item, int) else None, part


def _spec(
    field: str | None,
    item: int | None,
    part: str | None,
    context: Mapping[str, Any],
    fields: Mapping[str, FieldSpec],
) -> FieldSpec:
    """The field's own limits where it has them listed; else those that the error names."""
    spec = fields.get(field or "")
    if item is not None and spec is not None:
        spec = spec.item
    if spec is not None and part is None:
        return spec
    expected = context.get("expected_tags", context.get("expected", ""))
    return FieldSpec(
        field or "",
        Kind.TEXT,
        min_length=context.get("min_length"),
        max_length=context.get("max_length"),
        min_items=context.get("min_length"),
        max_items=context.get("max_length"),
        pattern=context.get("pattern"),
        options=tuple(re.findall(r"'([^']*)'", expected)),
        minimum=context.get("ge", context.get("gt")),
        maximum=context.get("le", context.get("lt")),
    )
