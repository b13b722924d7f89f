"""Places: where in a job a row stands, as one number, and as a person says it: `row 7 of cases.csv, sheet One`.

Must never know what the rows say.
"""

from etl.batch import Origin

_ROWS_A_TABLE = 1 << 40


class Places:
    """The tables of a job, in the order in which they were met."""

    def __init__(self) -> None:
        self._tables: list[str] = []

    def start(self, origin: Origin) -> int:
        """What is added to a row's number to make its place; the place of the table itself."""
        name = f"{origin.file}, sheet {origin.sheet}" if origin.sheet else origin.file
        if name not in self._tables:
            self._tables.append(name)
        return self._tables.index(name) * _ROWS_A_TABLE

    def say(self, place: int, start: int) -> str:
        """A place, as it is called in the table that begins at `start`."""
        table, row = divmod(place, _ROWS_A_TABLE)
        return f"row {row}" if table * _ROWS_A_TABLE == start else f"row {row} of {self._tables[table]}"
