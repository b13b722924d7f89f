"""Document: a text that is one list of objects, or an object that holds one, record by record.

It must never hold the document in memory, nor choose between two lists that could both be meant.

Rows are numbered by their place in the list, from 1. A record that is no object, or has a fault inside, is a problem on
its row; where it cannot even be told where a record ends, the file is refused. The columns are the union of the keys of
all records, so the document is read through once before the first batch, unless for a glance.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from etl.batch import BESIDE, Certainty, Decision
from etl.errors import FileError
from etl.readers.objects.file import ObjectFile
from etl.readers.objects.json_text import What
from etl.readers.objects.rows import Block, KeySurvey, ObjectTable
from etl.readers.options import ReadOptions
from etl.readers.texts.blocks import Utf8Blocks

ITSELF = "."
"""As the key of the records: the document itself, a list or one record."""
PREFERRED = "tests"
"""The list that a document of promptfoo is about."""
_DEEPEST = 4
"""Lists within so many objects within each other are found."""
_MOST_KEYS = 100_000
"""An object of more keys is no document round a list, and they would have to be held."""
_MOST_LISTS = 20
_MOST_NAMED = 1_000
"""Keys beside the records that are remembered."""
_OF_LISTINGS = frozenset(
    (
        *("next_page_token", "page_token", "page", "page_size", "total", "total_count", "count", "has_more", "next"),
        *("previous", "first_id", "last_id", "object", "links", "meta", "version", "$schema", "_id"),
    )
)
"""Keys of an API's answer, or of a format, that say nothing about any record."""
_LOOKED_AT = 1_000
"""Values of a list after which it is clear that it holds no objects; and records that a glance looks at."""
_GLANCE_BYTES = 4 << 20
_KINDS = {'"': "texts", "[": "lists", "n": "nulls", "t": "booleans", "f": "booleans"}


class Items(NamedTuple):
    """A list that is stepped through: its values' texts, some at a time."""

    texts: Generator[list[bytes]]


class Keys(NamedTuple):
    """An object that is stepped through: after each key, its value is to be opened before the next is asked for.

    Whoever opens a value says whether a list or an object in it is to be stepped through in turn.
    """

    names: Generator[str]
    open_value: "Opens"


Step = Items | Keys | None
"""What a value is; None: it was stepped over."""


class Opens(Protocol):
    """Opens the value at the place; without `stepping` it is stepped over. Raises FileError where there is none."""

    def __call__(self, *, stepping: bool) -> Step: ...


class Document(Protocol):
    """A text that holds one value, and a place in it."""

    @property
    def read_bytes(self) -> int:
        """How much of the file has been looked at."""

    def open(self, *, stepping: bool) -> Step:
        """Open the value at the place, first of all the whole one; as `Opens`."""

    def end(self) -> None:
        """Raise FileError where anything but blanks follows the value."""

    def whole(self) -> bytes:
        """The text of the whole value, on one line."""

    def refuse(self, why: str) -> FileError:
        """The error that something is not read, with its place."""


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of one format. `prefers`: of several lists, the one called `PREFERRED` is meant."""

    file: ObjectFile
    document: Callable[[Utf8Blocks, str], Document]
    what: What
    """What sentences call a record."""
    prefers: bool = False

    @property
    def label(self) -> str:
        return self.file.source.label


@dataclass(slots=True)
class _List:
    """A list in the document: where it is, the keys of its values, how many were looked at, and the first one's sign.

    `path` are the keys that lead to it, joined by dots; `depth` is their number.
    """

    path: str
    depth: int
    survey: KeySurvey
    count: int = 0
    sign: str = ""

    @property
    def name(self) -> str:
        return "the list" if self.path == ITSELF else f"the list {self.path!r}"

    def take(self, elements: Iterator[list[bytes]], *, glance: bool) -> bool:
        """Look through its values; false where the rest need not be looked at."""
        for texts in elements:
            self.sign = self.sign or texts[0][:1].decode(errors="replace")
            self.survey.take(Block(range(self.count + 1, self.count + 1 + len(texts)), texts))
            self.count += len(texts)
            if self.count >= _LOOKED_AT and (glance or not self.survey.columns):
                return False
        return True


def survey_document(kind: Documents, options: ReadOptions) -> ObjectTable:
    """The table of a document. Reads it through, unless for a glance.

    Raises FileError: not of its format, several lists that could be meant or none, no record with keys.
    """
    keys: list[str] = []
    lists = _find_lists(kind, options, keys)
    chosen, decision = _choose(lists, kind, options.records)
    if chosen is None:
        read = partial(_read_whole, kind)
        survey = KeySurvey(kind.label, kind.what)
        with closing(read()) as whole:
            for block in whole:
                survey.take(block)
        return kind.file.table(survey, (decision,), read)
    _refuse_without_objects(chosen, kind)
    decisions = (decision, *_beside(chosen.path, keys))
    return kind.file.table(chosen.survey, decisions, partial(_read_list, kind, chosen.path))


def _beside(path: str, keys: Sequence[str]) -> Iterator[Decision]:
    """What stands in the document beside the records, as far as it was looked at: nobody reads it."""
    inside = {"", *(path[:at] for at, sign in enumerate(path) if sign == ".")}
    left = [key for key in keys if key.rpartition(".")[0] in inside and key not in {*inside, path}]
    left = [key for key in left if key.rpartition(".")[2] not in _OF_LISTINGS]
    if left:
        shown = ", ".join(left[:_MOST_LISTS]) + (", …" if len(left) > _MOST_LISTS else "")
        yield Decision(BESIDE, shown, f"beside {path}: only the records are read", Certainty.CERTAIN)


def _find_lists(kind: Documents, options: ReadOptions, keys: list[str]) -> list[_List]:
    """The lists of a document. Of those not asked for, only the path is known. The ways to all keys go into `keys`."""
    found: list[_List] = []
    with kind.file.open() as blocks:
        document = kind.document(blocks, kind.label)
        for path, depth, texts in _lists(document, kind, keys):
            one = _List(path, depth, KeySurvey(kind.label, kind.what))
            if options.records in {None, path} or path == ITSELF:
                whole = one.take(texts, glance=options.glance)
                if options.glance and one.survey.columns and (not whole or document.read_bytes > _GLANCE_BYTES):
                    return [*found, one]
                if not one.survey.columns:
                    one.survey.forget_head()
            found.append(one)
            if sum(bool(other.survey.columns) for other in found) > _MOST_LISTS:
                return found
        document.end()
    return found


_Found = tuple[str, int, Iterator[list[bytes]]]
"""A list's path and depth, and its values."""


def _lists(document: Document, kind: Documents, keys: list[str] | None = None) -> Generator[_Found]:
    """The lists of a document in the order in which they come; what is not read of one is stepped over."""
    step = document.open(stepping=True)
    if step is None:
        raise FileError(
            f"{kind.label} is a single value, not a list of objects.",
            f"Write each row as {kind.what.object}: {kind.what.form}",
        )
    yield from _walk(document, kind, step, "", 0, [] if keys is None else keys)


def _walk(document: Document, kind: Documents, step: Step, path: str, depth: int, keys: list[str]) -> Generator[_Found]:
    if isinstance(step, Items):
        yield path or ITSELF, depth, step.texts
        deque(step.texts, maxlen=0)
    elif isinstance(step, Keys):
        seen: set[str] = set()
        for key in step.names:
            if key in seen:
                raise document.refuse(f"the key {key!r} is there twice in one object")
            if len(seen) == _MOST_KEYS:
                raise document.refuse(f"an object of more than {_MOST_KEYS:,} keys is no list of rows")
            seen.add(key)
            inner = f"{path}.{key}" if path else key
            if len(keys) < _MOST_NAMED:
                keys.append(inner)
            value = step.open_value(stepping=depth + 1 < _DEEPEST)
            yield from _walk(document, kind, value, inner, depth + 1, keys)
    elif kind.prefers and path == PREFERRED:
        raise FileError(
            f"{kind.label}: {PREFERRED!r} is no list here.",
            "Where it names another file, read that file. For another list of this one: --records KEY",
        )


def _choose(lists: Sequence[_List], kind: Documents, told: str | None) -> tuple[_List | None, Decision]:
    """The list whose values are the rows; None: the document itself is the one row."""
    label = kind.label
    if lists and not lists[0].depth:
        if told in {None, ITSELF}:
            return lists[0], Decision("records", "the document itself", "it is a list", Certainty.CERTAIN)
        raise FileError(f"{label} is a list, and no object with a key {told!r}.", "Leave out --records.")
    if told == ITSELF:
        return None, Decision("records", "the document itself, as one row", "said with --records", Certainty.TOLD)
    if told is not None:
        return _choose_told(lists, label, told)
    preferred = [one for one in lists if one.path == PREFERRED and one.depth == 1]
    if kind.prefers and preferred:
        evidence = "the list of test cases, as promptfoo calls it"
        return preferred[0], Decision("records", PREFERRED, evidence, Certainty.LIKELY)
    return _choose_only(lists, label)


def _choose_told(lists: Sequence[_List], label: str, told: str) -> tuple[_List, Decision]:
    chosen = [one for one in lists if one.path == told]
    if len(chosen) == 1:
        return chosen[0], Decision("records", told, "said with --records", Certainty.TOLD)
    if chosen:
        raise FileError(f"{label}: {told!r} leads to two lists, for one of its keys holds a dot.", "Rename that key.")
    hint = f"Its lists are: {_names(lists)}." if lists else "It holds no list. To read it as one row: --records ."
    raise FileError(f"{label} has no list {told!r}.", hint)


def _choose_only(lists: Sequence[_List], label: str) -> tuple[_List | None, Decision]:
    filled = [one for one in lists if one.survey.columns]
    top = [one for one in filled if one.depth == 1]
    if len(top) > 1:
        raise FileError(
            f"{label} holds several lists of objects: {_names(top)}.",
            f"Say which one holds the rows, for example --records {top[0].path}",
        )
    if top:
        evidence = "the only list of objects at the top of the document"
        return top[0], Decision("records", top[0].path, evidence, Certainty.LIKELY)
    if filled:
        raise FileError(
            f"{label} holds no list of objects at its top, but deeper: {_names(filled)}.",
            f"If its objects are the rows: --records {filled[0].path}; to read the document as one row: --records .",
        )
    if empty := [one for one in lists if not one.count]:
        raise FileError(
            f"{label} holds no rows: {_names(empty)} is empty.", "To read the document itself as one row: --records ."
        )
    evidence = "it is an object that holds no list of objects"
    return None, Decision("records", "the document itself, as one row", evidence, Certainty.LIKELY)


def _names(lists: Sequence[_List]) -> str:
    names = [one.path for one in lists[:_MOST_LISTS]]
    return ", ".join(names) + (", …" if len(lists) > _MOST_LISTS else "")


def _refuse_without_objects(chosen: _List, kind: Documents) -> None:
    if not chosen.count:
        hint = "Name another file, or another list of this one: --records KEY" if chosen.depth else "Name another file."
        raise FileError(f"{kind.label} holds no rows: {chosen.name} is empty.", hint)
    if not chosen.survey.columns and chosen.sign != "{":
        values = _KINDS.get(chosen.sign, "numbers")
        hint = f"Write each row as {kind.what.object}: {kind.what.form}"
        raise FileError(f"{kind.label}: {chosen.name} holds {values}, not objects.", hint)


def _read_list(kind: Documents, path: str) -> Generator[Block]:
    with kind.file.open() as blocks:
        for found, _, elements in _lists(kind.document(blocks, kind.label), kind):
            if found == path:
                number = 1
                for texts in elements:
                    yield Block(range(number, number + len(texts)), texts)
                    number += len(texts)
                return


def _read_whole(kind: Documents) -> Generator[Block]:
    with kind.file.open() as blocks:
        yield Block([1], [kind.document(blocks, kind.label).whole()])
