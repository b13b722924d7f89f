"""User-written expressions: what they compute, and what polars never gets to see."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.expressions import (
    LITERAL_LIMIT,
    TEXT_LIMIT,
    ExpressionError,
    check_expression,
    compile_condition,
    compile_expression,
    find_casts,
)

COLUMNS = ("Status", "Priority", "Order No")
FRAME = pl.DataFrame(
    {
        "Status": ["Ready", "Draft", None, ""],
        "Priority": ["3", "10", "high", None],
        "Order No": ["00123", "7-A", "", "x"],
    }
)


def computed(text: str) -> list[object]:
    return FRAME.select(compile_expression(text, COLUMNS).alias("made"))["made"].to_list()


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("UPPER(Status)", ["READY", "DRAFT", None, ""]),
        ("status", ["Ready", "Draft", None, ""]),
        ('"Order No"', ["00123", "7-A", "", "x"]),
        ("COALESCE(Priority, 'none')", ["3", "10", "high", "none"]),
        ("NULLIF(Status, '')", ["Ready", "Draft", None, None]),
        ("CAST(Priority AS INT) + 1", [4, 11, None, None]),
        ("Priority::bigint * 1000000000", [3_000_000_000, 10_000_000_000, None, None]),
        ("CASE WHEN Status = 'Ready' THEN 'yes' ELSE 'no' END", ["yes", "no", "no", "no"]),
        ("SPLIT_PART(\"Order No\", '-', 1)", ["00123", "7", "", "x"]),
        ('SUBSTR("Order No", 1, 2)', ["00", "7-", "", "x"]),
        ("CONCAT_WS('/', Status, Priority)", ["Ready/3", "Draft/10", "high", ""]),
        ("Status || '!'", ["Ready!", "Draft!", None, "!"]),
        ("REGEXP_REPLACE(\"Order No\", '[0-9]+', '#')", ["#", "#-A", "", "x"]),
        ("LPAD(Priority, 3, '0')", ["003", "010", "hig", None]),
        ("LENGTH(Status)", [5, 5, None, 0]),
    ],
)
def test_an_expression_computes_over_text_columns(text: str, made: list[object]) -> None:
    assert computed(text) == made


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("Status = 'Ready'", [0]),
        ("Status <> 'Ready'", [1, 3]),
        ("NOT (Status = 'Ready')", [1, 3]),
        ("Status IS NULL", [2]),
        ("Status IN ('Ready', 'Draft')", [0, 1]),
        ("Status NOT LIKE 'R%'", [1, 3]),
        ("Status ILIKE 'r%' OR Priority = 'high'", [0, 2]),
        ("CAST(Priority AS INT) > 2", [0, 1]),
        ("CAST(Priority AS INT) BETWEEN 1 AND 5", [0]),
        ('LENGTH("Order No") > 1 AND STARTS_WITH("Order No", \'0\')', [0]),
        ("Status = 'Ready' -- only these", [0]),
    ],
)
def test_a_condition_chooses_rows_and_unknown_is_false(text: str, rows: list[int]) -> None:
    chosen = FRAME.with_row_index("at").filter(compile_condition(text, COLUMNS))
    assert chosen["at"].to_list() == rows
    assert FRAME.select(compile_condition(text, COLUMNS).alias("it"))["it"].null_count() == 0


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("CAST(Priority AS INT) + 1", [2]),
        ("Priority::double", [2]),
        ("TRY_CAST(Priority AS INT) + 1", []),
        ("CAST(Priority AS VARCHAR)", []),
        ("UPPER(Status)", []),
        ("COALESCE(CAST(Priority AS INT), 0)", [2]),
        ("COALESCE(Status, CAST(Priority AS INT) || '')", [2]),
        ('COALESCE(TRY_CAST("Order No" AS INT), CAST(Priority AS INT))', [2]),
        ("CASE WHEN Status = 'Ready' THEN CAST(Priority AS INT) ELSE 0 END", []),
        ("CASE WHEN Status = 'Ready' THEN 1 ELSE CAST(Priority AS INT) END", [2]),
        ("CASE WHEN CAST(Priority AS INT) > 3 THEN 'high' ELSE 'low' END", [2]),
        ("CASE WHEN Priority = 'high' THEN 9 WHEN CAST(Priority AS INT) > 3 THEN 2 ELSE 1 END", []),
        ("CASE Priority WHEN 'high' THEN 9 ELSE CAST(Priority AS INT) END", []),
        ("CASE CAST(Priority AS INT) WHEN 3 THEN 'a' ELSE 'b' END", [2]),
        ("IF(Priority = 'high', 9, CAST(Priority AS INT))", []),
        ("Priority <> 'high' AND CAST(Priority AS INT) > 3", []),
        ("Priority = 'high' OR CAST(Priority AS INT) > 3", []),
        ('CAST(SUBSTR("Order No", 1, 1) AS INT)', [3]),
    ],
)
def test_the_rows_in_which_a_cast_fails_are_found_where_it_is_reached(text: str, rows: list[int]) -> None:
    frame = FRAME.with_columns(Status=pl.Series(["Ready", "Draft", None if "COALESCE(Status" in text else "x", ""]))
    found = find_casts(text, COLUMNS)
    failed = frame.select(one.failed.alias(str(number)) for number, one in enumerate(found))
    assert [number for number, row in enumerate(failed.iter_rows()) if any(row)] == rows
    assert all(one.column in {"Priority", "Order No"} for one in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(SELECT column_1 FROM read_csv('/etc/passwd'))", "SUBQUERY is not allowed"),
        ("read_csv('/etc/passwd')", "READ_CSV is not allowed"),
        ("read_parquet('x.parquet')", "READ_PARQUET is not allowed"),
        ("read_json('x')", "not allowed"),
        ("read_ipc('x')", "READ_IPC is not allowed"),
        ("Status IN (SELECT a FROM t)", "IN takes a list of values"),
        ("EXISTS (SELECT 1)", "EXISTS is not allowed"),
        ("Status = ANY(SELECT 1)", "not allowed"),
        ("SELECT 1", "SELECT is not allowed"),
        ("FROM t", "SELECT is not allowed"),
        ("DROP TABLE t", "DROP is not allowed"),
        ("1; 2", "not allowed"),
        ("SUM(Priority)", "SUM is not allowed"),
        ("COUNT(*)", "not allowed"),
        ("MAX(Priority) OVER ()", "WINDOW is not allowed"),
        ("ROW_NUMBER() OVER ()", "not allowed"),
        ("*", "STAR is not allowed"),
        ("COLUMNS('.*')", "COLUMNS is not allowed"),
        ("t.Status", "names a table"),
        ("Status[1]", "BRACKET is not allowed"),
        ("[Status]", "not allowed"),
        ("?", "PLACEHOLDER is not allowed"),
        ("STRFTIME(Status, '%Y')", "STRFTIME is not allowed"),
        ("CAST(Status AS DATE)", "CAST to DATE is not allowed; use INT, DOUBLE or VARCHAR"),
        ("LPAD(Status, 2000000000, 'x')", "a written width of at most 1,000"),
        ("RPAD(Status, CAST(Priority AS INT), 'x')", "a written width of at most 1,000"),
        ("Status LIKE Priority", "a pattern written out"),
        ("REGEXP_LIKE(Status, Priority)", "a pattern written out"),
        ("REGEXP_LIKE(Status, '(')", "cannot be computed"),
        ("Priority > 2", "compare it with '2'"),
        ("Status = 'open", "is not a SQL expression"),
        ("Status ==== 'x'", "is not a SQL expression"),
        ("", "the expression is empty"),
        ("  \n", "the expression is empty"),
        ("Sttus = 'x'", 'there is no column "Sttus"; the columns are Status, Priority, Order No'),
        ("(" * 60 + "Status" + ")" * 60, "brackets"),
        (f"Status = '{'x' * (LITERAL_LIMIT + 1)}'", "make it shorter"),
        ("Status = 'x' OR " * 200 + "Status = 'y'", f"at most {TEXT_LIMIT:,}"),
    ],
)
def test_what_is_no_plain_expression_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=r"\S") as refused:
        compile_expression(text, COLUMNS)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_a_value_is_no_condition() -> None:
    with pytest.raises(ExpressionError, match="is a value, not a condition"):
        compile_condition("UPPER(Status)", COLUMNS)


def test_a_name_that_fits_two_columns_is_refused_and_an_exact_one_is_not() -> None:
    columns = ("status", "STATUS")
    with pytest.raises(ExpressionError, match='no column "Status"'):
        compile_expression("Status = 'x'", columns)
    assert compile_expression("status = 'x'", columns).meta.root_names() == ["status"]


@pytest.mark.parametrize("column", ["*", "^S.*$"])
def test_a_header_that_polars_would_take_for_a_pattern_is_refused(column: str) -> None:
    with pytest.raises(ExpressionError, match="rename it in the file"):
        compile_expression(f"\"{column}\" = 'x'", [column, "Status"])


@pytest.fixture
def knocked_at() -> Iterator[tuple[int, list[bytes]]]:
    """A port on loopback, and what was sent to it."""
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def listen() -> None:
            try:
                while True:
                    guest, _ = server.accept()
                    heard.append(b"somebody")
                    guest.close()
            except OSError:
                return

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize(
    "shape", ["(SELECT a FROM {})", "{}", "Status IN (SELECT a FROM {})", "COALESCE((SELECT a FROM {}), 'x')"]
)
def test_no_file_and_no_url_is_opened(shape: str, tmp_path: Path, knocked_at: tuple[int, list[bytes]]) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a-secret-header\n1\n")
    port, heard = knocked_at
    for source in (f"read_csv('{secret}')", f"read_csv('http://127.0.0.1:{port}/x.csv')"):
        for act in (check_expression, lambda text: compile_expression(text, COLUMNS)):
            with pytest.raises(ExpressionError) as refused:
                act(shape.format(source))
            assert "a-secret-header" not in str(refused.value)
    assert heard == []


@given(text=st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_is_either_compiled_or_refused_with_a_sentence(text: str) -> None:
    try:
        made = compile_expression(text, COLUMNS)
    except ExpressionError:
        return
    FRAME.select(made.alias("made"))


@given(value=st.text(st.characters(codec="utf-8"), max_size=40))
@settings(max_examples=150, deadline=None)
def test_a_literal_means_exactly_its_text(value: str) -> None:
    quoted = value.replace("'", "''")
    frame = pl.DataFrame({"Status": [value, f"{value}x", None]}, schema={"Status": pl.String})
    try:
        condition = compile_condition(f"Status = '{quoted}'", ["Status"])
    except ExpressionError:
        return  # some control characters are no SQL
    assert frame.select(condition.alias("it"))["it"].to_list() == [True, False, False]
