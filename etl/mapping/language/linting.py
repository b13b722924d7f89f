"""What is wrong with a mapping file, in sentences that end with the fix, each with the place where it stands.

Must never know the columns of any input: this is what can be said of a mapping alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from etl.expressions import ExpressionError, check_expression
from etl.mapping.cells.names import fold, spelled, suggest
from etl.mapping.fields.dialects import declared_spec, find_target
from etl.mapping.fields.kinds import FORMS, NOUNS, constant
from etl.mapping.language.spec import Into, Mapping, Rule, known_keys
from etl.mapping.language.yamlfile import Loc, Places, TwiceError, YamlError, keys_twice, plain, read_yaml
from etl.mapping.steps import STEPS, Form
from etl.mapping.steps.text import Entry
from etl.resources import RESOURCES, Contract, FieldSpec, Kind, Resource

Place = tuple[str, str, *tuple[str | int, ...]]
"""Where a rule stands: `fields`, the field, and further in."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in a mapping file: where, and what would mend it."""

    line: int
    column: int
    sentence: str


def lint(text: str, file: str) -> tuple[Mapping | None, list[Fault]]:
    """A mapping from its YAML text, and every fault found in it, in the order of the file. No mapping with faults."""
    root, wrong = _read(text)
    if root is None:
        return None, _in_order([], Places(dict), wrong)
    places = Places(lambda: root)
    mapping, found = _take_in(root, places)
    if mapping is not None:
        mapping.place(file, places)
        found += _check(mapping)
    faults = _in_order(found, places, wrong)
    return (None if faults else mapping), faults


def _read(text: str) -> tuple[Any, list[YamlError]]:
    """The values of a file (None: it has none), and what is wrong with its YAML. Keys that stand twice hide no more."""
    try:
        return read_yaml(text), []
    except TwiceError:
        wrong: list[YamlError] = [*keys_twice(text)]
    except YamlError as error:
        return None, [error]
    try:
        return read_yaml(text, allow_twice=True), wrong
    except YamlError as error:
        return None, [*wrong, error]


def _take_in(root: Any, places: Places) -> tuple[Mapping | None, list[tuple[Loc, str]]]:
    """The mapping that a file is, or that the sound part of it is, and what is wrong with the rest."""
    try:
        return Mapping.model_validate(root), []
    except ValidationError as error:
        wrong = error.errors(include_url=False)
    found: dict[Any, tuple[Loc, str]] = {}
    for details in wrong:  # of what is said of one key as this or that, the first is enough
        loc = details["loc"]
        found.setdefault((places.of(loc), loc if details["type"] == "missing" else None), (loc, _say(details)))
    try:
        rest = Mapping.model_validate(_sound_part(plain(root), [details["loc"] for details in wrong]))
    except ValidationError:
        rest = None
    return rest, [*found.values()]


def _sound_part(root: dict[str, Any], wrong: Sequence[Loc]) -> dict[str, Any]:
    """A file without the fields and keys that are wrong, for the others to be looked at."""
    rest = dict(root)
    for first, *others in wrong:
        fields = rest.get("fields")
        if first == "fields" and others and isinstance(fields, dict):
            rest["fields"] = {path: rule for path, rule in fields.items() if str(path) != str(others[0])}
        else:
            rest.pop(str(first), None)
    if any(loc[0] == "source" for loc in wrong):
        rest["source"] = {"group_by": ["unknown"]}  # so that nothing is said of fields that need it
    return {"version": 1, "name": "unknown"} | rest


def _in_order(found: Sequence[tuple[Loc, str]], places: Places, wrong: Sequence[YamlError]) -> list[Fault]:
    placed = dict.fromkeys((*places.of(loc), sentence) for loc, sentence in found)
    placed |= dict.fromkeys((error.line, error.column, error.sentence) for error in wrong)
    return [Fault(*one) for one in sorted(placed, key=lambda one: one[:2])]


_SHOULD_BE = {
    "string_type": "text; put it in quotes",
    "list_type": "a list, such as [one, two], or one text in quotes",
    "dict_type": "keys and values, such as {key: value}",
    "model_type": "keys and values, such as {key: value}",
    "model_attributes_type": "keys and values, such as {key: value}",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "too_short": "more than nothing; add an entry or remove the key",
    "string_too_short": "more than nothing; write a name or remove it",
    "string_too_long": "shorter",
    "greater_than_equal": "1 or more",
}


def _say(details: ErrorDetails) -> str:
    """A pydantic error in our words: none of its own text is passed on."""
    loc = details["loc"]
    key = next((part for part in reversed(loc) if isinstance(part, str) and not part.startswith("literal[")), "")
    key = "a key" if key == "[key]" else key
    if "header_row" in loc:
        return "header_row is the number of the header's row, from 1, or auto; write one of them"
    match details:
        case {"type": "mapping", "msg": said}:
            sentence = said
        case {"type": "extra_forbidden"}:
            sentence = _say_unknown_key(loc)
        case {"type": "missing"}:
            sentence = f"the key {key} is missing; add {_EXAMPLES.get(key, f'{key}: …')}"
        case {"type": "union_tag_invalid", "ctx": {"tag": tag}}:
            sentence = f'unknown step "{tag}"{suggest(str(tag), STEPS)}; use one of {spelled(list(STEPS), 40)}'
        case {"type": "literal_error", "ctx": {"expected": expected}, "input": written}:
            into = ", or {into: metric_input.source}" if key == "unmapped" else ""
            sentence = f"{key} cannot be {_shown(written)}; use {expected}{into}"
        case {"type": "string_pattern_mismatch"}:
            sentence = f"{key} consists of small letters, digits, - and _; write it like support-suite"
        case {"type": kind}:
            other = "written differently; see a ready-made mapping for an example"
            sentence = f"{key} should be {_SHOULD_BE.get(kind, other)}"
    return sentence


_EXAMPLES = {
    "version": "version: 1",
    "name": "name: my-suite",
    "resource": "resource: test-cases",
    "fields": "fields: {input_str: {from: Input}}",
}


def _say_unknown_key(loc: Loc) -> str:
    key = str(loc[-1])
    if "steps" in loc:
        step = next(str(part) for part in reversed(loc[:-1]) if part in STEPS)
        model = STEPS[step] if loc[-2] == step else Entry
        known = [info.alias or name for name, info in model.model_fields.items() if name != "step"]
        owner = f"the step {step}" if loc[-2] == step else f"an entry of {step}"
    else:
        known = known_keys(loc[:-1])
        owner = "this place" if loc[:-1] else "a mapping"
    use = f"use one of {spelled(known, 20)}" if known else "remove it"
    return f'unknown key "{key}" in {owner}{suggest(key, known)}; {use}'


def _check(mapping: Mapping) -> Iterator[tuple[Loc, str]]:
    resource = RESOURCES.get(mapping.resource)
    if resource is None:
        near = suggest(mapping.resource, RESOURCES)
        yield ("resource",), f'unknown resource "{mapping.resource}"{near}; use one of {spelled(list(RESOURCES))}'
        return
    if mapping.source.where is not None:
        yield from _check_expression(mapping.source.where, ("source", "where"))
    yield from _check_rest(mapping, resource)
    for number, own in enumerate(mapping.rules):
        yield from _check_expression(own.expr, ("rules", number, "expr"))
        if own.field is not None and declared_spec(resource, own.field) is None:
            yield ("rules", number, "field"), _say_unknown_target(resource, own.field)
    for path, rule in mapping.fields.items():
        loc = ("fields", path)
        spec = declared_spec(resource, path)
        if spec is None:
            yield loc, _say_unknown_target(resource, path)
            continue
        yield from _check_source(rule, loc)
        yield from _check_collecting(mapping, rule, loc)
        yield from _check_steps(rule, loc, resource)
        yield from _check_parts(mapping, rule, loc, resource)
        yield from _check_constants(rule, loc, spec)


def _check_rest(mapping: Mapping, resource: Resource) -> Iterator[tuple[Loc, str]]:
    """`unmapped: {into: …}`, and fields that are one and the same under different names."""
    paths = list(mapping.fields)
    if isinstance(mapping.unmapped, Into):
        into = mapping.unmapped.into
        spec = declared_spec(resource, into)
        if spec is None or spec.kind not in {Kind.OBJECT, Kind.JSON}:
            advice = "name an object, or a key inside one, such as metric_input.source"
            yield ("unmapped", "into"), f"{into} cannot hold the other columns; {advice}"
        elif into in mapping.fields:
            yield ("unmapped", "into"), f"{into} is filled by fields already; name another key, such as {into}.source"
    for path in paths:
        above = [other for other in paths if path.startswith(f"{other}.") and not _is_object(resource, other)]
        if above:
            advice = "keep one of them, or name another key"
            yield ("fields", path), f"{path} stands inside {above[0]}, which has a value of its own; {advice}"
    targets = {path: [find_target(resource, path, contract) for contract in Contract] for path in paths}
    sent = {path: [(target.path, target.shape) for target in found] for path, found in targets.items()}
    for number, path in enumerate(paths):
        for other in paths[:number]:
            if sent[path] == sent[other] and not {path, other} & _WRAPPING:
                yield ("fields", path), f"{path} and {other} are the same field; keep one of them"


def _is_object(resource: Resource, path: str) -> bool:
    """Whether the API itself has an object there: what stands inside it joins what is given whole."""
    return any(path in resource.fields(contract) for contract in Contract)


def _say_unknown_target(resource: Resource, path: str) -> str:
    known = sorted({path for contract in Contract for path in resource.fields(contract)})
    parent = path.rpartition(".")[0]
    if parent in known:
        return f"{parent} is no object, so it has no {path.rpartition('.')[2]}; map {parent} itself"
    return f'{resource.name} have no field "{path}"{suggest(path, known)}; use one of {spelled(known, 40)}'


def _check_source(rule: Rule, loc: Place) -> Iterator[tuple[Loc, str]]:
    given = [
        key
        for key in ("from", "from_one_of", "from_pattern", "value", "template", "collect", "expr", "all_of")
        if rule.has(key)
    ]
    if not given:
        yield loc, f"nothing says where {loc[1]} comes from; add from: COLUMN or value: …"
    elif len(given) > 1 and given not in (["from", "from_pattern"], ["from_one_of", "from_pattern"]):
        yield (*loc, given[1]), f"{loc[1]} has {spelled(given)}; keep one of them"
    for number, pattern in enumerate(rule.from_pattern or []):
        if pattern.count("{n}") != 1:
            yield (*loc, "from_pattern", number), 'from_pattern needs one {n}; write it like "Turn {n}"'
    if rule.expr is not None:
        yield from _check_expression(rule.expr, (*loc, "expr"))
    if "value" in given and rule.steps:
        yield (*loc, "steps"), "steps do not apply to value; write the value as it should be sent, without steps"


_IN_PARTS = ("from", "from_pattern", "template", "collect", "only", "steps")


def _check_parts(mapping: Mapping, rule: Rule, loc: Place, resource: Resource) -> Iterator[tuple[Loc, str]]:
    """The sources of `all_of`."""
    for number, part in enumerate(rule.all_of or ()):
        place = (*loc, "all_of", number)
        others = [key for key in known_keys(place) if part.has(key) and key not in _IN_PARTS]
        if others:
            yield place, f"a source of all_of has {spelled(others)}; use {spelled(list(_IN_PARTS), 8)} only"
            continue
        yield from _check_source(part, place)
        yield from _check_collecting(mapping, part, place)
        yield from _check_steps(part, place, resource, inner=True)


def _check_collecting(mapping: Mapping, rule: Rule, loc: Place) -> Iterator[tuple[Loc, str]]:
    if rule.collect is not None and mapping.source.group_by is None:
        yield (*loc, "collect"), "collect takes the rows of a record; add source: {group_by: COLUMN}"
    if rule.only is not None and rule.collect is None:
        yield (*loc, "only"), "only says which rows collect takes; add collect: COLUMN, or use where"


def _check_expression(text: str, loc: Loc) -> Iterator[tuple[Loc, str]]:
    try:
        check_expression(text)
    except ExpressionError as error:
        yield loc, str(error)


def _check_steps(rule: Rule, loc: Place, resource: Resource, *, inner: bool = False) -> Iterator[tuple[Loc, str]]:
    """Whether each step can work on what the one before leaves, and the field take what the last leaves: but not of an
    `inner` source, of which a list takes anything.
    """
    check = partial(_check_chain, rule, loc, None if inner else resource)
    if rule.all_of is not None:
        yield from check(Form.LIST)
    elif rule.collect is not None:
        yield from check(Form.LIST if isinstance(rule.collect, str) else Form.JSON)
    elif not rule.from_pattern or rule.from_ or rule.from_one_of:
        yield from check(Form.TEXT)
    if rule.from_pattern:
        yield from check(Form.LIST)


def _check_chain(rule: Rule, loc: Place, resource: Resource | None, form: Form) -> Iterator[tuple[Loc, str]]:
    for number, step in enumerate(rule.steps):
        if form not in step.takes:
            yield (*loc, "steps", number), f"the step {step.step} does not work on {_FORMS[form]}; {_ADVICE[form]}"
            return
        form = step.gives or form
    if rule.map_ is not None and form is not Form.TEXT:
        yield (*loc, "map"), f"map works on text, and the steps leave {_FORMS[form]}; take out the step that makes it"
        return
    if resource is None:
        return
    targets = [find_target(resource, loc[1], contract) for contract in Contract]
    wrong = [target.via for target in targets if target.spec and form not in FORMS[target.via]]
    if wrong and loc[1] not in _WRAPPING:
        advice = "add the step join" if form is Form.LIST else "take out the step that makes it"
        yield loc, f"{loc[1]} takes {NOUNS[wrong[0]]}, and the steps leave {_FORMS[form]}; {advice}"


_WRAPPING = frozenset({"expected_output_str"})
"""A text that becomes a list: the steps may as well make the list."""
_FORMS = {Form.TEXT: "text", Form.LIST: "a list", Form.JSON: "JSON"}
_ADVICE = {
    Form.TEXT: "put a step such as split, lines or wrap before it",
    Form.LIST: "put the step join before it, or take it out",
    Form.JSON: "take one of the two steps out",
}


def _check_constants(rule: Rule, loc: tuple[str, str], spec: FieldSpec) -> Iterator[tuple[Loc, str]]:
    kind = spec.kind
    for key, value in (("value", rule.value), ("default", rule.default)):
        if rule.has(key) and constant(kind, value) is None:
            advice = "; put it in quotes" if kind is Kind.TEXT else ""
            yield (*loc, key), f"{loc[1]} takes {NOUNS[kind]}, and {key} is {_shown(value)}{advice or '; change it'}"
    yield from _check_options(rule, loc, spec)
    for word, meant in (rule.map_ or {}).items():
        if not isinstance(word, str | int | float) or not isinstance(meant, str | int | float):
            yield (
                (*loc, "map", word),
                "map has a word of the file on the left and what it means on the right: both plain",
            )


def _check_options(rule: Rule, loc: tuple[str, str], spec: FieldSpec) -> Iterator[tuple[Loc, str]]:
    """Words that a mapping sends, where the API takes only some."""
    given: list[tuple[Loc, Any]] = [((*loc, key), getattr(rule, key)) for key in ("value", "default") if rule.has(key)]
    given += [((*loc, "map", word), meant) for word, meant in (rule.map_ or {}).items()]
    for place, word in given:
        if spec.options and isinstance(word, str) and fold(word) not in map(fold, spec.options):
            yield place, f"{loc[1]} cannot be {word}{suggest(word, spec.options)}; use one of {spelled(spec.options)}"


def _shown(value: Any) -> str:
    return "empty" if value is None else repr(value) if isinstance(value, str | int | float) else "of another kind"
