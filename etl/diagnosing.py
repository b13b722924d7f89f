"""What stands between this machine and an import: versions, the way to the API, clock, contract, ledger, disk.

It must never know the terminal, change anything at the API, or tell the key.
"""

import platform
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import Requirement

from etl.api import Answer, Api, NoAnswer, Target, asked_wait_s, hops_to, http_date, refusal_of
from etl.api.contract import detect_contract
from etl.errors import EtlError
from etl.jobs import is_unfinished
from etl.ledger import check_whole, file_of, mount_of, open_ledger
from etl.resources import TEST_SETS, Contract
from etl.sandbox import running_sandbox
from etl.version import __version__

SKEW_WARNED = timedelta(seconds=30)
SKEW_REFUSED = timedelta(minutes=5)
"""By so much this machine's clock may differ from the API's. Beyond, certificates and signed links begin to fail."""
ENDS_SOON = timedelta(days=14)
"""So long before its end a certificate is warned of."""
LOW_DISK_BYTES = 1 << 30
FULL_DISK_BYTES = 100 << 20
_NAMED = ("polars", "aiohttp", "pydantic", "sqlalchemy", "openpyxl", "click", "rich")
"""The libraries whose versions a report of a fault needs."""


class Verdict(StrEnum):
    """How it stands with one thing."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found, and what would do where that is not well."""

    check: str
    verdict: Verdict
    found: str
    hint: str = ""

    def to_json(self) -> dict[str, str]:
        """As the command's document has it."""
        return {"check": self.check, "verdict": self.verdict.value, "found": self.found, "hint": self.hint}


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Verdict.OK, found)


def warning(check: str, found: str, hint: str) -> Finding:
    """It works, but."""
    return Finding(check, Verdict.WARNING, found, hint)


def problem(check: str, error: EtlError) -> Finding:
    """It does not work."""
    return Finding(check, Verdict.PROBLEM, error.message, error.hint)


def versions() -> Iterator[Finding]:
    """What this is and runs on, and whether every library is there in a version that is supported."""
    here = f"{__version__}, Python {platform.python_version()} on {platform.platform(terse=True)}"
    yield ok("coval-etl", here)
    try:
        wanted = [Requirement(line) for line in requires("coval-etl") or ()]
    except PackageNotFoundError:
        yield warning("libraries", "coval-etl is not installed: it runs from its folder.", "Install it: make install.")
        return
    found, wrong = [], []
    for one in wanted:
        extra = one.marker is not None and not one.marker.evaluate({"extra": ""})
        try:
            has = version(one.name)
        except PackageNotFoundError:
            if not extra:
                wrong.append(f"{one.name} is missing ({one.specifier})")
            continue
        if not one.specifier.contains(has, prereleases=True):
            wrong.append(f"{one.name} is {has}, supported is {one.specifier}")
        if one.name in _NAMED:
            found.append(f"{one.name} {has}")
    if wrong:
        yield Finding(
            "libraries", Verdict.PROBLEM, "; ".join(wrong), "Install coval-etl anew, in an environment of its own."
        )
    else:
        yield ok("libraries", ", ".join(found))


async def way(target: Target) -> AsyncIterator[Finding]:
    """Each step on the way to the API; to the proxy, where there is one. Ends with the first that fails."""
    url, prefix = target.base_url, ""
    if target.proxy is not None:
        parts = urlsplit(target.proxy)
        url, prefix = f"{parts.scheme}://{parts.hostname}:{parts.port or 80}", "proxy "
        yield ok("proxy", f"{parts.hostname}:{parts.port or 80}, from the environment")
    try:
        async for hop in hops_to(url, target.ca_bundle):
            check = prefix + hop.over
            if hop.error is not None:
                yield problem(check, hop.error)
            elif hop.ends is not None and hop.ends - datetime.now(UTC) < ENDS_SOON:
                yield warning(check, f"{hop.found}: that is soon.", "Whoever runs the server has to renew it.")
            else:
                yield ok(check, hop.found)
    except EtlError as error:
        yield problem("certificate", error)


async def answers(target: Target, contract: Contract | None, limits: str) -> AsyncIterator[Finding]:
    """What the API says: to the key, of the time, of its contract and its limits. `contract`: the one told, if any.

    `limits` is how fast a job would send, in words. Without a key the API is asked all the same.
    """
    try:
        async with Api(target) as api:
            before = datetime.now(UTC)
            answer = await api.request("GET", TEST_SETS.path, query={"page_size": "1"})
            if isinstance(answer, NoAnswer):
                hint = (
                    "For a private certificate authority give --ca-bundle FILE." if answer.cause == "tls" else _NETWORK
                )
                yield Finding("api", Verdict.PROBLEM, answer.explanation, hint)
                return
            for finding in _heard(answer, has_key=bool(target.key)):
                yield finding
            yield _clock(answer, before)
            if answer.status == 200:
                yield await _contract(api, contract)
            yield ok("limits", f"{limits}; {_published(answer)}")
    except EtlError as error:
        yield problem("api", error)


_NETWORK = "Check the network and the proxy, then try again."


def _heard(answer: Answer, *, has_key: bool) -> Iterator[Finding]:
    """Whether it is the API that answers, and whether it takes the key."""
    took = f"answered {answer.status} after {answer.elapsed_s * 1000:.0f} ms"
    named = f"{took}, request {answer.request_id}" if answer.request_id else took
    refusal = refusal_of(answer)
    if answer.status == 200:
        if isinstance(answer.body, dict) and isinstance(answer.body.get(TEST_SETS.plural), list):
            yield ok("api", named)
            yield ok("key accepted", "the API knows it")
        else:
            yield Finding("api", Verdict.PROBLEM, f"{took}, but that is not Coval's API.", _ADDRESS)
    elif answer.status == 401 and refusal.code:
        yield ok("api", named)
        if has_key:
            yield Finding("key accepted", Verdict.PROBLEM, "The API refused the key (401).", _KEY)
    elif answer.status in {403, 404} and refusal.code:
        yield ok("api", named)
        words = f"The API does not let the key read test sets ({answer.status}): {refusal.message}"
        yield Finding(
            "key accepted", Verdict.PROBLEM, words, "Check the key's rights, and the workspace if one is given."
        )
    elif answer.status in {425, 429}:
        wait_s = asked_wait_s(answer.headers, datetime.now(UTC))
        words = "at once" if wait_s is None else f"in {wait_s:.0f} s"
        yield warning("api", f"{named}: it asks to slow down.", f"Others use this organisation too; try again {words}.")
    elif 300 <= answer.status < 400:
        yield Finding("api", Verdict.PROBLEM, f"{took}: a redirect, which is not followed.", _ADDRESS)
    elif answer.status >= 500:
        yield Finding("api", Verdict.PROBLEM, f"{named}: the API is in trouble.", "Try again in a few minutes.")
    else:
        yield Finding("api", Verdict.PROBLEM, f"{took}: {refusal.message}", _ADDRESS)


_ADDRESS = "Check the base URL; Coval's is https://api.coval.dev/v1."
_KEY = "Check where it was copied from, and that it belongs to this address."


def _clock(answer: Answer, before: datetime) -> Finding:
    """This machine's clock against the API's, which tells whole seconds, at some moment between `before` and now."""
    theirs = http_date(answer.headers.get("date", ""))
    if theirs is None:
        return warning("clock", "The API did not say what time it is.", _SET)
    ours = before + (datetime.now(UTC) - before) / 2
    skew = ours - theirs - timedelta(seconds=0.5)
    words = f"{abs(skew.total_seconds()):,.0f} s {'ahead of' if skew > timedelta() else 'behind'} the API's"
    if abs(skew) < SKEW_WARNED:
        return ok("clock", "agrees with the API's" if abs(skew) < timedelta(seconds=2) else words)
    grave = Verdict.PROBLEM if abs(skew) >= SKEW_REFUSED else Verdict.WARNING
    return Finding("clock", grave, f"This machine's clock is {words}.", _SET)


_SET = "Let this machine's clock be set by the network (NTP)."


async def _contract(api: Api, told: Contract | None) -> Finding:
    if told is not None:
        return ok("contract", f"{told.value}, as told")
    found = await detect_contract(api)
    why = "answers carry created_at" if found is Contract.V2026_10 else "no answer carries created_at"
    return ok("contract", f"{found.value}, found out: {why}")


def _published(answer: Answer) -> str:
    said = [f"{name}: {value}" for name, value in sorted(answer.headers.items()) if "ratelimit" in name]
    return f"the API says {', '.join(said)}" if said else "the API publishes none, so the pace is learned"


def ledger(where: str | Path, by: str) -> Iterator[Finding]:
    """Whether the ledger can be worked with, is whole, and what waits in it. One that is not there is not made."""
    file = file_of(where)
    name = str(file) if file is not None else "a database server"
    if file is not None and not file.exists():
        yield _place_for(file, by)
        return
    try:
        opened = open_ledger(where)
        try:
            jobs = opened.jobs()
        finally:
            opened.close()
        if file is not None:
            check_whole(file)
    except EtlError as error:
        yield problem("ledger", error)
        return
    size = "" if file is None else f", {file.stat().st_size / 2**20:,.1f} MB"
    yield ok("ledger", f"{name} ({by}){size}, whole, {len(jobs):,} {'job' if len(jobs) == 1 else 'jobs'}")
    open_jobs = [one.facts.id for one in jobs if one.held_by is None and is_unfinished(one)]
    if open_jobs:
        more = f" and {len(open_jobs) - 1} more" if len(open_jobs) > 1 else ""
        hint = f"coval-etl resume {open_jobs[0]}   (coval-etl jobs lists them)"
        yield warning("jobs", f"Unfinished: {open_jobs[0]}{more}.", hint)


def _place_for(file: Path, by: str) -> Finding:
    """Whether a ledger could be made."""
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    mount = mount_of(folder)
    if mount is not None and mount.is_network:
        words = f"{file} would be on a network file system ({mount.type} at {mount.point})."
        return Finding("ledger", Verdict.PROBLEM, words, "Give a file on a disk of this machine with --ledger.")
    return ok("ledger", f"{file} ({by}), made by the first import")


def disks(places: dict[str, Path]) -> Iterator[Finding]:
    """Whether there is room where a job writes (a folder by what it is for), each disk once."""
    seen: dict[int, tuple[Path, list[str]]] = {}
    for purpose, place in places.items():
        folder = next(one for one in (place.absolute(), *place.absolute().parents) if one.is_dir())
        seen.setdefault(folder.stat().st_dev, (folder, []))[1].append(purpose)
    for folder, purposes in seen.values():
        free = shutil.disk_usage(folder).free
        words = f"{free / 2**30:,.1f} GB free in {folder}, for {' and '.join(purposes)}"
        if free < LOW_DISK_BYTES:
            verdict = Verdict.PROBLEM if free < FULL_DISK_BYTES else Verdict.WARNING
            yield Finding("disk", verdict, f"Only {words}.", "Make room: a job stops when its disk is full.")
        else:
            yield ok("disk", words)


async def rehearsal() -> Finding:
    """Whether the sandbox can be started: it needs a port of this machine."""
    try:
        async with running_sandbox(key=None) as sandbox, Api(Target(sandbox.base_url, sandbox.key)) as api:
            answer = await api.request("GET", TEST_SETS.path)
    except (EtlError, OSError) as error:
        words = getattr(error, "strerror", None) or str(error)
        return Finding(
            "sandbox", Verdict.PROBLEM, f"It cannot be started: {words}.", "Rehearsals need it; imports do not."
        )
    if isinstance(answer, Answer) and answer.status == 200:
        return ok("sandbox", "starts and answers")
    return Finding("sandbox", Verdict.PROBLEM, "It starts, but does not answer.", "Is 127.0.0.1 sent to a proxy?")
