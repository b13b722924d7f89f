"""What the API answers, in a form that stays the same: exact lines, sorted on disk, hashed, and as cells.

This room must never know how things are fetched, nor which files they go to.
"""

from etl.records.canonical import EMPTY, cell_text, columns_of, line_of, ordered_keys
from etl.records.cells import cut_cells, hash_cells, hash_line
from etl.records.layout import Column, ColumnKind, Layout
from etl.records.manifest import MANIFEST, FileEntry, Manifest, ResourceEntry, manifest_path, sha256_of
from etl.records.merkle import MerkleTree, leaf_hash, root_of_roots
from etl.records.signing import NAMESPACE, Signature, sign_file, signature_of
from etl.records.sorting import SortedLines

__all__ = [
    "EMPTY",
    "MANIFEST",
    "NAMESPACE",
    "Column",
    "ColumnKind",
    "FileEntry",
    "Layout",
    "Manifest",
    "MerkleTree",
    "ResourceEntry",
    "Signature",
    "SortedLines",
    "cell_text",
    "columns_of",
    "cut_cells",
    "hash_cells",
    "hash_line",
    "leaf_hash",
    "line_of",
    "manifest_path",
    "ordered_keys",
    "root_of_roots",
    "sha256_of",
    "sign_file",
    "signature_of",
]
