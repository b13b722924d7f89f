"""Flags that say how rows are sent, and when sending stops. It must never act on them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import rich_click as click

from etl.cli.gathering import Command, Named, gathered
from etl.cli.options import yes_option
from etl.errors import UsageError
from etl.resources.simulations import MAX_QUEUED


@dataclass(frozen=True, slots=True)
class Sending:
    """How rows are sent, and when sending stops."""

    mode: str
    key: str
    on_conflict: str | None
    create_missing: bool
    dry_run: bool
    plan_out: str | None
    plan: str | None
    canary: int
    concurrency: int
    rate_per_s: float | None
    settle_s: float | None
    max_errors: str | None
    all_or_nothing: bool
    prune: bool
    again: bool
    watch: bool
    max_queued: int
    yes: bool

    def planned(self) -> Path | None:
        """The plan to write (a dry run) or to apply. Raises UsageError where that is not clear."""
        if self.plan_out is not None and not self.dry_run:
            raise UsageError("--plan-out goes with --dry-run.", "Apply a plan with: import ... --plan FILE")
        if self.plan is not None and self.dry_run:
            raise UsageError("--plan is to be applied; with --dry-run it would not be.", "Leave out one of them.")
        name = self.plan_out or self.plan
        return Path(name) if name is not None else None

    def most_errors(self) -> tuple[int | None, float | None]:
        """`--max-errors` as `errors_allowed` says it."""
        return errors_allowed(self.max_errors)


def errors_allowed(text: str | None) -> tuple[int | None, float | None]:
    """`20` as 20 rows, `5%` as a share of 0.05. Raises UsageError for anything else."""
    if text is None:
        return None, None
    number = text.removesuffix("%")
    share = text.endswith("%")
    if number.isascii() and number.isdigit() and (not share or int(number) <= 100):
        return (None, int(number) / 100) if share else (int(number), None)
    raise UsageError(f"--max-errors {text!r} is no number and no share.", "Write 20, or 5%.")


concurrency_option = click.option(
    "--concurrency", type=click.IntRange(1, 1000), default=16, metavar="N", help="The most requests in flight (16)."
)
rate_option = click.option(
    "--rate",
    "rate_per_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="The most requests a second.",
)
settle_option = click.option(
    "--settle",
    "settle_s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="After so long a request has taken effect or never will, and a list shows what exists (60).",
)

watch_option = click.option("--watch", is_flag=True, help="Follow the launched runs to their end.")
_MAX_QUEUED = "Launch no run that would bring more simulations of this job into the queue; wait"


def max_queued_option(default: int | None) -> Callable[[Command], Command]:
    """`--max-queued`; None: as before."""
    usual = "as before" if default is None else f"{default:,}"
    words = f"{_MAX_QUEUED} ({usual})."
    return click.option("--max-queued", type=click.IntRange(min=1), default=default, metavar="N", help=words)


sending_options = gathered(
    "sending",
    Sending,
    click.option(
        "--mode",
        type=Named(["create", "update", "upsert"]),
        default="create",
        metavar="MODE",
        help="create (the default), update what is there, or upsert: both.",
    ),
    click.option(
        "--key",
        default="id",
        metavar="FIELD",
        help="What tells which resource a row updates (id; display_name, slug, …).",
    ),
    click.option(
        "--on-conflict",
        type=Named(["skip", "update", "fail"]),
        metavar="WHAT",
        help="A row to create whose --key something has already: skip it, update that, or fail.",
    ),
    click.option("--create-missing", is_flag=True, help="Create the test set that --test-set names, if there is none."),
    click.option("--dry-run", is_flag=True, help="Say what would be done; send nothing."),
    click.option("--plan-out", metavar="FILE", help="With --dry-run: write down exactly what would be done."),
    click.option("--plan", metavar="FILE", help="Do exactly what a plan says, or nothing if the world has changed."),
    click.option(
        "--canary",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Send N rows first, read them back, compare, and ask before the others follow.",
    ),
    concurrency_option,
    rate_option,
    settle_option,
    click.option("--max-errors", metavar="N|P%", help="Stop sending after so many bad rows, or such a share of them."),
    click.option("--all-or-nothing", is_flag=True, help="One bad row, and nothing is sent."),
    click.option(
        "--prune",
        is_flag=True,
        help="Delete what an earlier import of the same file created and the file no longer has, after showing it.",
    ),
    click.option("--again", is_flag=True, help="Send again what an earlier import of the same rows has created."),
    watch_option,
    max_queued_option(MAX_QUEUED),
    yes_option,
)
