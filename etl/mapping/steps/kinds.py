"""Steps that ask what kind of JSON a cell is: `keep` lets some kinds through, `without` takes keys out of an object.

They must never change how a value is written: what goes on is the text that stood in the file.
"""

from collections.abc import Callable, Collection
from typing import Annotated, Literal

import polars as pl
from pydantic import BeforeValidator, Field

from etl.mapping.cells.jsoncells import cut_out, is_json
from etl.mapping.cells.series import by_cell
from etl.mapping.steps.step import TEXT_OR_LIST, Form, Step, listed
from etl.quoting import quote_value

_OPENING = {"object": "{", "array": "["}
_CALLED = {"text": "a text", "object": "an object", "array": "an array"}
KINDS = frozenset(_CALLED)
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
        return pl.when(by_cell(text, self._is_wanted, pl.Boolean)).then(text)

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        kept = items.list.eval(self._on_text(pl.element())).list.drop_nulls()
        return pl.when((kept.list.len() > 0) | (items.list.len() == 0)).then(kept)

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

        return lambda cells: pl.Series([say_all(cell) for cell in cells.to_list()], dtype=pl.String)

    def _is_wanted(self, cell: str) -> bool:
        return _kind_of(cell) in self.kinds


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
