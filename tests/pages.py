"""Pages that are run: the commands of a page, in order, in a folder of its own; and what the page shows of each.

In a block `console` a line that begins with `$ ` is typed, and the lines up to the next one are what it says; where
there are none, nothing is compared. `…` stands for any text of a line, a line `…` for any lines; what differs from time
to time (the id of a job, a time, a duration, an id of the API, this folder) is made the same on both sides.

Comments, which no reader sees, say what a page cannot:

    <!-- given: cp samples/agents.csv agents.csv -->   run first, by the shell; not shown
    <!-- file: cases.csv -->                           the block that follows is what this file holds
    <!-- ends: 1 -->                                   exit codes of the last commands of the next block (else 0)
    <!-- not run: it needs a phone -->                 only looked at: its commands and options must exist

It must never know what a page is about. `python -m tests.pages FILE...` writes into pages what their commands say now.
"""

import asyncio
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import click

from etl.cli.entry import COMMANDS
from etl.sandbox import RunningSandbox, running_sandbox
from tests.command import ROOT, SAMPLES
from tests.forking import Call, Ended, Forker

WIDTH = "100"
_STEP = re.compile(
    r"^<!-- (given|file|ends|not run): ?(.*?) ?-->$|^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL
)
_SAME = (
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b"), "20261123-101500-4f2a"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?"), "2026-11-23T10:15:00Z"),
    (re.compile(r"\b\d[\d,]*(\.\d+)? (rows|requests)/s"), "40 rows/s"),
    (re.compile(r"\b\d+(\.\d+)? (ms|seconds|s)\b"), "2 s"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:8080"),
    (
        re.compile(r"\b(?=\w*[a-z])(?=\w*[A-Z])(?=\w*\d)[0-9A-Za-z]{8}\b|\b(?=\w*[a-z])(?=\w*\d)[0-9A-Za-z]{22}\b"),
        "aB1cD2eF",
    ),
    (re.compile(r"\b[0-9a-f]{64}\b"), "9f86d081884c7d65"),
    (re.compile("\ufeff"), ""),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)


@dataclass
class Shown:
    """A command, where it stands, and what the page shows of it (empty: nothing is compared)."""

    line: int
    command: str
    says: list[str] = field(default_factory=list)
    ends: int = 0
    run: bool = True


@dataclass(frozen=True)
class Given:
    """What is there before: a file, or what a shell is told to do."""

    file: str | None
    text: str


Step = Shown | Given


def steps(text: str) -> Iterator[Step]:
    """What a page says to do, in order. Raises ValueError for a comment that goes with no block."""
    said: dict[str, str] = {}
    for found in _STEP.finditer(text):
        comment, value, _, language, block = found.groups()
        if comment == "given":
            yield Given(None, value)
        elif comment is not None:
            said[comment] = value
        elif "file" in said:
            yield Given(said.pop("file"), block)
        elif language == "console":
            yield from _shown(block, text[: found.start(5)].count("\n") + 1, said)
            said = {}
    if said:
        raise ValueError(f"{said} goes with no block")


def _shown(block: str, line: int, said: dict[str, str]) -> list[Shown]:
    shown: list[Shown] = []
    for number, text in enumerate(block.splitlines(), start=line):
        if text.startswith("$ "):
            shown.append(Shown(number, text[2:], run="not run" not in said))
        elif shown and shown[-1].command.endswith("\\"):
            shown[-1].command = f"{shown[-1].command[:-1]}{text.strip()}"
        else:
            shown[-1].says.append(text)
    codes = [int(code) for code in said.get("ends", "").split()]
    for one, code in zip(reversed(shown), reversed(codes), strict=False):
        one.ends = code
    return shown


def same(text: str, folder: Path | None = None) -> str:
    """A text without what differs from time to time."""
    if folder is not None:
        text = text.replace(str(folder), "/home/ada")
    for pattern, word in _SAME:
        text = pattern.sub(word, text)
    return text.strip("\n")


def agree(shown: Sequence[str], said: str) -> bool:
    """Whether what is shown is what was said, `…` standing for anything."""
    lines = [re.escape(same(line)).replace("…", r"[^\n]*") for line in shown]
    pattern = "\n".join(r"(?s:.*?)" if line == r"[^\n]*" else line for line in lines)
    return re.fullmatch(pattern.strip("\n"), said) is not None


class Reader:
    """Somebody who reads a page and types what it says, in a home of their own."""

    def __init__(self, folder: Path, forker: Forker, sandbox: RunningSandbox) -> None:
        self.folder = folder
        self._forker = forker
        self._environment = {
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / "state"),
            "COVAL_API_KEY": sandbox.key,
            "COVAL_BASE_URL": sandbox.base_url,
            "COLUMNS": WIDTH,
            "LANG": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        (folder / "samples").symlink_to(SAMPLES)
        (folder / "mappings").symlink_to(ROOT / "mappings")

    async def take(self, step: Step) -> Ended | None:
        """Do what a page says; what was said to it."""
        if isinstance(step, Given):
            if step.file is None:
                done = await self._typed(step.text)
                assert done.code in {0, 1}, (step.text, done.out)
            else:
                (self.folder / step.file).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / step.file).write_text(step.text)
            return None
        if not step.run:
            return None
        if step.command.startswith("export "):
            words = (word.partition("=") for word in shlex.split(step.command, comments=True)[1:])
            self._environment |= {name: value for name, equals, value in words if equals and value != "…"}
            return Ended(0, "", "")
        return await self._typed(step.command)

    async def _typed(self, line: str) -> Ended:
        if not line.startswith("coval-etl ") or re.search(r" [|<>] |;", line):
            return await asyncio.to_thread(self._shell, line)
        words = shlex.split(line, comments=True)
        call = Call(tuple(words[1:]), self.folder, self._environment, one_stream=True)
        return await self._forker.run(call)

    def _shell(self, line: str) -> Ended:
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout, "")


async def complaints(name: str, text: str, folder: Path, forker: Forker, sandbox: RunningSandbox) -> list[str]:
    """Where a page shows what does not happen."""
    reader, found = Reader(folder, forker, sandbox), []
    for step in steps(text):
        ended = await reader.take(step)
        if ended is None or isinstance(step, Given):
            continue
        said = same(ended.out, folder)
        if ended.code != step.ends:
            found.append(f"{name}:{step.line}: {step.command} ends with {ended.code}, not {step.ends}:\n{said}")
        elif step.says and not agree(step.says, said):
            found.append(f"{name}:{step.line}: {step.command} says:\n{said}\n--- not:\n" + "\n".join(step.says))
    return found


def unknown_options(text: str) -> list[str]:
    """Commands and options of `coval-etl` that a text names, in any block or sentence, and that do not exist."""
    found = []
    for line in re.findall(r"\bcoval-etl +([^`\n]+)", text.replace("\\\n", " ")):
        words = re.split(r"\s+#\s|[|>;&`]| \$\(", line)[0].split()
        if not words or words[0] not in COMMANDS:
            if words and words[0].startswith("--") and words[0] not in {"--help", "--version"}:
                found.append(f"coval-etl {words[0]}")
            continue
        command: click.Command = import_module(COMMANDS[words[0]][0]).command
        name = words[0]
        if isinstance(command, click.Group) and len(words) > 1 and words[1] in command.commands:
            name, command = f"{name} {words[1]}", command.commands[words[1]]
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        asked = {re.split(r"[=.,;:)\]]", word)[0] for word in words if re.match(r"\[?--\w", word)}
        found += [f"coval-etl {name} {option}" for option in sorted(asked - known - {"--help"})]
    return found


async def _changed(name: str, text: str, forker: Forker) -> str:
    """The text of a page with what its commands say now, wherever something is shown under them."""
    lines, changed = text.splitlines(), []
    with tempfile.TemporaryDirectory() as folder:
        async with running_sandbox(key="test-key-0123456789") as sandbox:
            reader = Reader(Path(folder), forker, sandbox)
            for step in steps(text):
                ended = await reader.take(step)
                if ended is None or isinstance(step, Given):
                    continue
                said = same(ended.out, Path(folder))
                if ended.code != step.ends:
                    sys.stderr.write(f"{name}:{step.line}: {step.command} ends with {ended.code}\n{said}\n")
                if step.says and not agree(step.says, said):
                    changed.append((step, said))
    for step, said in reversed(changed):
        lines[step.line : step.line + len(step.says)] = said.splitlines()
    return "\n".join(lines) + "\n"


def _rewrite(names: Sequence[str]) -> None:
    forker = Forker()
    for page in map(Path, names):
        page.write_text(asyncio.run(_changed(page.name, page.read_text(encoding="utf-8"), forker)), encoding="utf-8")
    forker.close()


if __name__ == "__main__":
    _rewrite(sys.argv[1:])
