"""From what a column holds to what its field is: the last change of every value, of text and of JSON Lines' own types.

Must never know which column a value came from.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from etl.mapping.cells import jsoncells, lists
from etl.mapping.cells.jsoncells import Mistake, encode
from etl.mapping.cells.names import spelled, suggest
from etl.mapping.cells.series import by_column
from etl.mapping.steps import Boolean, Form, Integer, Number, Operation
from etl.problems import Code
from etl.resources import Kind

_IGNORED = r"[\s_\-]+"

FORMS: dict[Kind, frozenset[Form]] = {
    Kind.TEXT: frozenset({Form.TEXT, Form.JSON}),
    Kind.LIST: frozenset(Form),
    Kind.INTEGER: frozenset({Form.TEXT, Form.JSON}),
    Kind.NUMBER: frozenset({Form.TEXT, Form.JSON}),
    Kind.BOOLEAN: frozenset({Form.TEXT, Form.JSON}),
    Kind.OBJECT: frozenset({Form.TEXT, Form.JSON}),
    Kind.JSON: frozenset(Form),
}
"""What the steps of a field may leave, for it to become its kind."""

NOUNS: dict[Kind, str] = {
    Kind.TEXT: "text",
    Kind.LIST: "a JSON array of texts",
    Kind.INTEGER: "a whole number",
    Kind.NUMBER: "a number",
    Kind.BOOLEAN: "true or false",
    Kind.OBJECT: "a JSON object",
    Kind.JSON: "any JSON value",
}

_JSON_TYPES: dict[Kind, str] = {
    Kind.LIST: "array",
    Kind.INTEGER: "number",
    Kind.NUMBER: "number",
    Kind.BOOLEAN: "boolean",
    Kind.OBJECT: "object",
}
"""The one type of JSON that a kind takes; TEXT takes none beside a string, JSON takes all."""

_TYPE_NOUNS = {
    "number": "a JSON number",
    "boolean": "a JSON boolean",
    "array": "a JSON array",
    "object": "a JSON object",
}

_CONSTANTS: dict[Kind, tuple[type, ...]] = {
    Kind.TEXT: (str,),
    Kind.INTEGER: (int,),
    Kind.NUMBER: (int, float),
    Kind.BOOLEAN: (bool,),
    Kind.OBJECT: (dict,),
    Kind.JSON: (dict, list, str, int, float, bool),
}

_INTEGER = Integer().operation(Form.TEXT)
_TO_LIST = Operation(lambda value: by_column(value, jsoncells.read_texts, pl.List(pl.String)), jsoncells.explain_texts)
_TO_OBJECT = Operation(lambda value: jsoncells.kept_if(value, jsoncells.is_object), jsoncells.explain_object)


_FROM_TEXT: dict[Kind, Operation] = {
    Kind.LIST: Operation(
        lambda value: by_column(value, lists.wrap_or_read, pl.List(pl.String)), jsoncells.explain_texts
    ),
    Kind.INTEGER: _INTEGER,
    Kind.NUMBER: Number().operation(Form.TEXT),
    Kind.BOOLEAN: Boolean().operation(Form.TEXT),
    Kind.OBJECT: _TO_OBJECT,
    Kind.JSON: Operation(encode),
}
_FROM_OTHER: dict[tuple[Kind, Form], Operation | None] = {
    (Kind.LIST, Form.LIST): None,
    (Kind.LIST, Form.JSON): _TO_LIST,
    (Kind.JSON, Form.JSON): None,
}


def into_kind(kind: Kind, form: Form, options: Sequence[str] = ()) -> Operation | None:
    """What makes a column that holds `form` a field of `kind`; None where nothing needs to be done.

    With `options`, one of the API's words is found in any spelling (`call script` is not, `Script` is); other words
    stay as they are, for the rules to flag.
    """
    if options and kind is Kind.TEXT:
        return Operation(lambda value: _recall(value, {word: word for word in options}, keep=True))
    return _FROM_TEXT.get(kind) if form is Form.TEXT else _FROM_OTHER.get((kind, form), _FROM_TEXT.get(kind))


def map_words(words: dict[str, str], options: Sequence[str]) -> Operation:
    """The `map` of a field: words of the file to what they mean.

    The API's own words (`options`) mean themselves; any other word is a problem.
    """
    known = {word: word for word in (*options, *words.values())} | words
    listed = list(dict.fromkeys((*words, *options)))
    return Operation(
        lambda value: _recall(value, known, keep=False),
        lambda found: (Code.UNKNOWN_VALUE, f"{spelled(listed)}{suggest(found, listed)}"),
    )


def from_json(kind: Kind, value: pl.Expr, type_: pl.Expr) -> pl.Expr:
    """A value of JSON Lines that is no string, as its kind; null where its type is another.

    The reader has seen that it is strict JSON.
    """
    if kind is Kind.JSON:
        return value
    if kind is Kind.TEXT:
        return pl.lit(None, dtype=pl.String)
    fits = pl.when(type_ == _JSON_TYPES[kind]).then(value)
    operation = {Kind.LIST: _TO_LIST, Kind.INTEGER: _INTEGER}.get(kind)
    return operation.change(fits) if operation else fits


def explain_type(kind: Kind, found: str, type_: str) -> Mistake:
    """Why `from_json` gave null."""
    if type_ == _JSON_TYPES.get(kind):
        operation = _TO_LIST if kind is Kind.LIST else _INTEGER
        if operation.explain is not None:
            return operation.explain(found)
    advice = "; put it in quotes" if kind is Kind.TEXT else ""
    return Code.WRONG_TYPE, f"{NOUNS[kind]}, and this is {_TYPE_NOUNS[type_]}{advice}"


def constant(kind: Kind, value: Any) -> str | list[str] | None:
    """A value written in a mapping, as a cell of its kind; None where it is of another type."""
    if kind is Kind.LIST:
        items = [value] if isinstance(value, str) else value
        return items if isinstance(items, list) and all(isinstance(item, str) for item in items) else None
    wanted = _CONSTANTS[kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        return None
    if kind is Kind.TEXT:
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError):
        return None


def convert_text(kind: Kind, text: str, options: Sequence[str] = ()) -> tuple[str | list[str] | None, Mistake | None]:
    """One plain text as a cell of its kind, or what is wrong with it. A JSON object or array is taken as one."""
    operation = into_kind(kind, Form.TEXT, options)
    if operation is None or (kind is Kind.JSON and text.lstrip()[:1] in {"{", "["} and jsoncells.is_json(text)):
        return text, None
    cell = pl.select(operation.change(pl.lit(text)).alias("cell")).to_series().to_list()[0]
    return cell, operation.explain(text) if cell is None and operation.explain else None


def _recall(text: pl.Expr, known: dict[str, str], *, keep: bool) -> pl.Expr:
    """Words found in any spelling, as `known` has them; others kept or null."""
    folded = {re.sub(_IGNORED, "", word.lower()): meant for word, meant in known.items()}
    same = [word for word, meant in known.items() if word == meant]

    def recall(texts: pl.Series) -> pl.Series:
        other = ~texts.is_in(same) & texts.is_not_null()
        if not other.any():
            return texts
        odd = texts.filter(other)
        found = odd.str.to_lowercase().str.replace_all(_IGNORED, "")
        found = found.replace_strict(folded, default=None, return_dtype=pl.String)
        return texts.scatter(other.arg_true(), found.zip_with(found.is_not_null(), odd) if keep else found)

    return by_column(text, recall, pl.String)
