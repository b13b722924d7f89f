"""Trees of keys: which keys inside JSON are used, and which are left, at any depth.

Must never know what a key is for.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from etl.mapping.cells.ways import Part, is_nothing, members_in, pieces_in


@dataclass(slots=True)
class Keys:
    """What is used of a JSON value: all of it (`whole`), or what is inside its keys, its only key, its items."""

    whole: bool = False
    inside: dict[str, "Keys"] = field(default_factory=dict)
    only: "Keys | None" = None
    items: "Keys | None" = None

    def take(self, parts: Iterable[Part]) -> None:
        """All that stands at the end of a way is used, and what the way asks for on it."""
        node = self
        for part in parts:
            if part.every or part.place is not None:
                node.items = node.items or Keys()
                node = node.items
                if part.key is not None:
                    node.inside.setdefault(part.key, Keys()).whole = True
            elif part.only:
                node.only = node.only or Keys()
                node = node.only
            elif part.key is not None:
                node = node.inside.setdefault(part.key, Keys())
        node.whole = True


def tree_of(ways: Iterable[Iterable[Part]]) -> Keys:
    """The tree of several ways."""
    root = Keys()
    for parts in ways:
        root.take(parts)
    return root


def keys_left(cell: str, used: Keys) -> list[str]:
    """The keys of a cell that hold something and that nothing uses, each with the way to it: `vars.age`, `[].weight`.

    None of a cell that is no JSON. A value of another shape than the ways expect is not looked into.
    """
    return [*dict.fromkeys(name.removeprefix(".") for name in _left(cell.strip().encode(), [used], ""))]


def _left(raw: bytes, used: list[Keys], way: str) -> Iterator[str]:
    """`used`: what one way or another uses of this value."""
    of_items = [node.items for node in used if node.items is not None]
    if raw[:1] == b"{":
        used = [*used, *of_items]  # an object alone counts as an array of it
    if any(node.whole for node in used):
        return
    if raw[:1] == b"[" and of_items:
        for item in pieces_in(raw) or ():
            yield from _left(item, of_items, f"{way}[]")
    elif raw[:1] == b"{":
        members = members_in(raw) or {}
        alone = [node.only for node in used if node.only is not None and len(members) == 1]
        for key, value in members.items():
            inner = [*alone, *(node.inside[key] for node in used if key in node.inside)]
            if inner:
                yield from _left(bytes(value), inner, f"{way}.{key}")
            elif not is_nothing(bytes(value)):
                yield f"{way}.{key}"


class LeftFinder:
    """`keys_left` for many cells with the same tree: those whose keys are all used, which are most, cost little."""

    def __init__(self, used: Keys) -> None:
        self._used = used
        form = _form_of([used])
        self._known = msgspec.json.Decoder(form) if form is not None else None

    def keys_left(self, cell: str) -> list[str]:
        """The same as the function."""
        if self._known is not None:
            with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
                self._known.decode(cell.strip().encode())
                return []
        return keys_left(cell, self._used)


def _form_of(used: Sequence[Keys]) -> Any:
    """A type that a value has only where all its keys are used; None where there is no such type."""
    items = [node.items for node in used if node.items is not None]
    if any(node.whole for node in used):
        return msgspec.Raw
    if any(node.only is not None for node in (*used, *items)):
        return None
    of_array, of_object = _form_of(items) if items else msgspec.Raw, _form_of_object([*used, *items])
    if of_array is None or of_object is None:
        return None
    return list[of_array] | of_object | str | float | bool | None  # type: ignore[valid-type]  # made here


def _form_of_object(used: Sequence[Keys]) -> Any:
    if any(node.whole for node in used):
        return dict[str, msgspec.Raw]
    keys = list(dict.fromkeys(key for node in used for key in node.inside))
    forms = [_form_of([node.inside[key] for node in used if key in node.inside]) for key in keys]
    if None in forms:
        return None
    fields = [(f"key_{place}", form, None) for place, form in enumerate(forms)]
    names = {f"key_{place}": key for place, key in enumerate(keys)}
    try:
        return msgspec.defstruct("Form", fields, rename=names, forbid_unknown_fields=True)
    except ValueError:  # a key that has quotes or control characters
        return None
