"""A mapping and a table brought together: which columns feed which fields under one contract.

Must never know what is in the columns.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Pairs
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain

import polars as pl

from etl.batch import Origin
from etl.errors import MappingError, UsageError
from etl.expressions import ExpressionError, compile_condition, compile_expression, find_casts
from etl.mapping.cells.keys import Keys
from etl.mapping.cells.names import fold, likeness, spelled, suggest
from etl.mapping.cells.patterns import names_in, parse_pattern
from etl.mapping.cells.ways import Input, Way
from etl.mapping.fields.dialects import Lift, Shape, Target, declared_spec, find_lifts, find_spec, find_target
from etl.mapping.fields.kinds import constant, convert_text
from etl.mapping.fields.lookups import NameBook
from etl.mapping.language.matching import Match, find_input, match_columns
from etl.mapping.language.spec import Into, Mapping, OwnRule, Rule
from etl.mapping.rows.collecting import collect_objects, collect_texts
from etl.mapping.rows.feeds import Feed
from etl.mapping.rows.gathering import Grouping
from etl.mapping.rows.inside import keys_in_use, ways_in_use
from etl.mapping.rows.planning import Plan, in_shape, make_plan
from etl.mapping.steps import Form
from etl.resources import RESOURCES, Contract, FieldSpec, Kind, Resource


@dataclass(frozen=True, slots=True)
class Bound:
    """A mapping that knows its table, contract and `--set` values.

    `fields` are the fields of the body in use, by dotted path, parents before children; `columns` the columns that feed
    each, the preferred one first; `unmapped` the columns that nothing uses (empty where the mapping says
    `unmapped: ignore`); `keys` what is used of columns of which only some of the inside is; `lost` what the API has
    nothing for, and why; `grouping` how rows make records (None: each is one); `where` a Boolean expression over the
    frame as read: the other rows are to be skipped.
    """

    mapping: Mapping
    contract: Contract
    fields: dict[str, FieldSpec]
    columns: dict[str, tuple[str, ...]]
    unmapped: tuple[str, ...]
    keys: dict[str, Keys]
    ways: dict[str, tuple[Way, ...]]
    """The ways into columns of which only the inside is used."""
    lost: dict[Input, str]
    known_as: tuple[str, ...]
    """The columns that hold what other rows may call a row."""
    grouping: Grouping | None
    lookups: dict[str, str]
    """Fields whose texts are names or ids of a resource, by path."""
    ids: frozenset[str]
    """Those of which the columns are called like the field: ids are meant."""
    books: Pairs[str, NameBook]
    """What they are looked up in, by resource; without one, they stay as they are."""
    rules: tuple[tuple[OwnRule, pl.Expr], ...]
    """The mapping's own rules: each with a Boolean expression over the frame as read."""
    where: pl.Expr | None
    feeds: tuple[Feed, ...]
    lifts: tuple[Lift, ...]
    _plans: dict[bool, Plan] = field(default_factory=dict, compare=False, repr=False)

    @property
    def unresolved(self) -> frozenset[str]:
        """Fields that hold names still."""
        asked = {name for name, book in self.books.items() if book.complete}
        return frozenset(path for path, of in self.lookups.items() if of not in asked and path not in self.ids)

    def plan(self, *, typed: bool) -> Plan:
        """The work for one batch, made when it is first asked for."""
        if typed not in self._plans:
            told = {*(one.column for one in self.lost), *self.mapping.ignored}
            self._plans[typed] = make_plan(self.feeds, typed=typed, told=told)
        return self._plans[typed]


def bind(
    mapping: Mapping,
    origin: Origin,
    contract: Contract,
    overrides: Pairs[str, str] | None = None,
    books: Pairs[str, NameBook] | None = None,
) -> Bound:
    """A mapping for one table. `overrides` are field → plain text (`--set`), typed by the field's kind. `books` has the
    names of resources that the mapping looks up.

    Raises MappingError (`FILE:LINE:COLUMN: …`) where a required field has no column, a name of `from` is misspelled, an
    expression names no column, or columns are left over and the mapping says `unmapped: error`; UsageError where an
    override names no field or its value does not fit.
    """
    columns = origin.mapped_columns
    label = origin.file if origin.sheet is None else f"{origin.file}, sheet {origin.sheet}"
    binder = _Binder(mapping, RESOURCES[mapping.resource], contract, label, columns, books or {})
    feeds = binder.feeds(overrides or {})
    where = binder.where()
    lost = binder.lost()
    known_as = binder.known_as()
    others = {*lost}
    others |= {Input(name) for name in where.meta.root_names()} if where is not None else set()
    grouping = binder.grouping(feeds)
    rules = binder.rules()
    others |= {Input(name) for _, condition in rules for name in condition.meta.root_names()}
    others |= {Input(name) for name in binder.read_for_groups(grouping)}
    inputs = {one for feed in feeds for one in feed.inputs} | others
    unmapped = binder.unmapped({one.column for one in inputs} | {*known_as} | binder.ignored())
    if grouping is not None and isinstance(mapping.unmapped, Into):
        grouping = replace(grouping, singles=(*grouping.singles, *unmapped))
    feeds = (*feeds, *binder.rest(unmapped))
    fields = {feed.target.path: feed.target.spec for feed in feeds if feed.target.spec is not None}
    lifts = tuple(lift for lift in find_lifts(binder.resource, contract) if lift.parent in fields)
    fields |= {lift.path: known for lift in lifts if (known := find_spec(binder.resource, lift.path, contract))}
    by_field = {path: [feed.columns for feed in feeds if feed.target.path == path] for path in fields}
    for lift in lifts:
        by_field[lift.path] += by_field[lift.parent]
    return Bound(
        mapping=mapping,
        contract=contract,
        fields=fields,
        columns={path: tuple(dict.fromkeys(chain.from_iterable(found))) for path, found in by_field.items()},
        unmapped=() if isinstance(mapping.unmapped, Into) else unmapped,
        keys={} if mapping.unmapped == "ignore" else keys_in_use(feeds, others | binder.ignored_inputs()),
        ways=ways_in_use(inputs, binder.ignored()),
        lost=lost,
        known_as=known_as,
        grouping=grouping,
        rules=rules,
        lookups={feed.target.path: feed.rule.lookup for feed in feeds if feed.rule.lookup and feed.is_from_columns},
        ids=frozenset(feed.target.path for feed in feeds if feed.holds_ids),
        books=books or {},
        where=where,
        feeds=feeds,
        lifts=lifts,
    )


@dataclass(frozen=True, slots=True)
class _Binder:
    """What every question of binding needs: the mapping, and the table as sentences call it."""

    mapping: Mapping
    resource: Resource
    contract: Contract
    label: str
    columns: tuple[str, ...]
    books: Pairs[str, NameBook]

    def feeds(self, overrides: Pairs[str, str]) -> tuple[Feed, ...]:
        """What feeds the fields: in the order of the contract's fields, the preferred feed of a field first."""
        feeds = [self._override(path, text) for path, text in overrides.items()]
        fixed = {feed.target.path for feed in feeds}
        rules = {path: rule for path, rule in self.mapping.fields.items() if self._target(path).path not in fixed}
        matches = match_columns(rules, self.columns)
        used = {column for match in matches.values() for column in match.columns}
        for path, rule in rules.items():
            self._refuse_misspelled(path, rule, matches.get(path), used)
            feeds.extend(self._from_columns(path, rule, matches.get(path)))
            feeds.extend(self._collected(path, rule))
            feeds.extend(self._united(path, rule))
            feeds.extend(self._from_constants(path, rule))
        looked_up = [
            replace(feed, names=self.books.get(feed.rule.lookup), holds_ids=self._holds_ids(feed))
            if feed.rule.lookup and feed.is_from_columns
            else feed
            for feed in feeds
        ]
        return tuple(sorted(looked_up, key=self._place))

    def _holds_ids(self, feed: Feed) -> bool:
        """Whether the column is called like the field, and people do not put names there all the same."""
        paths = {one.path for one in self.resource.references if not one.named}
        return any(
            fold(column) in {fold(path), fold(path.rpartition(".")[2])} for path in paths for column in feed.columns
        )

    def where(self) -> pl.Expr | None:
        """The condition on the frame as read."""
        text = self.mapping.source.where
        if text is None:
            return None
        with self._located("source", "where"):
            return compile_condition(text, self.columns)

    def rules(self) -> tuple[tuple[OwnRule, pl.Expr], ...]:
        """The mapping's own rules as conditions on the frame as read."""
        found = []
        for number, rule in enumerate(self.mapping.rules):
            with self._located("rules", number, "expr"):
                found.append((rule, compile_condition(rule.expr, self.columns)))
        return tuple(found)

    def unmapped(self, used: set[str]) -> tuple[str, ...]:
        """The columns that nothing uses, as the mapping wants them treated."""
        left = tuple(column for column in self.columns if column not in used)
        if left and self.mapping.unmapped == "error":
            raise MappingError(
                f"{self.mapping.at('unmapped')}: nothing uses the columns {spelled(left)} of {self.label}; map them, or"
                " say unmapped: warn"
            )
        return () if self.mapping.unmapped == "ignore" else left

    def grouping(self, feeds: Iterable[Feed]) -> Grouping | None:
        """How rows make records."""
        source = self.mapping.source
        if source.group_by is None:
            return None
        named = list(enumerate(source.group_by))
        there = {one.column for _, name in named if (one := find_input(name, self.columns))}
        others = [column for column in self.columns if column not in there]
        known = [one for one in named if find_input(one[1], self.columns) or suggest(one[1], others)]
        by = tuple(self._column(name, "group_by", number) for number, name in known or named)
        order = self._column(source.order_by, "order_by") if source.order_by is not None else None
        whole = (leaf for feed in feeds for leaf in feed.leaves if leaf.is_from_columns)
        singles = dict.fromkeys(one.column for leaf in whole for one in leaf.inputs)
        return Grouping(by, order, tuple(singles))

    def read_for_groups(self, grouping: Grouping | None) -> set[str]:
        """Columns that are used, though they fill no field."""
        if grouping is None:
            return set()
        rules = [part for rule in self.mapping.fields.values() for part in (rule, *(rule.all_of or ()))]
        only = {name for rule in rules for name in rule.only or {}}
        return {*grouping.by, *([grouping.order] if grouping.order else []), *map(self._column, only)}

    def _column(self, name: str, *loc: str | int) -> str:
        """The column of a name in `source`, or in a rule of groups."""
        found = find_input(name, self.columns)
        if found is None or found.way is not None:
            near = suggest(name, self.columns)
            place = self.mapping.at("source", *loc) if loc else self.mapping.at("fields")
            raise MappingError(f"{place}: {self.label} has no column {name}{near}; it has {spelled(self.columns)}.")
        return found.column

    def _collected(self, path: str, rule: Rule) -> Iterator[Feed]:
        if rule.collect is None:
            return
        pairs = rule.collect if isinstance(rule.collect, dict) else {"": rule.collect}
        found = {key: find_input(name, self.columns) for key, name in pairs.items()}
        known = {key: one.column for key, one in found.items() if one is not None}
        if not known:
            return
        only = {self._column(name): tuple(words) for name, words in (rule.only or {}).items()}
        inputs = tuple(map(Input, known.values()))
        target = self._target(path)
        if isinstance(rule.collect, dict):
            yield Feed(target, rule, inputs, expression=collect_objects(known, only), gives=Form.JSON, only=only)
        else:
            yield Feed(target, rule, inputs, expression=collect_texts(known[""], only), gives=Form.LIST, only=only)

    def _united(self, path: str, rule: Rule) -> Iterator[Feed]:
        """The sources of `all_of` that the table has, as one feed: each by itself makes a list."""
        parts = []
        for part in rule.all_of or ():
            match = match_columns({path: part}, self.columns).get(path)
            feeds = (*self._from_columns(path, part, match), *self._collected(path, part))
            listed = Target(path, FieldSpec(path, Kind.LIST), Kind.LIST, turns=self._target(path).turns)
            parts += [tuple(replace(feed, target=listed) for feed in feeds)] if feeds else []
        if parts:
            inputs = dict.fromkeys(one for feeds in parts for feed in feeds for one in feed.inputs)
            yield Feed(self._target(path), rule, tuple(inputs), parts=tuple(parts))

    def lost(self) -> dict[Input, str]:
        """What the API has nothing for, where the table has it."""
        found: dict[Input, str] = {}
        for name, reason in self.mapping.lost.items():
            begun = [Input(column) for column in self.columns if name.endswith("*") and column.startswith(name[:-1])]
            one = None if begun else find_input(name, self.columns)
            found |= dict.fromkeys(begun or ([one] if one else []), reason)
        return found

    def known_as(self) -> tuple[str, ...]:
        """The columns of `known_as` that the table has."""
        found = (find_input(name, self.columns) for name in self.mapping.known_as or ())
        return tuple(dict.fromkeys(one.column for one in found if one is not None and one.way is None))

    def ignored(self) -> set[str]:
        """The columns that are left out on purpose."""
        return {one.column for one in self.ignored_inputs() if one.way is None}

    def ignored_inputs(self) -> set[Input]:
        """The columns, and what is inside columns, that are left out on purpose."""
        found = {find_input(name, self.columns) for name in self.mapping.ignored}
        return {one for one in found if one is not None}

    def rest(self, unmapped: tuple[str, ...]) -> Iterator[Feed]:
        """What the columns that nothing uses go into, where the mapping says so."""
        if unmapped and isinstance(self.mapping.unmapped, Into):
            yield Feed(self._target(self.mapping.unmapped.into), Rule(), tuple(map(Input, unmapped)), is_object=True)

    def _target(self, path: str) -> Target:
        return find_target(self.resource, path, self.contract)

    def _from_columns(self, path: str, rule: Rule, match: Match | None) -> Iterator[Feed]:
        target = self._target(path)
        if match is not None:
            yield from (Feed(target, rule, (one,)) for one in match.single)
            if match.numbered:
                yield Feed(target, rule, tuple(map(Input, match.numbered)), numbered=True)
            if match.named and rule.template is not None:
                known = dict(match.named)
                pieces = [(text, known.get(name) if name else None) for text, name in parse_pattern(rule.template)]
                inputs = tuple(dict.fromkeys(known.values()))
                yield Feed(target, rule, inputs, template=tuple(pieces))
        elif rule.required and rule.takes_columns:
            patterns = (*(rule.from_pattern or ()), *([rule.template] if rule.template else []))
            named = spelled([*(rule.from_ or ()), *(rule.from_one_of or ()), *patterns], 6)
            raise MappingError(
                f"{self.mapping.at('fields', path)}: {path} needs a column; the mapping knows {named}, and {self.label}"
                f" has {spelled(self.columns)}: add the column's name to the mapping, or --set {path}=VALUE"
            )
        if rule.expr is not None:
            with self._located("fields", path, "expr"):
                expression = compile_expression(rule.expr, self.columns)
                casts = find_casts(rule.expr, self.columns)
            inputs = tuple(map(Input, expression.meta.root_names()))
            yield Feed(target, rule, inputs, expression=expression, casts=casts)

    def _from_constants(self, path: str, rule: Rule) -> Iterator[Feed]:
        target = self._target(path)
        key = "value" if rule.has("value") else "default"
        if not rule.has(key) or (target.spec is None and key == "default"):
            return
        cell = constant(target.via, rule.value if key == "value" else rule.default)
        fixed = None if cell is None or target.spec is None else in_shape(cell, target)
        if fixed is None:
            raise MappingError(
                f"{self.mapping.at('fields', path, key)}: contract {self.contract} does not take this for {path};"
                " remove it or use the other --contract"
            )
        yield Feed(target, rule, constant=fixed)

    def _override(self, path: str, text: str) -> Feed:
        """One `--set`."""
        target = self._target(path)
        if declared_spec(self.resource, path) is None:
            near = suggest(path, self.resource.fields(self.contract))
            raise UsageError(f"--set {path}: {self.resource.name} have no field {path}{near}.")
        if target.spec is None:
            raise UsageError(f"--set {path}: contract {self.contract} has no field {path}.", "Try another --contract.")
        cell, mistake = convert_text(target.via, text, target.spec.options)
        fixed = in_shape(cell, target) if cell is not None else None
        if fixed is None:
            raise UsageError(f"--set {path}: {path} takes {mistake[1] if mistake else 'one id under this contract'}.")
        return Feed(target, Rule(), constant=fixed)

    def _refuse_misspelled(self, path: str, rule: Rule, match: Match | None, used: set[str]) -> None:
        """A name of `from` that no column has, though a column that nothing uses nearly has it.

        A format that detection knows by exact names has no misspelled ones: what is nearly the same is something else.
        """
        if self.mapping.source.requires is not None:
            return
        for number, name in enumerate(rule.from_ or ()) if match is None else ():
            near = [column for column in self.columns if column not in used and likeness(fold(column), fold(name))]
            if near:
                at = self.mapping.at("fields", path, "from", number)
                raise MappingError(f"{at}: {self.label} has no column {name}; did you mean {near[0]}?")
        free = [column for column in self.columns if column not in used]
        for name in names_in(rule.template) if rule.template else ():
            if find_input(name, self.columns) is None and (meant := suggest(name, free)):
                at = self.mapping.at("fields", path, "template")
                raise MappingError(f"{at}: {self.label} has no column {name}{meant}.")
        stems = {column.rstrip("0123456789 _-"): column for column in free if column[-1:].isdigit()}
        for number, pattern in enumerate(rule.from_pattern or ()) if match is None or not match.numbered else ():
            if stems and (meant := suggest(pattern.replace("{n}", ""), stems)):
                at = self.mapping.at("fields", path, "from_pattern", number)
                raise MappingError(f"{at}: {self.label} has no column {pattern}{meant}.")

    def _place(self, feed: Feed) -> tuple[int, bool, bool, bool]:
        """Contract order; free keys after their object; constants last; what was renamed after what was not."""
        known = list(self.resource.fields(self.contract))
        path = feed.target.path
        while path not in known and "." in path:
            path = path.rpartition(".")[0]
        place = known.index(path) if path in known else len(known)
        return place, path != feed.target.path, feed.constant is not None, feed.target.shape is not Shape.AS_IS

    @contextmanager
    def _located(self, *loc: str | int) -> Iterator[None]:
        """An expression's fault as a fault of the mapping file."""
        try:
            yield
        except ExpressionError as error:
            raise MappingError(f"{self.mapping.at(*loc)}: {error}") from None
