"""Styles: a workbook's cell styles, and more of them: each like one that was there, with a colour.

It must never know which cells have them.
"""

import re

from etl.tables.marked.marks import Level, UnmarkableError
from etl.tables.marked.splices import Edit, Element, put_in, read_element, spliced, tag_with

MOST_STYLES = 65_000
"""Excel stops at 65,490 ("Excel specifications and limits")."""

COLOURS = {Level.ERROR: "FFFFB197", Level.WARNING: "FFFFF2B1"}
"""Far apart in brightness, so that they differ in print and to every eye. Nothing else writes exactly these: by them a
fill of ours is known again.
"""
_LIGHT = re.compile(
    rb"""<(?:\w+:)?color\s(?=[^>]*\b(?:theme\s*=\s*["']0["']|rgb\s*=\s*["']\w\w[eEfF]\w[eEfF]\w[eEfF]))[^>]*/>"""
)
"""The colour of a font that our fills would hide."""
_FONTS = {"bold": "<{p}b/>", "link": "<{p}u/>"}
_FONT_COLOURS = {"bold": '<{p}color theme="1"/>', "link": '<{p}color rgb="FF0563C1"/>'}


class Styles:
    """The part with the styles. Styles are asked for by those they are like, and all are written at the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._root = read_element(data)
        self._fills = self._list("fills")
        self._fonts = self._list("fonts")
        self._xfs = self._list("cellXfs")
        self._known = list(self._xfs.all("xf"))
        self._made: dict[tuple[int, Level, tuple[tuple[str, str], ...]], int] = {}
        self._texts: list[bytes] = []
        self._own_fills = {number for number, fill in enumerate(self._fills.all("fill")) if _is_ours(data, fill)}
        self._fill_count = sum(1 for _ in self._fills.all("fill"))
        self._font_list = list(self._fonts.all("font"))
        self._font_count = len(self._font_list)
        self._dark_fonts: list[str] = []

    def filled(self, base: int, level: Level) -> int:
        """The style like `base`, with the colour of a level; without ours for none."""
        if level is Level.NONE and not self.is_ours(base):
            return base
        return self._make(base, level, {})

    def text(self, level: Level = Level.NONE, font: str | None = None, *, wrapped: bool = False) -> int:
        """A style for text of ours, which no program takes for a formula."""
        attributes = {"numFmtId": "49", "quotePrefix": "1", "applyNumberFormat": "1"}
        if font is not None:
            number = self._font_count + list(_FONTS).index(font)
            attributes |= {"fontId": str(number), "applyFont": "1"}
        return self._make(-2 if wrapped else -1, level, attributes)

    def is_ours(self, style: int) -> bool:
        """Whether a style of the file has a fill that we put there, in an earlier report."""
        if not self._own_fills or not 0 <= style < len(self._known):
            return False
        return int(self._known[style].attributes.get("fillId", "0")) in self._own_fills

    def written(self) -> bytes:
        """The part with the new styles in it."""
        p = self._root.prefix
        fills = "".join(
            f'<{p}fill><{p}patternFill patternType="solid"><{p}fgColor rgb="{colour}"/><{p}bgColor indexed="64"/>'
            f"</{p}patternFill></{p}fill>"
            for colour in COLOURS.values()
        )
        fonts = "".join(
            f'<{p}font>{_FONTS[name]}<{p}sz val="11"/>{_FONT_COLOURS[name]}'
            f'<{p}name val="Calibri"/><{p}family val="2"/></{p}font>'.format(p=p)
            for name in _FONTS
        )
        fonts += "".join(self._dark_fonts)
        xfs = b"".join(self._texts).decode()
        edits: list[Edit] = []
        for listing, text, count in (
            (self._fonts, fonts, self._font_count + len(_FONTS) + len(self._dark_fonts)),
            (self._fills, fills, self._fill_count + len(COLOURS)),
            (self._xfs, xfs, len(self._known) + len(self._texts)),
        ):
            tag = tag_with(self._data, listing.start, listing.inside, {"count": str(count)})
            edits += [Edit(listing.start, listing.inside, tag), put_in(listing.close, text)]
        return spliced(self._data, edits)

    def _list(self, name: str) -> Element:
        found = self._root.first(name)
        if found is None or found.is_empty:
            raise UnmarkableError(f"its styles have no {name}")
        return found

    def _make(self, base: int, level: Level, attributes: dict[str, str]) -> int:
        key = (base, level, tuple(attributes.items()))
        if key in self._made:
            return self._made[key]
        fill = self._fill_count + list(COLOURS).index(level) if level in COLOURS else 0
        changes = {**attributes, "fillId": str(fill), "applyFill": "1" if fill else "0"}
        if fill and base >= 0:
            changes |= self._dark_font(base)
        number = self._made[key] = len(self._known) + len(self._texts)
        if number >= MOST_STYLES:
            raise UnmarkableError("it has as many cell styles as a workbook can have")
        self._texts.append(self._like(base, changes))
        return number

    def _dark_font(self, base: int) -> dict[str, str]:
        """Another font for a style whose own is made for a dark fill."""
        number = int(self._known[base].attributes.get("fontId", "0")) if base < len(self._known) else 0
        font = self._font_list[number] if number < len(self._font_list) else None
        if font is None:
            return {}
        dark, found = _LIGHT.subn(b"", self._data[font.start : font.end])
        if not found:
            return {}
        text = dark.decode()
        if text not in self._dark_fonts:
            self._dark_fonts.append(text)
        at = self._font_count + len(_FONTS) + self._dark_fonts.index(text)
        return {"fontId": str(at), "applyFont": "1"}

    def _like(self, base: int, changes: dict[str, str]) -> bytes:
        if base < 0:
            p = self._root.prefix
            wrap = ' wrapText="1"' if base == -2 else ""
            plain = (
                f'<{p}xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" applyAlignment="1">'
                f'<{p}alignment vertical="top"{wrap}/></{p}xf>'
            ).encode()
            end = plain.index(b">") + 1
            return tag_with(plain, 0, end, dict(changes)) + plain[end:]
        if base >= len(self._known):
            raise UnmarkableError("a cell names a style that there is not")
        xf = self._known[base]
        return tag_with(self._data, xf.start, xf.inside, dict(changes)) + self._data[xf.inside : xf.end]


def _is_ours(data: bytes, fill: Element) -> bool:
    found = re.search(rb"""fgColor[^>]*\srgb\s*=\s*["'](\w+)["']""", data[fill.start : fill.end])
    return found is not None and found[1].decode("ascii", "replace").upper() in COLOURS.values()
