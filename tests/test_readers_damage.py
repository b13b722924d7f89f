"""Damage: what spreadsheets do to ids and phone numbers is said, never corrected."""

from pathlib import Path

import pytest

from tests.reading_talk import Row, cells, found, read, write_csv, write_xlsx


def warnings(path: Path, header: str, texts: list[str]) -> list[tuple[int, str, str | None]]:
    rows: list[Row] = [(text, "Hello") for text in texts]
    batches = read(write_csv(path / "cases.csv", rows, (header, "input")))
    assert [row[0] for row in cells(batches)] == texts
    return found(batches)


@pytest.mark.parametrize("header", ["Order No", "orderId", "case_id", "SKU", "Customer phone"])
def test_a_number_in_scientific_form_where_an_id_was_meant(tmp_path: Path, header: str) -> None:
    assert warnings(tmp_path, header, ["9.45E+12", "1,23457E+11", "9.45e+12x", "12E"]) == [
        (2, "scientific_number", header),
        (3, "scientific_number", header),
    ]


def test_a_date_among_ids(tmp_path: Path) -> None:
    assert warnings(tmp_path, "Case ID", ["1-17", "2026-03-04", "2-31", "4-Mar", "5-40", "Mar-05"]) == []
    ids = ["1-17", "2026-03-04", "2-31", "4-Mar", "5-40", "Mar-05", "6-41"]
    assert warnings(tmp_path, "Case ID", ids) == [(at, "date_for_id", "Case ID") for at in (3, 5, 7)]


def test_a_column_of_dates_is_no_damage(tmp_path: Path) -> None:
    assert warnings(tmp_path, "Order date, no later than", ["2026-03-04", "2026-03-05"]) == []


def test_a_phone_number_without_its_plus(tmp_path: Path) -> None:
    numbers = ["4930123456789", "+4930123456789", "030123456789", "5550100", "14155550100", "49 30 123456789"]
    assert warnings(tmp_path, "Customer phone", numbers) == [
        (2, "phone_without_plus", "Customer phone"),
        (6, "phone_without_plus", "Customer phone"),
    ]


def test_other_columns_are_left_alone(tmp_path: Path) -> None:
    assert warnings(tmp_path, "Duration", ["9.45E+12", "2026-03-04", "4930123456789"]) == []


def test_warnings_name_the_cell_and_what_would_do(tmp_path: Path) -> None:
    (batch,) = read(write_xlsx(tmp_path / "cases.xlsx", [("4930123456789", "Hello")], ("Phone", "input")))
    (warning,) = batch.problems.iter_rows(named=True)
    assert (warning["severity"], warning["cell"], warning["value"]) == ("warning", "Cases!A2", "4930123456789")
    assert warning["message"] == (
        "Phone holds 4930123456789, a phone number without its +, which no number cell keeps; "
        "write it as text, beginning with +"
    )
