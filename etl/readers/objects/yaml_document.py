"""YAML document: one list of maps, or a map that holds one, such as the `tests` of promptfoo, as JSON text.

It must never know how YAML writes a node, nor what the values mean.

One document a file; YAML 1.2, whatever version the file names. A text that is no number in JSON with the very same
signs stays a text: `007`, `0x1F`, `1_000`, `.inf`, `yes`, dates.
"""

import re
from collections.abc import Generator, Iterable

from etl.errors import FileError
from etl.readers.objects.document import Documents, Items, Keys, Step, survey_document
from etl.readers.objects.file import ObjectFile
from etl.readers.objects.json_text import ITEM
from etl.readers.objects.rows import ObjectTable
from etl.readers.objects.yaml_lines import Cursor
from etl.readers.objects.yaml_nodes import Node, NodeReader, Opened, OpenList, OpenMap
from etl.readers.options import ReadOptions
from etl.readers.sources.source import Source
from etl.readers.texts.blocks import Utf8Blocks

_VERSION = re.compile(r"%YAML[ \t]+1\.[0-9]+[ \t]*(?:#.*)?")
_MANY = 500
_MANY_CHARACTERS = 1_000_000


def survey_yaml(source: Source, options: ReadOptions) -> ObjectTable:
    """The table of a YAML document. Reads it through, twice (encoding, keys), unless for a glance.

    Raises FileError: undecodable, not YAML, several lists that could be meant or none, no record with keys.
    """
    file = ObjectFile.decide(source, "yaml", options)
    return survey_document(Documents(file, YamlDocument, ITEM, prefers=options.records is None), options)


class YamlDocument:
    """The text of a document and a place in it. `label` is what sentences call the file."""

    def __init__(self, blocks: Utf8Blocks, label: str) -> None:
        self._cursor = Cursor(blocks, label)
        self._nodes = NodeReader(self._cursor)
        self._begun = False

    @property
    def read_bytes(self) -> int:
        """How much of the file has been looked at."""
        return self._cursor.read_bytes

    def open(self, *, stepping: bool) -> Step:
        """Open the value of the document; without `stepping` it is stepped over. Raises FileError: there is none."""
        self._begin()
        return self._open(self._nodes.step(-1), stepping=stepping)

    def whole(self) -> bytes:
        """The whole value as JSON text."""
        self._begin()
        text = self._nodes.value(-1).text
        self.end()
        return text.encode()

    def end(self) -> None:
        """Raise FileError where anything but blanks and comments follows."""
        cursor = self._cursor
        if cursor.next_content() >= 0:
            raise cursor.refuse("this line belongs to nothing above it")
        while cursor.mark == "...":
            cursor.mark = ""
            if cursor.pass_mark() or cursor.next_content() >= 0:
                raise self._second()
        if cursor.mark:
            cursor.pass_mark()
            raise self._second()

    def refuse(self, why: str) -> FileError:
        """The error that something is not read, with its place."""
        return self._cursor.refuse(why)

    def _second(self) -> FileError:
        return FileError(
            f"{self._cursor.label} holds several documents: another begins in line {self._cursor.number}.",
            "Put the rows of all into one list, or each document into its own file.",
        )

    def _begin(self) -> None:
        """Go to the first content, past comments, a version and `---`."""
        cursor = self._cursor
        while cursor.next_content() == 0 and cursor.line[0] == "%":
            if not _VERSION.fullmatch(cursor.line):
                raise cursor.refuse(
                    "only %YAML is read of what begins with %; a text that begins with % goes in quotes"
                )
            cursor.at = len(cursor.line)
        if cursor.ended and cursor.mark == "---":
            cursor.mark = ""
            if cursor.pass_mark():
                raise cursor.refuse("after --- the document begins on a line of its own")
            cursor.next_content()
        if cursor.ended:
            raise FileError(
                f"{cursor.label} holds no rows: it has comments and blank lines at most.", "Name another file."
            )

    def _open(self, step: Opened, *, stepping: bool) -> Step:
        if isinstance(step, OpenList) and stepping:
            return Items(_texts(step.nodes))
        if isinstance(step, OpenMap) and stepping:
            return Keys(self._names(step), lambda *, stepping: self._open(step.value(), stepping=stepping))
        node = self._nodes.take(step)
        if stepping and node.items is not None:  # it has an anchor, so it was read as a whole
            return Items(_texts(node.items))
        return None

    def _names(self, step: OpenMap) -> Generator[str]:
        for key in step.keys:
            if key.is_merge:
                raise self._cursor.refuse("'<<' is not followed here, where the rows are looked for")
            yield key.text


def _texts(nodes: Iterable[Node]) -> Generator[list[bytes]]:
    """The nodes' texts, some at a time."""
    held: list[bytes] = []
    weight = 0
    for node in nodes:
        held.append(node.text.encode())
        weight += len(node.text)
        if len(held) >= _MANY or weight >= _MANY_CHARACTERS:
            yield held
            held, weight = [], 0
    if held:
        yield held
