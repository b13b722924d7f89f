"""What no reference page forbids and a person should still look at: warnings.

Must never know a limit of the API; those are the resource models'.
"""

# ruff: noqa: RUF001, RUF002  (the sign for times is meant)

import re
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from pydantic_core import from_json

from etl.batch import ROW
from etl.problems import Code
from etl.quoting import HIDDEN, count_words, quote_value, shorten, show_value
from etl.resources import FieldSpec, Kind
from etl.resources.dialects import TURNS
from etl.resources.simulations import simulations_of
from etl.validators.sentences import Finding, nearest

_PERSONA_PREFIX = "persona:"
_MANY, _MANY_EACH = 1_000, 100
"""Simulations that somebody should mean to start: by one run, and by one for each of its test cases."""
_VARIABLES = ("sessionId", "simulation_output_id", "messages", "latest_message")
_VARIABLES_INSIDE = ("init_response", "persona", "custom_data")
"""What is followed by a path (create-agent page)."""
_WITH_VARIABLES = (
    "authorization_header", "initialization_endpoint", "initialization_payload", "custom_headers", "input_template",
)  # fmt: skip
_VARIABLE = r"\{\{([^{}]*)\}\}"
_SPOKEN_KEYS = r"(?i)\bdtmf\b[ \t]*(?:[:=>][ \t]*)?([0-9#*][0-9#*]*)"


_ROLES = frozenset({"user", "assistant", "system", "developer", "tool", "function"})
"""Who may speak in OpenAI's chat format, which no page of the API's narrows."""
_CALLS = frozenset({"tool_calls", "function_call"})
"""A message that calls something may say nothing."""


def doubt_transcripts(frame: pl.DataFrame) -> Iterator[tuple[int, Finding]]:
    """Rows of input_type TRANSCRIPT whose `input_str` is no JSON array of `{role, content}` messages."""
    if not {"input_type", "input_str"} <= set(frame.columns):
        return
    transcripts = frame.filter((pl.col("input_type") == "TRANSCRIPT") & (pl.col("input_str").str.len_chars() > 0))
    for row, text in transcripts.select(ROW, "input_str").iter_rows():
        fault = _transcript_fault(text)
        if fault:
            yield row, _doubt(Code.TRANSCRIPT_SHAPE, "input_str", text, f"input_str of a TRANSCRIPT {fault}")


def _transcript_fault(text: str) -> str | None:
    wanted = 'a JSON array of messages, such as [{"role": "user", "content": "Hello"}], is expected'
    try:
        messages = from_json(text)
    except ValueError:
        return f"is plain text; {wanted}"
    if not isinstance(messages, list) or not messages:
        return f"is no list of messages; {wanted}"
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str) or "content" not in message:
            return f"has no role or no content in message {number}; {wanted}"
        if message["role"].strip().lower() not in _ROLES:
            return (
                f"has the role {quote_value(None, message['role'])} in message {number}; user and assistant are known"
            )
        if message["content"] is None and not message.keys() & _CALLS:
            return f"has null for the content of message {number}; {wanted}"
    return None


def doubt_spoken_keys(frame: pl.DataFrame) -> Iterator[tuple[int, Finding]]:
    """Turns of scripts with a notation for keys in their text: the vendor's own tools warn of it ("dtmf:1")."""
    for path in sorted(TURNS["test-cases"] & set(frame.columns)):
        listed = frame.schema[path] == pl.List(pl.String)
        whole = pl.col(path).list.join("\n") if listed else pl.col(path)
        for row, cell in frame.filter(whole.str.contains(_SPOKEN_KEYS)).select(ROW, path).iter_rows():
            yield from ((row, finding) for finding in _spoken_keys(path, cell if listed else _read(cell)))


def _spoken_keys(path: str, turns: Any) -> Iterator[Finding]:
    for place, turn in enumerate(turns if isinstance(turns, list) else []):
        text = turn.get("text") if isinstance(turn, dict) else turn
        found = re.search(_SPOKEN_KEYS, text) if isinstance(text, str) else None
        if found:
            sentence = (
                f"{path} item {place + 1} is {quote_value(None, text)}, which is read aloud; to press keys, send"
                f' {{"type": "dtmf", "digits": "{found[1]}"}} under contract 2026-10'
            )
            yield _doubt(Code.SPOKEN_KEYS, path, text, sentence)


def _read(text: str) -> Any:
    try:
        return from_json(text)
    except ValueError:
        return None


def doubt_body(body: Mapping[str, Any]) -> Iterator[Finding]:
    """What is odd about a run, a run template or an agent."""
    options = body.get("options")
    yield from _unknown_variables(body)
    yield from _many_simulations(body)
    yield from _seed_without_sample(body, "")
    if isinstance(options, dict):
        yield from _seed_without_sample(options, "options.")
    metrics = body.get("persona_metrics")
    for place, name in enumerate(metrics if isinstance(metrics, list) else []):
        if isinstance(name, str) and name.startswith(_PERSONA_PREFIX):
            meant = quote_value(None, name.removeprefix(_PERSONA_PREFIX))
            sentence = f"persona_metrics item {place + 1} is {quote_value(None, name)}; write the base name {meant}"
            yield _doubt(Code.METRIC_PREFIX, "persona_metrics", name, sentence)


def _seed_without_sample(holder: Mapping[str, Any], prefix: str) -> Iterator[Finding]:
    seed, size = holder.get("sub_sample_seed"), holder.get("sub_sample_size")
    if seed is not None and not size:
        absence = "is not given" if size is None else "is 0"
        sentence = (
            f"{prefix}sub_sample_seed is {quote_value(None, seed)} but {prefix}sub_sample_size {absence}, "
            "so all test cases run; give a sample size or leave the seed out"
        )
        yield _doubt(Code.SEED_WITHOUT_SAMPLE, f"{prefix}sub_sample_seed", seed, sentence)


def _many_simulations(body: Mapping[str, Any]) -> Iterator[Finding]:
    """Launch-run page: "Total simulations = test_cases × iterations × (1 + len(mutation_ids))"."""
    options = body.get("options")
    prefix, holder = ("options.", options) if isinstance(options, dict) else ("", body)
    run = simulations_of(body)
    cases, each, mutated = run.named, run.each, run.mutations
    iterations = holder.get("iteration_count")
    if (each <= _MANY_EACH) if cases is None else (cases * each <= _MANY):
        return
    times = f"{count_words(each // (1 + mutated), 'iteration')} × {1 + mutated}"
    times += f" (the agent and {count_words(mutated, 'mutation')})" if mutated else ""
    lower = f"lower {prefix}iteration_count"
    if cases is None:
        sentence = f"it would start {each:,} simulations for each test case: {times}; {lower} if that is not meant"
    else:
        lower += f" or {prefix}sub_sample_size" if cases == holder.get("sub_sample_size") else ""
        total = f"{cases * each:,} simulations: {count_words(cases, 'test case')} × {times}"
        sentence = f"it would start {total}; {lower} if that is not meant"
    yield _doubt(Code.MANY_SIMULATIONS, f"{prefix}iteration_count", iterations, sentence)


def _unknown_variables(body: Mapping[str, Any]) -> Iterator[Finding]:
    """Create-agent page, `metadata`, "Template Variables"."""
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        return
    for name in _WITH_VARIABLES:
        path, found = f"metadata.{name}", dict.fromkeys(_variables_in(metadata.get(name)))
        for variable in found:
            head, dot, _ = variable.partition(".")
            if head in (_VARIABLES_INSIDE if dot else _VARIABLES):
                continue
            written = [f"{{{{{one}}}}}" for one in (*_VARIABLES, *(f"{one}.…" for one in _VARIABLES_INSIDE))]
            known = _VARIABLES_INSIDE if dot else (*_VARIABLES, *_VARIABLES_INSIDE)
            near = nearest(head, known)
            meant = f"{near}{variable[len(head) :] or ('.…' if near in _VARIABLES_INSIDE else '')}"
            hint = f" (did you mean {{{{{meant}}}}}?)" if near else ""
            shown = "a variable" if show_value(path, "x") == HIDDEN and not near else f"{{{{{shorten(variable)}}}}}"
            sentence = f"{path} holds {shown}, which nothing is put in for; use one of {', '.join(written)}{hint}"
            yield _doubt(Code.UNKNOWN_VARIABLE, path, f"{{{{{variable}}}}}", sentence)


def _variables_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (name.strip() for name in re.findall(_VARIABLE, value))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _variables_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _variables_in(inner)


def _doubt(code: Code, field: str, found: Any, sentence: str) -> Finding:
    return Finding(code, field, found, FieldSpec(field, Kind.TEXT), condition=sentence)
