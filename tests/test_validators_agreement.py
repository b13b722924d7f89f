"""Rules and model agree: a row has an error exactly when the pydantic model refuses its body."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from etl import problems as problem
from etl.batch import ROW
from etl.problems import Severity
from etl.resources import RESOURCES, Contract, FieldSpec, Kind
from etl.resources.forms import KB
from tests.test_validators_table import (
    AGENT,
    GOOD,
    MUTATION,
    PRIVATE_URLS,
    TEST_SET,
    batch_of,
    cells_of,
    checked,
    json_of,
    make_bodies,
)

TEXTS = [
    *(
        "",
        " ",
        "\n",
        "é",
        "日本語",
        "日本語日本語日本",
        "\U0001f469\u200d\U0001f467",
        "null",
        "true",
        "5",
        "{}",
        "[]",
        "{{x}}",
        "\u2028",
    ),
    *("SCRIPT", "script", "SCENARIO", "TRANSCRIPT", "MODEL_TYPE_CHAT", "MODEL_TYPE_SMS", "MODEL_TYPE_WEBSOCKET"),
    *("MODEL_TYPE_OUTBOUND_VOICE", "MODEL_TYPE_LIVEKIT", "NONE", "office", "custom:a b", "responses"),
    *(AGENT, f"{AGENT}\n", AGENT[:-1], f"{AGENT}x", "é" * 22, TEST_SET, f"{TEST_SET}\n", "ééééé日本語", MUTATION),
    *("+12345678901", "+12345678901\n", "sip:user@domain.com", "sip:@", "0049 30 123"),
    *("https://api.example.com", "wss://voice.example.com", "http://a b", "https://", *PRIVATE_URLS[:8]),
    *('{"a": {{x}}}', '{"a": NaN}', "{'a': 1}", json_of(16 * KB), json_of(16 * KB + 1), json_of(32 * KB + 1)),
    *("x" * size for size in (1, 50, 51, 100, 101, 200, 201, 50_000, 50_001)),
]
NUMBERS = [
    *("0", "-0", "1", "-1", "50", "51", "100", "101", "2147483647", "2147483648", "99999999999999999999", "9" * 400),
    *(
        "0.1",
        "0.09999999999999999",
        "0.25",
        "2",
        "2.0",
        "2.0000000000000001",
        "2.0000001",
        "1e2",
        "1E-1",
        "1e999",
        "-1e999",
    ),
    *("5", "300", "300.0000001", "true", '"1"', "null", "[]"),
]

texts = st.one_of(
    st.sampled_from(TEXTS), st.text(max_size=10).filter(lambda text: text.isprintable() or text.isascii())
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 200), st.floats(-1, 400, allow_nan=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
turns = st.lists(
    st.one_of(
        texts,
        values,
        st.fixed_dictionaries(
            {"type": st.sampled_from(["text", "dtmf", "skip", "x"])},
            optional={"text": texts, "digits": st.sampled_from(["1#", "", "a"])},
        ),
    ),
    max_size=3,
)


def cells_for(spec: FieldSpec, nested: list[str]) -> st.SearchStrategy[Any]:
    """Cells as a mapping could make them for a field, good and bad."""
    match spec.kind:
        case Kind.TEXT:
            return st.one_of(st.sampled_from(spec.options), texts) if spec.options else texts
        case Kind.LIST:
            return st.one_of(
                st.lists(st.one_of(texts, st.none()), max_size=3),
                st.sampled_from([[AGENT], [TEST_SET], [MUTATION], ["x"] * 20, ["x"] * 21, [AGENT] * 101]),
            )
        case Kind.INTEGER | Kind.NUMBER:
            return st.sampled_from(NUMBERS)
        case Kind.BOOLEAN:
            return st.sampled_from(["true", "false", '"true"', "1", "null"])
        case _ if spec.path.endswith("script_turns"):
            return st.one_of(turns, values).map(json.dumps)
        case _:
            inside = st.fixed_dictionaries({}, optional={name: st.one_of(values, turns) for name in nested})
            return st.one_of(inside, values).map(json.dumps)


@st.composite
def rows_for(draw: st.DrawFn, resource: str, contract: Contract) -> dict[str, Any]:
    """A good row with a few fields changed or taken away; never an object beside a field inside it."""
    fields = RESOURCES[resource].fields(contract)
    row = cells_of(GOOD[resource][contract], fields, split=True)
    assert row is not None
    for path in draw(st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True)):
        family = [other for other in row if other.startswith(f"{path}.") or path.startswith(f"{other}.")]
        nested = [name.removeprefix(f"{path}.") for name in fields if name.startswith(f"{path}.")]
        row = {name: cell for name, cell in row.items() if name not in family}
        row[path] = draw(st.one_of(cells_for(fields[path], nested), st.none()))
    return row


def is_valid(model: type[BaseModel], body: str) -> bool:
    try:
        model.model_validate_json(body)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("contract", Contract)
@pytest.mark.parametrize("resource", RESOURCES)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_row_has_an_error_exactly_when_the_model_refuses_its_body(
    resource: str, contract: Contract, data: st.DataObject
) -> None:
    rows = data.draw(st.lists(rows_for(resource, contract), min_size=1, max_size=8))
    fields = RESOURCES[resource].fields(contract)
    batch = batch_of(rows, fields)
    after = checked(resource, contract, batch)
    refused = set(problem.rows_with_errors(after.problems))
    model = RESOURCES[resource].create[contract]
    bodies = make_bodies(fields)(batch.frame)
    assert after.frame.equals(batch.frame)
    for row, body in zip(batch.frame[ROW], bodies, strict=True):
        assert (row in refused) == (not is_valid(model, body)), body
    errors = after.problems.filter(pl.col("severity") == Severity.ERROR)
    assert errors.select("row", "field").is_unique().all()
    assert errors["message"].str.ends_with(".").all()
