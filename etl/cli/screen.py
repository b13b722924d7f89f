"""What a person reads in the terminal: what is read, how far it is, what became of it. It must never decide anything.

Everything that a file or the API put into a text is shown with control characters made visible, so that a cell cannot
steer the terminal.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from etl.checking import Fitted, table_problems
from etl.cli.options import Output
from etl.cli.saying import visible, write_out
from etl.errors import EtlError
from etl.problems import Code, Severity
from etl.readers import Skipped
from etl.report import Example, ProblemGroup, Summary

if TYPE_CHECKING:  # what validates a file needs neither the network nor a ledger
    from etl.api import Answer, NoAnswer, Tell
    from etl.settling import Progress

GROUPS_SHOWN = 12
"""How many groups of problems are shown; the report has them all."""

_OF_DOUBTS = """\
          In doubt: the request left, and no answer says whether Coval stored the row. It is not sent again by
          itself, since that could store it twice. Let it be looked for once more:
            coval-etl resume {job}
          Look up in Coval what stays in doubt then (results.jsonl names the rows). Where it is there:
            coval-etl resume {job} --accept-in-doubt
          Where it is not:
            coval-etl resume {job} --resend-in-doubt"""

_OUTCOMES = {
    "created": ("green", "created"),
    "updated": ("green", "updated"),
    "valid": ("green", "valid"),
    "would_create": ("green", "would be created"),
    "would_update": ("green", "would be updated"),
    "unchanged": ("cyan", "unchanged: already there"),
    "skipped": ("cyan", "skipped on purpose"),
    "rejected": ("red", "rejected: a check found an error, not sent"),
    "failed": ("red", "failed: the API refused it"),
    "in_doubt": ("yellow", "in doubt: sent, not known whether stored"),
    "pending": ("yellow", "pending: not sent yet"),
}

_LEFTOVERS = {
    "deleted": ("green", "deleted: not in the file any more"),
    "gone": ("cyan", "not in the file any more, and gone already"),
    "kept": ("yellow", "kept, though not in the file any more"),
    "to_delete": ("yellow", "still to be deleted"),
    "would_delete": ("green", "would be deleted: not in the file any more"),
    "would_keep": ("yellow", "would be kept, though not in the file any more"),
}

_RUN_STYLES = {"COMPLETED": "green"} | dict.fromkeys(("FAILED", "CANCELLED", "DELETED"), "red")


def stdout(*, plain: bool) -> Console:
    """A console for what was asked for."""
    return Console(file=sys.stdout, no_color=plain, highlight=False, soft_wrap=True)


class Screen:
    """The terminal of one command. With `--json` or `--quiet` it says only what it must; always on stderr."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._console = Console(file=sys.stderr, no_color=output.plain, highlight=False, soft_wrap=True)
        self._silent = output.quiet or output.as_json
        self._away: Callable[[], AbstractContextManager[None]] = nullcontext

    def warn(self, sentence: str) -> None:
        """Something that a person should know, whatever they asked to be spared."""
        self._console.print(Text("Warning: ", style="bold yellow") + Text(visible(sentence)))

    def warn_of_key(self, api_key: str | None) -> None:
        """A key on the command line is no secret."""
        if api_key:
            self.warn("--api-key can be seen by others on this machine; COVAL_API_KEY or --api-key-file cannot.")

    def say(self, sentence: str) -> None:
        """What is going on."""
        if not self._silent:
            self._console.print(Text(visible(sentence)))

    @property
    def trace(self) -> "Tell | None":
        """With `-v` a line for each request, with the API's own name for it: what its support asks for."""
        return self._trace if self._output.verbose else None

    def _trace(self, method: str, path: str, outcome: "Answer | NoAnswer") -> None:
        ms = f"{outcome.elapsed_s * 1000:,.0f} ms"
        status = getattr(outcome, "status", None)
        if status is None:
            said = f"no answer: {getattr(outcome, 'explanation', '')}"
        else:
            said = f"{status}, request {getattr(outcome, 'request_id', None) or 'without a name'}"
        self._console.print(Text(f"{method:6} {visible(path)}  {ms}  {visible(said)}", style="dim"))

    def say_what_is_read(self, fitted: Sequence[Fitted], left_out: Sequence[Skipped]) -> None:
        """Which tables are read with which mapping, what was left out and why, which columns nothing uses."""
        if self._silent:
            return
        for one in fitted:
            line = Text("Reading  ", style="bold") + Text(visible(one.name))
            line += Text(f"  as {one.resource.name}, mapping {one.bound.mapping.name}", style="dim")
            self._console.print(line)
            problems = table_problems(one)
            unused = [visible(problem.column) for problem in problems if problem.column is not None]
            if unused:
                self._console.print(Text(f"         columns that no field uses: {', '.join(unused)}", style="dim"))
            for said in (problem.message for problem in problems if problem.column is None):
                self._console.print(Text(f"         {visible(said)}", style="dim"))
        for skipped in left_out:
            self._console.print(Text(f"Left out {visible(skipped.sheet)}: {visible(skipped.reason)}", style="dim"))

    def show_problems(self, groups: Sequence[ProblemGroup]) -> None:
        """What is wrong with what was asked for."""
        for line in () if self._silent else problem_lines(groups):
            self._console.print(line, soft_wrap=False)

    @contextmanager
    def progress(self) -> "Iterator[Callable[[Progress], None]]":
        """A live bar on a terminal; elsewhere a plain line now and then."""
        if self._silent:
            yield lambda _progress: None
            return
        from etl.cli.bar import live_bar, plain_lines

        if not self._console.is_terminal or self._console.is_dumb_terminal:
            with plain_lines(self._console) as lines:
                yield lines
            return
        with live_bar(self._console) as meter:
            self._away = meter.away
            try:
                yield meter
            finally:
                self._away = nullcontext

    def asking(self) -> AbstractContextManager[None]:
        """While a person is asked, nothing is drawn over the question."""
        return self._away()

    def show_outcome(self, summary: Summary, stopped: EtlError | None = None) -> None:
        """The end of a command: with `--json` the summary on stdout; else problems, outcomes, where the report is.

        `stopped`: why it ended early; said in any case.
        """
        if self._output.as_json:
            write_out(json.dumps(summary.to_json(), ensure_ascii=False, indent=2) + "\n")
        if stopped is not None:
            self._console.print(Text("Stopped: ", style="bold yellow") + Text(visible(stopped.message)))
            self._console.print(Text("  " + visible(stopped.hint), style="dim"))
        if self._silent:
            return
        # Unused columns were named when the table was read.
        self.show_problems([group for group in summary.problems if group.code != Code.UNMAPPED_COLUMN])
        self._show_counts(summary)
        for note in (summary.contract_note, *summary.notes) if summary.contract_note else summary.notes:
            self._console.print(Text(visible(note), style="yellow"))
        if summary.folder is not None:
            self._console.print(Text("Report   ", style="bold") + Text(str(summary.folder)))
            if summary.page is not None:
                line = f"         {summary.page.name}: all of it on one page; open it in a browser"
                self._console.print(Text(line, style="dim"))
            for copy in summary.annotated:
                line = f"         {copy.relative_to(summary.folder)}: your workbook with the problems marked in it"
                self._console.print(Text(line, style="dim"))
            for listing in summary.listings:
                self._console.print(Text(f"         {listing.name}: the results as a table", style="dim"))
            for rejects in summary.rejects:
                line = f"         {rejects.relative_to(summary.folder)}: the rows to mend; import that file again"
                self._console.print(Text(line, style="dim"))

    def _show_counts(self, summary: Summary) -> None:
        counts = dict(summary.rows)
        read = counts.pop("read")
        self._console.print()
        self._console.print(Text(f"{read:>9,}", style="bold") + Text(" row read" if read == 1 else " rows read"))
        for outcome, count in counts.items():
            if count:
                style, words = _OUTCOMES[outcome]
                self._console.print(Text(f"{count:>9,} ", style=style) + Text(words))
        self._explain_open_rows(summary)
        for status, count in (summary.pruned or {}).items():
            if count:
                style, words = _LEFTOVERS[status]
                self._console.print(Text(f"{count:>9,} ", style=style) + Text(words))
        for status, count in (summary.runs or {}).items():
            noun = "run" if count == 1 else "runs"
            self._console.print(Text(f"{count:>9,} {noun} {visible(status)}", style=_RUN_STYLES.get(status, "yellow")))
        if summary.requests.sent:
            retried = f", {summary.requests.retried:,} of them again" if summary.requests.retried else ""
            noun = "request" if summary.requests.sent == 1 else "requests"
            self._console.print(Text(f"{summary.requests.sent:>9,} {noun}{retried}", style="dim"))

    def _explain_open_rows(self, summary: Summary) -> None:
        """What to do about rows that are not sent, or of which it is not known."""
        if summary.job is None:
            return
        if summary.rows.get("in_doubt"):
            self._console.print(Text(_OF_DOUBTS.format(job=summary.job), style="dim"))
        elif summary.rows.get("pending"):
            self._console.print(Text(f"          Carry on with: coval-etl resume {summary.job}", style="dim"))


def problem_lines(groups: Sequence[ProblemGroup]) -> Iterator[RenderableType]:
    """Each kind of problem: in how many rows, where, and what would do."""
    for group in groups[:GROUPS_SHOWN]:
        mark = Text("error   ", style="red") if group.severity is Severity.ERROR else Text("warning ", style="yellow")
        places = ", ".join(_place(example) for example in group.examples)
        places += ", …" if group.rows > len(group.examples) else ""
        rows = Text(f"{group.rows:>7,} {'rows' if group.rows > 1 else 'row ':4}  ", style="bold")
        yield rows + mark + Text(places, style="bold")
        first = group.examples[0]
        sentence = first.message if group.alike else f"for example {_place(first)}: {first.message}"
        yield Padding(Text(visible(sentence)), (0, 0, 0, 14))
    if len(groups) > GROUPS_SHOWN:
        yield Text(f"… and {len(groups) - GROUPS_SHOWN} more kinds of problem", style="dim")


def _place(example: Example) -> str:
    if example.row == 0:
        return visible(example.file)
    return visible(example.cell) or f"row {example.row}"
