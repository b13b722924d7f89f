"""Steps that make lists and end them: lines, splitting, wrapping, joining.

They must never know which field a list is for.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import polars as pl
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from etl.mapping.cells import jsoncells, lists
from etl.mapping.cells.jsoncells import Mistake
from etl.mapping.cells.names import suggest
from etl.mapping.cells.patterns import known_pattern, names_in, said_of_each, way_to
from etl.mapping.cells.series import by_cell, by_column, lists_of
from etl.mapping.cells.ways import Way
from etl.mapping.steps.step import TEXTS, Form, Step, listed
from etl.problems import Code


def _known_separator(mark: str) -> str:
    if mark not in lists.NAMED and (not mark or mark.replace("_", "").isalnum()):
        raise PydanticCustomError(
            "mapping",
            '"{mark}" is not a separator; use newline, bullet, numbered, or a sign such as "|"{near}',
            {"mark": mark, "near": suggest(mark, lists.NAMED)},
        )
    return mark


Separator = Annotated[str, AfterValidator(_known_separator)]
"""A name of `lists.NAMED`, or a sign as it is written."""


class Lines(Step):
    """Each line is an item; blank lines are left out."""

    step: Literal["lines"] = "lines"
    gives = Form.LIST

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_column(text, partial(lists.split_texts, on=(lists.NEWLINE,)), TEXTS)


class Split(Step):
    """A text is cut into items: never at commas, unless they are named.

    `on` names what may stand between items: `newline`, `bullet`, `numbered`, or any other sign as it is. With `json`,
    a cell that is a JSON array of texts is read as one.
    """

    step: Literal["split"] = "split"
    gives = Form.LIST
    can_fail = True
    shorthand = "on"

    json_: Annotated[bool, Field(alias="json")] = True
    on: Annotated[list[Separator], Field(min_length=1), BeforeValidator(listed)] = Field(
        default_factory=lambda: [*lists.NAMED]
    )

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_column(text, partial(lists.split_or_read if self.json_ else lists.split_texts, on=self.on), TEXTS)

    def _cut(self) -> Callable[[pl.Series], pl.Series] | None:
        signs = [sign for sign in self.on if sign.strip() in lists.COMMAS]
        return partial(lists.cut_sentences, on=self.on, json=self.json_) if signs else None

    def _explain(self, found: str, /) -> Mistake:
        return jsoncells.explain_texts(found)


class Each(Step):
    """Each object of a JSON array becomes a text by a pattern. `{each: "{type}: {value}"}`.

    A name in braces may lead further in (`{value.text}`); what an object lacks is left empty, an array of texts becomes
    `"one", "two"`. Items that are texts stay as they are, and an object alone counts as an array of it. Of a list, each
    item that is JSON is treated so.
    """

    step: Literal["each"] = "each"
    takes = frozenset({Form.TEXT, Form.JSON, Form.LIST})
    gives = Form.LIST
    can_fail = True
    reads_json = True
    shorthand = "pattern"

    pattern: Annotated[str, AfterValidator(known_pattern)]

    @property
    def ways(self) -> list[Way]:
        """What the pattern names in each object."""
        return [way_to(name) for name in names_in(self.pattern)]

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_cell(text, partial(said_of_each, self.pattern), TEXTS)

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        return by_column(items, self._say_items, TEXTS)

    def _say_items(self, column: pl.Series) -> pl.Series:
        made = [
            None if cell is None else [said for item in cell for said in said_of_each(self.pattern, item) or [item]]
            for cell in column.to_list()
        ]
        return lists_of(column.name, made)

    def _explain(self, found: str, /) -> Mistake:
        if not jsoncells.is_json(found):
            return jsoncells.explain_json(found)
        return Code.WRONG_TYPE, 'a JSON array of objects or texts, such as [{"type": "contains", "value": "Hello"}]'


class DropEmpty(Step):
    """Items that are empty are left out; a list of nothing else counts as an empty cell."""

    step: Literal["drop_empty"] = "drop_empty"
    takes = frozenset({Form.LIST})

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        return by_column(items, lists.drop_empty, TEXTS)


class Wrap(Step):
    """The whole text becomes a list of one item."""

    step: Literal["wrap"] = "wrap"
    gives = Form.LIST

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_column(text, lists.wrap, TEXTS)


class Join(Step):
    """The items of a list become one text, with `separator` between them (a line break unless given)."""

    step: Literal["join"] = "join"
    takes = frozenset({Form.LIST})
    gives = Form.TEXT
    shorthand = "separator"

    separator: str = "\n"

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        return items.list.join(self.separator)
