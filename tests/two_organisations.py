"""Two organisations, each a sandbox of its own, a person's folder with profiles of both, and what is in them.

It must never know what is tested with it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl.resources import Contract
from tests.command import Said
from tests.sandbox_talk import METRIC, Talk, talking
from tests.sandboxed_command import run

SECRET = "Bearer s3cr3t-of-the-source-0123456789"
PATHS = ("test-sets", "personas", "agents", "test-cases", "run-templates")


@dataclass
class Two:
    """`source` and `target` are the profiles `old` and `new` of `folder`."""

    folder: Path
    source: Talk
    target: Talk

    async def etl(self, *arguments: object, **environment: str) -> Said:
        return await run(self.folder, self.target, *arguments, **environment)

    async def migrate(self, *arguments: object, **environment: str) -> Said:
        """A migration from old to new that settles in no time, as JSON."""
        told = ("--from", "old", "--to", "new", "--json", "--settle", "0.2")
        return await self.etl("migrate", *told, *arguments, **environment)

    def on_disk(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())

    def spools(self) -> list[Path]:
        """What is kept of migrations that are under way."""
        return list(self.folder.glob("state/coval-etl/migrations/*/spool"))


def write_profiles(folder: Path, source: Talk, target: Talk) -> None:
    config = folder / ".config" / "coval-etl"
    config.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, talk in (("old", source), ("new", target)):
        (folder / f"{name}.key").write_text(talk.sandbox.key)
        (folder / f"{name}.key").chmod(0o600)
        lines += [f"[profiles.{name}]", f'base_url = "{talk.sandbox.base_url}"', f'key_file = "{folder / name}.key"']
    (config / "config.toml").write_text("\n".join(lines) + "\n")


@asynccontextmanager
async def two(
    folder: Path, contract: Contract = Contract.V2025_10, other: Contract | None = None
) -> AsyncIterator[Two]:
    async with talking(contract) as source, talking(other or contract) as target:
        write_profiles(folder, source, target)
        yield Two(folder, source, target)


async def fill(
    talk: Talk, contract: Contract = Contract.V2025_10, cases: int = 20, *, deep: bool = True
) -> dict[str, Any]:
    """An organisation in which everything refers to something; its ids. `deep`: also where no page says so."""
    sets = [(await talk.make("/test-sets", {"display_name": name}))["id"] for name in ("Billing", "Delivery")]
    voice = {"voice_name": "aria", "language_code": "en-US"}
    people = [(await talk.make("/personas", {"name": name, **voice}))["id"] for name in ("Calm", "Angry")]
    chat = {
        "display_name": "Chat bot",
        "model_type": "MODEL_TYPE_CHAT",
        "metadata": {
            "chat_endpoint": "https://example.com/chat",
            "authorization_header": SECRET,
            "custom_headers": {"X-Api-Key": "k-123456", "X-Team": "ops"},
            "persona_id": people[1],
            "note": people[0] if deep else "none",
        },
        "metric_ids": [METRIC],
        "test_set_ids": sets,
    }
    voiced = {"display_name": "Voice bot", "model_type": "MODEL_TYPE_VOICE", "phone_number": "+12345678901"}
    agents = [(await talk.make("/agents", body))["id"] for body in (chat, voiced)]
    made = [
        (
            await talk.make(
                "/test-cases",
                {
                    "input_str": f"Where is order {number // 2}?",
                    "test_set_id": sets[number % 2],
                    "expected_behaviors": ["Looks it up", "Says where it is"],
                    "user_notes": f"note {number}" if number % 3 else None,
                },
            )
        )["id"]
        for number in range(cases)
    ]
    refers: dict[str, Any] = {"agent_id": agents[0], "persona_id": people[0], "test_set_id": sets[0]}
    if contract is Contract.V2026_10:
        refers = {f"{name}s": [id_] for name, id_ in refers.items()} | {"test_case_ids": [made[0], made[2]]}
    template = {"display_name": "Nightly", "metric_ids": [METRIC], "metadata": {"owner": "ops"}, **refers}
    templates = [(await talk.make("/run-templates", template))["id"]]
    return {"test-sets": sets, "personas": people, "agents": agents, "test-cases": made, "run-templates": templates}


async def everything(talk: Talk) -> dict[str, list[dict[str, Any]]]:
    """All that an organisation has, oldest first, whole."""
    found = {}
    for name in PATHS:
        ordered = {} if name == "run-templates" else {"order_by": "create_time"}
        found[name] = await talk.items(f"/{name}", page_size=100, **ordered)
    return found
