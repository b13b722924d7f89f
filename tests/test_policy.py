"""The policy: what each outcome means for each method, held against the delivery page's table."""

from typing import Any

import pytest

from etl.api import Answer, Cause, Meaning, NoAnswer, meaning_of, stored_id
from etl.api.policy import TABLE, Kind, Strain, strain_of
from etl.resources import RUNS, TEST_CASES

ID = "abc123def456ghi789jklm"
METHODS = ("POST", "PATCH", "DELETE", "GET")

NOT_SENT = [NoAnswer(sent=False, cause=cause, explanation="") for cause in Cause if cause is not Cause.TLS]
NO_TRUST = [NoAnswer(sent=False, cause=Cause.TLS, explanation="")]
AFTER_THE_HAND_OVER = [NoAnswer(sent=True, cause=cause, explanation="") for cause in Cause]


def _statuses(*statuses: int) -> list[Answer | NoAnswer]:
    return [Answer(status, None) for status in statuses]


DELIVERY_PAGE: list[tuple[str, list[Any], bool, str, str, str, str]] = [
    # outcome, as found; usable; POST, PATCH, DELETE, GET
    ("2xx, valid body", _statuses(200, 201, 202), True, "stored", "done", "done", "done"),
    (
        "2xx without a usable id",
        _statuses(200, 201, 202, 204, 299),
        False,
        "stored_without_id",
        "read_back",
        "read_back",
        "again",
    ),
    ("not sent", NOT_SENT, False, "again", "again", "again", "again"),
    ("TLS failure", NO_TRUST, False, "tls", "tls", "tls", "tls"),
    ("429, 425", _statuses(429, 425), False, "wait", "wait", "wait", "wait"),
    ("400 412 413 415 422", _statuses(400, 412, 413, 415, 422), False, "refused", "refused", "refused", "refused"),
    ("404", _statuses(404), False, "refused", "refused", "gone", "gone"),
    ("409", _statuses(409), False, "conflict", "conflict", "refused", "refused"),
    ("401", _statuses(401), False, "key_refused", "key_refused", "key_refused", "key_refused"),
    ("403", _statuses(403), False, "forbidden", "forbidden", "forbidden", "forbidden"),
    ("405, 410 (failure model)", _statuses(405, 410), False, "misplaced", "misplaced", "misplaced", "misplaced"),
    ("other 4xx", _statuses(402, 406, 418, 431, 451, 499), False, "refused", "refused", "refused", "refused"),
    (
        "3xx",
        _statuses(300, 301, 302, 303, 304, 307, 308),
        False,
        "redirected",
        "redirected",
        "redirected",
        "redirected",
    ),
    ("408 500 502 503 504", _statuses(408, 500, 502, 503, 504), False, "doubt", "read_back", "read_back", "again"),
    ("no answer after the hand-over", AFTER_THE_HAND_OVER, False, "doubt", "read_back", "read_back", "again"),
    (
        "501, 505 (failure model)",
        _statuses(501, 505),
        False,
        "unsupported",
        "unsupported",
        "unsupported",
        "unsupported",
    ),
    (
        "what does not exist",
        _statuses(0, 101, 199, 507, 599, 600, 999),
        False,
        "doubt",
        "read_back",
        "read_back",
        "again",
    ),
]


@pytest.mark.parametrize("row", DELIVERY_PAGE, ids=lambda row: row[0])
def test_an_outcome_means_what_the_delivery_page_says(row: tuple[str, list[Any], bool, str, str, str, str]) -> None:
    _, outcomes, usable, *meanings = row
    for outcome in outcomes:
        found = [meaning_of(method, outcome, usable=usable).value for method in METHODS]
        assert found == meanings, outcome


def test_no_status_is_in_two_rows_and_every_kind_is_in_one() -> None:
    outcomes = [outcome for row in TABLE for outcome in row.outcomes]
    assert len(outcomes) == len(set(outcomes))
    assert set(Kind) <= set(outcomes)


def test_a_post_is_sent_again_only_after_what_proves_that_it_had_no_effect() -> None:
    harmless = {outcome for row in TABLE if row.post in {Meaning.AGAIN, Meaning.WAIT} for outcome in row.outcomes}
    assert harmless == {Kind.NOT_SENT, 425, 429}


def test_every_status_means_something_for_every_method() -> None:
    for status in range(1000):
        for method in METHODS:
            assert meaning_of(method, Answer(status, None), usable=False) in Meaning


def test_a_method_without_a_column_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        meaning_of("PUT", Answer(200, None), usable=True)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"test_case": {"id": ID}}, ID),
        ({"test_case": {"id": "short"}}, None),
        ({"test_case": {"id": ID + "x"}}, None),
        ({"test_case": {"id": 5}}, None),
        ({"test_case": None}, None),
        ({"test_set": {"id": ID}}, None),
        ([], None),
        (None, None),
    ],
)
def test_an_id_is_usable_only_in_its_place_and_form(body: Any, found: str | None) -> None:
    assert stored_id(body, TEST_CASES) == found


def test_a_launched_run_is_known_by_its_run_id() -> None:
    assert stored_id({"run": {"run_id": ID}}, RUNS) == ID


@pytest.mark.parametrize(
    ("outcome", "strain"),
    [
        (Answer(201, {}), Strain.CALM),
        (Answer(400, {}), Strain.CALM),
        (Answer(500, {}), Strain.CALM),
        (Answer(429, {}), Strain.THROTTLED),
        (Answer(425, {}), Strain.THROTTLED),
        (Answer(503, {}), Strain.OVERLOADED),
        (Answer(504, {}), Strain.OVERLOADED),
        (Answer(408, {}), Strain.OVERLOADED),
        (NoAnswer(sent=True, cause=Cause.TIMEOUT, explanation=""), Strain.OVERLOADED),
        (NoAnswer(sent=True, cause=Cause.BROKEN, explanation=""), Strain.UNKNOWN),
        (NoAnswer(sent=False, cause=Cause.TLS, explanation=""), Strain.UNKNOWN),
        (NoAnswer(sent=False, cause=Cause.CONNECT, explanation=""), Strain.UNREACHED),
        (NoAnswer(sent=False, cause=Cause.TIMEOUT, explanation=""), Strain.UNREACHED),
    ],
    ids=str,
)
def test_what_an_outcome_says_about_load(outcome: Answer | NoAnswer, strain: Strain) -> None:
    assert strain_of(outcome) is strain
