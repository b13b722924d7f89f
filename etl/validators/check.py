"""Checking a mapped batch: which rows break which rule, as problems with row, column, cell, value and a sentence.

Must never know how bodies are made (it is handed a function), nor drop or change a row.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import chain

import polars as pl
from pydantic_core import from_json

from etl import problems as problem
from etl.batch import ROW, Batch
from etl.problems import Code, Problem, Severity
from etl.quoting import show_value
from etl.resources import Contract, FieldSpec, Kind, Resource
from etl.validators.doubts import doubt_body, doubt_spoken_keys, doubt_transcripts
from etl.validators.rules import find_broken, make_rules
from etl.validators.sentences import Finding, put_in_words
from etl.validators.stand_ins import find_stand_ins
from etl.validators.verdicts import judge_changes, judge_rows

MakeBodies = Callable[[pl.DataFrame], pl.Series]
"""Mapped rows to request bodies: one JSON text (String) a row."""


def check(  # noqa: PLR0913  # the last three are switches
    batch: Batch,
    resource: Resource,
    contract: Contract,
    fields: Mapping[str, FieldSpec],
    columns: Mapping[str, tuple[str, ...]],
    make_bodies: MakeBodies,
    *,
    strict: bool = False,
    assume_test_set: bool = False,
    unresolved: frozenset[str] = frozenset(),
    changing: bool = False,
) -> Batch:
    """The same rows with every problem of the resource's model added: none with severity error, and the API takes it.

    `batch.frame` is in the API's fields. `fields` are the fields in use by dotted path, `columns` the source columns
    that fill each (the first names a problem's column). A field that already has an error in a row gets no second one.
    `strict` makes errors of all warnings, also of those found earlier. `assume_test_set` lets `test_set_id` be absent.
    `unresolved` fields hold names where the API takes ids: whether they are any good is seen when they are looked up.
    `changing`: the rows change what is there, so that nothing is required, and the model is that of a PATCH.
    """
    known = resource.changeable(contract) if changing else resource.fields(contract)
    waived = frozenset({"test_set_id"} if assume_test_set else ())
    required = {path: known[path] for path in known if known[path].required and "." not in path and path not in waived}
    rules = make_rules(fields, required, batch.frame.columns)
    judged = batch.frame.filter(_needs_the_model(batch.frame, resource, known))
    bodies = make_bodies(judged) if judged.height else pl.Series(dtype=pl.String)
    model = (resource.update if changing else resource.create)[contract]
    verdicts = judge_rows(judged, bodies, model, known, fields)

    found = _Problems(batch, columns, resource.singular.replace("_", " "))
    findings = chain(find_broken(batch.frame, rules), verdicts)
    found.add(Severity.ERROR, find_stand_ins(batch.frame, fields))
    found.add(Severity.ERROR, (one for one in findings if not _is_waived(one[1], waived, unresolved)))
    found.add(Severity.WARNING, doubt_transcripts(batch.frame))
    found.add(Severity.WARNING, doubt_spoken_keys(batch.frame))
    if _DOUBTED & known.keys():
        found.add(Severity.WARNING, _doubts(judged, bodies))
    checked = batch.with_problems(found.frame())
    return _without_warnings(checked) if strict else checked


def check_wholes(
    batch: Batch,
    resource: Resource,
    contract: Contract,
    columns: Mapping[str, tuple[str, ...]],
    wholes: Iterable[tuple[int, str, str]],
) -> Batch:
    """The same rows with what would be wrong with the whole of a resource once a row has changed it, and is not now.

    `wholes`: row, and the resource before and after as create bodies (JSON).
    """
    found = _Problems(batch, columns, resource.singular.replace("_", " "))
    broken = judge_changes(wholes, resource.create[contract], resource.fields(contract))
    found.add(Severity.ERROR, broken)
    return batch.with_problems(found.frame())


_SCRIPT = pl.col("input_type") == "SCRIPT"
"""The one condition between two fields that a column of text can meet: a SCRIPT test case needs turns."""
_TURNS = "script_turns"

_SURELY_SHALLOW = 100
"""So many brackets are never nested too deeply for the parser, whose limit is 200, also inside a body."""
_DOUBTED = frozenset({"persona_metrics", "sub_sample_seed", "options", "metadata.input_template"})
"""Fields that `doubt_body` looks at."""


def _needs_the_model(frame: pl.DataFrame, resource: Resource, known: Mapping[str, FieldSpec]) -> pl.Expr:
    """Which rows rules alone cannot judge: where JSON stands, a field judged by more than its spec, or a condition."""
    if resource.model_decides:
        return pl.lit(value=True)
    free = [path for path in frame.columns if path in known and known[path].free]
    reasons = [pl.lit(_odd_objects(frame[path])) for path in free]
    judged = (path for path in frame.columns if path not in (ROW, *free) and _is_judged(known.get(path)))
    reasons += [pl.col(path).is_not_null() for path in judged]
    if "input_type" in frame.columns:
        turns = [name for name in frame.columns if name.endswith(_TURNS) and frame.schema[name] == pl.List(pl.String)]
        there = pl.any_horizontal([pl.lit(value=False), *(pl.col(name).list.len() > 0 for name in turns)])
        reasons.append((_SCRIPT & ~there.fill_null(value=False)).fill_null(value=False))
    return pl.any_horizontal(reasons) if reasons else pl.lit(value=False)


def _odd_objects(cells: pl.Series) -> pl.Series:
    """Which cells of a field that takes any object are not surely one: the model's own parser reads the others."""
    odd = cells.is_not_null()
    shallow = (odd & (cells.str.count_matches(r"[\[{]") <= _SURELY_SHALLOW)).arg_true()
    return odd.scatter(shallow, [not _is_object(cell) for cell in cells.gather(shallow)]) if shallow.len() else odd


def _is_object(cell: str) -> bool:
    try:
        return isinstance(from_json(cell), dict)
    except ValueError:
        return False


def _is_judged(spec: FieldSpec | None) -> bool:
    return spec is None or spec.judged or spec.kind in {Kind.OBJECT, Kind.JSON}


def _is_waived(finding: Finding, waived: frozenset[str], unresolved: frozenset[str]) -> bool:
    if finding.code is Code.REQUIRED:
        return finding.field in waived
    return finding.field in unresolved


def _doubts(judged: pl.DataFrame, bodies: pl.Series) -> Iterator[tuple[int, Finding]]:
    for row, body in zip(judged[ROW], bodies, strict=True):
        try:
            read = from_json(body)
        except ValueError:
            continue  # the model has said so
        yield from ((row, finding) for finding in doubt_body(read))


def _without_warnings(batch: Batch) -> Batch:
    severity = pl.lit(Severity.ERROR.value).alias("severity")
    return replace(batch, problems=batch.problems.with_columns(severity))


class _Problems:
    """Problems in the making.

    A field that has an error in a row, or lies inside one that has, gets no second one; nor does a field whose column
    has. Of a row that could not be read at all nothing more is said.
    """

    def __init__(self, batch: Batch, columns: Mapping[str, tuple[str, ...]], owner: str) -> None:
        self._origin = batch.origin
        self._columns = columns
        self._column_of: dict[str | None, str | None] = {None: None}
        self._owner = owner
        self._made: list[Problem] = []
        self._spoiled: set[tuple[int, str | None]] = set()
        self._unreadable: set[int] = set()
        errors = batch.problems.filter(pl.col("severity") == Severity.ERROR)
        for row, code, field, column in errors.select("row", "code", "field", "column").iter_rows():
            if field is not None:
                self._spoiled.add((row, field))
            elif column is not None:
                self._spoiled.update((row, path) for path, filled in columns.items() if column in filled)
            elif code == Code.MALFORMED_JSON:
                self._unreadable.add(row)

    def add(self, severity: Severity, found: Iterable[tuple[int, Finding]]) -> None:
        for row, finding in found:
            if row not in self._unreadable and not self._is_spoiled(row, finding.field):
                self._made.append(self._problem(severity, row, finding))
                if severity is Severity.ERROR:
                    self._spoiled.add((row, finding.field))

    def frame(self) -> pl.DataFrame:
        return problem.frame_of(self._made)

    def _is_spoiled(self, row: int, field: str | None) -> bool:
        return field is not None and any((row, path) in self._spoiled for path in _with_parents(field))

    def _problem(self, severity: Severity, row: int, finding: Finding) -> Problem:
        column = self._column(finding.field)
        return Problem(
            row,
            severity.value,
            finding.code.value,
            finding.field,
            column,
            self._origin.cell(column, row),
            show_value(finding.field, finding.found),
            put_in_words(finding, self._owner),
        )

    def _column(self, field: str | None) -> str | None:
        """The column that fills the field, or the one that fills the object it lies in."""
        if field is not None and field not in self._column_of:
            filled = (self._columns.get(path) for path in _with_parents(field))
            self._column_of[field] = next((columns[0] for columns in filled if columns), None)
        return self._column_of[field]


@cache
def _with_parents(path: str) -> tuple[str, ...]:
    """`a.b.c`, `a.b`, `a`."""
    names = path.split(".")
    return tuple(".".join(names[:depth]) for depth in range(len(names), 0, -1))
