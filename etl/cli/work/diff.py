"""`coval-etl diff`: in what two exports differ, or an export and the API. It must never change either."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from etl.api import Api, Pace
from etl.auditing import (
    Difference,
    Matching,
    Side,
    Tallies,
    counts_of,
    differences,
    inline,
    open_side,
    write_differences,
)
from etl.auditing.pages import check_form, to_json
from etl.cli.options import Output, TargetFlags
from etl.cli.saying import visible, write_out
from etl.cli.screen import Screen
from etl.cli.signals import leaving_on_term
from etl.cli.target import opened_target, workspace_of
from etl.errors import UsageError
from etl.exporting import Exporter, ExportJob

LIVE = "api:"
SHOWN = 50
"""So many differences are shown in the terminal; a file has them all."""
_CONTEXT = 40
_VALUE = 400


def run(  # noqa: PLR0913  # one for each flag
    *,
    a: str,
    b: str,
    key: str | None,
    content: bool,
    ignore: str,
    out: str | None,
    concurrency: int,
    target: TargetFlags,
    output: Output,
) -> int:
    """Compare two exports, in any form, or an export with what the API has now (`api:`), field by field."""
    if key and content:
        raise UsageError("--key and --content exclude each other.")
    if a == b == LIVE:
        raise UsageError("The API is compared with an export.", "Name one.")
    if out:
        check_form(Path(out))
    screen = Screen(output)
    screen.warn_of_key(target.api_key)
    matching = Matching(key, content, frozenset(filter(None, (name.strip() for name in ignore.split(",")))))
    with tempfile.TemporaryDirectory(prefix="coval-etl-") as folder:
        left, right = _sides(a, b, target, concurrency, Path(folder) / "live")
        tallies = Tallies()
        found = differences(left, right, matching, tallies)
        kept: list[Difference] = []
        shown = _seen(found, kept, everything=output.as_json)
        if out:
            write_differences(Path(out), shown, f"{a} and {b}")
        else:
            for _ in shown:
                pass
    _say(kept, tallies, (a, b, out), output)
    return 1 if tallies.differ else 0


def _seen(found: Iterator[Difference], kept: list[Difference], *, everything: bool) -> Iterator[Difference]:
    for one in found:
        if everything or len(kept) < SHOWN:
            kept.append(one)
        yield one


def _sides(a: str, b: str, flags: TargetFlags, concurrency: int, folder: Path) -> tuple[Side, Side]:
    if LIVE not in (a, b):
        return open_side(Path(a)), open_side(Path(b))
    other = open_side(Path(b if a == LIVE else a))
    live = asyncio.run(_live(other, flags, concurrency, folder))
    return (live, other) if a == LIVE else (other, live)


async def _live(other: Side, flags: TargetFlags, concurrency: int, folder: Path) -> Side:
    """What the API has now, of the same resources, chosen as the other side was."""
    about = other.manifest.about if other.manifest else {}
    filters = about.get("filters", {})
    since = filters.get("since")
    async with (
        leaving_on_term(),
        opened_target(flags, None) as (target, _contract),
        Api(target, concurrency, pace=Pace(concurrency)) as api,
    ):
        job = ExportJob(
            resources=tuple(other.rows),
            out=folder,
            target=target.base_url,
            filter=filters.get("filter"),
            since=datetime.fromisoformat(since) if since else None,
            test_sets=tuple(filters.get("test_sets", ())),
            redact=bool(about.get("redacted", True)),
            seed=b"sandbox" if flags.use_sandbox else target.key.encode(),
            workspace=workspace_of(flags),
        )
        await Exporter(job, api).run()
    return open_side(folder)


def _say(kept: list[Difference], tallies: Tallies, names: tuple[str, str, str | None], output: Output) -> None:
    a, b, out = names
    if output.as_json:
        whole = {
            "a": a,
            "b": b,
            "resources": counts_of(tallies),
            "differences": [to_json(one) for one in kept],
            "exit_code": int(tallies.differ),
        }
        write_out(json.dumps(whole, ensure_ascii=False, indent=2) + "\n")
        return
    if output.quiet:
        return
    console = Console(file=sys.stdout, no_color=output.plain, highlight=False, soft_wrap=True)
    for one in kept:
        console.print(_line(one))
        for field in one.fields:
            console.print(Text(f"    {visible(field.field)}: ", style="bold") + _change(field.before, field.after))
    total = sum(tally.added + tally.removed + tally.changed for tally in tallies.by_resource.values())
    if total > len(kept):
        console.print(f"… and {total - len(kept):,} more; --out FILE has them all.")
    for name, tally in tallies.by_resource.items():
        parts = f"{tally.same:,} the same, {tally.added:,} added, {tally.removed:,} removed, {tally.changed:,} changed"
        console.print(f"{name}: {parts}")
    if out:
        console.print(f"Differences {visible(out)}")


def _line(one: Difference) -> Text:
    style = {"added": "green", "removed": "red"}.get(one.change, "yellow")
    label = visible(one.label[:80])
    return Text(f"{one.change:8}", style=style) + Text(f" {one.resource} {visible(one.key[:80])}  {label}")


def _change(before: str | None, after: str | None) -> Text:
    """The change within its line: what is gone struck out, what is new beside it, what is the same shortened."""
    text = Text()
    for piece in inline(before or "", after or ""):
        words = visible(piece.text)
        if piece.change == " ":
            text += Text(words if len(words) <= 2 * _CONTEXT else f"{words[:_CONTEXT]} … {words[-_CONTEXT:]}")
            continue
        words = words if len(words) <= _VALUE else f"{words[:_VALUE]}…"
        mark, style = ("[-{}-]", "red strike") if piece.change == "-" else ("{{+{}+}}", "green")
        text += Text(mark.format(words), style=style)
    return text
