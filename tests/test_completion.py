"""Completion: what bash, zsh and fish themselves make of a line when Tab is pressed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from openpyxl import Workbook

from tests.command import ROOT, etl
from tests.terminals import at_terminal

SHELLS = [
    pytest.param(name, marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed"))
    for name in ("bash", "zsh", "fish")
]
READY = "what now> "


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the command on its path, a workbook, a mapping of one's own, profiles and two jobs."""
    program = tmp_path / "bin" / "coval-etl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -P -m etl "$@"\n')
    program.chmod(0o755)
    book = Workbook()
    for name in ("Cases of spring", "Two $HOME"):
        sheet = book.create_sheet(name)
        sheet.append(["Input", "Expected Output"])
        sheet.append(["hello", "greets"])
    del book["Sheet"]
    book.save(tmp_path / "calls.xlsx")
    (tmp_path / "own-mapping.yaml").touch()
    configuration = tmp_path / ".config" / "coval-etl" / "config.toml"
    configuration.parent.mkdir(parents=True)
    configuration.write_text("[profiles.staging]\n[profiles.production]\n")
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "PATH": f"{folder / 'bin'}:{os.defpath}",
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "PS1": READY,
        "INPUTRC": "/dev/null",
    }


def completed(shell: str, folder: Path, lines: Iterable[str]) -> Iterator[list[str]]:
    """The words of each line after Tab was pressed at its end, as the shell hands them to a program."""
    (folder / "show").write_text('#!/bin/sh\nprintf "<%s>" "$@"\necho "<end>"\n')
    (folder / "show").chmod(0o755)
    setup = {
        "bash": f'bind "set bell-style none"; eval "$(coval-etl completion bash)"; PS1="{READY}"\r',
        "zsh": f'PROMPT="{READY}"; autoload -Uz compinit; compinit -D; eval "$(coval-etl completion zsh)"\r',
    }
    start = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}
    with at_terminal(start[shell], folder, environment(folder), columns=300) as terminal:
        terminal.type(setup[shell] + "echo be''gin\r")
        terminal.wait_for("begin\n")
        for line in lines:
            terminal.forget()
            terminal.type(f"{line}\t\x01./show \r")
            terminal.wait_for("<end>")
            found = re.search(r"((?:<[^<>\n]*>)+)<end>", terminal.text)
            assert found is not None, terminal.text
            yield re.findall(r"<([^>]*)>", found[1])
        terminal.type("exit\r")
        terminal.wait()


def suggested(folder: Path, line: str) -> list[str]:
    """What fish suggests for a line."""
    (folder / ".config" / "fish" / "completions").mkdir(parents=True, exist_ok=True)
    script = etl(folder, "completion", "fish").out
    (folder / ".config" / "fish" / "completions" / "coval-etl.fish").write_text(script)
    done = subprocess.run(
        ["fish", "-c", f"complete -C {line!r}"],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    return [entry.split("\t")[0] for entry in done.stdout.splitlines()]


LINES = {
    "val": ["validate"],
    "validate calls.xlsx --crea": None,
    "validate calls.xlsx --stri": ["validate", "calls.xlsx", "--strict"],
    "validate calls.xlsx --resource perso": ["validate", "calls.xlsx", "--resource", "personas"],
    "mappings sch": ["mappings", "schema"],
    "validate calls.xlsx --mapping promptfoo-t": ["validate", "calls.xlsx", "--mapping", "promptfoo-tests"],
    "validate calls.xlsx --mapping own": ["validate", "calls.xlsx", "--mapping", "own-mapping.yaml"],
    "validate calls.xlsx --sheet Cas": ["validate", "calls.xlsx", "--sheet", "Cases of spring"],
    "validate calls.xlsx --sheet Tw": ["validate", "calls.xlsx", "--sheet", "Two $HOME"],
    "validate calls.xlsx --profile prod": ["validate", "calls.xlsx", "--profile", "production"],
    "validate cal": ["validate", "calls.xlsx"],
    "completion zs": ["completion", "zsh"],
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes(shell: str, desk: Path) -> None:
    if shell == "fish":
        for line, wanted in LINES.items():
            found = suggested(desk, f"coval-etl {line}")
            assert (wanted[-1] in found) if wanted else not found, (line, found)
        return
    typed = [f"coval-etl {line}" for line in LINES]
    for (line, wanted), found in zip(LINES.items(), completed(shell, desk, typed), strict=True):
        assert found == ["coval-etl", *(wanted or line.split())]


def test_in_bash_a_word_that_begins_with_a_quote_keeps_it(desk: Path) -> None:
    typed = ['coval-etl validate calls.xlsx --sheet "Cas', "coval-etl validate calls.xlsx --sheet Cases\\ o"]
    for found in completed("bash", desk, typed):
        assert found == ["coval-etl", "validate", "calls.xlsx", "--sheet", "Cases of spring"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_jobs(shell: str, desk: Path) -> None:
    said = etl(desk, "import", "calls.xlsx", "--sandbox", "--test-set", "x", "--create-missing", "--json")
    job = said.json["job"]
    for line in ("rollback", "resume"):
        if shell == "fish":
            assert suggested(desk, f"coval-etl {line} ") == [job]
        else:
            (found,) = completed(shell, desk, [f"coval-etl {line} {job[:4]}"])
            assert found == ["coval-etl", line, job]


@pytest.mark.parametrize("line", ["validate calls.xlsx --sheet ", "validate calls.xlsx --profile ", "rollback "])
def test_what_cannot_be_looked_up_disturbs_nobody(tmp_path: Path, line: str) -> None:
    (tmp_path / "calls.xlsx").write_bytes(b"PK\x03\x04 not a workbook")
    configuration = tmp_path / ".config" / "coval-etl" / "config.toml"
    configuration.parent.mkdir(parents=True)
    configuration.write_text("[profiles")
    (tmp_path / "state" / "coval-etl").mkdir(parents=True)
    (tmp_path / "state" / "coval-etl" / "ledger.db").write_bytes(b"not a ledger")
    words = f"coval-etl {line}"
    said = etl(tmp_path, COMP_WORDS=words, COMP_CWORD=str(len(words.split())), _COVAL_ETL_COMPLETE="bash_complete")
    assert (said.code, said.out.strip(), said.err) == (0, "", "")


def test_a_name_that_could_steer_the_terminal_is_not_suggested(tmp_path: Path) -> None:
    configuration = tmp_path / ".config" / "coval-etl" / "config.toml"
    configuration.parent.mkdir(parents=True)
    configuration.write_text('[profiles."a\\u001b[31m"]\n[profiles.abc]\n')
    words = "coval-etl import x.csv --profile a"
    said = etl(tmp_path, COMP_WORDS=words, COMP_CWORD="4", _COVAL_ETL_COMPLETE="bash_complete")
    assert said.out == "plain,abc\n"


def test_suggestions_create_nothing(tmp_path: Path) -> None:
    said = etl(tmp_path, COMP_WORDS="coval-etl resume ", COMP_CWORD="2", _COVAL_ETL_COMPLETE="bash_complete")
    assert (said.code, said.out.strip()) == (0, "")
    assert not list(tmp_path.rglob("*.db"))


def test_how_to_install_it_is_said_for_ones_own_shell(tmp_path: Path) -> None:
    assert etl(tmp_path, "completion", SHELL="/usr/bin/zsh").out.startswith("zsh:\n  echo 'eval")
    unknown = etl(tmp_path, "completion").out
    assert [line for line in unknown.splitlines() if line.endswith(":")] == ["bash:", "zsh:", "fish:"]


def test_an_unknown_shell_is_refused(tmp_path: Path) -> None:
    said = etl(tmp_path, "completion", "fsh")
    assert said.code == 2
    assert "bash" in said.err
