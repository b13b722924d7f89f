"""Request bodies made in columns equal those made row by row, to the last character of every value."""

import json
from typing import Any

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from etl.mapping import bodies
from etl.resources import FieldSpec, Kind

NASTY = list('"\\\x00\x1f\x7f\u2028\u2029\ufeff\U0001f600é\u0301/{}\n')
"""Characters that JSON, or a careless writer of it, treats in a way of its own."""

texts = st.text(st.characters(codec="utf-8") | st.sampled_from(NASTY), max_size=12)
keys = st.sampled_from(["a", "b", "k", 'q"uote', "é", ""]) | st.text(
    st.characters(codec="utf-8", exclude_characters="."), max_size=3
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=4,
)


def written(value: Any, *, spaced: bool) -> str:
    return json.dumps(value, ensure_ascii=spaced, separators=(" , ", " : ") if spaced else (",", ":"))


objects = st.builds(
    lambda value, spaced: written(value, spaced=spaced), st.dictionaries(keys, values, max_size=3), st.booleans()
)

FIELDS: dict[str, tuple[Kind, st.SearchStrategy[Any]]] = {
    "title": (Kind.TEXT, texts),
    "items": (Kind.LIST, st.lists(texts, max_size=3)),
    "count": (Kind.INTEGER, st.integers().map(str)),
    "speed": (Kind.NUMBER, st.sampled_from(["1.0", "-0.5e-3", "1E400", "100000000000000000001"])),
    "on": (Kind.BOOLEAN, st.sampled_from(["true", "false"])),
    "meta": (Kind.OBJECT, objects),
    "meta.k": (Kind.TEXT, texts),
    "meta.a": (Kind.JSON, objects),
    "meta.a.b": (Kind.LIST, st.lists(texts, max_size=2)),
    'meta.q"uote': (Kind.INTEGER, st.integers().map(str)),
    "lone.x.y": (Kind.TEXT, texts),
    "meta.free": (Kind.JSON, values.map(lambda value: written(value, spaced=False))),
    "lone.z": (Kind.BOOLEAN, st.just("true")),
}
SPECS = {path: FieldSpec(path, kind) for path, (kind, _) in FIELDS.items()}
rows = st.fixed_dictionaries({path: st.none() | cells for path, (_, cells) in FIELDS.items()})


def read(text: str) -> Any:
    """JSON with every number as it is written."""
    return json.loads(text, parse_int=lambda number: ("number", number), parse_float=lambda number: ("number", number))


def value_of(path: str, cell: Any) -> Any:
    return cell if SPECS[path].kind in {Kind.TEXT, Kind.LIST} else read(cell)


def fill(node: dict[str, Any], key: str, value: Any) -> None:
    """Put a value where none is; two objects are merged, and what is there wins."""
    there = node.setdefault(key, value)
    if isinstance(there, dict) and isinstance(value, dict):
        for inner, part in value.items():
            fill(there, inner, part)


def body_of(row: dict[str, Any]) -> dict[str, Any]:
    """The body of one row, made the slow way: whole objects first, then what belongs inside them."""
    body: dict[str, Any] = {}
    for path in sorted(SPECS, key=lambda path: path.count(".")):
        if row[path] is not None:
            first, *inside = path.split(".")
            value = value_of(path, row[path])
            for key in reversed(inside):
                value = {key: value}
            fill(body, first, value)
    return body


def frame_of(made: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {path: pl.List(pl.String) if spec.kind is Kind.LIST else pl.String for path, spec in SPECS.items()}
    return pl.DataFrame(made, schema=schema, orient="row")


@given(st.lists(rows, min_size=1, max_size=5))
@settings(max_examples=80, deadline=None)
@example([dict.fromkeys(FIELDS, None)])
@example([dict.fromkeys(FIELDS, None) | {"meta": '{"a": {"b": 1}}', "meta.a.b": ["x"]}])
@example([dict.fromkeys(FIELDS, None) | {"meta": "{}", "meta.k": "x", "items": []}])
def test_bodies_equal_those_made_row_by_row(made: list[dict[str, Any]]) -> None:
    found = bodies(frame_of(made), SPECS)
    assert found.dtype == pl.String
    assert [read(text) for text in found] == [body_of(row) for row in made]


@given(st.lists(rows, min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_no_body_names_a_key_twice(made: list[dict[str, Any]]) -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    for text in bodies(frame_of(made), SPECS):
        json.loads(text, object_pairs_hook=once)


def test_the_text_of_a_body_is_compact_and_keeps_what_was_written() -> None:
    row = dict.fromkeys(FIELDS, None) | {
        "title": 'é "quoted"\n',
        "items": ["a", ""],
        "speed": "1.0",
        "meta": '{ "b" : 1.50, "deep":{"x": 12345678901234567890} }',
        "meta.k": "v",
        "lone.x.y": "z",
    }
    assert bodies(frame_of([row]), SPECS)[0] == (
        '{"title":"é \\"quoted\\"\\n","items":["a",""],"speed":1.0,'
        '"meta":{"b":1.50,"deep":{"x": 12345678901234567890},"k":"v"},"lone":{"x":{"y":"z"}}}'
    )


def test_a_whole_object_alone_is_passed_on_as_it_is() -> None:
    row = dict.fromkeys(FIELDS, None) | {"meta": '{ "b" : [1.0 , 2] }'}
    assert bodies(frame_of([row]), SPECS)[0] == '{"meta":{ "b" : [1.0 , 2] }}'


def test_a_frame_without_rows_or_without_fields() -> None:
    assert bodies(frame_of([dict.fromkeys(FIELDS, None)]).head(0), SPECS).to_list() == []
    assert bodies(pl.DataFrame({"_row": [2, 3]}), {}).to_list() == ["{}", "{}"]
    assert bodies(pl.DataFrame({"_row": [2, 3]}), SPECS).to_list() == ["{}", "{}"]
