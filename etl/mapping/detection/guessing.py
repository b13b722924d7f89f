"""Which mapping a table was made for, and how sure that is.

Must never know how a mapping is applied.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

import polars as pl

from etl.batch import ERROR_COLUMN, Origin
from etl.mapping.cells.names import fold
from etl.mapping.cells.reaching import reach_all
from etl.mapping.cells.ways import parse_name
from etl.mapping.detection.columns import Use, settle, uses_of
from etl.mapping.detection.evidence import telling, values_by_column
from etl.mapping.detection.perhaps import perhaps, who_speaks
from etl.mapping.detection.titles import resource_of
from etl.mapping.language.presets import presets
from etl.mapping.language.spec import Mapping
from etl.resources import RESOURCES, Contract

FITS = 0.5
"""The score from which a mapping may be taken: everything it requires has a column."""

SURE = 1.0
"""The score of a mapping that is made for one format, and knows it by its header."""

_OTHERWISE = 0.78
"""What is left of a score where the title of the sheet speaks of another resource: few columns no longer outweigh it,
many still do (test cases in a sheet "Test sets")."""

_COMMON = frozenset(
    fold(name)
    for name in (
        *("id", "name", "display_name", "title", "type", "kind", "description", "notes", "comments", "language"),
        *("tags", "metadata"),
        *("summary", "message", "number", "status"),
        *("nombre", "título", "tipo", "descripción", "notas", "comentarios", "observaciones", "idioma", "mensaje"),
        *("nom", "titre", "description", "remarques", "commentaires", "langue"),
        *("titel", "typ", "art", "beschreibung", "notizen", "bemerkung", "bemerkungen", "kommentar", "sprache"),
        *("nachricht", "nome", "descrição", "observações", "notas", "mensagem"),
        *("名前", "名称", "タイトル", "種別", "説明", "備考", "言語", "メッセージ", "内容", "概要"),
    )
)
"""Names that stand in tables of every kind: with nothing else, they say nothing about what the table is."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A mapping, how well it fits (0 to 1; below `FITS` it does not), and the field of each column that it uses.

    `uses` says why, column by column; `doubts` names the columns that are not used, though a name points to a field,
    because their values are of another kind. `perhaps` names columns that are not used, though a field that matters and
    has none may be meant: somebody should say. `lacks` are the fields that the mapping requires and that nothing fills.
    """

    mapping: Mapping
    score: float
    uses: dict[str, Use] = field(default_factory=dict)
    doubts: dict[str, Use] = field(default_factory=dict)
    perhaps: dict[str, Use] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    speaker: str | None = None
    """The column that says who speaks, where each row looks like one turn, and the mapping makes a record of it."""

    @property
    def columns(self) -> dict[str, str]:
        """The field of each column."""
        return {column: use.path for column, use in self.uses.items()}

    @property
    def settled(self) -> Mapping:
        """The mapping for this table alone: names to choose from are replaced by the columns that were chosen."""
        return settle(self.mapping, self.uses)

    def taking(self, *columns: str) -> "Guess":
        """The guess of somebody who has said which columns of `perhaps` are meant; the others are not."""
        meant = {column: replace(self.perhaps[column], confidence=1.0) for column in columns}
        return replace(self, uses=meant | self.uses, perhaps={})

    @property
    def likeliest(self) -> tuple[str, ...]:
        """For each field that `perhaps` has columns for, the first of them."""
        first = {use.path: column for column, use in reversed(self.perhaps.items())}
        return tuple(reversed(first.values()))

    @property
    def known(self) -> tuple[int, float]:
        """How near a mapping is that does not fit: more columns of which a field is known, then the score.

        A score alone would not do: it is a share, and of a legend's only column all is known.
        """
        return len({*self.uses, *self.likeliest}), self.score


def guess(
    origin: Origin,
    sample: pl.DataFrame,
    resource: str | None = None,
    candidates: Iterable[Mapping] | None = None,
    given: Collection[str] = (),
    *,
    changing: bool = False,
) -> list[Guess]:
    """How well mappings fit a table, best first; equal scores are equally good.

    `sample` are the table's first rows: a column without any value counts as absent, unless a mapping knows exactly its
    name and nothing else fills the field. `resource` leaves only mappings for it, and lets a table of common names
    alone (`Name`, `Description`) fit; so does the title of a sheet, which mappings of other resources have to outweigh.
    `candidates` are mappings that somebody chose: they need not be particular about format and header, and no value
    speaks against their names. Without them, all ready-made ones are considered. `given` are the fields that have a
    value without a column. `changing`: rows may change what is there, so that nothing is required; the mappings of the
    guesses say so.
    """
    table = _Table.of(origin, sample)
    chosen = None if candidates is None else list(candidates)
    known = presets() if chosen is None else chosen
    titled = resource_of(origin.sheet) if resource is None and chosen is None else None
    if changing:
        known = [mapping.asking_nothing(defaults=True) for mapping in known]
    found = [
        _judge(
            mapping,
            table,
            given,
            told=resource is not None or chosen is not None or mapping.resource == titled,
            chosen=chosen is not None,
        )
        for mapping in known
        if resource is None or mapping.resource == resource
    ]
    if titled is not None:
        found = [one if one.mapping.resource == titled else _outweighed(one) for one in found]
    return sorted(found, key=lambda one: (-one.score, one.mapping.name))


def _outweighed(one: Guess) -> Guess:
    """A guess of which the title of the sheet says otherwise. A mapping that is sure of its format is not impressed."""
    return one if one.score == SURE else replace(one, score=round(one.score * _OTHERWISE, 3))


@dataclass(frozen=True, slots=True)
class _Table:
    """What is judged: the columns that hold something, the others, and the values."""

    origin: Origin
    filled: list[str]
    empty: list[str]
    values: dict[str, list[str]]
    sample: pl.DataFrame
    complaints: str
    """What is said of the rows, where they come back from the rejects of an earlier import."""

    @classmethod
    def of(cls, origin: Origin, sample: pl.DataFrame) -> "_Table":
        columns = origin.mapped_columns
        known = [column for column in columns if column in sample.columns and sample.height]
        values = values_by_column({column: sample[column].cast(pl.String).to_list() for column in known})
        empty = [column for column in known if not values[column]]
        values = {column: telling(cells) for column, cells in values.items()}
        said = ""
        if ERROR_COLUMN in sample.columns:
            said = " ".join(sample[ERROR_COLUMN].cast(pl.String).drop_nulls())
        return cls(origin, [column for column in columns if column not in empty], empty, values, sample, said)


def _judge(mapping: Mapping, table: _Table, given: Collection[str], *, told: bool, chosen: bool) -> Guess:
    found = uses_of(mapping, table.filled, table.empty, None if chosen else table.values, table.complaints)
    uses = {column: use for column, use in found.uses.items() if column in table.filled}
    known_as = {fold(name) for name in mapping.known_as or ()}
    meant = [column for column in table.filled if column in uses or fold(column) not in known_as]
    share = sum(use.confidence for use in uses.values()) / len(meant) if meant else 0.0
    needs_columns = any(rule.takes_columns for rule in mapping.fields.values())
    is_for = _is_for(mapping, table, chosen=chosen) and (chosen or _has_required(mapping, table))
    filled = found.paths
    demanded = [path for path, rule in mapping.fields.items() if rule.required and rule.takes_columns]
    lacking = tuple(path for path in demanded if path not in filled and path not in given)
    if not is_for or (needs_columns and not found.uses and not given):
        return Guess(mapping, 0.0, found.uses, found.doubts, {}, lacking)
    vague = not (told or _is_telling(mapping, found.uses, demanded, given))
    free = [column for column in meant if column not in found.uses and column not in found.doubts]
    asked = {} if chosen else perhaps(mapping, {*filled, *given}, free, table.values)
    score = round(0.45 * share / (1 + len(lacking) + vague), 3) if lacking or vague else _score(mapping, filled, share)
    speaker = None if chosen else who_speaks(mapping, free, table.values)
    return Guess(mapping, score, found.uses, found.doubts, asked, lacking, speaker)


def _is_telling(mapping: Mapping, uses: dict[str, Use], demanded: Collection[str], given: Collection[str]) -> bool:
    """Whether the columns show what the table is: some name stands in no other table, and what the rows are known by
    has such a name, or most of what the API requires is there. A mapping that knows its table has seen to that.
    """
    if mapping.source.requires is not None:
        return True
    own = {use.path for column, use in uses.items() if fold(column) not in _COMMON}
    used = {use.path for use in uses.values()} | set(given)
    return bool(own) and (any(path in own for path in demanded) or _required(mapping, used) > 0.5)


def _score(mapping: Mapping, used: set[str], share: float) -> float:
    """From 0.5 to 1: the share of the columns used, each as far as its name is sure, and how many of the API's required
    fields the columns fill.

    What a command line often gives (`--test-set`, `--set agent_id=…`) weighs little.
    """
    if mapping.source.header is not None or mapping.source.requires is not None:
        return SURE
    return round(min(0.5 + 0.4 * share + 0.08 * _required(mapping, used), 0.98), 3)


def _required(mapping: Mapping, used: Collection[str]) -> float:
    """How many of the fields that the API requires, in the words of either contract, are filled, from 0 to 1."""
    shares = []
    for contract in Contract:
        fields = RESOURCES[mapping.resource].fields(contract)
        known = [path for path, spec in fields.items() if spec.required and "." not in path]
        shares.append(sum(path in used for path in known) / len(known) if known else 1.0)
    return max(shares)


def _is_for(mapping: Mapping, table: _Table, *, chosen: bool) -> bool:
    """Whether a mapping that is particular about sheet, format and header considers the table at all."""
    source, origin = mapping.source, table.origin
    if source.sheet is not None and origin.sheet is not None and fold(source.sheet) != fold(origin.sheet):
        return False
    if chosen:
        return True
    known = {fold(name) for name in source.header or table.filled}
    narrow = source.header is None or len(table.filled) > 1
    return origin.format in source.formats and narrow and all(fold(column) in known for column in table.filled)


def _has_required(mapping: Mapping, table: _Table) -> bool:
    """Whether the table has what a mapping `requires`, of each entry one name, and nothing that it `excludes`.

    Names are told apart by every letter.
    """
    if any(_is_there(name, table) for name in mapping.source.excludes or ()):
        return False
    return all(any(_is_there(name, table) for name in alternatives) for alternatives in mapping.source.requires or [])


def _is_there(name: str, table: _Table) -> bool:
    """A column, columns that begin alike (`__expected*`), or a way that leads somewhere in the sample."""
    columns, sample = [*table.filled, *table.empty], table.sample
    if name in columns or (name.endswith("*") and any(column.startswith(name[:-1]) for column in columns)):
        return True
    inside = parse_name(name)
    if inside is None or inside[0] not in columns or inside[0] not in sample.columns:
        return False
    return reach_all(sample[inside[0]], inside[1]).null_count() < sample.height
