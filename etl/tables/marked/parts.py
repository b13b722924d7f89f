"""Parts: the package that a workbook is, with some parts changed or added and all others copied as they are.

It must never know what a part holds, but for the lists that say which parts there are.
"""

import io
import posixpath
import zipfile

from etl.tables.files import NewFile
from etl.tables.marked.marks import UnmarkableError
from etl.tables.marked.splices import Element, quoted, read_element, spliced

MOST_CHANGED_BYTES = 256 << 20
"""Of all parts that are changed, inflated."""
_COPY_BYTES = 1 << 20
_TYPES = "[Content_Types].xml"
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
_EMPTY_RELATIONS = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"></Relationships>'
)


class Parts:
    """An open package. Names are looked up without regard to case, as the standard asks."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._infos = {_plain(info.filename): info for info in archive.infolist() if not info.filename.endswith("/")}
        self._changed: dict[str, bytes] = {}
        self._added: dict[str, str] = {}
        """The names of new parts as they are to be written."""
        self._left = MOST_CHANGED_BYTES

    def __contains__(self, name: str) -> bool:
        return _plain(name) in self._infos or _plain(name) in self._changed

    def names(self) -> list[str]:
        """All parts, in lower case."""
        return [*self._infos, *self._added]

    def read(self, name: str) -> bytes:
        """A part as it is now. Raises UnmarkableError where there is none, or where it is too large."""
        key = _plain(name)
        if key in self._changed:
            return self._changed[key]
        info = self._infos.get(key)
        if info is None:
            raise UnmarkableError(f"it has no part {name[:80]}")
        with self._archive.open(info) as stream:
            data = stream.read(self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise UnmarkableError("it is too large")
        return data

    def write(self, name: str, data: bytes) -> None:
        """Change a part, or add one."""
        self._changed[_plain(name)] = data
        if _plain(name) not in self._infos:
            self._added[_plain(name)] = name

    def free_name(self, pattern: str) -> str:
        """The first name that no part has: `xl/comments{}.xml`."""
        taken = set(self.names())
        number = 1
        while pattern.format(number).lower() in taken:
            number += 1
        return pattern.format(number)

    def relations(self, part: str) -> list[Element]:
        """What a part refers to; `""` for the package."""
        name = _listing_of(part)
        if name not in self:
            return []
        return list(read_element(self.read(name)).all("Relationship"))

    def related(self, part: str, kind: str) -> str | None:
        """The name of the first part inside the package that a part refers to as a `kind`."""
        for one in self.relations(part):
            if one.attributes.get("Type") == _RELATION + kind and one.attributes.get("TargetMode") != "External":
                return target_of(part, one)
        return None

    def relate(self, part: str, kind: str, target: str) -> str:
        """Let a part refer to another; the id of the reference."""
        name = _listing_of(part)
        data = self.read(name) if name in self else _EMPTY_RELATIONS
        root = read_element(data)
        taken = {one.attributes.get("Id", "").lower() for one in root.all("Relationship")}
        number = 1
        while f"rid{number}" in taken:
            number += 1
        text = f'<{root.prefix}Relationship Id="rId{number}" Type="{_RELATION}{kind}" Target="/{quoted(target)}"/>'
        self.write(name, spliced(data, [root.last_put_in(data, text)]))
        return f"rId{number}"

    def content_type(self, part: str) -> str:
        """What the package says a part is, by its name, else by its ending; empty where it says nothing of it."""
        root = read_element(self.read(_TYPES))
        for one in root.all("Override"):
            if _plain(one.attributes.get("PartName", "")) == _plain(part):
                return one.attributes.get("ContentType", "")
        ending = _plain(part).rpartition(".")[2]
        endings = {one.attributes.get("Extension", "").lower(): one for one in root.all("Default")}
        return endings[ending].attributes.get("ContentType", "") if ending in endings else ""

    def declare(self, part: str, content_type: str) -> None:
        """Say what a new part is."""
        text = f'Override PartName="/{quoted(part)}" ContentType="{content_type}"/>'
        self._declare(text)

    def declare_ending(self, ending: str, content_type: str) -> None:
        """Say what all parts with an ending are, unless that is said."""
        root = read_element(self.read(_TYPES))
        if all(one.attributes.get("Extension", "").lower() != ending for one in root.all("Default")):
            self._declare(f'Default Extension="{ending}" ContentType="{content_type}"/>')

    def _declare(self, text: str) -> None:
        data = self.read(_TYPES)
        root = read_element(data)
        self.write(_TYPES, spliced(data, [root.last_put_in(data, f"<{root.prefix}{text}")]))

    def pack(self, file: NewFile) -> None:
        """Write the package: the parts in their order, the new ones last. Raises StoppedError."""
        with zipfile.ZipFile(_Outlet(file), "w", zipfile.ZIP_DEFLATED) as packed:
            for key, info in self._infos.items():
                new = zipfile.ZipInfo(info.filename, info.date_time)
                new.compress_type = (
                    zipfile.ZIP_STORED if info.compress_type == zipfile.ZIP_STORED else zipfile.ZIP_DEFLATED
                )
                new.external_attr = info.external_attr
                if key in self._changed:
                    packed.writestr(new, self._changed[key])
                    continue
                with (
                    self._archive.open(info) as stream,
                    packed.open(new, "w", force_zip64=info.file_size > 1 << 30) as to,
                ):
                    while chunk := stream.read(_COPY_BYTES):
                        to.write(chunk)
            for key, name in self._added.items():
                packed.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), self._changed[key], zipfile.ZIP_DEFLATED)


class _Outlet(io.RawIOBase):
    """A new file as zipfile writes to it: from the front to the end."""

    def __init__(self, file: NewFile) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # zipfile gives bytes only
        self._file.write(bytes(data))
        return len(data)


def target_of(part: str, relation: Element) -> str:
    """The part that a relation of `part` leads to."""
    target = relation.attributes.get("Target", "").replace("\\", "/")
    if target.startswith("/"):
        return target.lstrip("/")
    return posixpath.normpath(posixpath.join(posixpath.dirname(part), target))


def _listing_of(part: str) -> str:
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def _plain(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()
