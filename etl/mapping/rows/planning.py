"""The work that a bound mapping means, as layers of polars expressions: made once, run for every batch.

A layer may use the columns that earlier layers made. Where a step can fail, the column before and the column after it
are both kept: a row that has the first and lacks the second has a problem. Must never know a row.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import polars as pl

from etl.mapping.cells.jsoncells import Mistake, encode
from etl.mapping.cells.ways import Input
from etl.mapping.fields.dialects import Shape, Target
from etl.mapping.fields.kinds import explain_type, from_json, into_kind, map_words
from etl.mapping.rows.feeds import Cell, Feed
from etl.mapping.rows.keeping import Keeping, kept_first
from etl.mapping.steps import (
    EMPTY_TO_NULL,
    ENTRIES,
    KINDS,
    SPEECH,
    UNMARKED,
    BlankToNull,
    Form,
    Keep,
    Operation,
    Strip,
    Wrap,
)
from etl.problems import Code
from etl.resources import Kind


@dataclass(frozen=True, slots=True)
class Check:
    """A step that can fail, between two columns of the working frame."""

    feed: Feed
    before: str
    after: str
    type_: str
    """The column with the JSON type of each cell; the same as `before` where types do not matter."""
    explain: Callable[[str, str], Mistake]
    """From the cell and its JSON type to what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Rivalry:
    """Two columns of the working frame that fill one field; `winner` is sent."""

    winner: str
    loser: str
    feed: Feed
    """What the loser comes from."""
    winner_name: str


@dataclass(frozen=True, slots=True)
class Loss:
    """A step that leaves something out: what `find` says of the cells of a working column is a warning."""

    feed: Feed
    before: str
    find: Callable[[pl.Series], pl.Series]
    refused: bool = False
    """The contract has no form for it: nothing of the cell is sent, and that is an error."""
    cut: bool = False
    """Nothing is left out: a text is cut in a way that a person should look at."""


@dataclass(slots=True)
class Plan:
    """Everything there is to do with a batch. `inputs` and `types` name working columns by the input they hold."""

    inputs: dict[Input, str] = field(default_factory=dict)
    types: dict[Input, str] = field(default_factory=dict)
    expressions: list[pl.Expr] = field(default_factory=list)
    """Run on the frame as read: their columns are named as in the file."""
    layers: list[list[pl.Expr]] = field(default_factory=list)
    outputs: list[pl.Expr] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    rivalries: list[Rivalry] = field(default_factory=list)
    refused: list[tuple[Feed, str]] = field(default_factory=list)
    """Feeds of fields that the contract does not have, with their working column."""
    demanded: list[tuple[Feed, pl.Expr]] = field(default_factory=list)
    """Fields that the mapping requires, with the condition under which a row lacks them."""


def in_shape(cell: Cell, target: Target) -> Cell | None:
    """A constant of the kind `target.via`, as it is sent; None where several items would have to become one."""
    if target.shape is Shape.ONE_TO_LIST and isinstance(cell, str):
        return [cell]
    if target.shape is Shape.LIST_TO_ONE and isinstance(cell, list):
        return cell[0] if len(cell) == 1 else None
    if isinstance(cell, list) and target.spec is not None and target.spec.kind is Kind.JSON:
        return json.dumps(cell, ensure_ascii=False)
    return cell


def make_plan(feeds: Sequence[Feed], *, typed: bool, told: Collection[str] = ()) -> Plan:
    """The plan for feeds; `typed` where cells may hold JSON that is no string (JSON Lines).

    What is left of the columns `told` is told of elsewhere, or is of no use.
    """
    maker = _Maker(feeds, typed=typed, told=told)
    by_path: dict[str, list[Feed]] = {}
    for feed in feeds:
        by_path.setdefault(feed.target.path, []).append(feed)
    for path, rivals in by_path.items():
        if rivals[0].target.spec is None:
            maker.refuse(rivals)
        else:
            maker.fill(path, rivals)
    return maker.plan


@dataclass(frozen=True, slots=True)
class _Value:
    """An expression and how many layers must have run before it can."""

    expr: pl.Expr
    level: int = 0


class _Maker:
    """Collects a plan, feed by feed."""

    def __init__(self, feeds: Sequence[Feed], *, typed: bool, told: Collection[str]) -> None:
        self.plan = Plan()
        every = [one for feed in feeds for one in (feed, *feed.leaves)]
        self._steps = {(step.step, one) for feed in every for step in feed.rule.steps for one in feed.inputs}
        """Each step of a mapping with what it works on."""
        self._typed = typed
        self._keeping = Keeping([leaf for feed in feeds for leaf in feed.leaves], told)
        self._names = 0

    def refuse(self, feeds: Sequence[Feed]) -> None:
        """Fields that the contract does not have: only whether there is a value matters."""
        for feed in feeds:
            self.plan.refused.extend((feed, self._input(one)) for one in feed.inputs)

    def fill(self, path: str, feeds: Sequence[Feed]) -> None:
        """All feeds of one field: the first that has a value wins; beside a rival, white space alone is none."""
        rivals = sum(feed.constant is None for feed in feeds) > 1
        self.plan.outputs.append(self._first_of(feeds, rivals=rivals).expr.alias(path))
        self._demand(feeds)

    def _first_of(self, feeds: Sequence[Feed], *, rivals: bool) -> _Value:
        values: list[_Value] = []
        for feed in feeds:
            value = self._constant(feed) if feed.constant is not None else self._feed(feed, rivals=rivals)
            if values and feed.constant is None:
                winner = self._place(_first(values))
                names = " or ".join(dict.fromkeys(other.subject for other in feeds[: len(values)]))
                self.plan.rivalries.append(Rivalry(_name(winner), _name(value), feed, names))
            values.append(value)
        return _first(values)

    def _constant(self, feed: Feed) -> _Value:
        dtype = pl.List(pl.String) if isinstance(feed.constant, list) else pl.String
        return self._place(_Value(pl.lit(feed.constant, dtype=dtype)))

    def _feed(self, feed: Feed, *, rivals: bool) -> _Value:
        value, form = self._start(feed)
        if rivals and form is Form.TEXT:
            value = self._change(feed, value, _NO_BLANKS, blank=False)
        value = self._let_go(feed, value)
        for operation, before in _operations(feed, form):
            value = self._change(feed, value, operation, blank=before is Form.TEXT)
        if feed.is_from_columns:
            for one in feed.inputs:
                value = self._with_types(feed, one, value) if self._is_typed(one) else value
        if feed.names is not None:
            named = Form.LIST if feed.target.via is Kind.LIST else Form.TEXT
            strict = feed.names.complete and not feed.holds_ids
            look_up = feed.names.look_up if strict else feed.names.look_up_known
            value = self._change(feed, value, look_up(named), blank=named is Form.TEXT)
        shape = _SHAPES.get((feed.target.shape, _form_after(feed, form)))
        value = self._change(feed, value, shape, blank=False) if shape else value
        return self._place(value)

    def _let_go(self, feed: Feed, value: _Value) -> _Value:
        """Kinds of values that this feed's `keep` leaves out, and that no feed takes, are losses."""
        say = self._keeping.let_go(feed)
        if say is None:
            return value
        value = self._place(value)
        self.plan.losses.append(Loss(feed, _name(value), say))
        return value

    def _start(self, feed: Feed) -> tuple[_Value, Form]:
        if feed.expression is not None:
            name = f"e{len(self.plan.expressions)}"
            whole = feed.expression.cast(pl.String) if feed.gives is Form.TEXT else feed.expression
            self.plan.expressions.append(whole.alias(name))
            return _Value(pl.col(name)), feed.gives
        if feed.parts or feed.template:
            return (self._united(feed), Form.LIST) if feed.parts else (self._filled(feed), Form.TEXT)
        if feed.is_object:
            return self._gathered(feed), Form.JSON
        if feed.inputs[0].way is not None and feed.inputs[0].way.is_plural:
            return _Value(pl.col(self._input(feed.inputs[0]))), Form.LIST
        cells = [self._text(one, _read_types(feed)) for one in feed.inputs]
        if feed.numbered:
            items = pl.concat_list(cells).list.drop_nulls()
            return _Value(pl.when(items.list.len() > 0).then(items)), Form.LIST
        return _Value(cells[0]), Form.TEXT

    def _filled(self, feed: Feed) -> _Value:
        """A template with the inputs of each row in it; null where they are all blank."""
        cells = {one: _NO_BLANKS.change(pl.col(self._input(one))) for one in feed.inputs}
        pieces = [
            part
            for text, one in feed.template
            for part in (pl.lit(text), *([] if one is None else [cells[one].fill_null("")]))
        ]
        said = pl.any_horizontal(cell.is_not_null() for cell in cells.values())
        return _Value(pl.when(said).then(pl.concat_str(pieces)))

    def _united(self, feed: Feed) -> _Value:
        """The lists of several sources as one; null where none of them has a value."""
        values = [self._first_of([_as_part(one) for one in part], rivals=True) for part in feed.parts]
        nothing = pl.lit([], dtype=pl.List(pl.String))
        items = pl.concat_list(pl.when(value.expr.is_null()).then(nothing).otherwise(value.expr) for value in values)
        some = pl.any_horizontal(value.expr.is_not_null() for value in values)
        return _Value(pl.when(some).then(items), max(value.level for value in values))

    def _gathered(self, feed: Feed) -> _Value:
        """The inputs that are not blank as one JSON object; null where all of them are."""
        parts = []
        for one in feed.inputs:
            cell = _NO_BLANKS.change(pl.col(self._input(one)))
            written = encode(cell)
            if self._is_typed(one):
                written = pl.when(pl.col(self._type(one)).is_null()).then(written).otherwise(cell)
            parts.append(pl.concat_str(pl.lit(f"{json.dumps(one.column, ensure_ascii=False)}:"), written))
        members = pl.concat_str(parts, separator=",", ignore_nulls=True)
        return _Value(pl.when(members != "").then(pl.concat_str(pl.lit("{"), members, pl.lit("}"))))

    def _change(self, feed: Feed, value: _Value, operation: Operation, *, blank: bool) -> _Value:
        """One operation. `blank`: a cell of nothing but white space is no mistake, it is empty."""
        lost = operation.lost
        if operation.left_to is not None and all((operation.left_to[0], one) in self._steps for one in feed.inputs):
            lost = operation.left_to[1]
        for find, refused, cut in (
            (lost, False, False), (operation.refused, True, False), (operation.cut, False, True)
        ):  # fmt: skip
            if find is not None:
                value = self._place(value)
                self.plan.losses.append(Loss(feed, _name(value), find, refused, cut))
        if operation.explain is None:
            return _Value(operation.change(value.expr), value.level)
        explain = operation.explain
        started = _Value(_NO_BLANKS.change(value.expr), value.level) if blank else value
        before = self._place(started)
        after = self._place(_Value(operation.change(before.expr), before.level))
        check = Check(feed, _name(before), _name(after), _name(before), lambda found, _: explain(found))
        self.plan.checks.append(check)
        return after

    def _is_typed(self, one: Input) -> bool:
        """Whether its cells may be JSON that is no string. What several ways lead to is text already."""
        return self._typed if one.way is None else not one.way.is_plural

    def _with_types(self, feed: Feed, one: Input, value: _Value) -> _Value:
        """Cells that are JSON but no string go past the steps, unless the first reads JSON: they say what they are."""
        spec, as_is = feed.target.spec, feed.target.shape is Shape.AS_IS
        kind = spec.kind if spec is not None and as_is else feed.target.via
        kind = Kind.TEXT if feed.numbered else kind
        type_ = pl.col(self._type(one))
        past = type_.is_not_null()
        past = past & ~type_.is_in(_read_types(feed))
        before = self._place(_Value(pl.when(past).then(pl.col(self._input(one)))))
        after = self._place(_Value(from_json(kind, before.expr, type_), before.level))
        names = _name(before), _name(after), self._type(one)
        self.plan.checks.append(Check(feed, *names, partial(explain_type, kind)))
        return value if kind is Kind.TEXT else _first([value, after])

    def _demand(self, feeds: Sequence[Feed]) -> None:
        """A field that only the mapping requires, from columns alone; what the API requires is for the rules."""
        spec, asked = feeds[0].target.spec, any(feed.rule.required for feed in feeds)
        if asked and spec is not None and not spec.required and all(feed.is_from_columns for feed in feeds):
            cells = [pl.col(self._input(one)) for feed in feeds for one in feed.inputs if not _is_plural(one)]
            lists = [pl.col(self._input(one)) for feed in feeds for one in feed.inputs if _is_plural(one)]
            empty = [_NO_BLANKS.change(cell).is_null() for cell in cells] + [items.is_null() for items in lists]
            lacks = pl.all_horizontal(empty)
            self.plan.demanded.append((feeds[0], lacks))

    def _text(self, one: Input, read: Sequence[str]) -> pl.Expr:
        cell = pl.col(self._input(one))
        if not self._is_typed(one):
            return cell
        type_ = pl.col(self._type(one))
        return pl.when(type_.is_null() | type_.is_in(read)).then(cell)

    def _input(self, one: Input) -> str:
        return self.plan.inputs.setdefault(one, f"c{len(self.plan.inputs)}")

    def _type(self, one: Input) -> str:
        return self.plan.types.setdefault(one, f"t{len(self.plan.types)}")

    def _place(self, value: _Value) -> _Value:
        """The value as a column of its own."""
        self._names += 1
        name = f"v{self._names}"
        while len(self.plan.layers) <= value.level:
            self.plan.layers.append([])
        self.plan.layers[value.level].append(value.expr.alias(name))
        return _Value(pl.col(name), value.level + 1)


def _first(values: Sequence[_Value]) -> _Value:
    return _Value(pl.coalesce(value.expr for value in values), max(value.level for value in values))


def _name(value: _Value) -> str:
    return value.expr.meta.output_name()


def _operations(feed: Feed, form: Form) -> list[tuple[Operation, Form]]:
    """What is done to the text of a feed, with what it is done to: steps, `map`, the change into the field's kind."""
    found: list[tuple[Operation, Form]] = []
    steps = feed.rule.steps
    turns = feed.target.turns and bool(feed.parts) and all(step.gives is None for step in steps)
    kept = kept_first(feed)
    for place, step in enumerate(steps, start=1):
        operation = step.operation(form)
        if isinstance(step, BlankToNull) and place > 1 and isinstance(steps[place - 2], Strip):
            operation = EMPTY_TO_NULL
        if isinstance(step, Keep) and step is not kept:  # of what other steps made, no other field takes a part
            operation = replace(operation, lost=step.let_go(KINDS.difference(step.kinds), feed.subject))
        found.append((operation, form))
        form = step.gives or form
        if step.marks:
            turns = feed.target.turns and all(later.gives is None for later in steps[place:])
            found.extend([] if turns else [(UNMARKED, form)])
    options = feed.target.spec.options if feed.target.spec else ()
    if feed.rule.map_:
        words = {_word(word): _word(meant) for word, meant in feed.rule.map_.items()}
        found.append((map_words(words, options), form))
    last = into_kind(feed.target.via, form, options)
    if last is not None:
        found.append((last, form))
    entries = feed.target.via is Kind.LIST and feed.target.spec is not None and feed.target.spec.kind is Kind.JSON
    if turns and not feed.is_part:
        found.append((ENTRIES if entries else SPEECH, Form.LIST))
    elif entries:
        found.append((Operation(encode), Form.LIST))
    return found


def _as_part(feed: Feed) -> Feed:
    """A source of several, for one list of them all."""
    spec = feed.target.spec
    listed = replace(spec, kind=feed.target.via) if spec is not None else None
    return replace(feed, is_part=True, target=replace(feed.target, spec=listed))


def _form_after(feed: Feed, form: Form) -> Form:
    for step in feed.rule.steps:
        form = step.gives or form
    return Form.LIST if feed.target.via is Kind.LIST else form


def _word(written: str | float) -> str:
    """A word of a `map`; YAML's own true and 5 as the file would have them."""
    return written if isinstance(written, str) else json.dumps(written)


def _only_item(items: pl.Expr) -> pl.Expr:
    return pl.when(items.list.len() == 1).then(items.list.first())


def _is_plural(one: Input) -> bool:
    return one.way is not None and one.way.is_plural


def _read_types(feed: Feed) -> list[str]:
    """The types of JSON beside strings that the first step reads as text."""
    first = feed.rule.steps[0] if feed.rule.steps else None
    nested = ["array", "object"] if first is not None and first.reads_json else []
    return [*nested, *(["number", "boolean"] if first is not None and first.reads_scalars else [])]


_NO_BLANKS = BlankToNull().operation(Form.TEXT)
_WRAP = Wrap().operation(Form.TEXT)
_SHAPES: dict[tuple[Shape, Form], Operation] = {
    (Shape.ONE_TO_LIST, Form.TEXT): _WRAP,
    (Shape.ONE_TO_LIST, Form.JSON): _WRAP,
    (Shape.LIST_TO_ONE, Form.LIST): Operation(
        _only_item,
        lambda _: (Code.NOT_IN_CONTRACT, "one id under contract 2025-10; keep one, or use --contract 2026-10"),
    ),
}
