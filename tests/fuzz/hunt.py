"""Hunt: mutated files are read one after another by a worker, and what ends neither in rows nor in words is kept."""

import contextlib
import json
import os
import queue
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, Self

from tests.fuzz.mutations import mutate, repack, unpack
from tests.fuzz.seeds import SUFFIXES, seeds_of

ROOT = Path(__file__).resolve().parent.parent.parent
MOST_SECONDS = 8.0
"""Refused or read within so much processor time, however busy the machine is,"""
MOST_WAIT_SECONDS = 90.0
"""and within so much time by the clock."""
MOST_MB = 700
"""The most that a worker may ever hold. Without any file it holds about 150."""
_ADDRESS_SPACE = 8 << 30
"""A worker that asks for more memory than this is refused it, so that no finding takes the machine with it."""
_CASES_A_WORKER = 2_000


@dataclass(frozen=True, slots=True)
class Finding:
    """A file that ended badly: how, the file itself, and with which options it was read."""

    kind: str
    why: str
    content: bytes
    options: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.kind}-{sha256(self.content).hexdigest()[:10]}{SUFFIXES[self.kind]}"

    @property
    def mark(self) -> str:
        """What tells one bug from another: the end of what was said, without names and numbers."""
        panic = re.search(r"panicked at (\S+:\d+)", self.why)
        if panic:
            return panic.group(1)
        lines = self.why.strip().splitlines()
        places = [line.strip() for line in lines if line.lstrip().startswith("File ") and "etl/" in line]
        return f"{places[-1] if places else ''} {lines[-1][:80] if lines else ''}"


@dataclass(slots=True)
class Tally:
    """What a hunt came to."""

    kind: str
    seed: str
    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    slowest_seconds: float = 0.0
    peak_mb: int = 0

    @property
    def cases(self) -> int:
        return self.outcomes.total()


class Worker:
    """A process that reads files. It is started again when it has died or hangs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spools = folder / "spools"
        self._spools.mkdir(exist_ok=True)
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str] = queue.Queue()
        self._cases = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def read(self, path: Path, options: dict[str, Any]) -> dict[str, Any]:
        """The worker's verdict on a file, or what became of the worker."""
        if self._process is None or self._cases >= _CASES_A_WORKER:
            self.stop()
            self._start()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        self._cases += 1
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"path": str(path), "options": options}) + "\n")
            process.stdin.flush()
        answer = self._wait_for_answer(process.pid)
        if answer is None:
            stacks = self.stop(signal.SIGABRT)
            return {"wrong": f"no end after {MOST_SECONDS} seconds\n{stacks}", "seconds": MOST_SECONDS}
        if not answer:
            said = self.stop()
            return {"wrong": f"the process died with {process.returncode}\n{said}"}
        verdict: dict[str, Any] = json.loads(answer)
        said = self._said()
        if said:
            self.stop()
            verdict = {"wrong": f"what no person should read was printed:\n{said}"} | verdict
        if verdict["peak_mb"] > MOST_MB:
            self.stop()
            verdict.setdefault("wrong", f"{verdict['peak_mb']} MB of memory")
        return verdict

    def _wait_for_answer(self, pid: int) -> str | None:
        """A line; empty: the process is gone; None: it has taken too long."""
        spent, end = _processor_seconds(pid), time.monotonic() + MOST_WAIT_SECONDS
        while time.monotonic() < end and _processor_seconds(pid) < spent + MOST_SECONDS:
            with contextlib.suppress(queue.Empty):
                return self._answers.get(timeout=1)
        return None

    def stop(self, with_signal: int = signal.SIGKILL) -> str:
        """End the process and what it has started; the last that it wrote to standard error."""
        if self._process is None:
            return ""
        if with_signal != signal.SIGKILL:
            self._process.send_signal(with_signal)
            # Its group lives on until it is waited for, so that no other process is ever meant.
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._process = None
        return self._said()

    def _said(self) -> str:
        return (self._folder / "stderr").read_text(errors="replace")[-3000:]

    def _start(self) -> None:
        self._cases = 0
        self._answers = queue.Queue()
        with (self._folder / "stderr").open("w") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "-W", "error", "-m", "tests.fuzz.worker"],
                cwd=ROOT,
                env={
                    "TMPDIR": str(self._spools),
                    "PATH": os.defpath,
                    "HOME": str(self._folder),
                    "POLARS_MAX_THREADS": "2",
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,
            )
        if hasattr(resource, "prlimit"):
            resource.prlimit(self._process.pid, resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
        Thread(target=_hand_over, args=(self._process.stdout, self._answers), daemon=True).start()


def _processor_seconds(pid: int) -> float:
    """What a process, and those that it has waited for, have used."""
    try:
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
    except FileNotFoundError:  # a system without such a folder: the clock alone is left
        return 0.0
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def _hand_over(lines: Iterator[str], answers: "queue.Queue[str]") -> None:
    with contextlib.suppress(ValueError):  # closed while it is read
        for line in lines:
            answers.put(line)
    answers.put("")


def hunt(kind: str, seed: str, seconds: float, *, enough: int = 5) -> Tally:
    """Mutate and read for some seconds, or until `enough` different findings."""
    chance = Random(f"{kind} {seed}")
    seeds = seeds_of(kind)
    tally = Tally(kind, seed)
    marks: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="coval-etl-fuzz-") as name, Worker(Path(name)) as worker:
        path = Path(name) / f"cases{SUFFIXES[kind]}"
        for content in seeds:  # a seed that cannot be read would only be mutated from bad to worse
            path.write_bytes(content)
            verdict = worker.read(path, {})
            if "rows" not in verdict:
                tally.findings.append(Finding(kind, f"a good file was not read: {verdict}", content, {}))
        end = time.monotonic() + seconds
        while time.monotonic() < end and len(tally.findings) < enough:
            content = mutate(chance, kind, chance.choice(seeds), chance.choice(seeds))
            options = _some_options(chance, kind)
            path.write_bytes(content)
            verdict = worker.read(path, options)
            _count(tally, verdict)
            if "wrong" in verdict:
                finding = Finding(kind, verdict["wrong"], content, options)
                if finding.mark not in marks:
                    marks.add(finding.mark)
                    tally.findings.append(finding)
    return tally


def _count(tally: Tally, verdict: dict[str, Any]) -> None:
    outcome = next(word for word in ("wrong", "refused", "rows") if word in verdict)
    tally.outcomes[outcome if outcome != "rows" else "problems" if verdict["problems"] else "read"] += 1
    if outcome == "refused":
        tally.refusals[verdict["refused"]] += 1
    tally.slowest_seconds = max(tally.slowest_seconds, verdict.get("seconds", 0.0))
    tally.peak_mb = max(tally.peak_mb, verdict.get("peak_mb", 0))


def _some_options(chance: Random, kind: str) -> dict[str, Any]:
    """Often nothing; sometimes what gets past the first questions."""
    options: dict[str, Any] = {}
    if chance.random() < 0.3:
        options["glance"] = True
    if kind in {"csv", "xlsx", "xls", "xlsb", "ods"} and chance.random() < 0.3:
        options["header_row"] = chance.choice((1, 1, 2, 3))
    if kind == "csv" and chance.random() < 0.2:
        options["delimiter"] = chance.choice((",", ";", "tab"))
    if kind == "csv" and chance.random() < 0.1:
        options["quote"] = chance.choice(('"', "'", "none"))
    if kind == "csv" and chance.random() < 0.1:
        options["escape"] = "\\"
    if kind in {"csv", "json", "jsonl", "yaml"} and chance.random() < 0.1:
        options["encoding"] = chance.choice(("utf-8", "cp1252", "utf-16", "latin-1"))
    if kind in {"xlsx", "xls", "xlsb", "ods"} and chance.random() < 0.1:
        options["fill_merged"] = True
    if kind != "packed" and chance.random() < 0.2:
        options["format"] = kind
    return options


def make_smaller(finding: Finding, seconds: float = 60.0) -> Finding:
    """The same finding in a smaller file, where one is found in time."""
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="coval-etl-fuzz-") as name, Worker(Path(name)) as worker:
        path = Path(name) / f"cases{SUFFIXES[finding.kind]}"

        def still(content: bytes) -> bool:
            path.write_bytes(content)
            verdict = worker.read(path, finding.options)
            return Finding(finding.kind, verdict.get("wrong", ""), content, finding.options).mark == finding.mark

        content = _without_more(finding.content, still, end)
        with contextlib.suppress(Exception):
            parts = unpack(content)
            for part in list(parts):
                fewer = {name: inner for name, inner in parts.items() if name != part}
                if still(repack(fewer)):
                    parts = fewer
                    continue
                parts[part] = _without_more(parts[part], _in_archive(parts, part, still), end)
            if still(repack(parts)):
                content = repack(parts)
    return Finding(finding.kind, finding.why, content, finding.options)


def _in_archive(parts: dict[str, bytes], part: str, still: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    return lambda inner: still(repack(parts | {part: inner}))


def _without_more(content: bytes, still: Callable[[bytes], bool], end: float) -> bytes:
    """Leave out ever smaller pieces as long as the finding stays."""
    size = max(len(content) // 2, 1)
    while size and time.monotonic() < end:
        at = 0
        while at < len(content) and time.monotonic() < end:
            shorter = content[:at] + content[at + size :]
            if still(shorter):
                content = shorter
            else:
                at += size
        size //= 2
    return content


def keep(finding: Finding, folder: Path = ROOT / ".fuzz") -> Path:
    """Write the file and how it was read, to be read again with `python -m tests.fuzz --again FILE`."""
    folder.mkdir(exist_ok=True)
    path = folder / finding.name
    path.write_bytes(finding.content)
    path.with_name(f"{path.name}.txt").write_text(f"{json.dumps(finding.options)}\n{finding.why}\n")
    return path
