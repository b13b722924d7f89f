"""The confined child: what it yields comes back, and nothing that it does harms its parent."""

import os
import sys
from pathlib import Path

import pytest

from etl.errors import FileError
from etl.readers.confined import Limits, confined
from tests.reading_talk import pack, parts_of

HERE = "tests.confined_functions"
LITTLE = Limits(start_bytes=64 << 20, memory_bytes=200 << 20, cpu_s=1, clock_s=30)

linux = pytest.mark.skipif(sys.platform != "linux", reason="LEFT OUT: only Linux holds a process to all limits")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cases.txt"
    path.write_text("one\ntwo\n")
    return path


def run(function: str, file: Path, limits: Limits = LITTLE, **arguments: str | int) -> list[object]:
    return list(confined(f"{HERE}:{function}", file, arguments, "cases.txt", limits))


def refusal(function: str, file: Path, limits: Limits = LITTLE, **arguments: str | int) -> FileError:
    with pytest.raises(FileError) as caught:
        run(function, file, limits, **arguments)
    return caught.value


class TestWhatAChildYields:
    def test_comes_back_in_order(self, file: Path) -> None:
        assert run("lines", file, ending="!") == [["one", "!"], ["two", "!"]]

    def test_may_be_of_any_plain_kind(self, file: Path) -> None:
        assert run("kinds", file) == ["é", 2**60, -1.5, True, None, b"\0\xff", ["a", {"b": 1}]]

    def test_is_not_mixed_with_what_a_library_prints(self, file: Path) -> None:
        assert run("prints", file) == [1]

    @linux
    def test_earns_it_time_and_memory(self, file: Path) -> None:
        assert run("works", file, chunks=5) == [0, 1, 2, 3, 4]
        assert run("swells", file, megabytes=50, chunks=1) == [0, 100]

    def test_ends_where_the_file_is_refused(self, file: Path) -> None:
        error = refusal("refuses", file)
        assert (error.message, error.hint) == (f"{file} is not for us.", "Give another.")


class TestAChildThat:
    def test_raises_is_a_refusal(self, file: Path) -> None:
        assert refusal("raises", file).message == (
            "cases.txt is damaged: the library that reads it fails (exit code 1)."
        )

    def test_aborts_is_a_refusal(self, file: Path) -> None:
        assert "reading it crashes, or needs more than 64 MB" in refusal("aborts", file).message

    def test_crashes_is_a_refusal(self, file: Path) -> None:
        assert "the library that reads it fails (SIGSEGV)" in refusal("crashes", file).message

    @linux
    def test_spins_is_stopped(self, file: Path) -> None:
        assert "takes time without giving a row" in refusal("spins", file).message

    def test_waits_for_ever_is_stopped(self, file: Path) -> None:
        assert "takes time without giving a row" in refusal("waits", file, Limits(clock_s=1.5)).message

    @linux
    def test_swells_before_its_first_row_is_stopped(self, file: Path) -> None:
        assert "needs more than 64 MB before it gives a row" in refusal("swells", file, megabytes=100, chunks=1).message

    @linux
    def test_swells_afterwards_is_stopped_later(self, file: Path) -> None:
        assert (
            "exhaust memory"
            in refusal("swells", file, megabytes=60, chunks=1, limits=Limits(memory_bytes=80 << 20)).message
        )

    @linux
    @pytest.mark.parametrize("answer", [b"\xff" * 9, b"\1\0\0\0\xc1", b"\3\0\0\0\x92\xa1a", b"\5\0\0\0" + b"\x91" * 5])
    def test_answers_nonsense_is_a_refusal(self, file: Path, answer: bytes) -> None:
        file.write_bytes(answer)
        assert "cases.txt is" in refusal("lies", file).message

    @linux
    def test_reads_a_sheet_with_cells_far_apart_takes_nothing_with_it(self, tmp_path: Path) -> None:
        path = pack(tmp_path / "a.xlsx", parts_of('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))
        assert path.stat().st_size < 2_000
        assert "exhaust memory" in refusal("sheet", path).message


class TestAChild:
    @linux
    def test_sees_neither_the_key_nor_open_files(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COVAL_API_KEY", "secret")
        with file.open() as _:
            environment, files = run("surroundings", file)
        assert isinstance(environment, list)
        assert isinstance(files, list)
        assert not [name for name in environment if "COVAL" in name or name in {"HOME", "PATH", "USER"}]
        assert not [name for name in files if name == str(file)]

    @linux
    def test_cannot_write_files(self, file: Path) -> None:
        assert "the library that reads it fails" in refusal("writes", file).message

    def test_is_gone_when_nobody_listens(self, file: Path) -> None:
        chunks = confined(f"{HERE}:number", file, {}, "cases.txt")
        process = next(chunks)
        assert isinstance(process, int)
        os.kill(process, 0)
        chunks.close()
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)

    def test_is_gone_when_the_user_stops_the_parent(self, file: Path) -> None:
        chunks = confined(f"{HERE}:number", file, {}, "cases.txt")
        process = next(chunks)
        assert isinstance(process, int)
        with pytest.raises(KeyboardInterrupt):
            chunks.throw(KeyboardInterrupt())
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)

    def test_is_started_only_when_it_is_asked(self, tmp_path: Path) -> None:
        confined("nowhere:nothing", tmp_path / "missing", {}, "cases.txt").close()

    def test_of_a_function_that_does_not_exist_is_a_refusal(self, file: Path) -> None:
        assert "exit code 1" in refusal("nothing", file).message
