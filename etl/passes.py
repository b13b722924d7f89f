"""Passes over the rows of a job: the first, before anything is sent, and those over the tables that are sent next.

It must never send anything, nor ask a person.
"""

from collections.abc import Callable, Iterator, Sequence

from etl.checking import Checked, Fitted, all_new, check_rows
from etl.errors import UsageError
from etl.jobs import ImportJob
from etl.planning import Planner, differences
from etl.plans import Plan
from etl.relating import Relatives
from etl.report import Outcome, Result
from etl.resources import Contract
from etl.validators import Nearness

CHECKED_WHOLE_ROWS = 200_000
"""Inputs up to this many rows are checked whole before the first request (product page, "Decided")."""
SHOWN = 10
"""So many changes are shown before they are made; the report of a dry run has all."""


class Passes:
    """Checks the rows of one job, as often as that is needed."""

    def __init__(
        self,
        job: ImportJob,
        contract: Contract,
        fitted: Sequence[Fitted],
        planner: Planner | None,
        before: Callable[[Checked], Checked] | None = None,
    ) -> None:
        """`before`: for a plan, says of a batch which of its rows were created by older jobs."""
        self.relatives = Relatives(fitted)
        self.rows: int | None = None
        """How many the first pass has read; None where it did not read them all."""
        self.bad = 0
        self.good = 0
        self.updates = 0
        """Rows that change something, as far as the first pass went."""
        self.differences: list[str] = []
        self._job = job
        self._contract = contract
        self._planner = planner
        self._before = before
        self._taken: dict[int, int] = {}
        """Rows of each table that `where` and `limit` let through, in the last pass."""
        self._read: dict[int, int] = {}
        self._nearness = Nearness(strict=job.strict) if job.near_duplicates else None

    def again(self, fitted: Sequence[Fitted]) -> Iterator[Checked]:
        """Check tables, which may be the later ones of the job: then the earlier ones were checked before."""
        job, first = self._job, fitted[0].number
        before = sum(taken for number, taken in self._taken.items() if number < first)
        checked_rows = check_rows(
            fitted,
            self._contract,
            where=job.where,
            limit=None if job.limit is None else max(0, job.limit - before),
            strict=job.strict,
            near_duplicates=self._nearness or False,
            renew=self._begin,
            decide=all_new if self._planner is None else self._planner.check,
        )
        for checked in checked_rows:
            self.relatives.note(checked)
            if self._before is not None:
                checked = self._before(checked)  # noqa: PLW2901
                there = [Result(row, Outcome.UNCHANGED, id_) for row, id_ in checked.there.items()]
                self.relatives.settled(checked.fitted, there)
            self._taken[checked.fitted.number] += int((~checked.skipped).sum())
            self._read[checked.fitted.number] += checked.batch.rows_read
            yield checked

    def _begin(self, fitted: Fitted) -> Fitted:
        self._taken[fitted.number] = self._read[fitted.number] = 0
        return self.relatives.bound(fitted, self._contract)

    def first(self, fitted: Sequence[Fitted], plan: Plan | None = None) -> list[Checked] | None:
        """Check the whole input, where it is small enough or must be; None: too large to hold. `plan` is shown it."""
        held: list[Checked] | None = []
        rows = 0
        for checked in self.again(fitted):
            rows += checked.batch.rows_read
            weights = checked.batch.weights()
            self.bad += int(weights.filter(checked.bad() & ~checked.skipped).sum())
            self.good += int(weights.filter(~checked.bad() & ~checked.skipped).sum())
            self.updates += sum(bool(update.after) for update in checked.updates.values())
            self.differences += differences(checked)[: SHOWN - len(self.differences)]
            if plan is not None:
                plan.look_at(checked)
            if held is not None:
                held.append(checked)
            if rows > CHECKED_WHOLE_ROWS:
                held = None
                if not (self._job.all_or_nothing or self._job.prune) and plan is None:
                    return None
        self.rows = rows
        return held

    def question(self) -> list[str]:
        """What would be changed, for a person: a sentence, and what it is about; empty where nothing would be."""
        if self.rows is not None and not self.updates:
            return []
        many = "Rows" if self.rows is None else "1 row" if self.updates == 1 else f"{self.updates:,} rows"
        return [f"{many} would change what is in Coval", *self.differences]

    def read(self, fitted: Fitted) -> int:
        """How many rows a table has, as the last pass read it."""
        return self._read.get(fitted.number, 0)


def ask_first(confirm: Callable[[str], bool], questions: Sequence[Sequence[str]]) -> None:
    """Ask before anything is changed or deleted: each a sentence and what it is about, empty where there is nothing.

    Raises UsageError where the answer is no.
    """
    said = [one for one in questions if one]
    shown = "\n".join("\n  ".join((f"{first}:", *lines)) for first, *lines in said)
    if said and not confirm(f"{shown}\nGo on?"):
        raise UsageError(f"{'; '.join(one[0] for one in said)}; nothing was sent.", "Confirm with --yes.")
