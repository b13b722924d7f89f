"""Rules made from a resource's fields: each a name, a field, a code and a column expression that is true where broken.

Must never know the pydantic models themselves, only the flat `FieldSpec`s that are read off them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from math import isinf
from operator import or_

import polars as pl
from pydantic_core import from_json

from etl.batch import ROW
from etl.problems import Code
from etl.resources import FieldSpec, Kind
from etl.validators.sentences import Finding

_INTEGER = r"^-?(?:0|[1-9][0-9]*)$"
_NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"
_BOOLEAN = r"^(?:true|false)$"
"""The forms of JSON (RFC 8259, sections 3 and 6)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit of one field.

    `bad` is Boolean, one a row; null counts as kept. `item` (UInt32, one a row) is the place of the first bad item,
    for rules about the items of a list. `spec` holds the limit.
    """

    name: str
    code: Code
    spec: FieldSpec
    bad: pl.Expr
    item: pl.Expr | None = None
    wanted: tuple[str, ...] = ()


def make_rules(fields: Mapping[str, FieldSpec], required: Mapping[str, FieldSpec], columns: list[str]) -> list[Rule]:
    """The rules for a frame with these columns: what is required first, then the fields in use.

    `fields` are the fields in use by dotted path, `required` those that a body cannot do without.
    """
    rules = [_required(spec, columns) for spec in required.values()]
    rules += [rule for path, spec in fields.items() if path in columns for rule in _rules_of(spec)]
    return rules


def find_broken(frame: pl.DataFrame, rules: list[Rule]) -> Iterator[tuple[int, Finding]]:
    """Row numbers with what is wrong there, rule by rule. All rules run over whole columns; only bad rows are built."""
    if not rules or frame.is_empty():
        return
    flags = frame.select([rule.bad.fill_null(value=False).alias(str(place)) for place, rule in enumerate(rules)])
    for rule, flag in zip(rules, flags.iter_columns(), strict=True):
        if flag.any():
            yield from _findings(rule, frame.filter(flag))


def _findings(rule: Rule, bad: pl.DataFrame) -> Iterator[tuple[int, Finding]]:
    path = rule.spec.path
    found = pl.col(path) if path in bad.columns else pl.lit(None)
    item = pl.lit(None) if rule.item is None else rule.item
    for row, value, place in bad.select(pl.col(ROW), found.alias("found"), item.alias("item")).iter_rows():
        if place is None:
            yield row, Finding(rule.code, path, _as_found(rule.spec, value), rule.spec, wanted=rule.wanted)
        else:
            spec = rule.spec.item or rule.spec
            yield row, Finding(rule.code, path, value[place], spec, item=place, wanted=rule.wanted)


def _as_found(spec: FieldSpec, value: str | list[str] | None) -> object:
    """A cell's value, with JSON text read, so that a number is quoted as a number; where it can be read."""
    if spec.kind in {Kind.TEXT, Kind.LIST} or not isinstance(value, str):
        return value
    try:
        read = from_json(value)
    except ValueError:
        return value
    return value if isinstance(read, float) and isinf(read) else read


def _required(spec: FieldSpec, columns: list[str]) -> Rule:
    """A field is there when its own column, or one of a field inside it, holds something."""
    own = [pl.col(name) for name in columns if name == spec.path or name.startswith(f"{spec.path}.")]
    absent = pl.all_horizontal([column.is_null() for column in own]) if own else pl.col(ROW).is_not_null()
    return Rule(f"{spec.path}.required", Code.REQUIRED, spec, absent)


def _rules_of(spec: FieldSpec) -> Iterator[Rule]:
    column = pl.col(spec.path)
    match spec.kind:
        case Kind.TEXT:
            yield from _text_rules(spec, column)
        case Kind.LIST:
            yield from _list_rules(spec, column)
        case Kind.INTEGER:
            yield _form(spec, Code.NOT_AN_INTEGER, _is_no(column, _INTEGER), "a whole number")
            yield from _range_rules(spec, column)
        case Kind.NUMBER:
            yield _form(spec, Code.NOT_A_NUMBER, _is_no(column, _NUMBER), "a number")
            yield from _range_rules(spec, column)
        case Kind.BOOLEAN:
            yield _form(spec, Code.NOT_A_BOOLEAN, _is_no(column, _BOOLEAN), "true or false")
        case Kind.OBJECT | Kind.JSON:
            return


def _text_rules(spec: FieldSpec, text: pl.Expr) -> Iterator[Rule]:
    """In the order in which the model asks, so that the first broken rule is the one it would name."""
    if spec.min_length is not None:
        yield _form(spec, Code.TOO_SHORT, text.str.len_chars() < spec.min_length)
    if spec.max_length is not None:
        yield _form(spec, Code.TOO_LONG, text.str.len_chars() > spec.max_length)
    if spec.pattern is not None:
        yield _form(spec, Code.WRONG_FORM, ~text.str.contains(spec.pattern))
    if spec.options:
        yield _form(spec, Code.NOT_AN_OPTION, ~text.is_in(spec.options))


def _is_no(column: pl.Expr, form: str) -> pl.Expr:
    """JSON text of another form. A null sent on purpose is left to the model, which knows the fields that take one."""
    return ~column.str.contains(form) & (column != "null")


def _range_rules(spec: FieldSpec, column: pl.Expr) -> Iterator[Rule]:
    number = column.cast(pl.Float64, strict=False)
    broken = [] if spec.kind is Kind.INTEGER else [number.is_infinite()]
    if spec.minimum is not None:
        broken.append(number < spec.minimum)
    if spec.maximum is not None:
        broken.append(number > spec.maximum)
    if broken:
        yield _form(spec, Code.OUT_OF_RANGE, reduce(or_, broken))


def _list_rules(spec: FieldSpec, column: pl.Expr) -> Iterator[Rule]:
    if spec.min_items is not None:
        yield _form(spec, Code.TOO_FEW_ITEMS, column.list.len() < spec.min_items)
    if spec.max_items is not None:
        yield _form(spec, Code.TOO_MANY_ITEMS, column.list.len() > spec.max_items)
    item = spec.item or FieldSpec(f"{spec.path}[]", Kind.TEXT)
    yield _of_items(spec, _form(item, Code.WRONG_TYPE, pl.element().is_null(), "text"))
    for rule in _text_rules(item, pl.element()):
        yield _of_items(spec, rule)


def _of_items(spec: FieldSpec, rule: Rule) -> Rule:
    """A rule about one item as a rule about the list: broken where any item breaks it."""
    column, bad = pl.col(spec.path), rule.bad.fill_null(value=False)
    return Rule(rule.name, rule.code, spec, column.list.agg(bad.any()), column.list.agg(bad.arg_max()), rule.wanted)


def _form(spec: FieldSpec, code: Code, bad: pl.Expr, *wanted: str) -> Rule:
    return Rule(f"{spec.path}.{code}", code, spec, bad, wanted=wanted)
