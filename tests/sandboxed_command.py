"""The command against a running sandbox, without the cost of a start. It must never know what is tested with it."""

from pathlib import Path

import pytest

from tests.command import Said
from tests.forking import Call, shared
from tests.sandbox_talk import Talk


@pytest.fixture(scope="module", autouse=True)
def started() -> None:
    """Import it into a test file, and what `run` needs is there before the first test."""
    shared()


async def run(folder: Path, talk: Talk, *arguments: object, **environment: str) -> Said:
    """Run `coval-etl ARGUMENTS` in a folder, which is also its home, against the sandbox of `talk`."""
    own = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "LANG": "C.UTF-8"}
    target = {"COVAL_API_KEY": talk.sandbox.key, "COVAL_BASE_URL": talk.sandbox.base_url}
    ended = await shared().run(Call(tuple(map(str, arguments)), folder, own | target | environment))
    return Said(ended.code, ended.out, ended.err)
