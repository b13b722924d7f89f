"""`coval-etl doctor`: what stands between this machine and an import, and what to do. It must never mend it."""

import asyncio
import dataclasses
import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import rich_click as click
from rich.table import Table
from rich.text import Text

from etl.api import Target
from etl.cli.options import (
    PROFILE_TROUBLE,
    Output,
    TargetFlags,
)
from etl.cli.profile import configuration_file
from etl.cli.saying import visible, write_out
from etl.cli.screen import stdout
from etl.cli.target import (
    base_url_of,
    ca_bundle_of,
    doubtful,
    key_of,
    ledger_at,
    proxy_for,
    state_folder,
    workspace_of,
)
from etl.diagnosing import Finding, Verdict, answers, disks, ledger, ok, problem, rehearsal, versions, warning, way
from etl.errors import EtlError, ExitCode, UsageError
from etl.ledger import file_of
from etl.resources import Contract

_NARROW = 60
"""Columns below which a finding stands under its name."""
_UNBROKEN = 1_000
_STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.PROBLEM: "bold red"}


def run(context: click.Context, *, target: TargetFlags, contract: str, output: Output) -> int:
    """Look at everything that an import needs, and say what to do about what is amiss."""
    told = None if contract == "auto" else Contract(contract)
    trouble: UsageError | None = context.meta.get(PROFILE_TROUBLE)
    found = asyncio.run(_examine(_findings(target, told, trouble), output))
    counts = Counter(one.verdict for one in found)
    code = ExitCode.PROBLEMS if counts[Verdict.PROBLEM] else ExitCode.DONE
    if output.as_json:
        document = {"findings": [one.to_json() for one in found], "exit_code": int(code)}
        write_out(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    elif not output.quiet:
        said = [
            f"{n} {verdict.value}{'s' * (n > 1)}"
            for verdict in (Verdict.PROBLEM, Verdict.WARNING)
            if (n := counts[verdict])
        ]
        write_out(f"\n{', '.join(said) or 'All is well'}.\n")
    return code


async def _examine(findings: AsyncIterator[Finding], output: Output) -> list[Finding]:
    """Gather what is found; on a screen, show each as it comes."""
    found = []
    async for one in findings:
        found.append(one)
        if not output.as_json and not (output.quiet and one.verdict is Verdict.OK):
            _show(one, output)
    return found


def _show(one: Finding, output: Output) -> None:
    """One finding beside its name, or below it on a narrow screen; its hint follows."""
    console = stdout(plain=output.plain)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _UNBROKEN  # what a program reads, or a person copies out of a log, stays in one piece
    head = Text(f"{one.verdict:9}", style=_STYLES[one.verdict]) + Text(f"{one.check:14}", style="bold")
    words = [Text(visible(one.found)), *([Text(visible(one.hint), style="dim")] if one.hint else [])]
    narrow = console.width < _NARROW
    with console.capture() as shown:
        if narrow:
            console.print(head)
        for number, line in enumerate(words):
            table = Table.grid()
            table.add_column(width=2 if narrow else len(head.plain))
            table.add_column(overflow="fold")
            table.add_row("" if narrow or number else head, line)
            console.print(table, soft_wrap=False)
    write_out("".join(f"{line.rstrip()}\n" for line in shown.get().splitlines()))


async def _findings(
    flags: TargetFlags, contract: Contract | None, trouble: UsageError | None
) -> AsyncIterator[Finding]:
    for one in versions():
        yield one
    if not flags.use_sandbox:
        yield _profile(flags, trouble)
        async for one in _of_api(flags, contract):
            yield one
    where = ledger_at(flags.ledger)
    for one in ledger(where, "the state folder" if flags.ledger is None else "as told"):
        yield one
    file = file_of(where)
    for one in disks({"reports": Path.cwd(), "the ledger": file.parent if file else state_folder()}):
        yield one
    yield await rehearsal()


def _profile(flags: TargetFlags, trouble: UsageError | None) -> Finding:
    file = configuration_file()
    if trouble is not None:
        return problem("profile", trouble)
    if flags.profile is not None:
        return ok("profile", f"{flags.profile.name}, from {file}")
    return ok("profile", f"none; {file} {'names no default' if file.exists() else 'is not there, and need not be'}")


async def _of_api(flags: TargetFlags, contract: Contract | None) -> AsyncIterator[Finding]:
    """The address, the key, the way there and what is answered. Where the address is wrong, no more can be said."""
    for sentence in doubtful(flags):
        yield warning("profile", sentence, "docs/profiles.md says what wins, and how a key is kept.")
    try:
        url = base_url_of(flags)
        yield ok("address", f"{url.value} ({url.by})")
        target = Target(url.value, "", workspace_of(flags), flags.timeout_s, ca_bundle_of(flags), proxy_for(url.value))
    except EtlError as error:
        yield problem("address", error)
        return
    try:
        key = await key_of(flags)
        if key.by == "--api-key":
            yield warning("key", "there (--api-key), where others can see it", "Use COVAL_API_KEY or --api-key-file.")
        else:
            yield ok("key", f"there ({key.by})")
        target = dataclasses.replace(target, key=key.value)
    except EtlError as error:
        yield problem("key", error)
    reached = True
    async for one in way(target):
        reached &= one.verdict is not Verdict.PROBLEM
        yield one
    if reached:
        async for one in answers(target, contract, _limits(flags)):
            yield one


def _limits(flags: TargetFlags) -> str:
    profile = flags.profile
    most = profile.concurrency if profile and profile.concurrency else 16
    rate = f", {profile.rate_per_s:g} a second" if profile and profile.rate_per_s else ""
    return f"at most {most} requests in flight{rate}"
