"""The steps of a mapping file, one class each: how it is written, what it takes and gives, what it does to a column.

A step is a function from expression to expression. Where it can fail, a cell that was not null becomes null, and
its `Operation` says why; nothing is raised for a cell. Must never know fields, files or contracts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import polars as pl
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from etl.mapping import jsoncells, lists
from etl.mapping.jsoncells import Mistake
from etl.mapping.names import suggest
from etl.mapping.series import by_column
from etl.problems import Code


class Form(StrEnum):
    """What a column holds between two steps."""

    TEXT = "text"
    """Plain text (String)."""
    LIST = "list"
    """A list of texts (List(String))."""
    JSON = "json"
    """A JSON value as text (String)."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Anything that changes a column: a step of the file, or the change into a field's kind."""

    change: Callable[[pl.Expr], pl.Expr]
    """The changed column; where `explain` is given, null where a cell cannot be changed."""
    explain: Callable[[str], Mistake] | None = None
    """Why a cell became null: "FIELD takes …" goes on with the returned text."""


class Step(BaseModel):
    """A step as it stands in a mapping file."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    takes: ClassVar[frozenset[Form]] = frozenset({Form.TEXT})
    gives: ClassVar[Form | None] = None
    """None: what it takes."""
    can_fail: ClassVar[bool] = False
    shorthand: ClassVar[str | None] = None
    """The option that `{step: value}` sets, where value is no mapping."""

    def operation(self, form: Form) -> Operation:
        """What the step does to a column that holds `form`."""
        return Operation(
            self._on_items if form is Form.LIST else self._on_text, self._explain if self.can_fail else None
        )

    # A step writes those of the following three that its `takes` and `can_fail` promise; the others are never asked.
    def _explain(self, found: str, /) -> Mistake:
        raise NotImplementedError(found)

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        raise NotImplementedError

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        raise NotImplementedError


_TEXT_OR_LIST = frozenset({Form.TEXT, Form.LIST})
_TEXTS = pl.List(pl.String)
_FIRST_YEAR = 1000
"""`14.10.25` is not a day of the year 25."""


def _listed(value: Any) -> Any:
    """`on: "|"` as `on: ["|"]`."""
    return [value] if isinstance(value, str) else value


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


class _Wording(Step):
    """A step that treats a text, or every item of a list."""

    takes = _TEXT_OR_LIST

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        return items.list.eval(self._on_text(pl.element()))


class Strip(_Wording):
    """White space at both ends is removed. `"  Hi "` becomes `"Hi"`."""

    step: Literal["strip"] = "strip"

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return text.str.strip_chars()


class Lower(_Wording):
    """Small letters. `"EN-us"` becomes `"en-us"`."""

    step: Literal["lower"] = "lower"

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return text.str.to_lowercase()


class Upper(_Wording):
    """Capital letters. `"script"` becomes `"SCRIPT"`."""

    step: Literal["upper"] = "upper"

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return text.str.to_uppercase()


class BlankToNull(Step):
    """A cell with nothing but white space counts as empty: the field is not sent."""

    step: Literal["blank_to_null"] = "blank_to_null"

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return pl.when(text.str.strip_chars() != "").then(text)


class Lines(Step):
    """Each line is an item; blank lines are left out."""

    step: Literal["lines"] = "lines"
    gives = Form.LIST

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_column(text, partial(lists.split_texts, on=(lists.NEWLINE,)), _TEXTS)


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
    on: Annotated[list[Separator], Field(min_length=1), BeforeValidator(_listed)] = list(lists.NAMED)

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_column(text, partial(lists.split_or_read if self.json_ else lists.split_texts, on=self.on), _TEXTS)

    def _explain(self, found: str, /) -> Mistake:
        return jsoncells.explain_texts(found)


class DropEmpty(Step):
    """Items that are empty are left out; a list of nothing else counts as an empty cell."""

    step: Literal["drop_empty"] = "drop_empty"
    takes = frozenset({Form.LIST})

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        return by_column(items, lists.drop_empty, _TEXTS)


class Json(Step):
    """The cell must be JSON; it is sent as it is written."""

    step: Literal["json"] = "json"
    takes = frozenset({Form.TEXT, Form.JSON})
    gives = Form.JSON
    can_fail = True

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return jsoncells.kept_if(text, jsoncells.is_json)

    def _explain(self, found: str, /) -> Mistake:
        return jsoncells.explain_json(found)


class Integer(Step):
    """A whole number: `5`, and `5.0` as spreadsheets write it. `5.5` is a problem."""

    step: Literal["integer"] = "integer"
    takes = frozenset({Form.TEXT, Form.JSON})
    gives = Form.JSON
    can_fail = True

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        whole = text.str.strip_chars().str.extract(r"^\+?(-?[0-9]+)(?:\.0*)?$", 1)
        return whole.str.replace(r"^(-?)0+([0-9])", "${1}${2}").str.replace(r"^-0$", "0")

    def _explain(self, _: str, /) -> Mistake:
        return Code.NOT_AN_INTEGER, "a whole number such as 5"


class Number(Step):
    """A number with a decimal point: `5`, `0.5`, `.5`, `1e3`."""

    step: Literal["number"] = "number"
    takes = frozenset({Form.TEXT, Form.JSON})
    gives = Form.JSON
    can_fail = True

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        number = text.str.strip_chars().str.extract(r"^\+?(-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)$", 1)
        number = number.str.replace(r"^(-?)\.", "${1}0.").str.replace(r"\.([eE]|$)", "${1}")
        return number.str.replace(r"^(-?)0+([0-9])", "${1}${2}")

    def _explain(self, found: str, /) -> Mistake:
        advice = "; write it with a decimal point" if "," in found else ""
        return Code.NOT_A_NUMBER, f"a number such as 0.5{advice}"


class Boolean(Step):
    """`true`, `yes` and `1`, `false`, `no` and `0`, in any case."""

    step: Literal["boolean"] = "boolean"
    takes = frozenset({Form.TEXT, Form.JSON})
    gives = Form.JSON
    can_fail = True

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        words = {"true": "true", "yes": "true", "1": "true", "1.0": "true"}
        words |= {"false": "false", "no": "false", "0": "false", "0.0": "false"}
        return text.str.strip_chars().str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.String)

    def _explain(self, _: str, /) -> Mistake:
        return Code.NOT_A_BOOLEAN, "true or false"


class Date(Step):
    """A date as `2025-10-14`: from that, with a time behind it, from `14.10.2025`, or from the `format` given.

    Without a format, `10/11/2025` is a problem: nobody can tell the month.
    """

    step: Literal["date"] = "date"
    can_fail = True
    shorthand = "format"

    format: str | None = None

    @field_validator("format")
    @classmethod
    def _usable(cls, pattern: str | None) -> str | None:
        parts = ("%Y", "%m", "%d")
        if pattern is not None and not all(part in pattern for part in parts):
            raise PydanticCustomError("mapping", "a date format names year, month and day; write it like %d/%m/%Y", {})
        return pattern

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        day = text.str.strip_chars()
        if self.format is None:
            day = day.str.replace(r"[T ]\d{1,2}:\d{2}.*$", "")
        forms = [self.format] if self.format else ["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y"]
        read = pl.coalesce(day.str.to_date(pattern, strict=False) for pattern in forms)
        return pl.when(read.dt.year() >= _FIRST_YEAR).then(read.dt.to_string("%Y-%m-%d"))

    def _explain(self, found: str, /) -> Mistake:
        if self.format is not None:
            return Code.WRONG_FORM, f"a date written as {self.format}"
        advice = ", or name the order in the mapping: date: {format: %d/%m/%Y}" if "/" in found else ""
        return Code.WRONG_FORM, f"a date such as 2025-10-14{advice}"


class Wrap(Step):
    """The whole text becomes a list of one item."""

    step: Literal["wrap"] = "wrap"
    gives = Form.LIST

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_column(text, lists.wrap, _TEXTS)


class Join(Step):
    """The items of a list become one text, with `separator` between them (a line break unless given)."""

    step: Literal["join"] = "join"
    takes = frozenset({Form.LIST})
    gives = Form.TEXT
    shorthand = "separator"

    separator: str = "\n"

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        return items.list.join(self.separator)


class Turns(Step):
    """The persona's lines of a script, in order.

    From a JSON array, one turn a line, `|` between turns, or a numbered list. Labels of the persona (`Caller:`,
    `Customer:`, `User:`) are removed; lines of the agent (`Agent:`, `Assistant:`, `Bot:`) are left out.
    """

    step: Literal["turns"] = "turns"
    takes = _TEXT_OR_LIST
    gives = Form.LIST
    can_fail = True

    def _on_items(self, items: pl.Expr) -> pl.Expr:
        return by_column(items, lists.persona_lines, _TEXTS)

    def _on_text(self, text: pl.Expr) -> pl.Expr:
        return by_column(text, lists.read_turns, _TEXTS)

    def _explain(self, found: str, /) -> Mistake:
        if found.lstrip().startswith("[") and not jsoncells.is_texts(found):
            return jsoncells.explain_texts(found)
        return Code.MISSING_TURNS, "what the caller says, line by line, and here only the agent speaks"


AnyStep = Annotated[
    Strip | Lower | Upper | BlankToNull | Lines | Split | DropEmpty | Json | Integer | Number | Boolean | Date | Wrap
    | Join | Turns,
    Field(discriminator="step"),
]  # fmt: skip

STEPS: dict[str, type[Step]] = {
    "strip": Strip,
    "lower": Lower,
    "upper": Upper,
    "blank_to_null": BlankToNull,
    "lines": Lines,
    "split": Split,
    "drop_empty": DropEmpty,
    "json": Json,
    "integer": Integer,
    "number": Number,
    "boolean": Boolean,
    "date": Date,
    "wrap": Wrap,
    "join": Join,
    "turns": Turns,
}
"""Every step by the name it has in a mapping file."""


def _written(step: Any) -> Any:
    """A step as it may be written (`strip`, `{join: ", "}`, `{split: {on: [...]}}`), as the models take it."""
    if isinstance(step, str):
        return {"step": str(step)}
    if not isinstance(step, dict) or len(step) != 1:
        raise PydanticCustomError("mapping", "a step is a word such as strip, or {split: {on: [newline]}}", {})
    [(name, options)] = step.items()
    if isinstance(options, dict):
        return {"step": name, **options}
    if name not in STEPS:
        return {"step": name}
    option = STEPS[name].shorthand
    if option is None:
        raise PydanticCustomError("mapping", "{name} has no such option; write it alone: - {name}", {"name": name})
    return {"step": name, option: options}


WrittenStep = Annotated[AnyStep, BeforeValidator(_written)]
