"""Profiles: where requests go, as whom and how fast, under a name in the user's configuration file.

It must never hold a key: a profile says where one is, and `read_key` fetches it from there. What is written in the file
where a key may be, and what a key's command prints, is never shown.
"""

import asyncio
import difflib
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from etl.errors import UsageError
from etl.resources import Contract

KEY_COMMAND_LIMIT_S = 60.0
"""How long a key's command may take: a person may have to unlock something."""
KEY_LIMIT_BYTES = 4096
FILE_LIMIT_BYTES = 1 << 16

_OF_KEYS = (
    "Say where the key is instead: key_env (a variable), key_command (a program) or key_file (a file of its own)."
)
_NAMES_OF_KEYS = frozenset(
    {"key", "token", "secret", "password", "apikey", "apitoken", "apisecret", "xapikey", "covalapikey"}
)
_BEGIN = "A profile begins with [profiles.NAME]."


@dataclass(frozen=True, slots=True)
class KeyVariable:
    """The key is in an environment variable. `place`: `file:line` where that is said."""

    name: str
    place: str


@dataclass(frozen=True, slots=True)
class KeyCommand:
    """A program prints the key. `refused`: why it is not run, if so."""

    words: tuple[str, ...]
    place: str
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The key is in a file of its own."""

    path: Path
    place: str


KeySource = KeyVariable | KeyCommand | KeyFile


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile; what it does not say is None. `base_url` is as it was written; `places`: `file:line` of each key."""

    name: str
    file: Path
    places: Mapping[str, str]
    base_url: str | None
    workspace: str | None
    ca_bundle: str | None
    key: KeySource | None
    concurrency: int | None
    rate_per_s: float | None
    timeout_s: float | None
    contract: Contract | None


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration file as it was read. `default`: the profile that holds where none is named."""

    file: Path
    default: str | None
    names: tuple[str, ...]
    _text: str
    _root: Mapping[str, Any]

    def profile(self, name: str) -> Profile:
        """A profile by its name. Raises UsageError where there is none, naming the nearest, or where it is wrong."""
        if name not in self.names:
            raise UsageError(f"There is no profile {name!r} in {self.file}.", _nearest(name, self.names, "There are"))
        return _profile(self, name, self._root["profiles"][name])

    def place(self, *path: str) -> str:
        """`file:line` of a key, by the tables that lead to it."""
        return f"{self.file}:{_line_of(self._text, path)}"


class _Table(BaseModel):
    """What may stand in a profile; the descriptions end the sentence "KEY should be …"."""

    model_config = ConfigDict(extra="forbid", strict=True)

    base_url: str | None = Field(None, description="an address such as https://api.coval.dev/v1")
    workspace: str | None = Field(None, min_length=1, max_length=26, description="a workspace's id: 1 to 26 characters")
    ca_bundle: str | None = Field(None, min_length=1, description="a file of certificates")
    key_env: str | None = Field(
        None,
        pattern=r"^[A-Z_][A-Z0-9_]{0,99}$",
        description="the name of an environment variable in capitals, not the key",
    )
    key_command: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description='a program and its arguments, such as ["pass", "show", "coval"]; no shell runs it'
    )
    key_file: str | None = Field(None, min_length=1, description="a file that holds the key and nothing else")
    concurrency: int | None = Field(None, ge=1, le=1000, description="a whole number from 1 to 1000")
    rate: float | None = Field(None, gt=0, allow_inf_nan=False, description="requests a second, more than 0")
    timeout: float | None = Field(None, ge=0.1, allow_inf_nan=False, description="seconds, 0.1 or more")
    contract: Literal["auto", "2025-10", "2026-10"] | None = Field(
        None, description="one of auto, 2025-10, 2026-10, in quotes"
    )


def read_configuration(file: Path) -> Configuration | None:
    """The configuration in a TOML file; None where there is no such file.

    Raises UsageError for one that cannot be read, naming line and fix. A profile is looked at when it is asked for.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_LIMIT_BYTES + 1)
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"The configuration {file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"The configuration {file} is not UTF-8.", "Save it as UTF-8.") from None
    if len(content) > FILE_LIMIT_BYTES:
        raise UsageError(f"The configuration {file} is larger than {FILE_LIMIT_BYTES >> 10} KiB: that is none.")
    try:
        root = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(_of_toml(file, text, str(error)), "It is TOML; docs/profiles.md has an example.") from None
    profiles = root.get("profiles")
    names = tuple(profiles) if isinstance(profiles, dict) else ()
    known = Configuration(file, root.get("default"), names, text, root)
    _refuse_at_top(known, root)
    return known


async def read_key(source: KeySource, environment: Mapping[str, str]) -> str:
    """Fetch the key from where a profile says it is; white space around it is left out.

    Raises UsageError, with the place in the configuration, where there is none. Never shows what it found.
    """
    match source:
        case KeyVariable(name=name, place=place):
            key = environment.get(name, "").strip()
            if not key:
                raise UsageError(f"{place}: the environment variable {name} is not set.", f"export {name}=…")
            return key
        case KeyFile(path=path, place=place):
            return _from_file(path, place)
        case KeyCommand(words=words, place=place, refused=refused):
            if refused is not None:
                raise UsageError(
                    f"{place}: key_command is not run: {refused}.", "Make the file yours alone: chmod 600."
                )
            return await _printed_by(words, place)


def is_open_to_others(file: Path) -> bool:
    """Whether others on this machine may read a file, as far as the system says so."""
    try:
        return os.name == "posix" and bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False


def _refuse_at_top(known: Configuration, root: Mapping[str, Any]) -> None:
    """Raises UsageError for what is neither a profile nor the name of the default one."""
    for name, value in root.items():
        _refuse_key(known, name)
        if name not in {"default", "profiles"}:
            hint = f"A profile begins with [profiles.{name}]." if isinstance(value, dict) else ""
            hint = hint or _nearest(name, ("default", "profiles"), "It has")
            raise UsageError(f"{known.place(name)}: there is no key {name!r} outside the profiles.", hint)
    tables = root.get("profiles", {})
    if not isinstance(tables, dict):
        raise UsageError(f"{known.place('profiles')}: profiles should be a table.", _BEGIN)
    for name, value in tables.items():
        if not isinstance(value, dict):
            _refuse_key(known, "profiles", name)
            raise UsageError(f"{known.place('profiles', name)}: {name} stands in no profile.", _BEGIN)
    default = root.get("default")
    if default is not None and default not in known.names:
        hint = _nearest(default, known.names, "There are") if isinstance(default, str) else "Write its name in quotes."
        raise UsageError(f"{known.place('default')}: default names no profile of this file.", hint)


def _refuse_key(known: Configuration, *path: str) -> None:
    if re.sub(r"[\s_-]", "", path[-1]).casefold() in _NAMES_OF_KEYS:
        raise UsageError(f"{known.place(*path)}: a key must not stand in this file ({path[-1]}).", _OF_KEYS)


def _profile(known: Configuration, name: str, written: Mapping[str, Any]) -> Profile:
    for key in written:
        _refuse_key(known, "profiles", name, key)
    try:
        table = _Table.model_validate(written)
    except ValidationError as error:
        raise _told(known, name, error.errors(include_url=False, include_input=False)[0]) from None
    keys = [key for key in ("key_env", "key_command", "key_file") if key in written]
    if len(keys) > 1:
        place = known.place("profiles", name, keys[1])
        raise UsageError(f"{place}: {keys[0]} and {keys[1]} exclude each other.", "Keep one of them.")
    return Profile(
        name=name,
        file=known.file,
        places={key: known.place("profiles", name, key) for key in written},
        base_url=table.base_url,
        workspace=table.workspace,
        ca_bundle=None if table.ca_bundle is None else str(_beside(known.file, table.ca_bundle)),
        key=_key_source(known, name, table),
        concurrency=table.concurrency,
        rate_per_s=table.rate,
        timeout_s=table.timeout,
        contract=None if table.contract in {None, "auto"} else Contract(table.contract),
    )


def _key_source(known: Configuration, name: str, table: _Table) -> KeySource | None:
    if table.key_env is not None:
        return KeyVariable(table.key_env, known.place("profiles", name, "key_env"))
    if table.key_file is not None:
        return KeyFile(_beside(known.file, table.key_file), known.place("profiles", name, "key_file"))
    if table.key_command is not None:
        place = known.place("profiles", name, "key_command")
        return KeyCommand(tuple(table.key_command), place, _why_not_run(known.file))
    return None


def _beside(file: Path, named: str) -> Path:
    """A path of the configuration: `~` is the home, and a relative one begins where the configuration is."""
    return file.parent / Path(named).expanduser()


def _why_not_run(file: Path) -> str | None:
    """Whoever may write the configuration could run any program in the user's name."""
    if os.name != "posix":
        return None
    found = file.stat()
    if found.st_uid not in {0, os.geteuid()}:
        return "the file belongs to another user"
    return "everybody may change the file" if found.st_mode & stat.S_IWOTH else None


def _told(known: Configuration, name: str, details: ErrorDetails) -> UsageError:
    """A fault of a profile in our words; what was written there is not shown, as it may be a key."""
    key = str(details["loc"][0])
    place = known.place("profiles", name, key)
    if details["type"] == "extra_forbidden":
        return UsageError(
            f"{place}: a profile has no key {key!r}.", _nearest(key, tuple(_Table.model_fields), "It may have")
        )
    hint = _OF_KEYS if key.startswith("key_") else ""
    return UsageError(f"{place}: {key} should be {_Table.model_fields[key].description}.", hint)


def _nearest(name: str, names: tuple[str, ...], all_of_them: str) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"Did you mean {near[0]}?"
    return f"{all_of_them}: {', '.join(names)}." if names else _BEGIN


def _of_toml(file: Path, text: str, said: str) -> str:
    """The parser's sentence, its place where an editor finds it."""
    words, _, where = said.removesuffix(")").partition(" (at ")
    line = re.match(r"line (\d+), column (\d+)", where)
    place = f"{file}:{line[1]}:{line[2]}" if line else f"{file}:{len(text.splitlines())}"  # at its end
    return f"{place}: {words[:1].lower()}{words[1:]}."


def _line_of(text: str, path: tuple[str, ...]) -> int:
    """The line, from 1, on which a key of a TOML file begins.

    The parser does not tell, but it can be asked: the longest beginning of the file that is sound and does not have the
    key ends right before it.
    """
    lines = text.split("\n")
    before = 0
    for count in range(1, len(lines) + 1):
        try:
            found: Any = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if found is not None:
            break
        before = count
    return before + 1


def _from_file(path: Path, place: str) -> str:
    try:
        with path.open("rb") as file:
            key = file.read(KEY_LIMIT_BYTES + 1).decode().strip()
    except OSError as error:
        # Not told which: a key that was written here by mistake would be shown.
        raise UsageError(f"{place}: the file that key_file names cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        key = ""
    if not key or len(key) > KEY_LIMIT_BYTES:
        raise UsageError(f"{place}: the file that key_file names holds no key.", "It should hold the key alone.")
    return key


async def _printed_by(words: tuple[str, ...], place: str) -> str:
    """What a program prints, without its white space. It has no shell, no input and nobody sees what it says."""
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its words hold what no program can be given"
        raise UsageError(
            f"{place}: the program of key_command cannot be run: {why}.", "No shell runs it: name the program itself."
        ) from None
    try:
        async with asyncio.timeout(KEY_COMMAND_LIMIT_S):
            printed = await _beginning(process)
            code = await process.wait() if len(printed) <= KEY_LIMIT_BYTES else 0
    except TimeoutError:
        raise UsageError(
            f"{place}: the program of key_command did not end within {KEY_COMMAND_LIMIT_S:.0f} seconds.",
            "It is given no input: it has to print the key without asking.",
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code:
        raise UsageError(
            f"{place}: the program of key_command ended with exit code {code}.",
            "Run it yourself to see what it says; that is not shown here.",
        )
    key = printed.decode(errors="replace").strip()
    if not key or len(key.splitlines()) > 1 or len(printed) > KEY_LIMIT_BYTES:
        what = "nothing" if not key else "more than one line"
        raise UsageError(f"{place}: the program of key_command printed {what}.", "It should print the key alone.")
    return key


async def _beginning(process: asyncio.subprocess.Process) -> bytes:
    """All that a process prints, or one byte more than a key can have."""
    if process.stdout is None:
        raise RuntimeError("the process has a pipe")
    try:
        return await process.stdout.readexactly(KEY_LIMIT_BYTES + 1)
    except asyncio.IncompleteReadError as ended:
        return ended.partial
