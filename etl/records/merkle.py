"""One hash for many rows, in their order (RFC 6962, section 2.1): a row cannot be changed, moved or left out unseen.

It must never know what a row is.
"""

import hashlib
from collections.abc import Iterable


def leaf_hash(row: bytes) -> bytes:
    """The SHA-256 of a row, 32 bytes; leaves and joints are told apart by their first byte."""
    return hashlib.sha256(b"\0" + row).digest()


class MerkleTree:
    """Grows leaf by leaf; keeps one hash for each power of two, however many there are."""

    def __init__(self) -> None:
        self.count = 0
        self._roots: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """One more leaf, at the end."""
        self.count += 1
        self._roots.append(leaf)
        size = self.count
        while size % 2 == 0:
            right, left = self._roots.pop(), self._roots.pop()
            self._roots.append(_joint(left, right))
            size //= 2

    def root(self) -> str:
        """The root of all leaves so far, in hexadecimal; of none it is the SHA-256 of nothing."""
        if not self._roots:
            return hashlib.sha256().hexdigest()
        whole = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            whole = _joint(left, whole)
        return whole.hex()


def root_of_roots(parts: Iterable[tuple[str, int, str]]) -> str:
    """One hash for several resources: of their names, counts and roots, in the order of their names."""
    tree = MerkleTree()
    for name, count, root in sorted(parts):
        tree.add(leaf_hash(f"{name} {count} {root}".encode()))
    return tree.root()


def _joint(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()
