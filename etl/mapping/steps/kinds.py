"""Steps that ask what kind of JSON a cell is: `keep` lets some kinds through, `without` takes keys out of an object.

They must never change how a value is written: what goes on is the text that stood in the file.
"""

from typing import Annotated, Literal

import polars as pl
from pydantic import BeforeValidator, Field

from etl.mapping.cells.jsoncells import cut_out, is_json
from etl.mapping.cells.series import by_cell
from etl.mapping.steps.step import TEXT_OR_LIST, Form, Step, listed

_OPENING = {"object": "{", "array": "["}


class Keep(Step):
    """Values of other kinds count as empty: `{keep: text}`, `{keep: [text, array]}`.

    For columns that hold now a text, now an object: each field takes its kind. Numbers, true and false count as texts.
    Whoever leaves a kind out here takes it elsewhere, or says `lost`: nothing else will tell.
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

    def _is_wanted(self, cell: str) -> bool:
        start = cell.lstrip()[:1]
        kind = next((kind for kind, sign in _OPENING.items() if start == sign and is_json(cell)), "text")
        return kind in self.kinds


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
