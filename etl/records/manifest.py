"""The manifest beside an export: what it holds, where and when it is from, and a hash for every file and resource.

It must never know how rows were fetched, nor judge whether they are still the same.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etl.errors import FileError
from etl.records.merkle import root_of_roots

MANIFEST = "manifest.json"
_FORM = 1
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of the export; `name` is relative to the manifest.

    `holds`: `rows`, `texts` (too long for a cell) or `hashes` (a line for each row).
    """

    name: str
    holds: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ResourceEntry:
    """A resource of the export. `root`: the Merkle root (RFC 6962) of its rows, each the bytes of its line of JSON.

    `columns`: name and kind of each column of the tables. `first`, `last`: times of creation of the first and last row.
    """

    name: str
    count: int
    root: str
    columns: Mapping[str, str]
    first: str | None = None
    last: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """`about`: tool, time window, base URL, workspace, filters, redaction."""

    about: Mapping[str, Any]
    resources: tuple[ResourceEntry, ...]
    files: tuple[FileEntry, ...] = field(default=())

    @property
    def root(self) -> str:
        """One hash for all rows: kept elsewhere, it shows later that nothing was changed."""
        return root_of_roots((one.name, one.count, one.root) for one in self.resources)

    def to_text(self) -> str:
        """The manifest as it is written."""
        resources = {
            one.name: {
                "count": one.count,
                "merkle_root": one.root,
                "first_created": one.first,
                "last_created": one.last,
                "columns": dict(one.columns),
            }
            for one in self.resources
        }
        files = [
            {"name": one.name, "holds": one.holds, "bytes": one.size_bytes, "sha256": one.sha256} for one in self.files
        ]
        whole = {"manifest": _FORM, **self.about, "resources": resources, "merkle_root": self.root, "files": files}
        return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Raises FileError for a file that is no manifest."""
        try:
            whole = json.loads(path.read_text(encoding="utf-8"))
            if whole.pop("manifest") != _FORM:
                raise FileError(f"{path} is a manifest of another version.", "Use a newer coval-etl.")
            resources = tuple(
                ResourceEntry(
                    name,
                    int(one["count"]),
                    str(one["merkle_root"]),
                    dict(one["columns"]),
                    one["first_created"],
                    one["last_created"],
                )
                for name, one in whole.pop("resources").items()
            )
            files = tuple(
                FileEntry(str(one["name"]), str(one["holds"]), int(one["bytes"]), str(one["sha256"]))
                for one in whole.pop("files")
            )
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise FileError(f"{path} is no manifest of an export, or it is damaged.") from None
        found = cls({key: value for key, value in whole.items() if key != "merkle_root"}, resources, files)
        if found.root != whole.get("merkle_root"):
            raise FileError(f"{path} does not agree with itself: its root is not that of its resources.")
        return found


def manifest_path(export: Path) -> Path:
    """Where the manifest of an export is: inside a folder, beside a file."""
    return export / MANIFEST if export.is_dir() else export.with_name(f"{export.name}.{MANIFEST}")


def sha256_of(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file. Raises FileError where it cannot be read."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE_BYTES):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}.") from None
    return size, digest.hexdigest()
