"""Strings: the table of texts that the cells of a workbook refer to.

It must never know the cells.
"""

from collections.abc import Iterable

from etl.readers.xml_stream import feed, local_name, open_parser


def read_strings(chunks: Iterable[bytes]) -> list[str]:
    """Every text, in order, escapes (`_x000D_`) not yet decoded; runs of rich text joined, phonetic hints left out."""
    strings: list[str] = []
    runs: list[str] = []
    pieces: list[str] = []
    phonetic = False

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal phonetic
        match local_name(name):
            case "si":
                runs.clear()
            case "t":
                pieces.clear()
            case "rPh":
                phonetic = True

    def end(name: str) -> None:
        nonlocal phonetic
        match local_name(name):
            case "si":
                strings.append("".join(runs))
            case "t" if not phonetic:
                runs.extend(pieces)
            case "rPh":
                phonetic = False

    parser = open_parser(start, end, pieces.append)
    for _ in feed(parser, chunks):
        pass
    return strings
