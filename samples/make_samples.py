"""Builds the sample files, and what each of their rows should become, from the cases under `source/`.

It must never import the project's own package: the expectations are its judge. Every run writes the same bytes.

    python samples/make_samples.py [FOLDER]
"""

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sample_rows import (
    TEST_SET,
    Case,
    Json,
    Line,
    body_of_case,
    expectation,
    json_text,
    numbered,
    read_source,
    write_list,
    write_turns,
)
from sample_workbook import build_workbook


def csv_bytes(rows: Iterable[Sequence[str]], *, delimiter: str = ",", line_end: str = "\n", bom: bool = False) -> bytes:
    """Records as delimited text, quoted where it must be; None and "" are empty cells."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    return text.getvalue().encode("utf-8-sig" if bom else "utf-8")


def build_airline() -> tuple[bytes, list[Line]]:
    """`airline_de.csv`: what a German Excel saves as "CSV UTF-8"."""
    rows: list[list[str]] = [
        ["Testfall", "Input", "Expected Behaviors", "Type", "Script Turns", "Ø Dauer (min)", "Notes"]
    ]
    lines = []
    for place, case in enumerate(read_source("airline")["case"]):
        cells = {
            "Testfall": f"LN-{place + 1:03d}",
            "Input": case.get("scenario", ""),
            "Expected Behaviors": write_list(case.get("expect", ()), place),
            "Type": case.get("type", "Scenario"),
            "Script Turns": write_turns(case, place),
            "Ø Dauer (min)": case.get("minutes", f"{place * 7 % 9 + 1},{place * 3 % 10}"),
            "Notes": case.get("notes", ""),
        } | case.get("cells", {})
        stray = [part.strip() for part in case.get("ragged", "").split(";")]
        rows.append(list(cells.values())[:-1] + stray if "ragged" in case else list(cells.values()))
        lines.append(Line(place + 2, case, body_of_case({"type": "Scenario"} | case)))
    return csv_bytes(rows, delimiter=";", line_end="\r\n", bom=True), lines


def build_delivery() -> tuple[bytes, list[Line]]:
    """`delivery_cases.csv`: the format of the vendor's upload page; its metadata goes into metric_input."""
    rows = [["input", "expected_behaviors", "input_type", "metadata", "agent_ids"]]
    lines = []
    for place, case in enumerate(read_source("delivery")["case"]):
        behaviours = case.get("plain") or json_text(case["expect"])
        rows.append(
            [case.get("input", ""), behaviours, *(case.get(name, "") for name in ("type", "metadata", "agent_ids"))]
        )
        named = {"scenario": case["input"]} if "input" in case else {}
        metadata = {"metric_input": Json(case["metadata"])} if "metadata" in case else {}
        lines.append(Line(place + 2, case, body_of_case(case | named) | metadata))
    return csv_bytes(rows), lines


CLINIC_FIELDS = {
    "input": "input_str", "expect": "expected_behaviors", "output": "expected_output_str", "type": "input_type",
    "description": "description", "turns": "simulation_metadata_input", "simulation": "simulation_metadata_input",
    "metric_input": "metric_input", "output_json": "expected_output_json", "notes": "user_notes",
}  # fmt: skip


def build_clinic() -> tuple[bytes, list[Line]]:
    """`clinic_cases.jsonl`: the API's own words."""
    written: list[str] = []
    lines = []
    for row, case in numbered(read_source("clinic")["case"], first_row=1):
        record: dict[str, Any] = {}
        for key, name in CLINIC_FIELDS.items():
            if key in case:
                record[name] = as_clinic_value(key, case[key])
        written += [""] * bool(case.get("blank_before"))
        written.append(case.get("line") or json_text(record | dict.fromkeys(case.get("nulls", ()))))
        output = record.pop("expected_output_str", None)
        if output is not None and "expect" not in case:
            record["expected_behaviors"] = [output]
        if "messages" in case:  # a labelled conversation is sent as what it says
            record["input_str"] = case["messages"]
        lines.append(Line(row, case, record | {"test_set_id": TEST_SET}))
    return as_lines(written), lines


def as_clinic_value(key: str, value: Any) -> Any:
    """A key of `clinic.toml` as the API's field holds it."""
    if key == "turns":
        return {"script_turns": value}
    return Json(value) if key in {"simulation", "metric_input", "output_json"} else value


def build_agents_jsonl() -> tuple[bytes, list[Line]]:
    """`agents.jsonl`: one agent of each model type."""
    as_json = {"metadata", "workflows"}
    bodies = [
        {name: Json(value) if name in as_json else value for name, value in agent.items()}
        for agent in read_source("organisation")["agents_in_api_words"]
    ]
    return as_lines(map(json_text, bodies)), [Line(row, {}, body) for row, body in enumerate(bodies, 1)]


REFERENCES = {
    "agent_id": "gk3jK9mPq2xRt5vW8yZaBc", "persona_id": "hL4kL0nQr3ySt6vX9zAcDd", "test_set_id": "aB1cD2eF",
}  # fmt: skip
"""The ids that the reference pages use in their examples."""


def build_runs() -> tuple[bytes, list[Line]]:
    """`runs.jsonl`: launches of one agent, persona and test set."""
    runs = read_source("organisation")["runs"]
    bodies = [
        REFERENCES | {name: Json(value) for name, value in run.items() if name not in {"bad", "warnings"}}
        for run in runs
    ]
    lines = [Line(row, run, body) for row, (run, body) in enumerate(zip(runs, bodies, strict=True), 1)]
    return as_lines(map(json_text, bodies)), lines


def as_lines(texts: Iterable[str]) -> bytes:
    """JSON Lines."""
    return "".join(f"{text}\n" for text in texts).encode()


AGENT_COLUMNS = {
    "Agent name": "display_name", "Model type": "model_type", "Phone number": "phone_number", "Endpoint": "endpoint",
    "Prompt": "prompt", "Chat endpoint": "chat_endpoint", "WebSocket endpoint": "websocket",
    "Initialization JSON": "initialization_json", "Authorization header": "authorization_header",
    "Metadata": "more", "Owner": "", "Notes": "",
}  # fmt: skip
TEST_SET_COLUMNS = {
    "Name": "display_name", "Slug": "slug", "Description": "description", "Test set type": "test_set_type",
}  # fmt: skip
PERSONA_COLUMNS = {
    "Name": "name", "Voice": "voice_name", "Language": "language_code", "Persona prompt": "persona_prompt",
    "Background sound": "background_sound", "Voice speed": "voice_speed", "Wait seconds": "wait_seconds",
    "Interruption rate": "interruption_rate", "Multi-language STT": "multi_language_stt",
}  # fmt: skip
TEMPLATE_COLUMNS = {
    "Template name": "display_name", "Agent ID": "agent_id", "Persona ID": "persona_id", "Test set ID": "test_set_id",
    "Description": "description", "Metric IDs": "metric_ids", "Iteration count": "iteration_count",
    "Concurrency": "concurrency", "Sub sample size": "sub_sample_size", "Sub sample seed": "sub_sample_seed",
}  # fmt: skip
NUMBERS = {"voice_speed", "wait_seconds", "multi_language_stt"}
NUMBERS |= {"iteration_count", "concurrency", "sub_sample_size", "sub_sample_seed"}
"""Fields whose cells hold a number, or true or false."""


def build_table(key: str, columns: Mapping[str, str], defaults: Mapping[str, str]) -> tuple[bytes, list[Line]]:
    """A CSV file of one kind of resource, with the `columns` (header: field) given."""
    rows: list[Sequence[str]] = [list(columns)]
    lines = []
    for place, case in enumerate(read_source("organisation")[key]):
        values = defaults | case
        fields = [name for name in columns.values() if values.get(name)]
        shown = {header: as_cell(values.get(name, "")) for header, name in columns.items()}
        rows.append(list((shown | case.get("cells", {})).values()))
        body = {name: Json(values[name]) if name in NUMBERS else values[name] for name in fields}
        lines.append(Line(place + 2, case, agent_body(body, case) if key == "agents" else body))
    return csv_bytes(rows), lines


def as_cell(value: str | list[str]) -> str:
    """A value as people put it into a cell."""
    return value if isinstance(value, str) else ", ".join(value)


def agent_body(fields: dict[str, Any], agent: Case) -> dict[str, Any]:
    """The body of an agent: four columns and the JSON column make up its metadata."""
    places = {"chat_endpoint": "chat_endpoint", "websocket": "endpoint"}
    places |= {name: name for name in ("initialization_json", "authorization_header")}
    metadata = {place: fields.pop(name) for name, place in places.items() if name in fields}
    fields.pop("more", None)
    metadata |= json.loads(agent.get("more", "{}"))
    return fields | ({"metadata": metadata} if metadata else {})


def build(folder: Path) -> None:
    """Writes every sample and its expectation below `folder`."""
    made = {
        "support_calls.xlsx": build_workbook(),
        "airline_de.csv": build_airline(),
        "clinic_cases.jsonl": build_clinic(),
        "delivery_cases.csv": build_delivery(),
        "agents.csv": build_table("agents", AGENT_COLUMNS, {}),
        "agents.jsonl": build_agents_jsonl(),
        "test_sets.csv": build_table("test_sets", TEST_SET_COLUMNS, {}),
        "personas.csv": build_table("personas", PERSONA_COLUMNS, {}),
        "run_templates.csv": build_table("run_templates", TEMPLATE_COLUMNS, REFERENCES),
        "runs.jsonl": build_runs(),
    }
    (folder / "expected").mkdir(parents=True, exist_ok=True)
    for name, (content, lines) in made.items():
        (folder / name).write_bytes(content)
        (folder / "expected" / f"{name}.jsonl").write_bytes(as_lines(map(expectation, lines)))


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
