"""What each endpoint does: a call in, a reply out, and the store changed in between.

It must never know how calls arrive (sockets, keys, faults), nor how the two contracts differ.
"""

import json
import secrets
import sqlite3
import string
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from etl.resources import METRICS, REFERABLE, RESOURCES, RUNS, Contract, Resource
from etl.sandbox import shapes
from etl.sandbox.listing import read_listing
from etl.sandbox.metrics import FIXED_METRICS
from etl.sandbox.progress import Progress
from etl.sandbox.replies import RefusedError, Reply, error_reply, json_reply, refusal_of
from etl.sandbox.store import Room, Store, Stored, TakenError

_IN_TEMPLATES: Mapping[str, str] = {"agents": "agent_ids", "personas": "persona_ids", "test-sets": "test_set_ids"}
"""What cannot be deleted while a run template uses it (vendor's client 0.9.7: 409), and where a template names it."""

_OWN_KEYS: Mapping[str, str] = {"test-sets": "slug", "agents": "customer_agent_id"}

_METHODS: Mapping[tuple[bool, str], tuple[str, ...]] = {
    **{(False, name): ("GET", "POST") for name in RESOURCES},
    **{(True, name): ("GET", "PATCH", "DELETE") for name, resource in RESOURCES.items() if resource.updatable},
    (True, "runs"): ("GET", "DELETE"),
    (False, "metrics"): ("GET",),
    (True, "metrics"): ("GET",),
}
"""What a path takes, by whether it ends in an id and by resource."""

_ALPHABET = string.ascii_letters + string.digits
_LETTER_OF_BYTE = bytes(ord(_ALPHABET[byte % len(_ALPHABET)]) for byte in range(256))


@dataclass(frozen=True, slots=True)
class Call:
    """One request, its way in forgotten. `path` is what follows the host; `workspace` is ``""`` by default."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    workspace: str


def new_id(length: int) -> str:
    """Random letters and digits."""
    return secrets.token_bytes(length).translate(_LETTER_OF_BYTE).decode()


class Operations:
    """The API over a store, in the words of one contract."""

    def __init__(self, store: Store, contract: Contract, progress: Progress | None = None) -> None:
        self._store = store
        self._contract = contract
        self._progress = progress or Progress(store)
        for id_, fields in FIXED_METRICS.items():
            with suppress(TakenError):
                store.add(Room("", METRICS.name), id_, fields, None, "{}")

    def perform(self, call: Call) -> Reply:
        """Do what a call asks for. What cannot be done is a reply too; nothing is raised."""
        try:
            return self._perform(call)
        except RefusedError as refused:
            return error_reply(refused)
        except RecursionError:
            return error_reply(RefusedError(400, "the request body is nested too deeply"))
        except sqlite3.Error as error:
            return error_reply(RefusedError(500, f"the sandbox could not store or read this: {error}"))

    def _perform(self, call: Call) -> Reply:
        resource, id_ = _route(call)
        if resource is RUNS:
            self._progress.go_on(call.workspace)
        match call.method:
            case "POST":
                return self._create(resource, call)
            case "GET" if id_ is None:
                return self._list(resource, call)
            case "GET":
                return self._reply(200, resource, self._find(resource, call, id_ or ""))
            case "PATCH":
                return self._update(resource, call, id_ or "")
            case _:
                return self._delete(resource, call, id_ or "")

    def _reply(self, status: int, resource: Resource, stored: Stored) -> Reply:
        return json_reply(status, {resource.singular: shapes.answer(resource.name, self._contract, stored)})

    def _find(self, resource: Resource, call: Call, id_: str) -> Stored:
        stored = self._store.find(_room(resource.name, call), id_)
        if stored is None:
            raise _not_found(resource, id_)
        return stored

    def _create(self, resource: Resource, call: Call) -> Reply:
        model = resource.create[self._contract]
        given = _known(_json_object(call.body), model.model_fields)
        self._validate(model, resource, given)
        self._check_references(resource, call, given)
        if resource is RUNS:
            self._progress.admit(call.workspace, given)
        id_ = new_id(resource.id_length)
        fields = shapes.kept_form(resource.name, self._contract, given)
        fields = shapes.with_made_keys(resource.name, id_, fields)
        room, own_key = _room(resource.name, call), shapes.own_key(resource.name, fields)
        try:
            stored = self._store.add(room, id_, fields, own_key, call.body.decode())
        except TakenError:
            raise _taken(resource, own_key, given) from None
        if resource is RUNS:
            return json_reply(resource.created_status, {resource.singular: shapes.launch_answer(stored)})
        return self._reply(resource.created_status, resource, stored)

    def _list(self, resource: Resource, call: Call) -> Reply:
        listing = read_listing(resource.name, call.query, resource.page_size_max)
        rows = self._store.page(_room(resource.name, call), listing.search)
        more, rows = len(rows) > listing.page_size, rows[: listing.page_size]
        items = [shapes.answer(resource.name, self._contract, stored) for _, stored in rows]
        return json_reply(
            200, {resource.plural: items, "next_page_token": listing.token_after(*rows[-1]) if more else None}
        )

    def _update(self, resource: Resource, call: Call, id_: str) -> Reply:
        create = resource.create[self._contract]
        given = _known(_json_object(call.body), create.model_fields)
        self._validate(resource.update[self._contract], resource, given)
        given = {name: value for name, value in given.items() if value is not None or name in resource.cleared_by_null}
        with self._store.transaction():
            old = self._find(resource, call, id_)
            self._check_references(resource, call, given)
            changes = shapes.kept_form(resource.name, self._contract, given)
            fields = shapes.merged(resource.name, old.fields, changes)
            whole = shapes.contract_form(resource.name, self._contract, fields)
            whole = {name: value for name, value in whole.items() if value is not None}
            self._validate(create, resource, _known(whole, create.model_fields))
            own_key = shapes.own_key(resource.name, fields)
            try:
                stored = self._store.replace(old, fields, own_key)
            except TakenError:
                raise _taken(resource, own_key, given) from None
        return self._reply(200, resource, stored)

    def _delete(self, resource: Resource, call: Call, id_: str) -> Reply:
        with self._store.transaction():
            field = _IN_TEMPLATES.get(resource.name)
            if field and self._store.refers(_room("run-templates", call), field, id_):
                raise RefusedError(409, f"{resource.singular} {id_} is used by a run template")
            if not self._store.remove(_room(resource.name, call), id_):
                raise _not_found(resource, id_)
            if resource.name == "test-sets":
                self._store.remove_of_test_set(_room("test-cases", call), id_)
        return Reply(204) if resource.name == "run-templates" else json_reply(200, {})

    def _validate(self, model: type[BaseModel], resource: Resource, given: Mapping[str, Any]) -> None:
        try:
            model.model_validate(given)
        except ValidationError as error:
            raise refusal_of(error, resource.fields(self._contract)) from None

    def _check_references(self, resource: Resource, call: Call, given: Mapping[str, Any]) -> None:
        for reference in resource.references:
            other = REFERABLE[reference.resource]
            for id_ in _ids_at(given, reference.path):
                if not self._store.holds(_room(other.name, call), id_):
                    raise _not_found(other, id_, reference.path)


def _route(call: Call) -> tuple[Resource, str | None]:
    """The resource and the id that a path names. Raises RefusedError: 404 for no such path, 405 for no such method."""
    root, _, rest = call.path.removeprefix("/").partition("/")
    name, slash, id_ = rest.partition("/")
    if root != "v1" or name not in REFERABLE or "/" in id_ or bool(slash) != bool(id_):
        raise RefusedError(404, "there is no such path")
    resource = REFERABLE[name]
    methods = _METHODS[bool(id_), name]
    if call.method not in methods:
        refused = RefusedError(405, f"{call.path} takes {', '.join(methods)}, not {call.method}")
        refused.headers["Allow"] = ", ".join(methods)
        raise refused
    if id_ and not (id_.isascii() and id_.isalnum()):
        raise _not_found(resource, id_)
    return resource, id_ or None


def _room(resource: str, call: Call) -> Room:
    return Room("" if resource == METRICS.name else call.workspace, resource)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = _DECODER.decode(body.decode())
    except ValueError as error:
        raise RefusedError(400, f"the request body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "the request body should be a JSON object")
    return value


def _known(body: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A body without the fields that the API does not know, which JSON APIs ignore."""
    return {name: value for name, value in body.items() if name in fields}


def _ids_at(body: Mapping[str, Any], path: str) -> Iterator[str]:
    value: Any = body
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from value


def _not_found(resource: Resource, id_: str, field: str = "") -> RefusedError:
    message = f"{resource.singular} {id_} not found"
    return RefusedError(404, message, [(field, message)] if field else ())


def _taken(resource: Resource, own_key: str | None, given: Mapping[str, Any]) -> RefusedError:
    field = _OWN_KEYS[resource.name]
    made = "" if field in given else f", made from the {resource.label},"
    text = f'{field} "{own_key}"{made} is in use'
    return RefusedError(409, text, [(field, text)])
