"""What can be wrong with a row: the closed list of codes, and the one shape in which a problem travels.

A problem is a value, never an exception: the row rides on and the report names it. Problems travel as a polars frame
(`SCHEMA`), because a rule finds them in columns; `Problem` is one line of that frame. This file must never know which
resource or which file a problem is about.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import polars as pl


class Severity(StrEnum):
    """`error`: a reference page says the API refuses it. `warning`: no page says so, but a person should look."""

    ERROR = "error"
    WARNING = "warning"


class Code(StrEnum):
    """Every kind of problem there is. The list is closed: a test holds `docs/problems.md` equal to it."""

    # reading
    RAGGED_ROW = "ragged_row"
    """A record with more or fewer cells than the header."""
    MALFORMED_JSON = "malformed_json"
    """A line or a cell that should be JSON and is not."""
    DUPLICATE_KEY = "duplicate_key"
    """A JSON object that names one key twice."""
    ERROR_CELL = "error_cell"
    """A spreadsheet error such as `#REF!`."""
    FORMULA_WITHOUT_VALUE = "formula_without_value"
    """A formula whose result the workbook does not hold."""
    LOSSY_NUMBER = "lossy_number"
    """A number of more than 15 digits: the spreadsheet has already changed it."""
    CONTROL_CHARACTER = "control_character"
    """A NUL or another control character that JSON text should not hold."""
    MERGED_CELL = "merged_cell"
    """A cell covered by a merged area inside the data: empty as stored, though a person sees a value."""
    SCIENTIFIC_NUMBER = "scientific_number"
    """`9.45E+12` where an id or a phone number was meant: the spreadsheet has cut its digits."""
    DATE_FOR_ID = "date_for_id"
    """A date in a column of ids: the spreadsheet has taken an id for one."""
    PHONE_WITHOUT_PLUS = "phone_without_plus"
    """The digits of an international phone number, its `+` lost in a number cell."""
    LOST_ZEROS = "lost_zeros"
    """An id of fewer digits than the others of its column, which begin with zeros."""
    CUT_TEXT = "cut_text"
    """A text as long as a cell can be: the spreadsheet has probably cut it off."""
    MOJIBAKE = "mojibake"
    """`CafÃ©`: UTF-8 that was read as another encoding."""
    SPLIT_GROUP = "split_group"
    """Rows of one record that do not stand together."""
    TURN_GAP = "turn_gap"
    """Turn numbers of one record that leave one out, or have one twice."""
    # mapping
    WRONG_TYPE = "wrong_type"
    """A value of another type than the field has: a number where a list should be."""
    NOT_AN_INTEGER = "not_an_integer"
    NOT_A_NUMBER = "not_a_number"
    NOT_A_BOOLEAN = "not_a_boolean"
    UNKNOWN_VALUE = "unknown_value"
    """A word that the mapping's `map` does not know."""
    CUSTOM_RULE = "custom_rule"
    """A rule of the mapping's own that does not hold."""
    UNKNOWN_NAME = "unknown_name"
    """A name (or id) that nothing at the API has."""
    AMBIGUOUS_NAME = "ambiguous_name"
    """A name that several at the API have."""
    UNMAPPED_COLUMN = "unmapped_column"
    """A column that no field uses."""
    UNUSED_KEY = "unused_key"
    """A key inside JSON that no field uses, though others beside it are used."""
    CONFLICTING_FIELDS = "conflicting_fields"
    """Two columns give different values to one thing; the preferred one is sent."""
    NOT_CONVERTIBLE = "not_convertible"
    """Something that the file's format has and the API has not: it is left out."""
    NOT_IN_CONTRACT = "not_in_contract"
    """The API's contract in use has no such field, or only a narrower one."""
    CUT_SENTENCE = "cut_sentence"
    """A text that is cut at its commas, though it reads like a sentence."""
    # rules of the reference pages
    REQUIRED = "required"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    TOO_MANY_ITEMS = "too_many_items"
    TOO_FEW_ITEMS = "too_few_items"
    TOO_LARGE = "too_large"
    """A JSON value of more bytes than the page allows."""
    NOT_AN_OPTION = "not_an_option"
    WRONG_FORM = "wrong_form"
    """Text that does not have the form the page asks for: an id, a phone number, a slug."""
    OUT_OF_RANGE = "out_of_range"
    BAD_URL = "bad_url"
    """Not a URL of the kind the page asks for, or one that points into a private network."""
    UNKNOWN_FIELD = "unknown_field"
    MISSING_TURNS = "missing_turns"
    """A SCRIPT test case without script turns."""
    MUTUALLY_EXCLUSIVE = "mutually_exclusive"
    REDACTED_SECRET = "redacted_secret"  # noqa: S105  # a word
    """The marker that an export has written instead of a secret."""
    TEXT_ELSEWHERE = "text_elsewhere"
    """The marker that an export has written instead of a text that the cell could not hold."""
    # rules that no page states (warnings)
    SEED_WITHOUT_SAMPLE = "seed_without_sample"
    TRANSCRIPT_SHAPE = "transcript_shape"
    SPOKEN_KEYS = "spoken_keys"
    """A turn that speaks of keys in a notation (`dtmf:1`): it would be read aloud."""
    REPEATED_ROW = "repeated_row"
    """A row that says exactly what an earlier one of the same job says."""
    REPEATED_KEY = "repeated_key"
    """A name or key that an earlier row of the same job has (an error where the API takes each only once)."""
    NEAR_DUPLICATE = "near_duplicate"
    """A test case whose input is nearly that of an earlier row; looked for with `--near-duplicates` only."""
    METRIC_PREFIX = "metric_prefix"
    UNKNOWN_VARIABLE = "unknown_variable"
    """A `{{name}}` in an agent's settings that the API fills with nothing."""
    MANY_SIMULATIONS = "many_simulations"
    """A run, or a template of runs, that would start very many simulations."""
    MISSING_TEST_SET = "missing_test_set"
    """No test set given or mapped; `import` needs one."""
    # sending
    API_REFUSED = "api_refused"
    """The API answered 4xx: its own field and words."""
    MISSING_PARENT = "missing_parent"
    """The row names a test set or agent that the API has just said does not exist; it was not sent."""
    IN_DOUBT = "in_doubt"
    """The row was sent, and it is not known whether it was stored."""


class Problem(NamedTuple):
    """One thing wrong with one row.

    `row` is the number a spreadsheet program shows; `field` a dotted path in the API's words; `column` the header in
    the file; `cell` its address (`Cases!D17`); `value` what was found, as `etl.quoting.show_value` gives it; `message`
    a sentence that says what would do. All but `row`, `severity`, `code` and `message` may be None.
    """

    row: int
    severity: str
    code: str
    field: str | None
    column: str | None
    cell: str | None
    value: str | None
    message: str


SCHEMA: dict[str, type[pl.DataType]] = {
    "row": pl.Int64,
    "severity": pl.String,
    "code": pl.String,
    "field": pl.String,
    "column": pl.String,
    "cell": pl.String,
    "value": pl.String,
    "message": pl.String,
}

NONE = pl.DataFrame(schema=SCHEMA)
"""No problems."""


def frame_of(problems: Iterable[Problem]) -> pl.DataFrame:
    """Problems as a frame of `SCHEMA`."""
    return pl.DataFrame(list(problems), schema=SCHEMA, orient="row")


def joined(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Several problem frames as one, ordered by row; the order within a row is kept."""
    found = [frame for frame in frames if frame.height]
    return pl.concat(found).sort("row", maintain_order=True) if found else NONE


def rows_with_errors(problems: pl.DataFrame) -> pl.Series:
    """The distinct row numbers (Int64) that carry at least one problem of severity `error`."""
    return problems.filter(pl.col("severity") == Severity.ERROR)["row"].unique()
