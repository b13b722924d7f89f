"""What was typed for an import, kept in the ledger so that `resume` needs no flags. It must never hold a secret."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from etl.cli.again import typed_again
from etl.cli.options import Again, Opening, TargetFlags
from etl.cli.profile import has_key_in_environment, profile_of_job
from etl.errors import UsageError
from etl.jobs import SANDBOX, ImportJob
from etl.ledger import JobFacts
from etl.quoting import holds_secret
from etl.readers import KeptCopy
from etl.resources import Contract

_NOT_KEPT = frozenset({"target", "contract", "typed", "values", "flags"})


@dataclasses.dataclass(frozen=True, slots=True)
class Typed:
    """What an import was called with. `to_give`: fields that `--set` must give once more. `kept`: copies
    of what can be read only once.
    """

    folder: Path
    files: tuple[str, ...]
    opening: Opening
    job: ImportJob
    target: TargetFlags
    report: str | None
    to_give: tuple[str, ...]
    kept: Mapping[str, KeptCopy]


def typed_settings(
    job: ImportJob, files: Sequence[str], opening: Opening, target: TargetFlags, report: str | None
) -> dict[str, object]:
    """The call as JSON."""
    kept = {name: value for name, value in dataclasses.asdict(job).items() if name not in _NOT_KEPT}
    secrets = [name for name, text in job.values.items() if holds_secret(name, text)]
    settings: dict[str, object] = {
        "folder": str(Path.cwd()),
        "files": [_without_query(file) for file in files],
        "opening": dataclasses.asdict(opening),
        "job": kept | {"values": {name: text for name, text in job.values.items() if name not in secrets}},
        "to_give": secrets,
        "target": {
            "use_sandbox": target.use_sandbox,
            "profile": target.profile.name if target.profile else None,
            "workspace": target.workspace,
            "timeout_s": target.timeout_s,
            "ca_bundle": target.ca_bundle,
        },
        "report": report,
    }
    return dict(json.loads(json.dumps(settings)))  # as the ledger gives it back


def target_before(facts: JobFacts, again: Again) -> TargetFlags:
    """Where a job goes, as the ledger has it; the key from what is said now, or from the profile it was begun with.

    Raises UsageError where that profile is gone and there is no other key.
    """
    kept = facts.settings.get("target")
    before: Mapping[str, Any] = kept if isinstance(kept, dict) else {}
    sandbox = facts.base_url == SANDBOX
    has_key = sandbox or bool(again.api_key or again.api_key_file) or has_key_in_environment()
    profile = profile_of_job(before.get("profile"), again.profile, has_key=has_key)
    return TargetFlags(
        use_sandbox=sandbox,
        # Where it goes is settled: of the profile as it is today, only the key counts.
        profile=profile and dataclasses.replace(profile, base_url=None, workspace=None),
        base_url=None if sandbox else facts.base_url,
        api_key_file=again.api_key_file,
        api_key=again.api_key,
        workspace=facts.workspace,
        timeout_s=before.get("timeout_s", 30.0),
        ca_bundle=before.get("ca_bundle"),
        ledger=again.ledger,
    )


def typed_before(facts: JobFacts, again: Again) -> Typed:
    """The call of a job in the ledger. Raises UsageError where its source is gone with the call that named it."""
    kept: Mapping[str, Any] = facts.settings
    if not kept:
        raise UsageError(f"Job {facts.id} was begun by an older version, which kept too little.", _ANEW)
    files = tuple(kept["files"])
    copies = {name: KeptCopy(*copy) for name, copy in dict(kept.get("kept") or {}).items()}
    for file in files:
        if file in copies and not Path(copies[file].path).exists():
            raise UsageError(f"The copy of {copies[file].label} that job {facts.id} kept is gone.", _ANEW)
        if file not in copies and (file == "-" or "://" in file):
            where = "standard input" if file == "-" else file
            raise UsageError(f"Job {facts.id} read {where}, which is not kept.", _ANEW)
    target = target_before(facts, again)
    columns = kept["opening"]["columns"]
    opening = Opening(**{**kept["opening"], "columns": None if columns is None else tuple(columns)})
    job = ImportJob(**kept["job"], contract=Contract(facts.contract), typed=kept)
    job = dataclasses.replace(job, flags=flags_again(job, target))
    return Typed(Path(kept["folder"]), files, opening, job, target, kept["report"], tuple(kept["to_give"]), copies)


def flags_again(job: ImportJob, target: TargetFlags) -> tuple[str, ...]:
    """What has to be typed again to import mended rows of a job in the same way. Never a secret."""
    changes = job.mode != "create"
    named = {
        "--resource": job.resource,
        "--mapping": job.mapping,
        "--test-set": job.test_set,
        "--mode": job.mode if changes else None,
        "--key": job.key if changes else None,
        "--on-conflict": job.on_conflict,
        "--profile": target.profile.name if target.profile else None,
        "--base-url": target.base_url,
        "--workspace": target.workspace,
        "--api-key-file": target.api_key_file,
    }
    switches = {
        "--create-missing": job.create_missing,
        "--strict": job.strict,
        "--near-duplicates": job.near_duplicates,
        "--sandbox": target.use_sandbox,
    }
    return typed_again(named, job.values, switches)


_ANEW = "Import it anew: rows that were created are known again and are not sent twice."


def _without_query(file: str) -> str:
    """What follows a URL's `?` may be a secret."""
    return file.split("?", 1)[0] if "://" in file else file
