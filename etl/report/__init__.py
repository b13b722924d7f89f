"""What became of every row: results, rejects and the summary, counted so that no row is unaccounted for.

This room must never know how a row was sent or how a summary is shown.
"""

from etl.report.files import Rewriting
from etl.report.groups import Example, ProblemGroup, ProblemGroups
from etl.report.leftovers import Pruned
from etl.report.outcome import OF_DRY_RUN, OF_IMPORT, OF_VALIDATE, TO_LOOK_AT, Outcome, Result
from etl.report.report import Report
from etl.report.summary import Requests, Source, Summary
from etl.report.timeline import Kind, Timeline

__all__ = [
    "OF_DRY_RUN",
    "OF_IMPORT",
    "OF_VALIDATE",
    "TO_LOOK_AT",
    "Example",
    "Kind",
    "Outcome",
    "ProblemGroup",
    "ProblemGroups",
    "Pruned",
    "Report",
    "Requests",
    "Result",
    "Rewriting",
    "Source",
    "Summary",
    "Timeline",
]
