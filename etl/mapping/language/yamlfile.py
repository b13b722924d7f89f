"""A YAML file as values, with the line and column of each.

Anchors, aliases, tags and several documents in one file are refused: a mapping is read by people, and an alias can
stand for gigabytes. Must never know what the keys mean.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, NodeEvent
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

SIZE_LIMIT = 1_000_000
"""Characters in a mapping file."""
DEPTH_LIMIT = 20
"""Lists and mappings within each other."""

Loc = Sequence[str | int]
"""The way to a value: keys and list positions from 0."""


class YamlError(ValueError):
    """The file is not the YAML that a mapping is written in: `line` and `column` from 1, and a sentence."""

    def __init__(self, line: int, column: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line
        self.column = column
        self.sentence = sentence


@dataclass(frozen=True)
class Places:
    """Where the values of a file stand. The file is read when this is first asked for."""

    read: Callable[[], Any]

    @cached_property
    def _root(self) -> Any:
        return self.read()

    def of(self, loc: Loc) -> tuple[int, int]:
        """Line and column, both from 1, of the last key or item on the way `loc` that the file has."""
        node, found = self._root, (1, 1)
        for key in loc:
            if isinstance(node, CommentedMap) and key in node:
                line, column = node.lc.key(key)
            elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
                line, column = node.lc.item(key)
            else:
                continue  # a name of pydantic's for a choice, such as a step's
            found = (line + 1, column + 1)
            node = node[key]
        return found


class TwiceError(YamlError):
    """A key stands in one place twice: the file can be read, though nobody knows which is meant."""


def read_yaml(text: str, *, allow_twice: bool = False) -> CommentedMap:
    """The mapping that a YAML text is. Raises YamlError. With `allow_twice` the first of two keys alike counts."""
    if len(text) > SIZE_LIMIT:
        raise YamlError(1, 1, f"the file has {len(text):,} characters; a mapping has at most {SIZE_LIMIT:,}")
    try:
        _refuse_surprises(text)
        yaml = YAML(typ="rt", pure=True)
        yaml.allow_duplicate_keys = allow_twice
        root = yaml.load(text)
    except YamlError:
        raise
    except DuplicateKeyError as error:
        raise _duplicate(error) from None
    except MarkedYAMLError as error:
        raise _unreadable(error) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(line, 1, "a character here cannot stand in YAML; remove it") from None
    except (YAMLError, ValueError, TypeError, RecursionError):  # TypeError: a list or a mapping as a key
        raise YamlError(1, 1, "the file is not YAML; see a ready-made mapping for an example") from None
    if not isinstance(root, CommentedMap):
        raise YamlError(1, 1, "a mapping file consists of keys and values; begin with version: 1")
    return root


def plain(node: Any) -> Any:
    """A value of the file as plain dict, list, str, int, float, bool or None; anything else stays what it is."""
    if isinstance(node, dict):
        return {_plain_scalar(key): plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    return _plain_scalar(node)


def _plain_scalar(node: Any) -> Any:
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _refuse_surprises(text: str) -> None:
    depth = documents = 0
    for event in YAML(typ="rt", pure=True).parse(text):
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, AliasEvent):
            raise YamlError(line, column, "aliases (*name) are not allowed; write the value out")
        if isinstance(event, NodeEvent) and event.anchor:
            raise YamlError(line, column, "anchors (&name) are not allowed; remove it")
        if isinstance(event, NodeEvent) and getattr(event, "tag", None):
            raise YamlError(line, column, "tags (!name) are not allowed; remove it")
        documents += isinstance(event, DocumentStartEvent)
        if documents > 1:
            raise YamlError(line, column, "a second document begins here; put each mapping into its own file")
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEPTH_LIMIT:
            raise YamlError(line, column, f"lists and mappings are nested more than {DEPTH_LIMIT} deep; flatten them")


def keys_twice(text: str) -> list[TwiceError]:
    """Every key that stands in one place again, in a text that `read_yaml` refuses for the first of them."""
    return [*_again(YAML(typ="rt", pure=True).compose(text))]


def _again(node: Any) -> Iterator[TwiceError]:
    if isinstance(node, SequenceNode):
        for item in node.value:
            yield from _again(item)
    elif isinstance(node, MappingNode):
        seen: set[Any] = set()
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value in seen:
                mark = key.start_mark
                yield TwiceError(mark.line + 1, mark.column + 1, f'the key "{key.value}" stands here twice; remove one')
            seen.add(key.value if isinstance(key, ScalarNode) else None)
            yield from _again(value)


def _duplicate(error: DuplicateKeyError) -> TwiceError:
    mark = error.problem_mark
    key = str(error.problem).partition('"')[2].partition('"')[0]
    return TwiceError(mark.line + 1, mark.column + 1, f'the key "{key}" stands here twice; remove one')


def _unreadable(error: MarkedYAMLError) -> YamlError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return YamlError(
        line,
        column,
        "this is not YAML; check the indentation here and above, the colons, and put texts with : or # in quotes",
    )
