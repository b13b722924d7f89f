"""Profiles at the command line: what wins, what is warned of, what a job remembers of the one it was begun with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from etl.ledger import open_ledger
from tests.command import Said, etl
from tests.crooked_api import KEY, crooked_api
from tests.forking import Forker
from tests.quick_command import Home, at_home, forker, refused, texts

__all__ = ["forker"]

OTHER_KEY = "key-of-the-other-0123"
NO_ENVIRONMENT = {"COVAL_API_KEY": "", "COVAL_BASE_URL": ""}


def configure(folder: Path, text: str) -> Path:
    file = folder / ".config" / "coval-etl" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@asynccontextmanager
async def home_with_a_key_file(folder: Path, forker: Forker, more: str = "") -> AsyncIterator[Home]:
    """The profile `here` leads to the API, with its key in a file."""
    async with at_home(folder, forker) as home:
        (folder / "key").write_text(KEY)
        (folder / "key").chmod(0o600)
        configure(folder, f"[profiles.here]\nbase_url = '{home.api.url}'\nkey_file = '{folder}/key'\n{more}")
        home.write("cases.csv", texts(3))
        yield home


async def imported(home: Home, *more: str, **environment: str) -> Said:
    return await home.etl(*home.importing("cases.csv", "--report", "report", *more), **NO_ENVIRONMENT | environment)


async def test_a_profile_says_where_and_as_whom(forker: Forker, tmp_path: Path) -> None:
    async with home_with_a_key_file(tmp_path, forker) as home:
        assert (await imported(home, "--profile", "here")).code == 0
        assert len(home.api.posts) == 3
        assert (await imported(home, "--again", COVAL_PROFILE="here")).code == 0
        assert len(home.api.posts) == 6


async def test_the_default_profile_holds_where_none_is_named(forker: Forker, tmp_path: Path) -> None:
    async with home_with_a_key_file(tmp_path, forker) as home:
        file = tmp_path / ".config" / "coval-etl" / "config.toml"
        refused(await imported(home), "There is no API key")
        file.write_text(f"default = 'here'\n{file.read_text()}[profiles.dead]\nbase_url = 'http://127.0.0.1:1/v1'\n")
        said = await imported(home)
        assert (said.code, said.err.count("Warning")) == (0, 0), said.err
        # The environment's name comes before the file's default, the flag's before both.
        refused(await imported(home, COVAL_PROFILE="dead"), "There is no API key")
        assert (await imported(home, "--profile", "here", "--again", COVAL_PROFILE="dead")).code == 0


async def test_the_configuration_is_where_xdg_says(forker: Forker, tmp_path: Path) -> None:
    async with home_with_a_key_file(tmp_path, forker) as home:
        (tmp_path / ".config").rename(tmp_path / "elsewhere")
        refused(await imported(home, "--profile", "here"), "no profile 'here'", "does not exist")
        assert (await imported(home, "--profile", "here", XDG_CONFIG_HOME=str(tmp_path / "elsewhere"))).code == 0


async def test_a_profile_that_is_not_there_gets_the_nearest_before_anything_is_done(
    forker: Forker, tmp_path: Path
) -> None:
    async with home_with_a_key_file(tmp_path, forker) as home:
        refused(await imported(home, "--profile", "hear"), "no profile 'hear'", "Did you mean here?")
        said = await home.etl("import", "cases.csv", "--profile", "hear", "--json")
    assert said.json["error"]["hint"] == "Did you mean here?"


async def test_for_the_address_the_flag_wins_then_the_environment_then_the_profile(
    forker: Forker, tmp_path: Path
) -> None:
    async with home_with_a_key_file(tmp_path, forker) as home, crooked_api() as flag, crooked_api() as environment:
        for api in (flag, environment):
            api.make("test-sets", {"display_name": "Calls"})
        home.test_set = "Calls"
        said = await imported(home, "--profile", "here")
        assert "COVAL_BASE_URL" not in said.err
        said = await imported(home, "--profile", "here", COVAL_BASE_URL=environment.url)
        assert "Warning: COVAL_BASE_URL is set: requests go there" in said.err
        said = await imported(home, "--profile", "here", "--base-url", flag.url, COVAL_BASE_URL=environment.url)
        assert "COVAL_BASE_URL" not in said.err
        assert [len(api.posts) for api in (home.api, environment, flag)] == [3, 3, 3]


async def test_for_the_key_the_flag_wins_then_the_environment_then_the_profile(forker: Forker, tmp_path: Path) -> None:
    async with home_with_a_key_file(tmp_path, forker) as home:
        (tmp_path / "wrong").write_text(OTHER_KEY)
        (tmp_path / "wrong").chmod(0o600)
        said = await imported(home, "--profile", "here", COVAL_API_KEY=OTHER_KEY)
        refused(said, "COVAL_API_KEY is set: it is used, not the key of the profile here", "refused the key", code=3)
        said = await imported(home, "--profile", "here", "--api-key-file", "wrong", COVAL_API_KEY=KEY)
        refused(said, "refused the key", code=3)
        assert "COVAL_API_KEY is set" not in said.err
        assert (await imported(home, "--profile", "here")).code == 0


async def test_for_the_pace_the_flag_wins_then_the_profile_then_the_default(forker: Forker, tmp_path: Path) -> None:
    slow = "concurrency = 3\nrate = 1000\ntimeout = 7\ncontract = '2025-10'\n"
    async with home_with_a_key_file(tmp_path, forker, slow) as home:

        async def settings(*more: str) -> dict[str, Any]:
            said = await home.etl(
                "import", "cases.csv", "--test-set", home.test_set, "--again", *more, **NO_ENVIRONMENT
            )
            assert said.code == 0, said.err
            newest = (await home.jobs())[0]["job"]
            ledger = open_ledger(tmp_path / "state" / "coval-etl" / "ledger.db")
            (record,) = [one for one in ledger.jobs() if one.facts.id == newest]
            ledger.close()
            kept: dict[str, Any] = dict(record.facts.settings)
            return {
                "concurrency": kept["job"]["concurrency"],
                "rate": kept["job"]["rate_per_s"],
                "timeout": kept["target"]["timeout_s"],
                "profile": kept["target"]["profile"],
            }

        found = await settings("--profile", "here")
        assert found == {"concurrency": 3, "rate": 1000, "timeout": 7, "profile": "here"}
        found = await settings("--profile", "here", "--concurrency", "2", "--rate", "900", "--timeout", "9")
        assert found == {"concurrency": 2, "rate": 900, "timeout": 9, "profile": "here"}
        found = await settings("--base-url", home.api.url, "--api-key-file", "key")
        assert found == {"concurrency": 16, "rate": None, "timeout": 30, "profile": None}


async def test_a_workspace_of_the_profile_is_worked_in(forker: Forker, tmp_path: Path) -> None:
    async with home_with_a_key_file(tmp_path, forker, "workspace = 'ws_1'\n") as home:
        assert (await imported(home, "--profile", "here")).code == 0
        assert (await imported(home, "--profile", "here", "--workspace", "ws_2")).code == 0
        assert [job["workspace"] for job in await home.jobs()] == ["ws_2", "ws_1"]


async def test_a_mistake_in_an_address_is_said_with_its_line(forker: Forker, tmp_path: Path) -> None:
    async with home_with_a_key_file(tmp_path, forker) as home:
        for url, words in (("http://coval.example", "unencrypted"), ("https://ada:pw@coval.example", "a password")):
            configure(tmp_path, f"[profiles.bad]\n\nbase_url = '{url}'\n")
            said = await imported(home, "--profile", "bad", COVAL_API_KEY=KEY)
            refused(said, "config.toml:3:", words)
            assert "pw" not in said.err


async def test_a_key_file_that_others_can_read_is_warned_of(forker: Forker, tmp_path: Path) -> None:
    async with home_with_a_key_file(tmp_path, forker) as home:
        (tmp_path / "key").chmod(0o644)
        said = await imported(home, "--profile", "here", "--quiet")
        assert "config.toml:3: The key file" in said.err
        assert "can be read by others" in said.err
        said = await imported(home, "--base-url", home.api.url, "--api-key-file", "key", "--quiet")
        assert "The key file key can be read by others" in said.err


async def test_with_the_sandbox_the_profile_is_left_alone(forker: Forker, tmp_path: Path) -> None:
    configure(
        tmp_path, "[profiles.here]\nbase_url = 'http://127.0.0.1:1/v1'\nworkspace = 'w'\nkey_command = ['false']\n"
    )
    async with at_home(tmp_path, forker) as home:
        home.write("cases.csv", texts(3))
        rehearsal = ("import", "cases.csv", "--sandbox", "--test-set", "Calls", "--create-missing")
        said = await home.etl(*rehearsal, "--profile", "here")
        assert said.code == 0, said.err
        assert (await home.jobs())[0]["workspace"] is None


async def test_a_job_is_carried_on_and_undone_with_the_key_of_its_profile(forker: Forker, tmp_path: Path) -> None:
    async with home_with_a_key_file(tmp_path, forker, "workspace = 'ws_1'\n") as home:
        home.write("cases.csv", texts(10))
        said = await home.etl(
            *home.importing("cases.csv", "--profile", "here"), **NO_ENVIRONMENT, COVAL_ETL_CRASH_AT="answered:4"
        )
        assert said.code == -9
        # What the profile says by now of anything but the key is no longer asked.
        configure(tmp_path, f"[profiles.here]\nbase_url = 'http://127.0.0.1:1'\nkey_file = '{tmp_path}/key'\n")
        said = await home.etl("resume", **NO_ENVIRONMENT)
        assert said.code == 0, said.err
        assert len(home.api.texts()) == 10
        (job,) = await home.jobs()
        assert job["workspace"] == "ws_1"
        said = await home.etl("rollback", job["job"], "--yes", **NO_ENVIRONMENT)
        assert said.code == 0, said.err
        assert home.api.texts() == []
        assert home.everything_written().count(KEY.encode()) == 1  # in its own file


async def test_a_job_whose_profile_is_gone_wants_another_or_a_key(forker: Forker, tmp_path: Path) -> None:
    async with home_with_a_key_file(tmp_path, forker) as home:
        home.write("cases.csv", texts(10))
        begun = home.importing("cases.csv", "--profile", "here")
        assert (await home.etl(*begun, **NO_ENVIRONMENT, COVAL_ETL_CRASH_AT="answered:4")).code == -9
        configure(tmp_path, f"[profiles.new]\nkey_file = '{tmp_path}/key'\n")
        refused(await home.etl("resume", **NO_ENVIRONMENT), "profile 'here'", "no profile 'here'", "--profile")
        said = await home.etl("resume", "--profile", "new", **NO_ENVIRONMENT)
        assert said.code == 0, said.err
        assert len(home.api.texts()) == 10
        (job,) = await home.jobs()
        assert (await home.etl("rollback", job["job"], "--dry-run")).code == 0


@pytest.mark.parametrize("command", ["import", "validate", "resume", "rollback"])
def test_every_command_that_talks_to_the_api_takes_a_profile(tmp_path: Path, command: str) -> None:
    assert "--profile" in etl(tmp_path, command, "--help").out


def test_a_broken_configuration_is_said_by_file_and_line(tmp_path: Path) -> None:
    file = configure(tmp_path, "[profiles.a]\napi_key = 'canary-4711'\n")
    (tmp_path / "c.csv").write_text("input_str\nhello\n")
    said = etl(tmp_path, "import", "c.csv", "--test-set", "abc12345", "--profile", "a")
    refused(said, f"{file}:2: a key must not stand in this file (api_key)", "key_env")
    assert "canary-4711" not in said.err + said.out
