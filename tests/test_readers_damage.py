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


def test_a_shorter_phone_number_lacks_a_plus_only_among_others_that_have_one(tmp_path: Path) -> None:
    assert warnings(tmp_path, "phone", ["4930123456", "5550100123"]) == []
    assert warnings(tmp_path, "phone", ["4930123456", "+4930123456"]) == [(2, "phone_without_plus", "phone")]


def test_ids_without_the_zeros_that_others_begin_with(tmp_path: Path) -> None:
    assert warnings(tmp_path, "Order no", ["00123", "8901", "08901", "12345", "00001"]) == [
        (3, "lost_zeros", "Order no")
    ]


@pytest.mark.parametrize(
    "ids",
    [["8", "9", "10", "11"], ["001", "12", "13", "14"], ["A001", "A12", "0123", "9"], ["007", "008", "009"]],
    ids=["counted", "mostly short", "letters", "all whole"],
)
def test_ids_that_were_never_padded_are_left_alone(tmp_path: Path, ids: list[str]) -> None:
    assert warnings(tmp_path, "case_id", ids) == []


def test_postal_codes_of_four_digits_where_nearly_all_have_five(tmp_path: Path) -> None:
    codes = ["10115", "8901", "80331", "20095", "50667", "60311"]
    assert warnings(tmp_path, "zip", codes) == [(3, "lost_zeros", "zip")]
    assert warnings(tmp_path, "PLZ", ["10115", "8001", "3000", "1010", "80331"]) == []
    assert warnings(tmp_path, "postcode", ["8001", "SW1A 1AA", "10115", "80331", "20095", "50667"]) == []


def test_a_text_that_fills_its_cell(tmp_path: Path) -> None:
    texts = ["ö" * 32_767, "x" * 32_766, "x" * 32_768, "x" * 40_000]
    assert warnings(tmp_path, "notes", texts) == [(2, "cut_text", "notes")]


def test_a_secret_is_not_repeated(tmp_path: Path) -> None:
    (batch,) = read(write_csv(tmp_path / "cases.csv", [("9.45E+12", "Hello")], ("api_key no", "input")))
    assert "9.45E+12" not in str(batch.problems.rows())
    assert batch.problems["value"].to_list() == ["«hidden»"]


@pytest.mark.parametrize("date", ["2-Mar", "Mar-02", "02. Mrz", "3-Dez-26", "2026-03-02"])
def test_dates_as_spreadsheets_write_them(tmp_path: Path, date: str) -> None:
    assert warnings(tmp_path, "sku", ["3-17", date, "A-12"]) == [(3, "date_for_id", "sku")]


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
