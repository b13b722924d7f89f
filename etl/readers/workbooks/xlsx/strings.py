"""Strings: the table of texts that the cells of a workbook refer to.

It must never know the cells.
"""

from collections.abc import Generator, Iterable

import polars as pl

from etl.readers.workbooks.plain_text import CHARACTERS, decoded, unescaped
from etl.readers.workbooks.xml_list import ItemList, read_list
from etl.readers.workbooks.xml_stream import XmlFeed, local_name, open_parser, refuse_depth, refuse_length

_TEXTS = ItemList(item="si>", name="sst")
_TEXT = rf'^<t(?: xml:space="preserve")?(?:/>|>{CHARACTERS}</t>)</si>$'


def read_texts(chunks: Iterable[bytes]) -> Generator[pl.Series]:
    """Every text of the part, in order; runs of rich text joined, phonetic hints left out."""
    collector = _Collector()
    parser = open_parser(collector.start, collector.end, collector.pieces.append)
    return read_list(chunks, _TEXTS, XmlFeed(parser), collector, _read_plain_texts)


def _read_plain_texts(content: bytes, prefix: str) -> pl.Series | None:
    """The texts of a block of `<si><t>…</t></si>`; None where there is anything else."""
    block = decoded(content) if not prefix else None
    if block is None:
        return None
    items = block.str.split("<si>").explode()[1:]
    if not items.str.contains(_TEXT).all():
        return None
    texts = items.str.strip_suffix("</si>").str.strip_suffix("</t>").str.strip_prefix("<t/>").str.strip_prefix("<t>")
    return unescaped(texts.str.strip_prefix('<t xml:space="preserve">'))


class _Collector:
    """Turns the events of the XML parser into texts."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        """The pieces of text since the last one began; the parser appends to it."""
        self._texts: list[str] = []
        self._runs: list[str] = []
        self._phonetic = False
        self._depth = 0

    @property
    def between_items(self) -> bool:
        return self._depth == 1

    def take(self) -> pl.Series | None:
        refuse_length(self.pieces)
        refuse_length(self._runs)
        texts, self._texts = self._texts, []
        return pl.Series(texts, dtype=pl.String) if texts else None

    def start(self, name: str, _: dict[str, str]) -> None:
        self._depth += 1
        refuse_depth(self._depth)
        match local_name(name):
            case "si":
                self._runs.clear()
            case "t":
                self.pieces.clear()
            case "rPh":
                self._phonetic = True
            case _:
                pass

    def end(self, name: str) -> None:
        self._depth -= 1
        match local_name(name):
            case "si":
                self._texts.append("".join(self._runs))
            case "t" if not self._phonetic:
                self._runs.extend(self.pieces)
            case "rPh":
                self._phonetic = False
            case _:
                pass
