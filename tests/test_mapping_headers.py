"""Detection on real headers: a list that was gathered and labelled before the detection was tuned."""

import pytest

from tests.real_headers import Verdict, judge, real_tables, share


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return judge(real_tables())


def _said(verdicts: list[Verdict]) -> str:
    lines = [f"{one.table.name}: {one.header.name} is {one.header.expected}, found {one.found}" for one in verdicts]
    return "\n".join(line for line, one in zip(lines, verdicts, strict=True) if not one.right)


def test_the_list_is_as_large_as_it_was() -> None:
    tables = list(real_tables())
    columns = [header for table in tables for header in table.headers]
    abroad = [header for table in tables if table.language != "en" for header in table.headers]
    assert (len(tables), len(columns), len(abroad)) == (169, 1029, 496)
    assert {table.language for table in tables} == {"en", "es", "fr", "de", "pt", "ja"}
    assert sum(header.expected == "-" for header in columns) == 606


def test_at_least_95_of_100_columns_are_right(verdicts: list[Verdict]) -> None:
    assert share(verdicts) >= 0.95, _said(verdicts)


@pytest.mark.parametrize("language", ["en", "es", "fr", "de", "pt", "ja"])
def test_no_language_falls_behind(verdicts: list[Verdict], language: str) -> None:
    mine = [one for one in verdicts if one.table.language == language]
    assert share(mine) >= 0.9, _said(mine)


def test_what_is_nothing_of_ours_is_not_taken(verdicts: list[Verdict]) -> None:
    others = [one for one in verdicts if one.table.resource == "-"]
    assert share(others) >= 0.98, _said(others)
