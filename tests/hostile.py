# what was measured is printed
"""`python -m tests.hostile`: workbooks made to do harm, at full size; what reading each takes, and how it ends.

It must stay small itself: a child begins as large as whoever starts it, so files are made by a process of their own.
The tests make the same files, smaller, and lower the limits; here the limits are the real ones.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

MOST_CPU_S, MOST_MB = 5.0, 512
"""What a file may cost before it is refused, start-up of Python and the libraries included."""

READ = """
import sys
from etl.errors import FileError
from etl.readers import open_source
try:
    with open_source(sys.argv[1]) as survey:
        print("read,", sum(len(batch) for table in survey.tables for batch in table.batches()), "rows")
except FileError as error:
    print("refused:", " ".join(error.message.split())[-90:])
"""


def xlsx_rows(every: int, form: str) -> Callable[[Path], Path]:
    """A million rows of forty formatted cells, in every so many rows one text."""

    def make(folder: Path) -> Path:
        from tests.reading_talk import pack, parts_of
        from tests.test_readers_hollow import FORMS, STYLES, rows_of

        return pack(folder / "cases.xlsx", parts_of(rows_of(range(2, 500_000), every, FORMS[form]), styles=STYLES))

    return make


def hollow(kind: str, rows: int, every: int, width: int = 20) -> Callable[[Path], Path]:
    """The same in another format; `every` 0: only the first row has a text."""

    def make(folder: Path) -> Path:
        from tests import test_readers_hollow_formats as room

        room.WIDTH, room.HEAD = width, tuple(f"column {at}" for at in range(width))
        return room.FORMATS[kind](folder, rows, lambda row: row % every == 0 if every else row == 1)

    return make


def merged(folder: Path) -> Path:
    """As many merged areas as a sheet may have."""
    from tests.reading_talk import pack, parts_of

    areas = "".join(f'<mergeCell ref="C{row}:D{row}"/>' for row in range(1, 200_000))
    return pack(folder / "cases.xlsx", parts_of("", sheet=f"<mergeCells>{areas}</mergeCells>"))


def blanks(folder: Path) -> Path:
    """Half a gigabyte of white space, packed."""
    from tests.reading_talk import pack, parts_of

    return pack(folder / "cases.xlsx", parts_of("", sheet=" " * 500_000_000))


def far_apart(folder: Path) -> Path:
    """One cell, in the last row and column that a sheet has."""
    from tests.reading_talk import pack, parts_of

    return pack(folder / "cases.xlsx", parts_of('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))


FILES: dict[str, Callable[[Path], Path]] = {
    "xlsx, formatted to its end": xlsx_rows(10_000_000, "plain"),
    "xlsx, a text in 1,000 rows": xlsx_rows(1_000, "plain"),
    "xlsx, a text in 30 rows": xlsx_rows(30, "plain"),
    "xlsx, blanks without end": blanks,
    "xlsx, 200,000 merged areas": merged,
    "xlsx, far apart": far_apart,
    "xlsb, formatted to its end": hollow("xlsb", 500_000, 0),
    "xlsb, a text in 1,000 rows": hollow("xlsb", 500_000, 1_000),
    "xlsb, a text in 30 rows": hollow("xlsb", 500_000, 30),
    "xlsb short, a text in 1,000 rows": hollow("xlsb, short", 500_000, 1_000),
    "xls, formatted to its end": hollow("xls", 65_535, 0, 200),
    "xls, a text in 1,000 rows": hollow("xls", 65_535, 1_000, 200),
    "xls, a text in 30 rows": hollow("xls", 65_535, 30, 200),
    "ods, formatted to its end": hollow("ods", 500_000, 0),
    "ods, a text in 1,000 rows": hollow("ods", 500_000, 1_000),
    "ods, a text in 30 rows": hollow("ods", 500_000, 30),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of names (all)")
    parser.add_argument("--make", nargs=2, metavar=("NAME", "FOLDER"), help="make one, and measure nothing")
    told = parser.parse_args()
    if told.make:
        print(FILES[told.make[0]](Path(told.make[1])))
        return 0
    costly = [name for name in FILES if name.startswith(tuple(told.names or ("",))) and not measure(name)]
    return 1 if costly else 0


def measure(name: str) -> bool:
    """Whether a file costs no more than it may."""
    with tempfile.TemporaryDirectory(prefix="coval-etl-hostile-") as folder:
        line = [sys.executable, "-m", "tests.hostile", "--make", name, folder]
        path = Path(subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip())
        with (path.parent / "out").open("wb") as out:
            process = subprocess.Popen([sys.executable, "-c", READ, str(path)], stdout=out, stderr=out)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said = (path.parent / "out").read_text()[-120:].strip()
        cpu_s, peak_mb = usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024
        print(f"{name:34} {path.stat().st_size / 1e6:7.1f} MB {cpu_s:6.2f} s CPU {peak_mb:5} MB  {said}", flush=True)
        return process.returncode == 0 and cpu_s <= MOST_CPU_S and peak_mb <= MOST_MB


if __name__ == "__main__":
    sys.exit(main())
