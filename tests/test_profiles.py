"""Profiles: what may stand in the configuration, what is said of mistakes, how a key is fetched and never shown."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl import profiles
from etl.errors import UsageError
from etl.profiles import KeyCommand, KeyFile, KeyVariable, Profile, read_configuration, read_key
from etl.resources import Contract
from tests.command import ROOT

SECRET = "canary-KEY-5512ab"


def written(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text)
    return file


def profile_in(folder: Path, text: str, name: str = "a") -> Profile:
    configuration = read_configuration(written(folder, text))
    assert configuration is not None
    return configuration.profile(name)


def refusal(folder: Path, text: str, name: str = "a") -> UsageError:
    with pytest.raises(UsageError) as caught:
        profile_in(folder, text, name)
    assert SECRET not in caught.value.message + caught.value.hint
    return caught.value


def test_a_profile_says_all_that_the_page_shows(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.+?)```", (ROOT / "docs" / "profiles.md").read_text(), flags=re.DOTALL)
    configuration = read_configuration(written(tmp_path, example))
    assert configuration is not None
    assert (configuration.default, configuration.names) == ("staging", ("staging", "production", "onprem"))
    staging, production, onprem = (configuration.profile(name) for name in configuration.names)
    assert isinstance(staging.key, KeyVariable)
    assert staging.key.name == "COVAL_STAGING_KEY"
    assert isinstance(production.key, KeyCommand)
    assert production.key.words == ("pass", "show", "coval/production")
    assert (production.concurrency, production.rate_per_s, production.contract) == (32, 50, Contract.V2026_10)
    assert (production.base_url, production.workspace) == ("https://api.coval.dev/v1", "ws_0123456789")
    assert isinstance(onprem.key, KeyFile)
    assert onprem.key.path == Path.home() / ".secrets" / "coval-onprem"
    assert (onprem.ca_bundle, onprem.timeout_s) == (str(tmp_path / "intern-ca.pem"), 60)
    assert onprem.contract is None


def test_the_page_names_every_key_and_no_other() -> None:
    page = (ROOT / "docs" / "profiles.md").read_text()
    (example,) = re.findall(r"```toml\n(.+?)```", page, flags=re.DOTALL)
    named = set(re.findall(r"^(\w+) = ", example, flags=re.MULTILINE)) - {"default"}
    assert named == set(profiles._Table.model_fields)
    (by_profile,) = re.findall(r"## What wins.+?\n\n(\|.+?)\n\n", page, flags=re.DOTALL)
    for key in named:
        assert f"`{key}`" in by_profile


def test_no_file_is_no_configuration(tmp_path: Path) -> None:
    assert read_configuration(tmp_path / "config.toml") is None
    assert read_configuration(written(tmp_path, "") / "config.toml") is None


def test_an_empty_file_has_no_profiles(tmp_path: Path) -> None:
    configuration = read_configuration(written(tmp_path, ""))
    assert configuration is not None
    assert (configuration.default, configuration.names) == (None, ())


def test_a_file_of_an_editor_that_marks_utf8_and_ends_lines_in_two_characters_is_read(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xef\xbb\xbf[profiles.a]\r\nrate = 5\r\nrat = 3\r\n")
    configuration = read_configuration(file)
    assert configuration is not None
    with pytest.raises(UsageError, match=r"config\.toml:3: a profile has no key 'rat'"):
        configuration.profile("a")


@pytest.mark.parametrize(
    ("text", "line", "words", "hint"),
    [
        ("[profiles.a]\nbase_ulr = 'https://x'", 2, "no key 'base_ulr'", "Did you mean base_url?"),
        ("\n\n[profiles.a]\n\n# so\nconcurency = 3", 6, "no key 'concurency'", "Did you mean concurrency?"),
        ("[profiles.a]\nzzz = 3", 2, "no key 'zzz'", "It may have: base_url"),
        ("[profiles.a]\nconcurrency = 0", 2, "concurrency should be a whole number from 1 to 1000", ""),
        ("[profiles.a]\nconcurrency = true", 2, "concurrency should be a whole number from 1 to 1000", ""),
        ("[profiles.a]\nconcurrency = '4'", 2, "concurrency should be a whole number from 1 to 1000", ""),
        ("[profiles.a]\nrate = 0", 2, "rate should be requests a second, more than 0", ""),
        ("[profiles.a]\nrate = inf", 2, "rate should be requests a second, more than 0", ""),
        ("[profiles.a]\ntimeout = 0.01", 2, "timeout should be seconds, 0.1 or more", ""),
        ("[profiles.a]\ncontract = '2025'", 2, "contract should be one of auto, 2025-10, 2026-10, in quotes", ""),
        ("[profiles.a]\ncontract = 2025-10-01", 2, "contract should be one of", ""),
        ("[profiles.a]\nworkspace = ''", 2, "workspace should be a workspace's id", ""),
        ("[profiles.a]\nkey_command = 'pass show'", 2, "key_command should be a program and its arguments", "key_file"),
        ("[profiles.a]\nkey_command = []", 2, "key_command should be a program and its arguments", "key_file"),
        ("[profiles.a]\nkey_command = [\n 'x',\n 3]", 2, "key_command should be a program", "key_file"),
        (f"[profiles.a]\nkey_env = '{SECRET}'", 2, "key_env should be the name of an environment variable", "key_file"),
        ("[profiles.a]\nkey_env = 'A'\nkey_file = 'b'", 3, "key_env and key_file exclude each other", "Keep one"),
        (f"[profiles.a]\nrate = 2\napi_key = '{SECRET}'", 3, "a key must not stand in this file (api_key)", "key_env"),
        (f"[profiles.a]\n'API Key' = '{SECRET}'", 2, "a key must not stand in this file", "key_env"),
        (f"key = '{SECRET}'\n[profiles.a]", 1, "a key must not stand in this file (key)", "key_env"),
        (f"[profiles]\ntoken = '{SECRET}'\na = {{}}", 2, "a key must not stand in this file (token)", "key_env"),
        ("[profiles]\nrate = 3\n[profiles.a]", 2, "rate stands in no profile", "[profiles.NAME]"),
        ("profiles = 3", 1, "profiles should be a table", "[profiles.NAME]"),
        ("[a]\nrate = 3", 1, "there is no key 'a' outside the profiles", "[profiles.a]"),
        ("defualt = 'a'\n[profiles.a]", 1, "there is no key 'defualt' outside the profiles", "Did you mean default?"),
        ("default = 'prod'\n[profiles.a]\n[profiles.product]", 1, "default names no profile", "Did you mean product?"),
        ("default = 3\n[profiles.a]", 1, "default names no profile", "in quotes"),
        ("[profiles.a]\nrate = 3\nrate = 4", 3, "cannot overwrite a value", "TOML"),
        ("[profiles.a]\nrate 3", 2, "expected '='", "TOML"),
        ("profiles.a.rate = 0", 1, "rate should be", ""),
        ("profiles = {a = {rat = 0}}", 1, "no key 'rat'", "Did you mean rate?"),
        ("[profiles.b]\nrate = 1\n[profiles.a]\nrate = 0", 4, "rate should be", ""),
    ],
)
def test_a_mistake_is_said_with_line_key_and_what_would_do(
    tmp_path: Path, text: str, line: int, words: str, hint: str
) -> None:
    said = refusal(tmp_path, text)
    assert said.message.startswith(f"{tmp_path / 'config.toml'}:{line}:"), said.message
    assert words in said.message
    assert hint in said.hint


def test_a_value_of_several_lines_has_the_line_where_its_key_stands(tmp_path: Path) -> None:
    text = "[profiles.a]\nrate = 1\nkey_command = [\n  'pass',\n\n  'show',\n]\nkey_file = 'x'\n"
    configuration = read_configuration(written(tmp_path, text))
    assert configuration is not None
    assert configuration.place("profiles", "a", "key_command").endswith(":3")
    assert configuration.place("profiles", "a", "key_file").endswith(":8")


@given(st.lists(st.sampled_from(["", "# a = 1", "[other]", "b = '''\na = 2\n'''", "c = [\n1,\n]"]), max_size=6))
def test_a_line_is_found_whatever_stands_before_it(before: list[str]) -> None:
    unique = [
        part for place, part in enumerate(before) if not part or part.startswith("#") or part not in before[:place]
    ]
    text = "\n".join([*unique, "[x]", "a = 3", ""])
    assert text.split("\n")[profiles._line_of(text, ("x", "a")) - 1] == "a = 3"


def test_a_profile_that_is_not_there_gets_the_nearest(tmp_path: Path) -> None:
    said = refusal(tmp_path, "[profiles.staging]\n[profiles.production]", "stagin")
    assert "no profile 'stagin'" in said.message
    assert said.hint == "Did you mean staging?"
    assert refusal(tmp_path, "[profiles.staging]\n[profiles.production]", "x").hint == "There are: staging, production."


@pytest.mark.parametrize("content", [b"\xff\xfe[profiles.a]", b"#" * 70_000])
def test_what_is_no_configuration_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(UsageError, match="The configuration"):
        read_configuration(tmp_path / "config.toml")


def command(folder: Path, *words: str) -> KeyCommand:
    source = profile_in(folder, f"[profiles.a]\nkey_command = [{', '.join(map(repr, words))}]\n").key
    assert isinstance(source, KeyCommand)
    return source


async def key_refused(source: profiles.KeySource, **environment: str) -> str:
    with pytest.raises(UsageError) as caught:
        await read_key(source, environment)
    said = caught.value.message + " " + caught.value.hint
    assert SECRET not in said
    assert "config.toml:2: " in said
    return said


async def test_a_key_comes_from_a_variable(tmp_path: Path) -> None:
    source = profile_in(tmp_path, "[profiles.a]\nkey_env = 'MY_KEY'\n").key
    assert source is not None
    assert await read_key(source, {"MY_KEY": f" {SECRET}\n"}) == SECRET
    assert "MY_KEY is not set" in await key_refused(source)
    assert "MY_KEY is not set" in await key_refused(source, MY_KEY="  ")


async def test_a_key_comes_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    source = profile_in(tmp_path, "[profiles.a]\nkey_file = 'key'\n").key
    assert isinstance(source, KeyFile)
    assert "No such file" in await key_refused(source)
    (tmp_path / "key").write_text(f"{SECRET}\n")
    assert await read_key(source, {}) == SECRET
    for nothing in (b"", b" \n", b"\xff\xfe", b"x" * 10_000):
        (tmp_path / "key").write_bytes(nothing)
        assert "holds no key" in await key_refused(source)


async def test_a_key_that_was_written_as_the_name_of_its_file_is_not_shown(tmp_path: Path) -> None:
    source = profile_in(tmp_path, f"[profiles.a]\nkey_file = '{SECRET}'\n").key
    assert source is not None
    await key_refused(source)


async def test_a_key_comes_from_a_program(tmp_path: Path) -> None:
    assert await read_key(command(tmp_path, "echo", SECRET), {}) == SECRET


async def test_no_shell_runs_the_program(tmp_path: Path) -> None:
    assert await read_key(command(tmp_path, "echo", "$HOME;x"), {}) == "$HOME;x"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no-such-program-here", SECRET), "cannot be run: No such file"),
        (("/",), "cannot be run: Permission denied"),
        (("a\0b",), "cannot be run: its words"),
        (("sh", "-c", f"echo {SECRET}; echo {SECRET} >&2; exit 3"), "ended with exit code 3"),
        (("sh", "-c", f"echo {SECRET}; echo two"), "printed more than one line"),
        (("true",), "printed nothing"),
        (("cat",), "printed nothing"),
        (("yes", SECRET), "printed more than one line"),
    ],
)
async def test_a_program_that_gives_no_key_is_told_without_what_it_said(
    tmp_path: Path, words: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    source = KeyCommand(words, f"{tmp_path}/config.toml:2")
    assert said in await key_refused(source)
    assert capfd.readouterr() == ("", "")


async def test_a_program_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "KEY_COMMAND_LIMIT_S", 0.3)
    told = tmp_path / "pid"
    source = command(
        tmp_path,
        sys.executable,
        "-c",
        f"import os; open({str(told)!r}, 'w').write(str(os.getpid())); import time; time.sleep(1000)",
    )
    assert "did not end within" in await key_refused(source)
    if told.exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int(told.read_text()), 0)


async def test_who_stops_waiting_leaves_no_program_behind(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    script = f"import os; open({str(tmp_path / 'begun')!r}, 'w').write(str(os.getpid())); import time; time.sleep(1000)"
    waiting = asyncio.create_task(read_key(command(tmp_path, sys.executable, "-c", script), {}))
    pid = int(await asyncio.to_thread((tmp_path / "begun").read_text))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_no_program_is_run_that_everybody_could_have_named(tmp_path: Path) -> None:
    file = written(tmp_path, f"[profiles.a]\nkey_command = ['touch', '{tmp_path}/ran']\n")
    file.chmod(0o666)
    configuration = read_configuration(file)
    assert configuration is not None
    source = configuration.profile("a").key
    assert source is not None
    assert "everybody may change the file" in await key_refused(source)
    assert not (tmp_path / "ran").exists()
