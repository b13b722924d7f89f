"""Hollow sheets: however many cells are formatted and hold nothing, the others are read exactly, or all are refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.batch import column_letters
from etl.readers import ReadOptions
from etl.readers.workbooks import hollow
from etl.readers.workbooks.xlsx import facts
from tests.reading_talk import Row, cells, found, pack, parts_of, read, refusal

FORMS = {
    "plain": '<c r="{}" s="1"/>',
    "of a type": '<c r="{}" s="1" t="s"/>',
    "in two tags": '<c r="{}" s="1"></c>',
    "in single quotes": "<c r='{}' s='1'/>",
    "without a place": "<c s='1'/>",
}
STYLES = '<cellXfs><xf numFmtId="0"/><xf numFmtId="0"/></cellXfs>'
WIDTH = 40


def row(number: int, text: str = "", form: str = FORMS["plain"]) -> str:
    """A row of `WIDTH` cells, of which the second holds the text."""
    places = [f"{column_letters(at)}{number}" for at in range(1, WIDTH + 1)]
    made = [form.format(place) for place in places]
    if text:
        made[1] = f'<c r="{places[1]}" t="inlineStr"><is><t>{text}</t></is></c>'
    return f'<row r="{number}">{"".join(made)}</row>'


def rows_of(numbers: Iterator[int] | range, every: int, form: str = FORMS["plain"]) -> str:
    return "".join(row(at, "" if at % every else f"text {at}", form) for at in numbers)


def book(path: Path, rows: str) -> Path:
    return pack(path / "cases.xlsx", parts_of(rows, styles=STYLES))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
class TestTheEndOfASheet:
    def test_may_be_formatted_as_far_as_one_likes(
        self, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hollow, "_LEAST_BYTES", 1 << 16)
        rows: list[Row] = [(None, "first"), (None, "last")]
        text = row(2, "first", form) + rows_of(range(3, 400), 1_000, form) + row(400, "last", form)
        short = read(book(tmp_path, text))
        long = read(book(tmp_path, text + rows_of(range(401, 4_000), 1_000_000, form)))
        assert cells(long) == cells(short) == rows
        assert long[0].source.equals(short[0].source)
        assert found(long) == []

    def test_is_passed_over_only_behind_the_row_of_the_last_value(
        self, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its row may go on for long."""
        monkeypatch.setattr(hollow, "_LEAST_BYTES", 1 << 16)
        places = [f"{column_letters(at)}2" for at in range(2, 16_384)]
        wide = f'<row r="2"><c r="A2"><v>7</v></c>{"".join(form.format(place) for place in places)}</row>'
        assert cells(read(book(tmp_path, wide + rows_of(range(3, 4_000), 1_000_000, form)))) == [("7", None)]

    def test_is_passed_over_at_a_glance_too(self, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("etl.readers.READ_WHOLE_BYTES", 20_000)
        monkeypatch.setattr("etl.readers.workbooks.xlsx.workbook.GLANCED_BYTES", 20_000)
        monkeypatch.setattr(hollow, "_LEAST_BYTES", 1 << 16)
        monkeypatch.setattr(hollow, "MOST_CELLS", 100_000)
        path = book(tmp_path, row(2, "first", form) + rows_of(range(3, 4_000), 1_000_000, form))
        assert cells(read(path, ReadOptions(glance=True))) == [(None, "first")]

    def test_is_passed_over_at_most_so_far(self, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(facts, "SIGNS", facts.SIGNS._replace(most_bytes=1 << 20))
        error = refusal(book(tmp_path, row(2, "first", form) + rows_of(range(3, 4_000), 1_000_000, form)))
        assert "millions of cells that are formatted and hold nothing" in error.message
        assert "delete the empty rows" in error.hint


class TestCellsInBetween:
    @pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
    def test_are_left_out_exactly(self, form: str, tmp_path: Path) -> None:
        batches = read(book(tmp_path, rows_of(range(2, 1_500), 7, form)))
        numbers = range(7, 1_500, 7)
        assert cells(batches) == [(None, f"text {at}") for at in numbers]
        assert [at for batch in batches for at in batch.source["_row"]] == list(numbers)

    def test_may_be_many(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hollow, "MOST_BETWEEN_BYTES", 1 << 20)
        monkeypatch.setattr(facts, "SIGNS", facts.SIGNS._replace(most_bytes=1 << 20))
        assert len(cells(read(book(tmp_path, rows_of(range(2, 4_000), 2))))) == 1_999

    def test_may_not_be_millions(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hollow, "MOST_BETWEEN_BYTES", 1 << 20)
        path = book(tmp_path, row(2, "first") + rows_of(range(3, 4_000), 1_000_000) + row(4_000, "last"))
        assert "millions of cells that are formatted and hold nothing" in refusal(path).message

    def test_may_not_be_millions_of_an_odd_form(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hollow, "MOST_CELLS", 10_000)
        rows = rows_of(range(3, 500), 1_000_000, FORMS["in single quotes"])
        path = book(tmp_path, row(2, "first") + rows + row(4_000, "last"))
        assert "millions of cells that are formatted and hold nothing" in refusal(path).message

    def test_may_have_long_texts_between(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hollow, "MOST_BETWEEN_BYTES", 1 << 20)
        monkeypatch.setattr(facts, "SIGNS", facts.SIGNS._replace(most_bytes=1 << 20))
        texts = ["".join(f"{at * number * 7919} " for number in range(100_000)) for at in range(2, 7)]
        rows = "".join(
            f'<row r="{at}"><c r="B{at}" t="inlineStr"><is><t>{text}</t></is></c></row>'
            for at, text in enumerate(texts, 2)
        )
        assert cells(read(book(tmp_path, rows))) == [(None, text) for text in texts]


def test_a_row_that_seems_to_end_in_a_comment_is_not_lost_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hollow, "_LEAST_BYTES", 1 << 16)
    inside = f"<!-- {rows_of(range(4, 4_000), 1_000_000)} -->"
    path = book(tmp_path, f'{row(2, "first")}<row r="3"><c r="B3"><v>7</v></c>{inside}</row>')
    assert "is damaged: row 3 has no end" in refusal(path).message
