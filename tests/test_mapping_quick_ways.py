"""Quick ways through JSON give what the slow ones give."""

import json

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.mapping.cells import decoded, jsoncells, keys, leaving, patterns, reaching, series, ways
from etl.mapping.cells.keys import LeftFinder, keys_left, tree_of
from etl.mapping.steps.text import Rewrite

KEYS = st.sampled_from(["type", "value", "a:b", 'q"', "é", "_", "\x1f"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
STEPS = st.sampled_from([".type", ".value", '["a:b"]', '["q\\""]', "[]", "[0]", "[type=x]", ".*"])
WAYS = st.lists(st.lists(STEPS, min_size=1, max_size=3).map("".join), min_size=1, max_size=3)


@settings(deadline=None)
@given(VALUES, WAYS, st.booleans())
def test_keys_that_nothing_uses_are_found(value: object, written: list[str], ascii_only: bool) -> None:
    found = [ways.parse_way(one) for one in written]
    tree = tree_of(way.parts for way in found if way is not None)
    cell = json.dumps(value)
    assert LeftFinder(tree).keys_left(cell) == keys_left(cell, tree)


def test_most_cells_of_which_all_keys_are_used_are_known_at_once() -> None:
    tree = tree_of(way.parts for one in ("[].type", "[].value") if (way := ways.parse_way(one)) is not None)
    finder = LeftFinder(tree)
    assert finder._known is not None
    for cell in ('[{"type": "x", "value": [1]}, {}]', '{"type": null}', '"text"', "[]", "7"):
        finder._known.decode(cell)
        assert finder.keys_left(cell) == []
    with pytest.raises(msgspec.MsgspecError):
        finder._known.decode('[{"weight": 1}]')
    assert finder.keys_left('[{"weight": 1}]') == ["[].weight"]


@settings(deadline=None)
@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=3), max_size=3), st.booleans())
def test_a_pattern_says_the_same_of_objects_read_at_once(objects: list[dict[str, object]], lone: bool) -> None:
    cell = json.dumps(objects[0] if lone and objects else objects)
    items = ways.items_of(cell)
    if items is None:  # half a surrogate pair
        assert patterns.said_of_each("{type}: {value}", cell) is None
        return
    slowly = [patterns._say("{type}: {value}", item) for item in items]
    assert patterns.said_of_each("{type}: {value}", cell) == slowly


@pytest.mark.parametrize(
    ("text", "is_object"),
    [
        ('{"a": 1, "b": "x"}', True),
        ('{"a": 1, "a": 2}', False),
        ('{"a": "x:y"}', True),
        ('{"a": {"b": 1, "b": 2}}', False),
        ('{"a": "\\ud800"}', True),
        ('{"a": NaN}', False),
        ('{"a": 1} x', False),
        ('{"a": [1, {"c": 2}]}', True),
        ("[1]", False),
    ],
)
def test_an_object_is_known_strictly(text: str, is_object: bool) -> None:
    assert jsoncells.is_object(text) is is_object
    if is_object:
        assert jsoncells.members(text) == {key: text_of(text, key) for key in json.loads(text)}
    assert jsoncells.cut_out(text, {"a"}) == (('{"b":"x"}' if '"b": "x"' in text else None) if is_object else text)


def text_of(text: str, key: str) -> str:
    """The text of a value as it stands in an object, by hand."""
    start = text.index(f'"{key}": ') + len(key) + 4
    _, end = json.JSONDecoder().raw_decode(text, start)
    return text[start:end]


class TestRewriting:
    STEP = Rewrite.model_validate(
        {
            "step": "rewrite",
            "entries": [
                {"match": "code: .*", "lost": "code runs"},
                {"match": "(?:says|code): (.*)", "to": 'Says "$1"'},
                {"match": "slow: (.*)", "to": "$1", "lost": "no clock"},
                {"match": ".*: .*", "to": "never for those before"},
            ],
        }
    )

    def test_the_first_entry_that_matches_a_text_decides(self) -> None:
        texts = pl.Series("t", ["says: a", "code: b", None, "slow: c", "other: d", "plain", "says: e\nf"])
        assert self.STEP._rewritten(texts).to_list() == [
            'Says "a"',
            None,
            None,
            "c",
            "never for those before",
            "plain",
            'Says "e\nf"',
        ]
        assert self.STEP._reasons(texts).to_list() == [
            None,
            '"code: b" (code runs)',
            None,
            '"slow: c" (no clock)',
            None,
            None,
            None,
        ]

    def test_no_text_is_shown_to_entries_behind_the_one_that_matches(self) -> None:
        texts = pl.Series("t", ["says: a", "says: b", "code: c"])
        places = [(entry.match, places.to_list()) for entry, places in self.STEP._entries_of(texts)]
        assert places == [("code: .*", [2]), ("(?:says|code): (.*)", [0, 1])]

    def test_nothing_is_nothing(self) -> None:
        assert self.STEP._rewritten(pl.Series("t", [], dtype=pl.String)).to_list() == []
        assert self.STEP._reasons(pl.Series("t", [None, None], dtype=pl.String)).to_list() == [None, None]


def test_a_form_stands_for_whole_values_and_for_items() -> None:
    assert keys._form_of([keys.Keys(whole=True)]) is msgspec.Raw
    assert keys._form_of([keys.Keys(only=keys.Keys(whole=True))]) is None


@settings(deadline=None)
@given(VALUES, WAYS)
def test_ways_that_are_gone_together_end_where_each_ends_alone(value: object, written: list[str]) -> None:
    found = [way for one in written if (way := ways.parse_way(one)) is not None]
    cell = json.dumps(value)
    cells = pl.Series("cells", [None, cell, "x"])
    for way, lists in reaching.reach_all_each(cells, found).items():
        alone = [ways.shown(end) for end in ways.follow(cell.encode(), way.parts)]
        assert lists.to_list() == [None, alone or None, None]
    lone = [way for way in found if not way.is_plural]
    for way, (texts, types) in reaching.reach_each(cells, lone).items():
        end = next(ways.follow(cell.encode(), way.parts), None)
        assert texts.to_list() == [None, None if end is None else ways.shown(end), None]
        assert types[1] == (None if end is None or end[:1] == b'"' else ways.type_of(end))


@settings(deadline=None)
@given(VALUES, WAYS)
def test_what_ways_leave_is_found_only_where_they_do_not_take_all(value: object, written: list[str]) -> None:
    found = [way for one in written if (way := ways.parse_way(one)) is not None]
    cell = json.dumps(value)
    try:
        taken = decoded.is_all_taken(decoded.decode(cell), [way.parts for way in found])
    except decoded.UnsureError:
        return
    if taken:
        assert leaving.slowly_left_by(cell, found) is None


@settings(deadline=None)
@given(st.lists(st.none() | st.lists(st.text(alphabet="ab", max_size=2), max_size=3), max_size=9))
def test_lists_made_at_once_are_what_polars_makes(made: list[list[str] | None]) -> None:
    expected = pl.Series("made", made, dtype=pl.List(pl.String))
    assert series.lists_of("made", made).equals(expected, check_dtypes=True, check_names=True)
