"""Writing the page: one file with everything in it, that runs nothing but its own script.

It must never hold the rows: they stream from the results through a packer into the page. Text from outside goes through
the template's escapes, or is packed as data; it is never part of a script.
"""

import base64
import hashlib
import unicodedata
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, BinaryIO
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from etl.problems import Code, Severity
from etl.report.folder import PRUNED, RESULTS, SUMMARY
from etl.report.groups import ProblemGroup
from etl.report.names import ANNOTATED, name_of_file
from etl.report.page.charts import Chart
from etl.report.page.chosen import Chosen, Rank, choose, lines_at
from etl.report.page.steps import steps_of
from etl.report.page.words import SPOKEN, verdict_of
from etl.report.summary import Summary
from etl.tables import NewFile
from etl.version import __version__

STYLES = ("vendor/uPlot.min.css", "page.css", "rows.css")
SCRIPTS = ("vendor/uPlot.iife.min.js", "unpacking.js", "table.js", "rows.js", "charts.js", "page.js")
GROUPS_SHOWN = 200
PRUNED_SHOWN = 500
BAR_WIDTH = 1000
_LEAST_WIDTH = 13.0
_JOINERS = "\n\u200c\u200d"
"""A line break, and what letters and emoji are joined with in many a language."""
_CHUNK = 3 * (1 << 14)
"""Of packed bytes; a multiple of three, so that base64 texts can be put one after the other."""


def write_page(
    file: NewFile,
    summary: Summary,
    results: NewFile,
    flags: Sequence[str],
    chart: Chart | None,
    pruned: Sequence[Mapping[str, object]] = (),
) -> None:
    """Write the page of a job. `results`: its `results.jsonl`, complete; `pruned`: what its sources no longer have.

    Raises StoppedError where there is no room.
    """
    chosen = choose(results.lines())
    styles = [_part(name) for name in STYLES]
    scripts = [_part(name) for name in SCRIPTS]
    with results.content() as stream:
        chunks = _template().generate(
            policy=_policy(styles, scripts),
            styles=styles,
            scripts=scripts,
            licence=_part("vendor/uPlot.LICENSE"),
            packed=_packed(stream, chosen),
            facts=_facts(summary, chosen, chart),
            **_view(summary, chosen, flags),
            pruned=_leftovers(pruned),
            more_pruned=max(0, len(pruned) - PRUNED_SHOWN),
            pruned_name=PRUNED,
        )
        for chunk in chunks:
            file.write(chunk.encode("utf-8", "backslashreplace"))


def shown(value: Any) -> Any:
    """What a template shows: text with the characters spelt out that nobody sees or that turn others round."""
    if isinstance(value, str) and not isinstance(value, Markup) and not value.isprintable():
        return "".join(char if _is_plain(char) else char.encode("unicode_escape").decode() for char in value)
    return value


def _is_plain(char: str) -> bool:
    return char in _JOINERS or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


@cache
def _part(name: str) -> Markup:
    """A style or a script of ours, or of a library that was copied here. Nobody's input is ever a part of it."""
    text = resources.files("etl.report.page").joinpath(name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704  # our own files


@cache
def _template() -> Any:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=shown
    )
    environment.filters["thousands"] = "{:,}".format
    return environment.from_string(_part("page.html.j2"))


def _policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """What the page may do: run these scripts, use these styles, nothing else; no address is ever asked for."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_digest, scripts))}",
            f"style-src {' '.join(map(_digest, styles))}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _packed(results: BinaryIO, chosen: Chosen) -> Iterator[str]:
    """The lines, packed (gzip) and spelt in letters (base64), a piece at a time."""
    packer, rest = zlib.compressobj(6, wbits=31), b""
    for line in lines_at(results, chosen.places):
        rest += packer.compress(line + b"\n")
        if len(rest) >= _CHUNK:
            whole = len(rest) - len(rest) % 3
            yield base64.b64encode(rest[:whole]).decode()
            rest = rest[whole:]
    yield base64.b64encode(rest + packer.flush()).decode()


def _facts(summary: Summary, chosen: Chosen, chart: Chart | None) -> dict[str, Any]:
    """What the script needs beside the rows."""
    copies = _copies(summary)
    return {
        "rows": len(chosen.places),
        "left_out": sum(chosen.left_out),
        "sources": [
            {"file": file, "sheet": sheet, "copy": copies.get(file)}
            for file, sheet in dict.fromkeys((source.file, source.sheet) for source in summary.sources)
        ],
        "groups": [_address(group) for group in summary.problems[:GROUPS_SHOWN]],
        "spoken": [(outcome.value, words) for outcome, (words, _) in SPOKEN.items()],
        "chart": chart,
    }


def _view(summary: Summary, chosen: Chosen, flags: Sequence[str]) -> dict[str, Any]:
    """What the template shows."""
    groups = summary.problems
    return {
        "summary": summary,
        "version": __version__,
        "verdict": verdict_of(summary),
        "files": list(dict.fromkeys(source.file for source in summary.sources)),
        "outcomes": _outcomes(summary),
        "bar_width": BAR_WIDTH,
        "steps": steps_of(summary, flags),
        "groups": [_group(group) for group in groups[:GROUPS_SHOWN]],
        "more_groups": max(0, len(groups) - GROUPS_SHOWN),
        "left_out": _left_out(chosen),
        "sources": list(zip(summary.sources, summary.source_rows, strict=True)),
        "links": _links(summary),
        "result_name": RESULTS,
        "elapsed": spoken_time((summary.finished - summary.started).total_seconds()),
        "per_s": summary.to_json()["rows_per_s"],
    }


def _leftovers(pruned: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """What the sources no longer have: what a person must look at first."""
    first = sorted(pruned, key=lambda one: one["message"] is None)[:PRUNED_SHOWN]
    return [{**one, "status": str(one["status"]).replace("_", " ")} for one in first]


def _outcomes(summary: Summary) -> list[dict[str, Any]]:
    """The outcomes that there are, each with its place in the bar; the smallest is still to be seen."""
    counts = [(outcome, summary.rows.get(outcome, 0)) for outcome in SPOKEN]
    counts = [(outcome, count) for outcome, count in counts if count]
    total = sum(count for _, count in counts)
    widths = [max(_LEAST_WIDTH, BAR_WIDTH * count / total) for _, count in counts]
    scale = BAR_WIDTH / sum(widths) if widths else 1.0
    told, at = [], 0.0
    for (outcome, count), width in zip(counts, widths, strict=True):
        words, meaning = SPOKEN[outcome]
        told.append(
            {
                "key": outcome.value,
                "words": words,
                "meaning": meaning,
                "count": count,
                "share": spoken_share(count, total),
                "x": round(at, 2),
                "width": round(width * scale, 2),
            }
        )
        at += width * scale
    return told


def _group(group: ProblemGroup) -> dict[str, Any]:
    return {
        "is_error": group.severity is Severity.ERROR,
        "code": group.code,
        "field": group.field,
        "column": group.column,
        "rows": group.rows,
        "noun": "table" if group.code == Code.UNMAPPED_COLUMN else "row",
        "alike": group.alike,
        "message": group.examples[0].message if group.examples else "",
        "examples": group.examples,
    }


def _address(group: ProblemGroup) -> dict[str, Any]:
    """What finds the rows of a group, exactly as the rows have it."""
    examples = [{"file": one.file, "row": one.row, "cell": one.cell} for one in group.examples]
    return {
        "severity": group.severity.value,
        "code": group.code,
        "field": group.field,
        "column": group.column,
        "examples": examples,
    }


def _left_out(chosen: Chosen) -> str | None:
    """What the page does not hold, in a sentence."""
    missing = sum(chosen.left_out)
    if not missing:
        return None
    embedded, total = len(chosen.places), len(chosen.places) + missing
    if not chosen.all_problems:
        kept = f"the first {embedded:,} with problems"
    elif any(chosen.left_out[rank] for rank in (Rank.OPEN, Rank.WARNED)):
        kept = "all with errors, and some of the others"
    else:
        kept = "all with problems, and the first of the others"
    return f"This page holds {embedded:,} of {total:,} rows: {kept}. {missing:,} are left out here."


def _links(summary: Summary) -> list[tuple[str, str, str]]:
    """The other files of the report: address, name, what it is."""
    told = [(name, "the rows to mend, as they were read") for name in _names(summary, summary.rejects)]
    told += [(name, "your workbook with the problems marked in it") for name in _names(summary, summary.annotated)]
    told += [(RESULTS, "what became of every row, one JSON object a line"), (SUMMARY, "the counts, for programs")]
    return [(quote(name), name, what) for name, what in told]


def _copies(summary: Summary) -> dict[str, str]:
    """The address of the annotated copy of each file that has one."""

    places = [(source.file, source.sheet) for source in summary.sources]
    written = {name.rpartition(".")[0]: name for name in _names(summary, summary.annotated)}
    found = {file: written.get(name_of_file(places, file, ANNOTATED)) for file, _ in places}
    return {file: quote(name) for file, name in found.items() if name is not None}


def _names(summary: Summary, paths: Sequence[Any]) -> list[str]:
    folder = summary.folder
    return [path.relative_to(folder).as_posix() for path in paths] if folder is not None else []


def spoken_share(part: int, whole: int) -> str:
    """`12 %`; `< 0.1 %` and `> 99.9 %` where rounding would lie."""
    share = 100 * part / whole
    if part == whole:
        return "100 %"
    if share < 0.1:
        return "< 0.1 %"
    return "> 99.9 %" if share > 99.9 else f"{share:.1f} %" if share < 10 or share > 90 else f"{share:.0f} %"


def spoken_time(seconds: float) -> str:
    """`0.4 s`, `2 min 5 s`, `3 h 20 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
