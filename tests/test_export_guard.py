"""The guard against formulas: it comes off exactly, whatever the text; and no cell is left that would be computed."""

import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.tables import guard, unguard, unguarded

HOT = "=+-@|%\t\r\n'\uff1d\uff0b\uff0d\uff20\ufeff\u200b \u00a0\u2060\x00"
TEXTS = st.text(st.sampled_from(HOT + 'a1"') | st.characters(), max_size=12)


@given(TEXTS)
def test_the_guard_comes_off_exactly(text: str) -> None:
    assert unguard(guard(text)) == text


def test_the_guard_comes_off_a_hundred_thousand_texts_exactly() -> None:
    luck = random.Random(9)
    letters = HOT * 3 + 'abc 01,;"é漢😀'
    texts = ["".join(luck.choices(letters, k=luck.randrange(9))) for _ in range(100_000)]
    guarded = [guard(text) for text in texts]
    assert unguarded(pl.Series("a", guarded, dtype=pl.String)).to_list() == texts
    assert not any(is_computed(text or "") for text in guarded)


def is_computed(text: str) -> bool:
    """Whether a spreadsheet program could begin a formula with it, told from the outside."""
    shown = text.lstrip(" \t\r\n\x00\ufeff\u200b\u00a0\u2060")
    return shown[:1] in set("=+-@|%\uff1d\uff0b\uff0d\uff20") and not text.startswith("'")


@pytest.mark.parametrize(
    "text", ["=1+1", "+1 555", "-1", "@SUM(A1)", "\t=1", " =1", "\ufeff=1", "\uff1d1", "|calc", "'x", "'=1"]
)
def test_what_looks_like_a_formula_gets_a_guard(text: str) -> None:
    assert guard(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Where is my parcel?", "1+1", "a=b", " hello", "it's"])
def test_plain_text_is_left_alone(text: str) -> None:
    assert guard(text) == text
