"""What is exported, and how: everything that is decided before the first request. It must never ask the API."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from etl.errors import UsageError
from etl.resources import RESOURCES, RUN_TEMPLATES, Contract

ALL = "all"


@dataclass(frozen=True, slots=True)
class ExportJob:
    """`resources` in dependency order. `out`: a file, whose suffix says its form, or a folder.

    `filter`: the API's own words. `since`: what was created or changed at this moment or later. `test_sets`: ids; only
    these sets and their cases. `columns`: keys to write; `mapping`: write the columns of a mapping instead.
    `target`: how the API is called in the manifest. `seed`: what redaction markers are made with. `owner`: who asks, as
    a fingerprint. `sign`: a private key.
    """

    resources: tuple[str, ...]
    out: Path
    target: str = ""
    filter: str | None = None
    since: datetime | None = None
    test_sets: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    mapping: str | None = None
    redact: bool = True
    seed: bytes = field(default=b"", repr=False)
    owner: str = ""
    workspace: str | None = None
    contract: Contract | None = None
    sign: Path | None = None

    def check(self) -> None:
        """Raises UsageError for what cannot be done together."""
        if self.filter is not None and len(self.resources) > 1:
            raise UsageError("--filter is for one resource: each has fields of its own.", "Export them one by one.")
        if self.filter is not None and RUN_TEMPLATES.name in self.resources:
            words = "Run templates have no filter: the API gives all of them."
            raise UsageError(words, "Leave out --filter, and choose among the rows.")
        others = set(self.resources) - {"test-sets", "test-cases"}
        if self.test_sets and others:
            words = f"--test-set is for test-sets and test-cases; {', '.join(sorted(others))} belong to none."
            raise UsageError(words, "Leave them out, or leave out --test-set.")
        if self.test_sets and self.filter and " OR " in self.filter:
            raise UsageError("--filter with OR and --test-set cannot be joined: the API's filter has no brackets.")
        if (self.columns or self.mapping) and len(self.resources) > 1:
            raise UsageError("--columns and --mapping are for one resource.", "Export them one by one.")
        if self.columns and self.mapping:
            raise UsageError("--columns and --mapping exclude each other.")

    def fingerprint(self) -> str:
        """What has to be the same for an export that was cut off to be carried on."""
        asked = {
            "form": 1,
            "target": self.target,
            "workspace": self.workspace,
            "owner": self.owner,
            "resources": self.resources,
            "filter": self.filter,
            "test_sets": self.test_sets,
            "redact": self.redact,
        }
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def resources_named(words: Sequence[str]) -> tuple[str, ...]:
    """Resources by their names, `all` of them too, in dependency order. Raises UsageError for another word."""
    known = [*RESOURCES, ALL]
    for word in words:
        if word not in known:
            raise UsageError(f"There is no resource {word!r}.", f"There are: {', '.join(known)}.")
    return tuple(RESOURCES) if ALL in words else tuple(name for name in RESOURCES if name in words)
