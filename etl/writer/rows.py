"""What goes into the writer and what comes out of it, a value each. It must never know how either is done."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from etl.ledger import Change, RowKey
from etl.problems import Code
from etl.report import Outcome
from etl.resources.dialects import spelled_alike


@dataclass(frozen=True, slots=True)
class Update:
    """What a row changes of something that is there, and nothing else: `after` holds the new values of the fields that
    differ, as the JSON text that is sent, `before` those that they have now (absent: null). Empty: nothing differs.
    """

    resource_id: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> dict[str, tuple[Any, str]]:
        """Of each field the value before, and the JSON text after."""
        return {name: (self.before[name], text) for name, text in self.after.items()}

    @property
    def body(self) -> bytes:
        """The body of the PATCH."""
        members = (f"{json.dumps(name)}:{text}" for name, text in self.after.items())
        return f"{{{','.join(members)}}}".encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A row to create, or what it changes (`update`).

    `parents`: the (field, id) pairs that name resources it needs (a test set, an agent). `doubt`: what the ledger has
    of it, where an earlier run of the same job left it in doubt; it is then looked for, not sent. `resource`: its name.
    """

    key: RowKey
    body: bytes
    parents: tuple[tuple[str, str], ...] = ()
    doubt: Change | None = None
    resource: str = ""
    update: Update | None = None

    @property
    def body_sha256(self) -> bytes:
        """32 bytes that tell whether the same row was sent before with the same body, under whatever contract."""
        return hashlib.sha256(spelled_alike(self.resource, self.body)).digest()


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a row. `code`, `field` and `message` explain why it was not created.

    `open`: it is in doubt for now, and will be told once more when it is known or given up.
    """

    key: RowKey
    outcome: Outcome
    resource_id: str | None = None
    attempts: int = 0
    http_status: int | None = None
    code: Code | None = None
    field: str | None = None
    message: str = ""
    open: bool = False


@dataclass(slots=True)
class Traffic:
    """What went over the wire: requests sent, of which repeated, rows found by looking, and the replies by status."""

    sent: int = 0
    retried: int = 0
    reconciled: int = 0
    by_status: Counter[int] = field(default_factory=Counter)


class InDoubt(StrEnum):
    """What a person decided about rows of which it cannot be known whether they were stored."""

    KEEP = "keep"
    """They stay in doubt."""
    RESEND = "resend"
    """They were not stored: send them again."""
    ACCEPT = "accept"
    """They were stored: they count as created, under an id that is not known."""
