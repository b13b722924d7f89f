"""What a sample's row is, and what it should become: the shared part of `make_samples.py`.

It must never import the project's own package: the expectations are its judge.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parent / "source"
TEST_SET = "{{test_set_id}}"
"""Stands in the expectations for the test set that the command line names."""

Case = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One source row's place in its file (as a spreadsheet program numbers rows), and what it should become."""

    row: int
    case: Case
    body: Mapping[str, Any]
    """What the API should receive."""
    sheet: str | None = None


class Json(str):
    """JSON text that is written as it is: `1.0` stays `1.0`."""

    __slots__ = ()


def read_source(name: str) -> dict[str, Any]:
    """A file of `source/`."""
    return tomllib.loads((SOURCE / f"{name}.toml").read_text(encoding="utf-8"))


def numbered(cases: Sequence[Case], first_row: int) -> list[tuple[int, Case]]:
    """The cases with their rows; one further down where the author left a line blank."""
    blanks = 0
    found = []
    for place, case in enumerate(cases):
        blanks += bool(case.get("blank_before"))
        found.append((first_row + place + blanks, case))
    return found


def body_of_case(case: Case) -> dict[str, Any]:
    """The request body of a test case, as its author meant it."""
    body: dict[str, Any] = {"input_str": case.get("scenario"), "test_set_id": TEST_SET}
    body["expected_behaviors"] = case.get("expect")
    body["input_type"] = case["type"].strip().upper() if case.get("type") else None
    if "turns" in case:
        body["simulation_metadata_input"] = {"script_turns": case["turns"]}
    body["user_notes"] = str(case["notes"]) if "notes" in case else None
    return {name: value for name, value in body.items() if value is not None}


def json_text(value: Any) -> str:
    """JSON on one line, letters as they are, `Json` as it stands."""
    if isinstance(value, Json):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json_text(key)}: {json_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def expectation(line: Line) -> str:
    """One line of `expected/NAME.jsonl`."""
    told: dict[str, Any] = {"sheet": line.sheet, "row": line.row}
    if bad := line.case.get("bad"):
        return json_text(told | {"ok": False, "codes": bad["codes"], "fields": bad["fields"]})
    warned = {"warnings": line.case["warnings"]} if "warnings" in line.case else {}
    return json_text(told | {"ok": True, "body": line.body} | warned)


BULLETS = ("", "• ", "{}. ", "", "- ", "{}) ", "")


def write_list(items: Sequence[str], style: int) -> str:
    """Several behaviours in one cell: plain lines, bullets, dashes, numbers, or lines with a blank one between."""
    if len(items) < 2:
        return "".join(items)
    mark = BULLETS[style % len(BULLETS)]
    gap = "\n\n" if style % len(BULLETS) == len(BULLETS) - 1 else "\n"
    return gap.join(mark.format(number) + item for number, item in enumerate(items, 1))


def write_turns(case: Case, style: int) -> str:
    """A caller's lines in one cell: a line each, between bars, as JSON, numbered, or with the speakers' names."""
    turns: Sequence[str] = case.get("turns", ())
    match case.get("style") or ("lines", "bars", "json")[style % 3]:
        case "bars":
            return " | ".join(turns)
        case "json" if turns:
            return json.dumps(turns, ensure_ascii=False)
        case "numbers":
            return "\n".join(f"{number}. {turn}" for number, turn in enumerate(turns, 1))
        case "speakers":
            said = zip(turns, case["answers"], strict=True)
            return "\n".join(f"Caller: {turn}\nAgent: {answer}" for turn, answer in said)
    return "\n".join(turns)
