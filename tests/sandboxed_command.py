"""The command against a running sandbox, without the cost of a start. It must never know what is tested with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import Said
from tests.forking import Call, Forker
from tests.sandbox_talk import Talk

_STARTED: list[Forker] = []


@pytest.fixture(scope="module", autouse=True)
def started() -> Iterator[None]:
    """Import it into a test file, and `run` works there."""
    _STARTED.append(Forker())
    yield
    _STARTED.pop().close()


async def run(folder: Path, talk: Talk, *arguments: object, **environment: str) -> Said:
    """Run `coval-etl ARGUMENTS` in a folder, which is also its home, against the sandbox of `talk`."""
    own = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "LANG": "C.UTF-8"}
    target = {"COVAL_API_KEY": talk.sandbox.key, "COVAL_BASE_URL": talk.sandbox.base_url}
    ended = await _STARTED[-1].run(Call(tuple(map(str, arguments)), folder, own | target | environment))
    return Said(ended.code, ended.out, ended.err)
