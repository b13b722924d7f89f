"""Sources: files, pipes and packed files, read whole and unchanged, or refused; and nothing left behind."""

import bz2
import gc
import gzip
import io
import lzma
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.api import Target
from etl.batch import Certainty
from etl.checking import choose_mappings
from etl.errors import EtlError, FileError, UsageError
from etl.inputs import open_inputs
from etl.jobs import ImportJob, table_key
from etl.readers import ReadOptions, open_source
from etl.readers.sources import unpack
from etl.readers.sources.opening import open_input
from etl.readers.sources.source import Source
from etl.readers.sources.spool import Spool
from etl.resources import Contract
from tests.reading_formats import PACKINGS
from tests.reading_talk import ROWS, cells, read, refusal, write_csv, write_xlsx

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CSV = b"id,input\n1,hello\n"
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda content: gzip.compress(content, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "Zstandard": zstd.compress,
}
every_packer = pytest.mark.parametrize("kind", PACKERS)


@pytest.fixture(autouse=True)
def own_spools(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test keeps its private copies apart, and leaves none."""
    folder = tmp_path_factory.mktemp("spools")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def content_of(path: Path, member: str | None = None) -> bytes:
    source = open_input(str(path), member)
    try:
        with source.open() as stream:
            return stream.read()
    finally:
        source.close()


def error_of(path: Path, member: str | None = None) -> EtlError:
    with pytest.raises(EtlError) as caught:
        open_input(str(path), member)
    return caught.value


class TestAFileOnThisMachine:
    def test_is_read_through_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "link.csv").symlink_to(write_csv(tmp_path / "cases.csv", ROWS))
        assert cells(read(tmp_path / "link.csv")) == ROWS

    def test_whose_link_leads_nowhere_says_so(self, tmp_path: Path) -> None:
        link = tmp_path / "link.csv"
        link.symlink_to(tmp_path / "gone.csv")
        assert refusal(link).message == f"{link} is a link to {tmp_path / 'gone.csv'}, which does not exist."
        link.unlink()
        link.symlink_to(link)
        assert "cannot be read" in refusal(link).message

    @pytest.mark.parametrize(
        "name", ["*.csv", "[ab].csv", "a?.csv", "{a,b}.csv", "~.csv", " .csv", "-x.csv", "a\nb.csv"]
    )
    def test_may_have_an_odd_name(self, tmp_path: Path, name: str) -> None:
        write_csv(tmp_path / "a.csv", [("1", "wrong", None)])
        write_csv(tmp_path / "b.csv", [("1", "wrong", None)])
        assert cells(read(write_csv(tmp_path / name, ROWS))) == ROWS

    def test_may_have_a_name_that_is_no_text(self, tmp_path: Path) -> None:
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/gr\xf6\xdfe.csv"))
        with open_source(str(write_csv(path, ROWS))) as survey:
            assert survey.file == survey.tables[0].origin.file == f"{tmp_path}/gr\ufffd\ufffde.csv"
            assert cells(list(survey.tables[0].batches())) == ROWS
        assert refusal(Path(f"{path}x")).hint == f"Did you mean {tmp_path}/gr\ufffd\ufffde.csv?"

    def test_in_a_file_that_is_no_folder_is_refused(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "cases.csv", ROWS)
        assert "Not a directory" in refusal(path / "x.csv").message

    @pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="no files that are made while they are read")
    def test_that_is_made_while_it_is_read_is_copied(self, own_spools: Path) -> None:
        with_source = open_input("/proc/self/mountinfo")
        assert with_source.size_bytes == len(next(own_spools.iterdir()).read_bytes()) > 0
        with_source.close()

    def test_that_is_a_device_or_a_socket_is_refused(self, tmp_path: Path) -> None:
        assert refusal("/dev/zero").message == "/dev/zero is a device or a socket, not a file."
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp_path / "s"))
            assert "a device or a socket" in refusal(tmp_path / "s").message

    def test_is_hashed_only_when_it_is_asked_for(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "cases.csv", ROWS)
        with open_source(str(path)) as survey:
            assert survey.source._content_sha256 is None
            assert survey.sha256 == survey.content_sha256 == sha256(path.read_bytes()).hexdigest()


class TestAFileThatChanges:
    def change_after(self, source: Source, path: Path, change: Callable[[Path], object]) -> None:
        with source.open() as stream:
            stream.read(1)
            change(path)
            stream.read()

    @pytest.mark.parametrize(
        "change",
        [
            lambda path: path.write_bytes(path.read_bytes() + b"2,more\n"),
            lambda path: os.truncate(path, 1_000),
            lambda path: os.utime(path, ns=(1, 1)),
        ],
        ids=["grows", "shrinks", "is written again"],
    )
    def test_while_it_is_read_is_noticed_at_its_end(self, tmp_path: Path, change: Callable[[Path], object]) -> None:
        path = written(tmp_path / "cases.csv", CSV * 50_000)
        with pytest.raises(FileError, match="changed while it was being read"):
            self.change_after(open_input(str(path)), path, change)

    def test_by_being_replaced_is_read_as_it_was(self, tmp_path: Path) -> None:
        path, other = written(tmp_path / "cases.csv", CSV * 50_000), written(tmp_path / "other.csv", CSV)
        source = open_input(str(path))
        self.change_after(source, path, other.replace)
        for look in (source.open, source.refuse_change):
            with pytest.raises(FileError, match="changed while it was being read"):
                look()

    def test_by_being_deleted_is_missed_when_it_is_opened_again(self, tmp_path: Path) -> None:
        path = written(tmp_path / "cases.csv", CSV)
        source = open_input(str(path))
        source.refuse_change()
        path.unlink()
        for look in (source.open, source.refuse_change):
            with pytest.raises(FileError, match="cannot be read: No such file"):
                look()

    def test_while_it_is_unpacked_is_noticed(self, tmp_path: Path) -> None:
        source = open_input(str(written(tmp_path / "cases.csv", gzip.compress(CSV, mtime=0))))
        written(tmp_path / "cases.csv", gzip.compress(CSV + CSV, mtime=0))
        assert source.content_sha256 == sha256(CSV).hexdigest()
        with pytest.raises(FileError, match="changed while it was being read"):
            _ = source.sha256
        source.close()


class TestStandardInput:
    def test_may_be_packed(self, monkeypatch: pytest.MonkeyPatch, own_spools: Path) -> None:
        packed = gzip.compress(CSV, mtime=0)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed)))
        with open_source("-") as survey:
            assert [path.stat().st_mode & 0o077 for path in own_spools.iterdir()] == [0, 0]
            assert cells(list(survey.tables[0].batches())) == [("1", "hello")]
            assert survey.sha256 == sha256(packed).hexdigest()
            assert survey.size_bytes == len(packed)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
    def test_a_named_pipe_is_read_like_it(self, tmp_path: Path) -> None:
        pipe = tmp_path / "cases.csv"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(CSV * 20_000,))
        writer.start()
        assert len(cells(read(pipe, ReadOptions(header_row=1)))) == 2 * 20_000 - 1
        writer.join()

    @pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="no name for standard input here")
    @pytest.mark.parametrize("how", ["a pipe", "a file"])
    def test_has_a_name_too(self, tmp_path: Path, how: str) -> None:
        code = (
            "from etl.readers import open_source\nwith open_source('/dev/stdin') as s: print(s.tables[0].sample.rows())"
        )
        with written(tmp_path / "x", CSV).open("rb") as file:
            given: dict[str, object] = {"input": CSV} if how == "a pipe" else {"stdin": file}
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, **given)  # type: ignore[call-overload]
        assert b"'1', 'hello'" in done.stdout


class TestPrivateCopies:
    def test_go_when_nobody_holds_them(self, own_spools: Path) -> None:
        spool = Spool("x")
        spool.write(b"a")
        assert len(list(own_spools.iterdir())) == 1
        del spool
        gc.collect()
        assert list(own_spools.iterdir()) == []

    def test_go_when_the_interpreter_ends_on_an_error(self, tmp_path: Path, own_spools: Path) -> None:
        path = written(tmp_path / "cases.csv.gz", gzip.compress(CSV))
        code = f"from etl.readers import open_source\nsurvey = open_source({str(path)!r})\nraise SystemExit(7)"
        done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(own_spools)}, check=False)
        assert done.returncode == 7

    def test_stay_when_a_forked_child_ends(self, tmp_path: Path) -> None:
        source = open_input(str(written(tmp_path / "cases.csv.gz", gzip.compress(CSV))))
        child = (
            "import os, sys\nfrom etl.readers.sources.opening import open_input\n"
            f"source = open_input({str(tmp_path / 'cases.csv.gz')!r})\n"
            "pid = os.fork()\nif not pid: sys.exit()\nos.waitpid(pid, 0)\n"
            "print(len(source.open().read()))"
        )
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", child], capture_output=True, check=True)
        assert done.stdout == b"%d\n" % len(CSV)
        source.close()

    def test_say_so_when_there_is_no_room(self, tmp_path: Path) -> None:
        path = written(tmp_path / "cases.csv.gz", gzip.compress(bytes(200_000)))
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            error = error_of(path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert error.message == f"{path} cannot be kept for reading: File too large."
        assert "TMPDIR" in error.hint

    def test_leave_room_on_the_disk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        usage = shutil.disk_usage("/")._replace(free=200 << 20)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with Spool("x") as spool:
            for _ in range(63):
                spool.write(bytes(1 << 20))
            with pytest.raises(FileError, match="after 64 MB, only 200 MB are free there"):
                spool.write(bytes(1 << 20))
            spool.remove()

    def test_say_so_when_there_is_no_folder_for_them(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
        with pytest.raises(FileError, match="x cannot be kept for reading: No such file"):
            Spool("x")


class TestAPackedFile:
    @pytest.mark.parametrize("suffix", PACKINGS)
    def test_is_unpacked_by_its_content(self, tmp_path: Path, own_spools: Path, suffix: str) -> None:
        packed = PACKINGS[suffix](CSV, "cases.csv")
        for name in (f"cases.csv{suffix}", f"cases.csv{suffix.upper()}", "cases.csv", "cases", "cases.xlsx"):
            with open_source(str(written(tmp_path / name, packed)), ReadOptions("csv")) as survey:
                (spool,) = own_spools.iterdir()
                assert spool.stat().st_mode & 0o077 == 0
                assert cells(list(survey.tables[0].batches())) == [("1", "hello")]
                assert survey.file == survey.tables[0].origin.file == str(tmp_path / name)
                assert (survey.size_bytes, survey.content_size_bytes) == (len(packed), len(CSV))
                assert survey.sha256 == sha256(packed).hexdigest()
                assert survey.content_sha256 == sha256(CSV).hexdigest()
                decision = survey.decisions[0]
                assert (decision.subject, decision.certainty) == ("compression", Certainty.CERTAIN)
                assert decision.value.endswith(f" bytes unpacked to {len(CSV)} bytes")
                if name != "cases.xlsx" and suffix != ".zip":
                    assert survey.source.suffix == (".csv" if "csv" in name else "")

    def test_is_the_twin_of_the_file_that_was_packed(self, tmp_path: Path) -> None:
        files = [written(tmp_path / "a.csv", CSV), written(tmp_path / "b.csv.gz", gzip.compress(CSV, mtime=0))]
        with pytest.raises(UsageError, match="The same content is given twice"):
            open_inputs([str(file) for file in files])

    def test_holds_the_same_rows_for_the_ledger(self, tmp_path: Path) -> None:
        keys = set()
        for path in (written(tmp_path / "a.csv", CSV), written(tmp_path / "b.csv.gz", gzip.compress(CSV, mtime=0))):
            with open_inputs([str(path)]) as inputs:
                (fitted,) = choose_mappings(inputs, Contract.V2025_10, resource="test-cases")
                keys.add(table_key(ImportJob("sandbox"), Target("https://api.example/v1", "a-key-of-ours"), fitted))
        assert len(keys) == 1

    @every_packer
    @pytest.mark.parametrize("size", [1, 1 << 15, (1 << 20) + 1])
    def test_is_unpacked_exactly(self, tmp_path: Path, kind: str, size: int) -> None:
        for content in (random.Random(size).randbytes(size), b"ab" * (size // 2) + b"c"):
            assert content_of(written(tmp_path / "x", PACKERS[kind](content))) == content

    @every_packer
    def test_may_consist_of_several_streams(self, tmp_path: Path, kind: str) -> None:
        pack = PACKERS[kind]
        large = random.Random(1).randbytes(40_000)
        packed = pack(b"") + pack(b"a,b\n") + pack(large) + pack(b"") + pack(b"1,2\n")
        assert content_of(written(tmp_path / "x", packed)) == b"a,b\n" + large + b"1,2\n"

    def test_may_be_padded_or_hold_frames_to_skip(self, tmp_path: Path) -> None:
        note = b"\x5e\x2a\x4d\x18\x03\0\0\0abc"
        for packed in (
            note + zstd.compress(CSV[:5]) + note + zstd.compress(CSV[5:]) + note,
            gzip.compress(CSV[:5]) + bytes(40_000) + gzip.compress(CSV[5:]) + bytes(70_000),
            lzma.compress(CSV[:5]) + bytes(4) + lzma.compress(CSV[5:]) + bytes(8),
        ):
            assert content_of(written(tmp_path / "x", packed)) == CSV

    @every_packer
    def test_that_is_cut_anywhere_is_refused(self, tmp_path: Path, kind: str) -> None:
        packed = PACKERS[kind](random.Random(1).randbytes(300))
        for size in range(12, len(packed)):
            assert "is cut off" in error_of(written(tmp_path / "x", packed[:size])).message

    @every_packer
    @pytest.mark.parametrize("more", [b"\n", b"x", b"id,input\n", b"\0\0x", b"\xff" * 100_000])
    def test_with_something_behind_its_end_is_refused(self, tmp_path: Path, kind: str, more: bytes) -> None:
        path = written(tmp_path / "x", PACKERS[kind](CSV) + more)
        assert error_of(path).message.startswith(f"{path} is damaged: something that is not {kind} data follows")

    @every_packer
    def test_that_is_damaged_is_refused(self, tmp_path: Path, kind: str) -> None:
        packed = bytearray(PACKERS[kind](random.Random(1).randbytes(5_000)))
        packed[2_000:2_010] = bytes(10)
        if kind == "Zstandard":  # which has no checksum unless told
            packed[6:12] = b"\xff" * 6
        error = error_of(written(tmp_path / "x", bytes(packed)))
        assert f"is damaged: its {kind} data" in error.message
        assert "FILE" in error.hint

    @every_packer
    def test_without_a_content_is_empty(self, tmp_path: Path, kind: str) -> None:
        path = written(tmp_path / "x", PACKERS[kind](b""))
        assert error_of(path).message == f"{path} is empty."

    @pytest.mark.parametrize("outer", PACKINGS)
    @pytest.mark.parametrize("inner", PACKINGS)
    def test_that_is_packed_twice_is_refused(self, tmp_path: Path, outer: str, inner: str) -> None:
        packed = PACKINGS[outer](PACKINGS[inner](CSV, "cases.csv"), f"cases.csv{inner}")
        error = error_of(written(tmp_path / "cases", packed))
        assert "is packed twice" in error.message
        assert error.hint == "Unpack it once, then give the file."

    def test_may_be_a_workbook(self, tmp_path: Path) -> None:
        content = write_xlsx(tmp_path / "cases.xlsx", ROWS).read_bytes()
        for suffix, pack in PACKINGS.items():
            assert cells(read(written(tmp_path / f"cases.xlsx{suffix}", pack(content, "cases.xlsx")))) == ROWS

    def test_needs_more_memory_than_it_may(self, tmp_path: Path) -> None:
        window = {zstd.CompressionParameter.window_log: 30, zstd.CompressionParameter.enable_long_distance_matching: 1}
        packer = zstd.ZstdCompressor(options=window)
        error = error_of(written(tmp_path / "x", packer.compress(CSV) + packer.flush()))
        assert "too much memory" in error.message
        assert "unzstd --long=31 FILE" in error.hint
        head = bytearray(lzma.compress(CSV, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]))
        head[16] = 38  # the dictionary's size in the block's header: 2 GB
        head[20:24] = zlib.crc32(head[12:20]).to_bytes(4, "little")
        assert "Memory usage limit" in error_of(written(tmp_path / "y", bytes(head))).message

    def test_of_no_archive_has_no_members(self, tmp_path: Path) -> None:
        for path in (
            written(tmp_path / "a.csv", CSV),
            written(tmp_path / "a.csv.gz", gzip.compress(CSV)),
            write_xlsx(tmp_path / "a.xlsx", ROWS),
        ):
            assert isinstance(error_of(path, "cases.csv"), UsageError)


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


class TestAZipArchive:
    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_of_one_file_is_that_file(self, tmp_path: Path, method: int) -> None:
        rubbish = {"data/": b"", "__MACOSX/data/._cases.csv": b"x", ".DS_Store": b"x", "data/Thumbs.db": b"x"}
        path = zipped(tmp_path / "cases.zip", {**rubbish, "data/cases.csv": CSV}, method)
        with open_source(str(path)) as survey:
            assert cells(list(survey.tables[0].batches())) == [("1", "hello")]
            assert survey.source.label == f"{path} (data/cases.csv)"
            assert survey.source.suffix == ".csv"
            assert survey.decisions[0].value.startswith("zip, data/cases.csv, ")

    def test_of_several_files_is_asked_about(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "cases.zip", {"a/cases.csv": CSV, "read me.txt": b"hello"})
        error = error_of(path)
        assert error.message == f"{path} is a zip archive of 2 files: a/cases.csv, read me.txt."
        assert error.hint == "Choose one with --member, for example --member a/cases.csv"
        many = zipped(tmp_path / "many.zip", {f"{number}.csv": CSV for number in range(20)})
        assert error_of(many).message.endswith("6.csv, 7.csv and 12 more.")

    def test_of_several_files_gives_the_chosen_one(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "cases.zip", {"a/cases.csv": CSV, "b/cases.csv": b"b", "c.csv": b"c", "d/c.csv": b"d"})
        assert content_of(path, "a/cases.csv") == CSV
        assert content_of(path, "c.csv") == b"c"
        with open_source(str(path), ReadOptions(member="a/cases.csv")) as survey:
            assert "zip, a/cases.csv of 4 files" in survey.decisions[0].value
            assert survey.decisions[0].certainty is Certainty.TOLD
        with open_source(str(path), fallback=ReadOptions(member="a/cases.csv")) as survey:
            assert survey.decisions[0].evidence == "said in the mapping"
        assert error_of(path, "cases.csv").message == f"{path} has 2 files called 'cases.csv' in it."
        assert error_of(path, "a/case.csv").hint == "Did you mean a/cases.csv?"
        assert error_of(path, "xyz").hint == "In it are: a/cases.csv, b/cases.csv, c.csv, d/c.csv"

    def test_with_two_files_of_one_name_is_refused(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("cases.csv", CSV)
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr("cases.csv", b"other")
        assert "2 files called" in error_of(tmp_path / "a.zip", "cases.csv").message

    def test_without_a_file_is_refused(self, tmp_path: Path) -> None:
        for members in ({}, {"a/": b"", ".DS_Store": b"x"}):
            assert "without a file in it" in error_of(zipped(tmp_path / "a.zip", members)).message

    def test_may_have_something_before_and_behind_it_that_belongs_to_it(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("cases.csv", CSV)
            archive.comment = b"PK\x05 a comment" * 100
        assert content_of(tmp_path / "a.zip") == CSV

    def test_with_a_password_is_refused(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "a.zip", {"cases.csv": CSV})
        content = bytearray(path.read_bytes())
        content[6] |= 1
        content[content.index(b"PK\x01\x02") + 8] |= 1
        assert error_of(written(path, bytes(content))).message == f"{path} is protected with a password."

    def test_in_a_way_that_is_not_known_is_refused(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "a.zip", {"cases.csv": CSV})
        content = bytearray(path.read_bytes())
        content[8] = content[content.index(b"PK\x01\x02") + 10] = 9  # Deflate64
        assert "is damaged: That compression method is not supported" in error_of(written(path, bytes(content))).message

    def test_whose_file_is_not_what_it_says_is_refused(self, tmp_path: Path) -> None:
        content = zipped(tmp_path / "a.zip", {"cases.csv": b"0123456789" * 100}, zipfile.ZIP_STORED).read_bytes()
        directory = content.index(b"PK\x01\x02")
        changed = content[:100] + b"x" + content[101:]
        assert "Bad CRC-32" in error_of(written(tmp_path / "a.zip", changed)).message
        longer = content[: directory + 24] + (2_000).to_bytes(4, "little") + content[directory + 28 :]
        assert "is damaged" in error_of(written(tmp_path / "a.zip", longer)).message
        for cut in (10, 40, len(content) // 2):
            assert "is damaged" in error_of(written(tmp_path / "a.zip", content[:-cut])).message


class TestABomb:
    """More than 256 MB from next to nothing: refused at that size, quickly, in little memory."""

    def bomb(self, kind: str) -> bytes:
        """Zeros, more than are let through."""
        return PACKERS[kind](bytes(1 << 26)) * 5

    @every_packer
    def test_is_refused(self, tmp_path: Path, own_spools: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        path = written(tmp_path / "x", self.bomb(kind))
        most = 0
        write = Spool.write

        def watched(spool: Spool, content: bytes) -> None:
            nonlocal most
            write(spool, content)
            most = max(most, spool.size_bytes)

        monkeypatch.setattr(Spool, "write", watched)
        started = time.process_time()
        error = error_of(path)
        assert time.process_time() - started < 5
        assert "as in a file made to fill the disk" in error.message
        assert "unpack it yourself" in error.hint
        assert most <= unpack.FREE_BYTES + (1 << 20)

    def test_in_an_archive_is_refused_before_it_is_unpacked(self, tmp_path: Path, own_spools: Path) -> None:
        with (
            zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("a", "w") as member,
        ):
            for _ in range(300):
                member.write(bytes(1 << 20))
        assert "unpack to 314 MB or more" in error_of(tmp_path / "a.zip").message

    @pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no way to tell how much memory was used")
    def test_takes_little_memory(self, tmp_path: Path) -> None:
        path = written(tmp_path / "x", self.bomb("Zstandard"))
        code = (
            "import re, pathlib\nfrom etl.readers.sources.opening import open_input\nfrom etl.errors import FileError\n"
            f"try: open_input({str(path)!r})\nexcept FileError: pass\n"
            "print(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert int(done.stdout) < 200 << 10

    def test_is_not_a_small_file_that_grows_a_lot(self, tmp_path: Path) -> None:
        content = b"id,input\n" + b"1,hello\n" * 300_000
        assert content_of(written(tmp_path / "x", bz2.compress(content))) == content

    @every_packer
    def test_of_very_many_empty_pieces_is_refused(self, tmp_path: Path, kind: str) -> None:
        path = written(tmp_path / "x", PACKERS[kind](CSV) + PACKERS[kind](b"") * 25_000)
        assert "made of more than 20,000 compressed pieces" in error_of(path).message


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(sorted(PACKINGS)), seed=st.integers(0, 2**32), changes=st.integers(1, 4))
def test_changed_bytes_never_give_another_content(tmp_path: Path, kind: str, seed: int, changes: int) -> None:
    """Formats with a checksum: the content, or a sentence."""
    chance = random.Random(seed)
    content = CSV * chance.randrange(1, 30)
    if kind == ".zst":
        packed = bytearray(zstd.compress(content, options={zstd.CompressionParameter.checksum_flag: 1}))
    else:
        packed = bytearray(PACKINGS[kind](content, "cases.csv"))
    for _ in range(changes):
        packed[chance.randrange(len(packed))] = chance.randrange(256)
    path = written(tmp_path / "cases", bytes(packed))
    try:
        got = content_of(path)
    except EtlError:
        return
    assert got in {content, bytes(packed)}  # unpacked, or no longer recognised as packed
