"""What is wrong with the cells of a batch that was mapped, in words: problems, each with field, column, cell and value.

Must never know whether a value is one that the API takes: that is for the rules. It changes no row.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import polars as pl

from etl.batch import MEMBERS, RECORD, ROW, Batch
from etl.mapping.cells.jsoncells import look_up, quoted
from etl.mapping.cells.jsonmending import TRY
from etl.mapping.cells.keys import LeftFinder
from etl.mapping.cells.leaving import left_by
from etl.mapping.cells.names import number_in, spelled
from etl.mapping.cells.reaching import may_hold, reach_all
from etl.mapping.cells.series import found_in
from etl.mapping.cells.transcripts import explain
from etl.mapping.cells.ways import Input
from etl.mapping.fields.dialects import TRANSCRIPTS, Shape
from etl.mapping.rows.binding import Bound
from etl.mapping.rows.collecting import spoken_by
from etl.mapping.rows.feeds import Feed
from etl.mapping.rows.planning import Check, Loss, Rivalry
from etl.problems import Code, Problem, Severity
from etl.quoting import HIDDEN, count_words, quote_value, show_value
from etl.resources import Kind

_Item = TypeVar("_Item")


class Finder:
    """Looks for problems in a working frame, and puts them into words."""

    def __init__(self, bound: Bound, batch: Batch, working: pl.DataFrame) -> None:
        self._bound = bound
        self._origin = batch.origin
        self._working = working

    def mistakes(self, checks: Iterable[Check]) -> Iterator[Problem]:
        """Cells that a step could not change."""
        pairs = [(check, pl.col(check.before).is_not_null() & pl.col(check.after).is_null()) for check in checks]
        for check, rows in self._where_any(pairs):
            for row, found, type_ in rows.select(ROW, check.before, pl.col(check.type_).alias("type")).iter_rows():
                text = found if isinstance(found, str) else ", ".join(found)
                code, takes = check.explain(text, type_)
                yield self._problem(row, code, check.feed, text, _say_mistake(check, text, takes))

    def miscast(self, cells: pl.DataFrame) -> Iterator[Problem]:
        """Cells that a CAST of an expression cannot read."""
        for feed in self._bound.feeds:
            for cast in feed.casts:
                path, source = feed.target.path, replace(feed, inputs=(Input(cast.column),) if cast.column else ())
                code = Code.NOT_AN_INTEGER if cast.whole else Code.NOT_A_NUMBER
                takes = "a whole number such as 5" if cast.whole else "a number such as 0.5"
                for row, found in cells.filter(cast.failed).select(ROW, cast.operand.alias("found")).iter_rows():
                    shown = HIDDEN if show_value(source.subject, found) == HIDDEN else quote_value(path, found)
                    sentence = f"{source.subject} is {shown}, and the CAST for {path} takes {takes}; correct the cell,"
                    sentence += " or write TRY_CAST, for which it counts as empty"
                    yield self._problem(row, code, source, found, sentence)

    def losses(self, losses: Iterable[Loss]) -> Iterator[Problem]:
        """What steps leave out because nothing of the API's, or of the contract's, stands for it."""
        for loss in losses:
            said = loss.find(self._working[loss.before])
            rows = pl.DataFrame([self._working[ROW], said.alias("said")]).filter(pl.col("said").is_not_null())
            for row, what in rows.iter_rows():
                if loss.refused:
                    sentence = (
                        f"{loss.feed.subject}: {what}, and contract {self._bound.contract} has spoken lines only;"
                        " write it as speech, or use --contract 2026-10"
                    )
                    yield self._problem(row, Code.NOT_IN_CONTRACT, loss.feed, what, sentence)
                elif loss.cut:
                    sentence = f"{loss.feed.subject} {what}"
                    yield self._problem(row, Code.CUT_SENTENCE, loss.feed, None, sentence, Severity.WARNING)
                else:
                    sentence = f"{loss.feed.subject} has what cannot be converted: {what}"
                    yield self._problem(row, Code.NOT_CONVERTIBLE, loss.feed, what, sentence, Severity.WARNING)

    def untold(self, rows: pl.DataFrame) -> Iterator[Problem]:
        """Transcripts with lines of others than the user and the assistant."""
        if rows.is_empty():
            return
        path = TRANSCRIPTS[self._bound.mapping.resource].path
        feed = next(feed for feed in self._bound.feeds if feed.target.path == path)
        for row, found in rows.iter_rows():
            code, takes = explain(found)
            yield self._problem(row, code, feed, found, f"{path} takes, as a transcript, {takes}")

    def lost(self, source: pl.DataFrame) -> Iterator[Problem]:
        """Rows that have a value in a column, or inside one, that the API has nothing for."""
        for one, reason in self._bound.lost.items():
            cells = source[one.column]
            if one.way is not None:
                cells = reach_all(cells, one.way).list.join("; ")
            filled = source.select(ROW, cells.alias("cell")).filter(found_in(cells, r"\S"))
            for row, found in filled.filter(~pl.col("cell").is_in(["null", "{}", "[]"])).iter_rows():
                sentence = f"{one} has a value that is not sent: {reason}"
                value = show_value(None, found)
                where = self._origin.cell(one.column, row)
                code = Code.NOT_CONVERTIBLE.value
                yield Problem(row, Severity.WARNING.value, code, None, one.column, where, value, _writable(sentence))

    def uncollected(self, batch: Batch) -> Iterator[Problem]:
        """Rows of a record whose words no `collect` takes: they are said by somebody whom `only` does not name."""
        collected = [leaf for feed in self._bound.feeds for leaf in feed.leaves if leaf.rule.collect is not None]
        if not any(leaf.only for leaf in collected):
            return
        rows = batch.source.select(pl.col(ROW).alias(RECORD), MEMBERS).explode(MEMBERS).unnest(MEMBERS)
        for column in dict.fromkeys(column for leaf in collected for column in leaf.columns):
            takers = [spoken_by(leaf.only) for leaf in collected if column in leaf.columns]
            left = rows.filter(found_in(rows[column], r"\S"), ~pl.any_horizontal(takers))
            for row, record, words in left.select(ROW, RECORD, column).iter_rows():
                value, where = show_value(column, words), self._origin.cell(column, row)
                sentence = (
                    f"no field takes {column} of row {row}; name who speaks there in only, or collect it elsewhere"
                )
                code = Code.NOT_CONVERTIBLE.value
                yield Problem(record, Severity.WARNING.value, code, None, column, where, value, sentence)

    def gaps(self, cells: pl.DataFrame) -> Iterator[Problem]:
        """Rows with an empty numbered turn, or none of that number, before one that is said."""
        leaves = [leaf for feed in self._bound.feeds for leaf in feed.leaves]
        for feed in (leaf for leaf in leaves if leaf.numbered and leaf.target.turns):
            names = [name for name in feed.columns if name in cells.columns]
            said = cells.select(ROW, *(found_in(cells[name], r"\S").alias(name) for name in names))
            for before, name in pairwise(names):
                rows = said.filter(~pl.col(before) & pl.any_horizontal(names[names.index(name) :]))
                for row in rows[ROW]:
                    sentence = f"{before} is empty, and a later turn is not; the turns are sent one after the other"
                    yield self._gap(row, feed, before, sentence)
                if number_in(name) - number_in(before) > 1:
                    for row in said.filter(name)[ROW]:
                        sentence = f"the file goes from {before} to {name}; the turns are sent one after the other"
                        yield self._gap(row, feed, name, sentence)

    def _gap(self, row: int, feed: Feed, column: str, sentence: str) -> Problem:
        cell, path = self._origin.cell(column, row), feed.target.path
        return Problem(row, Severity.WARNING.value, Code.TURN_GAP.value, path, column, cell, None, sentence)

    def own_rules(self, source: pl.DataFrame) -> Iterator[Problem]:
        """Rows in which a rule of the mapping does not hold."""
        code = Code.CUSTOM_RULE.value
        source = source.with_columns(pl.col(pl.String).fill_null("")) if self._bound.rules else source
        for rule, condition in self._bound.rules:
            column = next(iter(self._bound.columns.get(rule.field or "", ())), None)
            column = column or next(iter(condition.meta.root_names()), None)
            broken = source.filter(~condition)
            found = (
                broken[column] if column is not None else pl.repeat(None, broken.height, dtype=pl.String, eager=True)
            )
            for row, cell in zip(broken[ROW], found, strict=True):
                where, value = self._origin.cell(column, row), show_value(column, cell or None)
                yield Problem(row, rule.severity, code, rule.field, column, where, value, _writable(rule.message))

    def unused_keys(self, source: pl.DataFrame) -> Iterator[Problem]:
        """Rows with keys in JSON of which only other keys are used. Of a cell with a value that no way takes, that is
        said instead.
        """
        severity = Severity.ERROR if self._bound.mapping.unmapped == "error" else Severity.WARNING
        code = Code.UNUSED_KEY.value
        for column, used in self._bound.keys.items():
            objects = source.select(ROW, pl.col(column).alias("cell")).filter(found_in(source[column], r"^\s*[\[{]"))
            finder = LeftFinder(used)
            for row, cell in objects.iter_rows():
                left = finder.keys_left(cell)
                if left and not self._is_untaken(column, cell):
                    noun = "the key" if len(left) == 1 else "the keys"
                    sentence = f"{column} also has {noun} {spelled(left)}, which nothing uses; map it, or say lost"
                    where = self._origin.cell(column, row)
                    yield Problem(row, severity.value, code, None, column, where, None, _writable(sentence))

    def _is_untaken(self, column: str, cell: str) -> bool:
        ways = self._bound.ways.get(column)
        left = left_by(cell, ways) if ways else None
        return left is not None and left.value is not None

    def left_behind(self, source: pl.DataFrame) -> Iterator[Problem]:
        """Rows with values, or items, that no way into their column takes: the cell has another shape."""
        code = Code.NOT_CONVERTIBLE.value
        for column, ways in self._bound.ways.items():
            flat = all(len(way.parts) == 1 and way.key is not None for way in ways)
            asked = found_in(source[column], r"^\s*[^\s{]" if flat else r"\S")
            for row, cell in source.select(ROW, pl.col(column).alias("cell")).filter(asked).iter_rows():
                left = left_by(cell, ways)
                if left is None:
                    continue
                parts = [f"{count_words(left.items, 'item')} that no field takes"] if left.items else []
                where, value = self._origin.cell(column, row), show_value(column, cell)
                if left.value is not None:
                    quote = HIDDEN if value == HIDDEN else quote_value(column, _writable(left.value))
                    parts.append(f"a value that no field takes: {quote}")
                sentence = f"{column} has {', and '.join(parts)}"
                yield Problem(row, Severity.WARNING.value, code, None, column, where, value, _writable(sentence))

    def rivals(self, rivalries: Iterable[Rivalry]) -> Iterator[Problem]:
        """Rows in which two columns say different things about one field."""
        both = [(one, pl.col(one.winner).is_not_null() & pl.col(one.loser).is_not_null()) for one in rivalries]
        for rivalry, filled in self._where_any(both):
            rows = filled.filter(self._differ(rivalry))
            field, column = rivalry.feed.target.path, rivalry.feed.subject
            for row, lost in rows.select(ROW, self._as_text(rivalry.loser)).iter_rows():
                sentence = (
                    f"{column} says {quote_value(field, lost)}, and {rivalry.winner_name} says something else;"
                    f" {rivalry.winner_name} is sent"
                )
                yield self._problem(row, Code.CONFLICTING_FIELDS, rivalry.feed, lost, sentence, Severity.WARNING)

    def unknown_fields(self, refused: Iterable[tuple[Feed, str]]) -> Iterator[Problem]:
        """Values for fields that the contract does not have."""
        # An empty list says as little as no list: nothing is lost.
        pairs = [((feed, name), ~pl.col(name).str.strip_chars().is_in(["", "[]", "{}"])) for feed, name in refused]
        for (feed, name), rows in self._where_any(pairs):
            field, contract = feed.target.path, self._bound.contract
            for row, found in rows.select(ROW, name).iter_rows():
                sentence = (
                    f"{feed.column} has a value, and contract {contract} has no field {field}; leave the cell empty or"
                    " use the other --contract"
                )
                yield self._problem(row, Code.NOT_IN_CONTRACT, feed, found, sentence)

    def lacking(self, demanded: Iterable[tuple[Feed, pl.Expr]]) -> Iterator[Problem]:
        """Rows without a value that the mapping requires."""
        for feed, rows in self._where_any(demanded):
            field = feed.target.path
            sentence = f"{feed.column} is empty, and the mapping requires {field}; fill it in"
            for row in rows[ROW]:
                yield self._problem(row, Code.REQUIRED, feed, None, sentence)

    def covered_keys(self, frame: pl.DataFrame) -> Iterator[Problem]:
        """Rows in which an object given whole already has a key that another column gives."""
        fields = self._bound.fields
        inside = [
            (path, child, child.removeprefix(f"{path}."))
            for path, spec in fields.items()
            for child in fields
            if child.startswith(f"{path}.") and spec.kind in {Kind.OBJECT, Kind.JSON}
        ]
        inside += [(lift.parent, lift.path, lift.key) for lift in self._bound.lifts if lift.path in frame.columns]
        for path, child, keys in inside:
            both = frame.filter(pl.col(path).is_not_null() & pl.col(child).is_not_null())
            both = both.filter(may_hold(both[path], keys.split(".")[:1]) | ~both[path].str.starts_with("{"))
            for row, whole, value in both.select(ROW, path, child).iter_rows():
                yield from self._covered(row, path, child, look_up(whole, tuple(keys.split("."))), value)

    def _covered(self, row: int, path: str, child: str, there: str | None, value: str | list[str]) -> Iterator[Problem]:
        given = _json_text(value, self._bound.fields[child].kind)
        if there is None or json.loads(there) == json.loads(given):
            return
        feed = next(feed for feed in self._bound.feeds if feed.target.path == child)
        whole_from = next(iter(self._bound.columns[path]), path)
        sentence = (
            f"{feed.subject} says {quote_value(child, given)}, and {whole_from} already has another value for"
            f" {child}; that of {whole_from} is sent"
        )
        yield self._problem(row, Code.CONFLICTING_FIELDS, feed, given, sentence, Severity.WARNING)

    def _differ(self, rivalry: Rivalry) -> pl.Expr:
        one, other = (
            self._as_text(name).str.replace_all(r"\s+", " ").str.strip_chars()
            for name in (rivalry.winner, rivalry.loser)
        )
        if rivalry.feed.target.shape is Shape.ONE_TO_LIST:  # what is an item of the list already is no other thing
            loser = pl.col(rivalry.loser).list
            return (one != other) & ~((loser.len() == 1) & pl.col(rivalry.winner).list.contains(loser.first()))
        return one != other

    def _as_text(self, name: str) -> pl.Expr:
        column = pl.col(name)
        return column.list.join("\n") if isinstance(self._working.schema[name], pl.List) else column

    def _where_any(self, pairs: Iterable[tuple[_Item, pl.Expr]]) -> Iterator[tuple[_Item, pl.DataFrame]]:
        """Each item with the rows for which its condition holds, where there are any."""
        asked = list(pairs)
        if not asked:
            return
        answers = self._working.select(
            condition.any().alias(str(place)) for place, (_, condition) in enumerate(asked)
        ).row(0)
        for (item, condition), answer in zip(asked, answers, strict=True):
            if answer:
                yield item, self._working.filter(condition)

    def _problem(
        self, row: int, code: Code, feed: Feed, found: str | None, sentence: str, severity: Severity = Severity.ERROR
    ) -> Problem:
        field = feed.target.path
        value = show_value(field, None if found is None else _writable(found))
        value = HIDDEN if show_value(feed.column, value) == HIDDEN else value
        cell = self._origin.cell(feed.column, row)
        return Problem(row, severity.value, code.value, field, feed.column, cell, value, _writable(sentence))


def _say_mistake(check: Check, text: str, takes: str) -> str:
    field = check.feed.target.path
    subject = check.feed.subject
    shown = HIDDEN if show_value(subject, text) == HIDDEN else quote_value(field, text)
    if check.type_ != check.before and shown != HIDDEN:
        shown = shown.strip('"')  # no string of JSON's: a number in quotes would be misleading
    if shown == HIDDEN:
        takes = takes.partition(TRY)[0]
    return f"{subject} is {shown}; {'it' if subject == field else field} takes {takes}"


def _writable(text: str) -> str:
    """Half a surrogate pair, which JSON can spell and no file can hold, as a question mark."""
    return text.encode("utf-8", "replace").decode()


def _json_text(value: str | list[str], kind: Kind) -> str:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return quoted(value) if kind is Kind.TEXT else value
