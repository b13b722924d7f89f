"""XLS text: which code page the bytes of texts in a workbook of Excel 5 and 95 are in.

It must never guess: bytes beyond ASCII whose code page the file does not say, or says twice, are refused.
"""

from collections.abc import Callable, Sequence

from etl.errors import FileError

_ANSI, _BY_DEFAULT, _MACINTOSH = 0, 1, 77
_SCRIPTS = {
    _ANSI: "cp1252",
    128: "cp932",
    129: "cp949",
    130: "johab",
    134: "cp936",
    136: "cp950",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
}
"""By the script that a font is for."""
_PAGES = {
    367: "ascii",
    10000: "mac-roman",
    10006: "mac-greek",
    10007: "mac-cyrillic",
    10029: "mac-latin2",
    10079: "mac-iceland",
    10081: "mac-turkish",
    32768: "mac-roman",
    32769: "cp1252",
    **{page: f"cp{page}" for page in (437, 850, 852, 855, 857, 860, 861, 862, 863, 864, 865, 866, 869)},
    **{page: f"cp{page}" for page in (874, 932, 936, 949, 950, *range(1250, 1259))},
}


def page_name(number: int) -> str | None:
    """Python's name of a code page, None for one that is not read."""
    return _PAGES.get(number)


def open_decoder(page: str | None, scripts: Sequence[int], label: str) -> Callable[[bytes, int | None], str]:
    """A function from the bytes of a text and the cell's style (None: the text is in no cell) to the text.

    `page` is the workbook's own code page (None: it names none that is read), `scripts` the script of each style's
    font. The function raises FileError.
    """

    def decode(content: bytes, style: int | None) -> str:
        if content.isascii():
            return content.decode("ascii")
        script = scripts[style] if style is not None and style < len(scripts) else _BY_DEFAULT
        if page is None:
            raise _uncertain(label, "it does not say which code page they are in")
        if not _go_together(page, script):
            raise _uncertain(label, f"they are in the code page {page}, but some in a font for another")
        try:
            return content.decode(page)
        except UnicodeDecodeError as error:
            raise _uncertain(label, f"some are not in the code page {page}, although it says so") from error

    return decode


def _uncertain(label: str, why: str) -> FileError:
    return FileError(f"The texts of {label} are not certain: {why}.", "Open it in Excel and save it as .xlsx.")


def _go_together(page: str, script: int) -> bool:
    """Whether a font's script leaves the code page in force: it would change what is shown."""
    if script == _BY_DEFAULT:
        return True
    if page.startswith("mac-"):
        return script in {_ANSI, _MACINTOSH}
    return _SCRIPTS.get(script) == page
