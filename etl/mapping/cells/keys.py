"""Trees of keys: which keys inside JSON are used, and which are left, at any depth.

Must never know what a key is for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

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
