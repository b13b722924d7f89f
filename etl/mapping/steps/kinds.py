"""Steps that ask what kind of JSON a cell is: `keep` lets some kinds through, `without` takes keys out of an object.

They must never change how a value is written: what goes on is the text that stood in the file.
"""

from collections.abc import Callable, Collection
from typing import Annotated, Literal

import polars as pl
from pydantic import BeforeValidator, Field

from etl.mapping.cells.jsoncells import cut_out, is_json
from etl.mapping.cells.series import by_cell, by_column, found_in, only_where
from etl.mapping.steps.step import TEXT_OR_LIST, TEXTS, Form, Step, listed
from etl.quoting import quote_value

_OPENING = {"object": "{", "array": "["}
_CALLED = {"text": "a text", "object": "an object", "array": "an array"}
KINDS = frozenset(_CALLED)
_NESTED = r"^\s*[\[{]"
_NESTED_INSIDE = r"[\[{]"
_SHOWN = 3
"""Items of one list that a sentence shows."""


class Keep(Step):
    """Values of other kinds count as empty: `{keep: text}`, `{keep: [text, array]}`.

    For columns that hold now a text, now an object: each field takes its kind. Numbers, true and false count as texts.
    A kind that is left out here, and that no other field takes from the column, is a warning.
    """

    step: Literal["keep"] = "keep"
    takes = TEXT_OR_LIST
    reads_json = True
    reads_scalars = True
    shorthand = "kinds"

    kinds: Annotated[list[Literal["text", "object", "array"]], Field(min_length=1), BeforeValidator(listed)]

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_column(text, self._kept, pl.String)

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        return by_column(items, self._items_kept, TEXTS)

    def _kept(self, cells: pl.Series) -> pl.Series:
        """Only what begins like JSON is looked at more closely."""
        nested = found_in(cells, _NESTED)
        if not nested.any():
            return cells if "text" in self.kinds else only_where(cells, nested)
        wanted = pl.Series([_kind_of(cell) in self.kinds for cell in cells.filter(nested).to_list()], dtype=pl.Boolean)
        kept = pl.repeat("text" in self.kinds, cells.len(), dtype=pl.Boolean, eager=True)
        return only_where(cells, kept.scatter(nested.arg_true(), wanted))

    def _items_kept(self, lists: pl.Series) -> pl.Series:
        kept = lists.list.eval(by_column(pl.element(), self._kept, pl.String)).list.drop_nulls()
        return only_where(kept, ((kept.list.len() > 0) | (lists.list.len() == 0)).fill_null(value=False))

    def let_go(self, kinds: Collection[str], name: str) -> Callable[[pl.Series], pl.Series]:
        """What is said of cells, or items of lists, of these kinds, where nothing else takes them from `name`."""

        def say(cell: str) -> str | None:
            kind = _kind_of(cell)
            said = kind in kinds and cell.strip() not in {"", "{}", "[]"}
            return f"{_CALLED[kind]} that no field takes: {quote_value(name, cell)}" if said else None

        def say_all(cell: str | list[str] | None) -> str | None:
            items = [cell] if isinstance(cell, str) else cell or []
            said = [text for text in map(say, items) if text is not None]
            more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
            return "; ".join(said[:_SHOWN]) + more or None

        def find(cells: pl.Series) -> pl.Series:
            texts = cells if cells.dtype == pl.String else cells.list.join(" ")
            asked = cells.is_not_null() if "text" in kinds else found_in(texts, _NESTED_INSIDE)
            said = pl.repeat(None, cells.len(), dtype=pl.String, eager=True)
            if not asked.any():
                return said
            sentences = [say_all(cell) for cell in cells.filter(asked).to_list()]
            return said.scatter(asked.arg_true(), pl.Series(sentences, dtype=pl.String))

        return find


def _kind_of(cell: str) -> str:
    start = cell.lstrip()[:1]
    return next((kind for kind, sign in _OPENING.items() if start == sign and is_json(cell)), "text")


class Without(Step):
    """Keys are taken out of a JSON object, the others stay as they are written: `{without: [question, messages]}`.

    `"*"` takes out the only key of an object that has just one. An object without any key left counts as an empty cell;
    what is no object stays as it is.
    """

    step: Literal["without"] = "without"
    takes = frozenset({Form.TEXT, Form.JSON})
    reads_json = True
    shorthand = "keys"

    keys: Annotated[list[str], Field(min_length=1), BeforeValidator(listed)]

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_cell(text, lambda cell: cut_out(cell, self.keys), pl.String)
