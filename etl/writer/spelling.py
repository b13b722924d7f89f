"""In which of the two contracts bodies are sent, as long as that is not sure: the API's own answers decide.

It must never know rows, files or the ledger.
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from etl.api import Answer, refusal_of
from etl.api.contract import refused_for
from etl.errors import RefusedError
from etl.resources import RUNS, Contract, Resource
from etl.resources.dialects import contract_of, other, respelled, spelled_in


class Grounds(StrEnum):
    """How the contract is known."""

    GIVEN = "given"
    READ = "read"
    """From what the API has."""
    ASSUMED = "assumed"
    """There was nothing to read."""
    ANSWERED = "answered"
    """From the answer to the first row that was created."""
    REFUSED = "refused"
    """The API refused the first row and named a field of the other contract."""


class Spelling:
    """The contract that a job speaks. It changes at most once by a refusal, and only before a row in it was stored."""

    def __init__(self, contract: Contract, grounds: Grounds = Grounds.GIVEN) -> None:
        self.contract = contract
        self.grounds = grounds
        self._checked_under = contract
        self._stored: set[str] = set()
        """Resources of which a row was stored in this job: their refusals are about the row."""

    @property
    def changed(self) -> bool:
        """Whether bodies are sent in another contract than they were made under."""
        return self.contract is not self._checked_under

    def spell(self, resource: Resource, body: bytes) -> bytes:
        """A body, made under the contract that the job began with, as the API wants it."""
        if not self.changed:
            return body
        fields = respelled(resource.name, json.loads(body), self.contract)
        if fields is None:
            return body
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    def stored(self, resource: Resource, item: Mapping[str, Any]) -> None:
        """A row became this: now it is known what the API speaks."""
        self._stored.add(resource.name)
        if self.grounds is Grounds.ASSUMED and resource is not RUNS:
            self.contract, self.grounds = contract_of(item), Grounds.ANSWERED

    def learns_from(self, resource: Resource, answer: Answer, body: bytes) -> bool:
        """Whether a refusal (400) was about the contract that a body was sent in: it may be sent in the other one then.

        Nothing was stored.
        """
        if answer.status != 400:
            return False
        refusal = refusal_of(answer)
        return self._learns(resource, refusal.fields, refusal.message, body)

    def learns_from_error(self, resource: Resource, error: RefusedError, body: bytes) -> bool:
        """As `learns_from`, of a change that was refused."""
        fields = () if error.field is None else (error.field,)
        return error.status == 400 and self._learns(resource, fields, error.message, body)

    def _learns(self, resource: Resource, fields: Sequence[str], words: str, body: bytes) -> bool:
        sent = spelled_in(resource.name, body)
        if sent is None or refused_for(resource.name, sent, fields, words) is None:
            return False
        if respelled(resource.name, json.loads(body), other(sent)) is None:
            return False  # it cannot be said there
        if self.grounds is Grounds.REFUSED and sent is not self.contract:
            return True  # it was on its way when another row found out
        if self.grounds in {Grounds.GIVEN, Grounds.REFUSED} or resource.name in self._stored:
            return False
        self.contract, self.grounds = other(sent), Grounds.REFUSED
        return True

    @property
    def explanation(self) -> str | None:
        """What a person should know about it; None where it is as they said, or as the API shows."""
        if self.grounds is Grounds.ASSUMED:
            return f"Contract {self.contract} was assumed: there is nothing at the API that tells. --contract says it."
        if not self.changed:
            return None
        how = "it refused the first row of the other form" if self.grounds is Grounds.REFUSED else "its answer shows it"
        return f"The API speaks contract {self.contract} ({how}); rows were checked under {self._checked_under}."
