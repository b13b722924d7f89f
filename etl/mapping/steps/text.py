"""Steps on texts, or on every item of a list: white space, case, Unicode, replacing, rewriting.

They must never know what the texts mean.
"""

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from etl.mapping.cells.series import by_column, found_in, only_where
from etl.mapping.steps.step import TEXT_OR_LIST, TEXTS, Form, Operation, Step

_SHOWN_CHARACTERS = 60


class Wording(Step):
    """A step that treats a text, or every item of a list."""

    takes = TEXT_OR_LIST

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        return items.list.eval(self._on_text(pl.element()))


class Strip(Wording):
    """White space at both ends is removed. `"  Hi "` becomes `"Hi"`."""

    step: Literal["strip"] = "strip"

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return text.str.strip_chars()


class Lower(Wording):
    """Small letters. `"EN-us"` becomes `"en-us"`."""

    step: Literal["lower"] = "lower"

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return text.str.to_lowercase()


class Upper(Wording):
    """Capital letters. `"script"` becomes `"SCRIPT"`."""

    step: Literal["upper"] = "upper"

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return text.str.to_uppercase()


class BlankToNull(Step):
    """A cell with nothing but white space counts as empty: the field is not sent."""

    step: Literal["blank_to_null"] = "blank_to_null"

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_column(text, _blank_to_null, pl.String)


def _blank_to_null(texts: pl.Series) -> pl.Series:
    """What is not blank ends this search at its first character; most columns have no blank cell."""
    blank = found_in(texts, r"^\s*$")
    return only_where(texts, ~blank) if blank.any() else texts


def _empty_to_null(texts: pl.Series) -> pl.Series:
    empty = texts == ""
    return only_where(texts, ~empty.fill_null(value=False)) if empty.any() else texts


EMPTY_TO_NULL = Operation(lambda text: by_column(text, _empty_to_null, pl.String))
"""What `blank_to_null` comes to behind `strip`."""


class Nfc(Wording):
    """Unicode's composed form: `e` and an accent after it become the one letter `é`."""

    step: Literal["nfc"] = "nfc"

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return text.str.normalize("NFC")


def _usable_pattern(pattern: str) -> str:
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        said = (line.strip() for line in str(error).splitlines())
        why = next((line.removeprefix("error: ") for line in said if line.startswith("error: ")), "it is no pattern")
        raise PydanticCustomError(
            "mapping", "the pattern {pattern} cannot be used: {why}", {"pattern": pattern, "why": why}
        ) from None
    return pattern


def _with_braces(text: str) -> str:
    """`$1` as polars wants it, so that letters may follow: `${1}`."""
    return re.sub(r"\$(\d)", r"${\1}", text)


Pattern = Annotated[str, Field(min_length=1), AfterValidator(_usable_pattern)]
"""A regular expression in Rust's syntax: no look-around."""


class Replace(Wording):
    """What matches a regular expression is replaced, everywhere: `{replace: {pattern: "\\s+", with: " "}}`.

    `$1` in `with` stands for the first group; without `with` the match is removed.
    """

    step: Literal["replace"] = "replace"

    pattern: Pattern
    with_: Annotated[str, Field(alias="with")] = ""

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return text.str.replace_all(self.pattern, _with_braces(self.with_))


class Entry(BaseModel):
    """One entry of `rewrite`: what a text that matches `match` from end to end becomes."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    match: Pattern
    to: str | None = None
    lost: str | None = None

    @model_validator(mode="after")
    def _some_end(self) -> "Entry":
        if self.to is None and self.lost is None:
            raise PydanticCustomError("mapping", "an entry of rewrite has match and at least one of to and lost", {})
        return self

    @property
    def whole(self) -> str:
        return f"(?s)^(?:{self.match})$"


class Rewrite(Wording):
    """Texts are put into other words by the first entry that matches the whole text; others stay as they are.

    `to` says what it becomes (`$1` is the first group). `lost` alone leaves it out; the row gets a warning with that
    reason, also where `to` says what becomes of the rest.
    """

    step: Literal["rewrite"] = "rewrite"
    shorthand = "entries"

    entries: Annotated[list[Entry], Field(min_length=1)]

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_column(text, self._rewritten, pl.String)

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        return by_column(items, self._items_rewritten, TEXTS)

    def _items_rewritten(self, lists: pl.Series) -> pl.Series:
        rewritten = lists.list.eval(self._on_text(pl.element())).list.drop_nulls()
        return only_where(rewritten, ((rewritten.list.len() > 0) | (lists.list.len() == 0)).fill_null(value=False))

    def _lost(self, form: Form, /) -> Callable[[pl.Series], pl.Series] | None:
        if all(entry.lost is None for entry in self.entries):
            return None

        def find(cells: pl.Series) -> pl.Series:
            texts = cells if form is Form.LIST else cells.to_frame().select(pl.concat_list(cells.name)).to_series()
            reasons = by_column(pl.element(), self._reasons, pl.String)
            said = texts.list.eval(reasons).list.drop_nulls().list.join("; ")
            return said.set(said == "", None)

        return find

    def _rewritten(self, texts: pl.Series) -> pl.Series:
        made = texts.clone()  # scatter changes the series itself
        for entry, places in self._entries_of(texts):
            found = texts.gather(places)
            if entry.to is None:
                made = made.scatter(places, pl.repeat(None, places.len(), dtype=pl.String, eager=True))
            else:
                made = made.scatter(places, found.str.replace(entry.whole, _with_braces(entry.to)))
        return made

    def _reasons(self, texts: pl.Series) -> pl.Series:
        """For a text that is left out: itself and why."""
        said = pl.repeat(None, texts.len(), dtype=pl.String, eager=True).alias(texts.name)
        for entry, places in self._entries_of(texts):
            if entry.lost is not None:
                shown = texts.gather(places).str.head(_SHOWN_CHARACTERS)
                said = said.scatter(places, '"' + shown + f'" ({entry.lost})')
        return said

    def _entries_of(self, texts: pl.Series) -> Iterator[tuple[Entry, pl.Series]]:
        """Each entry with the places of the texts that it is the first to match, where there are any.

        A text is only shown to the entries before that one: most are matched by one of the first of many.
        """
        places = texts.is_not_null().arg_true()
        left = texts.gather(places)
        for entry in self.entries:
            if left.is_empty():
                return
            matches = found_in(left, entry.whole)
            if matches.any():
                yield entry, places.filter(matches)
                places, left = places.filter(~matches), left.filter(~matches)
