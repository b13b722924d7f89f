"""YAML nodes: the lists, maps and texts of a YAML document as JSON text, and what aliases stand for.

It must never know which list holds the rows, nor read on where two readings of the text are possible.

Read are YAML 1.2's lists, maps, plain, quoted, literal and folded texts, in lines and in brackets. Aliases stand for
copies, and `<<` takes over the keys of other maps, both within limits. Not read, and refused with line and column: tags
but `!!str`, keys that are no texts, and a few spellings of which most people do not know what they mean.
"""

import re
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import NamedTuple, TypeVar

from etl.readers.objects.json_text import MOST_NESTED
from etl.readers.objects.yaml_lines import BLANK, TAB_REFUSED, Cursor
from etl.readers.objects.yaml_scalars import (
    begins_plain,
    flow_end,
    json_of_plain,
    json_of_text,
    plain_end,
    quoted_end,
    read_block,
    read_flow_key,
    read_flow_plain,
    read_plain,
    read_quoted,
)

NODE_CHARACTERS = 20_000_000
"""A larger node is not read, unless it is stepped through."""
_MOST_KEPT = 20_000_000
"""Characters that all anchored nodes together may have."""
_MOST_COPIED = 200_000_000
"""Characters that all aliases together may stand for."""
_DEEPEST = MOST_NESTED + 8
"""What is nested less than this, and too deep for a record, is a problem of that record."""

_PROPERTY = re.compile(r"[&!][^ \t,\[\]{}]*")
_ALIAS = re.compile(r"\*[^ \t,\[\]{}]+")
_STRING_TAGS = frozenset({"!!str", "!"})
_QUOTES = frozenset("\"'")


class Node(NamedTuple):
    """A node as JSON text. `pairs` of a map: its keys as they are, its values as JSON; `items` of a list."""

    text: str
    pairs: Sequence[tuple[str, str]] | None = None
    items: Sequence["Node"] | None = None


class OpenList(NamedTuple):
    """A list that can be stepped through."""

    nodes: Generator[Node]


class Key(NamedTuple):
    """A key; `is_merge`: it takes over the keys of the maps that its value is."""

    text: str
    is_merge: bool


class OpenMap(NamedTuple):
    """A map that can be stepped through: after each key, its value is to be opened before the next key is asked for."""

    keys: Generator[Key]
    value: Callable[[], "Opened"]


Opened = Node | OpenList | OpenMap
_Some = TypeVar("_Some")
_NULL = Node("null")


class NodeReader:
    """Reads the nodes of one document, from the place where a cursor is."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self._depth = 0
        self._anchors: dict[str, Node] = {}
        self._kept = 0
        self._copied = 0

    # Values: after a key, after a dash, or the document itself.

    def value(self, parent: int, *, after_key: bool = False) -> Node:
        """The node at the place or below it; `parent` is the column of the list or map it is a value of, from 0."""
        anchor, is_text = self._properties()
        bare = not (anchor or is_text)
        return self._kept_as(anchor, self.take(self._open(parent, after_key=after_key, is_text=is_text, is_bare=bare)))

    def _kept_as(self, anchor: str, node: Node) -> Node:
        if anchor:
            self._kept += len(node.text)
            if self._kept > _MOST_KEPT:
                raise self.cursor.refuse(f"what stands behind anchors (&) has more than {_MOST_KEPT:,} characters")
            self._anchors[anchor] = node
        return node

    def step(self, parent: int, *, after_key: bool = False) -> Opened:
        """The node at the place or below it, opened rather than read where it is a list or a map without an anchor."""
        if not self.cursor.at_end_of_line() and self.cursor.line[self.cursor.at] in "&!":
            return self.value(parent, after_key=after_key)
        return self._open(parent, after_key=after_key, is_text=False, is_bare=True)

    def _open(self, parent: int, *, after_key: bool, is_text: bool, is_bare: bool) -> Opened:
        cursor = self.cursor
        below = cursor.at_end_of_line()
        if below:
            column = cursor.next_content()
            if column <= parent and not (column == parent >= 0 and after_key and self._begins_item()):
                return Node('""') if is_text else _NULL
            if cursor.line[column] in "&!":
                if not is_bare:
                    raise cursor.refuse("a value has one anchor and one tag at most, on one line")
                return self.value(parent)
        column = cursor.at
        is_item = self._begins_item()
        if not is_item and self._key_end() < 0:
            return self._scalar_or_brackets(parent, is_text=is_text)
        if not below:
            self._refuse_on_line(after_key=after_key, is_bare=is_bare)
        if is_item:
            return OpenList(self._items(column))
        return OpenMap(self._keys(column), lambda: self.step(column, after_key=True))

    def _refuse_on_line(self, *, after_key: bool, is_bare: bool) -> None:
        """Refuse a list or a map that may not begin on the line of its key, its dash, its anchor."""
        cursor = self.cursor
        if after_key:
            raise cursor.refuse("a list or a map begins on the line below its key; a text with ': ' goes in quotes")
        if not is_bare:
            raise cursor.refuse("the anchor or tag of a map stands on a line of its own, above the first key")
        if "\t" in cursor.line[: cursor.at]:
            raise cursor.refuse(TAB_REFUSED)

    def _scalar_or_brackets(self, parent: int, *, is_text: bool) -> Opened:
        cursor = self.cursor
        sign = cursor.line[cursor.at]
        if sign == "[":
            return OpenList(self._ended(self._flow_items()))
        if sign == "{":
            return OpenMap(self._ended(self._flow_keys()), self._flow_step)
        if sign in "|>":
            return Node(json_of_text(read_block(cursor, parent)))
        if sign in _QUOTES:
            node = Node(json_of_text(read_quoted(cursor, parent)))
        elif sign == "*":
            node = self._alias()
        else:
            self._refuse_question_mark()
            text = read_plain(cursor, parent)
            return Node(json_of_text(text) if is_text else json_of_plain(text))
        cursor.end_line()
        return node

    def _refuse_question_mark(self) -> None:
        cursor = self.cursor
        if cursor.line[cursor.at] == "?" and not begins_plain(cursor.line, cursor.at):
            raise cursor.refuse("keys that begin with '? ' are not read; write key: value")

    def take(self, step: Opened) -> Node:
        """A node that was opened, read to its end."""
        if isinstance(step, Node):
            return step
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.cursor.refuse(f"more than {_DEEPEST} lists and maps lie within each other")
        node = self._list(step.nodes) if isinstance(step, OpenList) else self._map(step)
        self._depth -= 1
        if len(node.text) > NODE_CHARACTERS:
            raise self.cursor.refuse(f"the list or map that ends here has more than {NODE_CHARACTERS:,} characters")
        return node

    def _list(self, nodes: Iterable[Node]) -> Node:
        items = list(nodes)
        return Node(f"[{', '.join(item.text for item in items)}]", None, items)

    def _map(self, step: OpenMap) -> Node:
        pairs: list[tuple[str, str]] = []
        taken_over: list[tuple[str, str]] = []
        for key in step.keys:
            node = self.take(step.value())
            if key.is_merge:
                taken_over += self._merged(node)
            else:
                pairs.append((key.text, node.text))
        if taken_over:
            known = {key for key, _ in pairs}
            first = dict(reversed(taken_over))  # of several maps, the first that has a key gives it
            pairs = [
                (key, first[key]) for key in dict.fromkeys(key for key, _ in taken_over) if key not in known
            ] + pairs
        return Node("{" + ", ".join(f"{json_of_text(key)}: {value}" for key, value in pairs) + "}", pairs)

    def _merged(self, node: Node) -> list[tuple[str, str]]:
        """The pairs that `<<` takes over from a map, or from the maps of a list."""
        sources = [node] if node.items is None else node.items
        if any(source.pairs is None for source in sources):
            raise self.cursor.refuse("'<<' takes over the keys of a map, or of a list of maps; this is neither")
        return [pair for source in sources for pair in source.pairs or ()]

    def _properties(self) -> tuple[str, bool]:
        """The anchor before a node, and whether a tag says that it is a text."""
        cursor = self.cursor
        anchor, is_text = "", False
        while not cursor.at_end_of_line() and (found := _PROPERTY.match(cursor.line, cursor.at)):
            name = found.group()
            if name[0] == "&" and (anchor or len(name) == 1):
                raise cursor.refuse("an anchor is one name after &")
            if name[0] == "!" and name not in _STRING_TAGS:
                raise cursor.refuse(f"the tag {name[:40]} is not followed; only !!str is")
            anchor, is_text = (name, is_text) if name[0] == "&" else (anchor, True)
            cursor.at = found.end()
            if cursor.line[cursor.at : cursor.at + 1] not in {"", " ", "\t", ",", "]", "}"}:
                raise cursor.refuse("after an anchor or a tag goes a space")
        if (anchor or is_text) and cursor.line[cursor.at : cursor.at + 1] == "*":
            raise cursor.refuse("an alias (*) has no anchor and no tag of its own")
        return anchor[1:], is_text

    def _alias(self) -> Node:
        cursor = self.cursor
        found = _ALIAS.match(cursor.line, cursor.at)
        node = self._anchors.get(found.group()[1:]) if found else None
        if found is None or node is None:
            raise cursor.refuse("this alias (*) names no anchor (&) above it; a text that begins with * goes in quotes")
        self._copied += len(node.text)
        if self._copied > _MOST_COPIED:
            raise cursor.refuse(f"the aliases up to here stand for more than {_MOST_COPIED:,} characters")
        cursor.at = found.end()
        return node

    # Lists and maps in lines.

    def _begins_item(self) -> bool:
        line, at = self.cursor.line, self.cursor.at
        return line[at] == "-" and line[at + 1 : at + 2] in {"", " ", "\t"}

    def _key_end(self) -> int:
        """Where the colon is of the key that begins here; -1: no key begins here."""
        line, at = self.cursor.line, self.cursor.at
        if line[at] in _QUOTES:
            end = quoted_end(line, at + 1, line[at]) + 1
        else:
            end = plain_end(line, at) if begins_plain(line, at) else 0
        while end and line[end : end + 1] in {" ", "\t"}:
            end += 1
        return end if end and line[end : end + 1] == ":" and line[end + 1 : end + 2] in {"", " ", "\t"} else -1

    def _items(self, column: int) -> Generator[Node]:
        cursor = self.cursor
        while True:
            cursor.at += 1
            yield self.value(column)
            if self._left(column) or not self._begins_item():
                return

    def _keys(self, column: int) -> Generator[Key]:
        cursor = self.cursor
        while True:
            end = self._key_end()
            if end < 0:
                self._refuse_question_mark()
                raise cursor.refuse("a key and its ':' are missing here")
            is_plain = cursor.line[cursor.at] not in _QUOTES
            text = cursor.line[cursor.at : end].rstrip(BLANK) if is_plain else read_quoted(cursor, column)
            cursor.at = end + 1
            yield Key(text, is_plain and text == "<<")
            if self._left(column):
                return

    def _left(self, column: int) -> bool:
        """Whether the next content is no longer in the list or map at a column."""
        found = self.cursor.next_content()
        if found > column:
            raise self.cursor.refuse("this line is indented more than what it seems to belong to")
        return found < column

    # Lists and maps in brackets, where lines and columns do not count.

    def _ended(self, steps: Generator[_Some]) -> Generator[_Some]:
        """The steps, and then the end of the line."""
        yield from steps
        self.cursor.end_line()

    def _flow_items(self) -> Generator[Node]:
        start = self._enter()
        while (sign := self._sign(start)) != "]":
            if sign == ",":
                raise self.cursor.refuse("a value is missing before ','")
            yield self.take(
                OpenMap(self._flow_pair(sign), self._flow_step) if self._begins_pair(sign) else self._flow_step()
            )
            self._pass_comma(start, "]")
        self.cursor.at += 1

    def _begins_pair(self, sign: str) -> bool:
        """Whether a map of one pair, without braces, begins here in a list: `[key: value]`."""
        line, at = self.cursor.line, self.cursor.at
        if sign in _QUOTES:
            end = quoted_end(line, at + 1, sign) + 1
            while end and line[end : end + 1] in {" ", "\t"}:
                end += 1
        else:
            end = flow_end(line, at + 1) if begins_plain(line, at, in_brackets=True) else 0
        return bool(end) and line[end : end + 1] == ":"

    def _flow_pair(self, sign: str) -> Generator[Key]:
        yield self._flow_key(sign, (self.cursor.number, self.cursor.at))

    def _flow_key(self, sign: str, start: tuple[int, int]) -> Key:
        cursor = self.cursor
        text = read_quoted(cursor, -1) if sign in _QUOTES else read_flow_key(cursor)
        if self._sign(start) != ":":
            raise cursor.refuse(f"the key {text[:40]!r} has no value; after its ':' goes a space")
        cursor.at += 1
        return Key(text, sign not in _QUOTES and text == "<<")

    def _flow_keys(self) -> Generator[Key]:
        start = self._enter()
        while (sign := self._sign(start)) != "}":
            yield self._flow_key(sign, start)
            self._pass_comma(start, "}")
        self.cursor.at += 1

    def _flow_step(self) -> Opened:
        """The value in brackets that comes next, opened where it is a list or a map without an anchor."""
        cursor = self.cursor
        sign = self._sign((cursor.number, cursor.at))
        if sign in "&!":
            anchor, is_text = self._properties()
            self._sign((cursor.number, cursor.at))
            return self._kept_as(anchor, self.take(self._flow_content(is_text=is_text)))
        return self._flow_content(is_text=False)

    def _flow_content(self, *, is_text: bool) -> Opened:
        cursor = self.cursor
        sign = cursor.line[cursor.at]
        if sign == "[":
            return OpenList(self._flow_items())
        if sign == "{":
            return OpenMap(self._flow_keys(), self._flow_step)
        if sign in _QUOTES:
            return Node(json_of_text(read_quoted(cursor, -1)))
        if sign == "*":
            return self._alias()
        if sign in ",]}":
            return Node('""') if is_text else _NULL
        text = read_flow_plain(cursor)
        return Node(json_of_text(text) if is_text else json_of_plain(text))

    def _enter(self) -> tuple[int, int]:
        start = (self.cursor.number, self.cursor.at)
        self.cursor.at += 1
        return start

    def _sign(self, start: tuple[int, int]) -> str:
        """The next sign in brackets, on this line or below."""
        while self.cursor.at_end_of_line():
            if not self.cursor.advance():
                raise self.cursor.refuse("the bracket that opens here is never closed", *start)
        return self.cursor.line[self.cursor.at]

    def _pass_comma(self, start: tuple[int, int], closing: str) -> None:
        sign = self._sign(start)
        if sign == ",":
            self.cursor.at += 1
        elif sign != closing:
            raise self.cursor.refuse(f"',' or '{closing}' is missing before {sign!r}")
