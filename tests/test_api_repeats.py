"""What the session repeats, and what it does not: reads, deletes and patches, at the pace of the job."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from etl.api import MAX_ATTEMPTS, Answer, Api, Cause, NoAnswer, Pace, Target
from etl.api import session as session_room
from etl.errors import KeyRefusedError, StoppedError, TlsError, UnexpectedAnswerError, UnreachableError
from etl.resources import TEST_CASES, TEST_SETS
from etl.sandbox import RunningSandbox, parse_faults, running_sandbox
from tests.paced_world import REFUSED, Time, run_virtually, virtual_clock

Outcome = Answer | NoAnswer
TARGET = Target("https://api.coval.invalid/v1", "a-key-of-ours")
FOUND = Answer(200, {"test_set": {"display_name": "new"}})
MISSING = Answer(404, {"error": {"code": "NOT_FOUND", "message": "no such test set"}})
GONE = Answer(200, {})
BROKEN = NoAnswer(sent=True, cause=Cause.BROKEN, explanation="The connection broke.")
NO_TRUST = NoAnswer(sent=False, cause=Cause.TLS, explanation="The server's certificate was not accepted.")


class Script:
    """A transport that answers what it was given, by method; the last one again and again."""

    def __init__(self, **replies: Iterable[Outcome]) -> None:
        self._replies = {method: list(outcomes) for method, outcomes in replies.items()}
        self.asked: list[str] = []
        self.queries: list[Mapping[str, str]] = []
        self.seconds: list[float] = []

    async def request(
        self, method: str, path: str, body: bytes | None = None, query: Mapping[str, str] | None = None
    ) -> Outcome:
        self.asked.append(method)
        self.queries.append(dict(query or {}))
        self.seconds.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.01)
        replies = self._replies[method]
        return replies.pop(0) if len(replies) > 1 else replies[0]


def asked(script: Script, ask: Callable[[Api], Any], pace: Callable[[], Pace] | None = None) -> Any:
    """What comes of it, on virtual time."""

    async def main() -> Any:
        own = pace() if pace else Pace(4, clock=virtual_clock())
        async with Api(TARGET, transport=script, pace=own) as api:
            return await ask(api)

    return run_virtually(main)


def read(api: Api) -> Any:
    return api.get("/test-sets/x")


def removed(api: Api) -> Any:
    return api.delete("/test-sets/x")


def changed(api: Api) -> Any:
    return api.patch("/test-sets/x", b"{}", lambda body: body["test_set"]["display_name"] == "new")


AGAIN = [*(Answer(status, None) for status in (408, 500, 502, 503, 504, 599)), Answer(200, None), BROKEN, REFUSED]


@pytest.mark.parametrize("trouble", AGAIN, ids=lambda one: str(getattr(one, "status", "")) or one.cause)
def test_a_read_is_asked_again_after_trouble_that_may_pass(trouble: Outcome) -> None:
    script = Script(GET=[trouble, trouble, FOUND])
    assert asked(script, read) == FOUND
    assert script.asked == ["GET"] * 3


@pytest.mark.parametrize(
    ("trouble", "error", "attempts"),
    [
        (Answer(500, None), UnexpectedAnswerError, MAX_ATTEMPTS),
        (BROKEN, UnreachableError, MAX_ATTEMPTS),
        (Answer(200, None), UnexpectedAnswerError, 3),
        (REFUSED, UnreachableError, 6),
        (NO_TRUST, TlsError, 1),
        (Answer(401, None), KeyRefusedError, 1),
        *[(Answer(status, None), UnexpectedAnswerError, 1) for status in (301, 307, 400, 403, 405, 409, 410, 422, 501)],
    ],
    ids=str,
)
def test_a_read_that_fails_for_good_says_why(trouble: Outcome, error: type[Exception], attempts: int) -> None:
    script = Script(GET=[trouble])
    with pytest.raises(error):
        asked(script, read)
    assert len(script.asked) == attempts


def test_a_read_waits_as_told_and_in_the_queue_of_everybody() -> None:
    script = Script(GET=[Answer(429, None, {"retry-after": "30"}), FOUND])
    assert asked(script, read) == FOUND
    assert script.seconds[1] - script.seconds[0] >= 30


def test_a_read_that_is_told_to_wait_for_an_hour_stops() -> None:
    with pytest.raises(StoppedError, match="before anything is sent"):
        asked(Script(GET=[Answer(429, None, {"retry-after": "3600"})]), read)


def test_a_read_that_is_told_to_wait_without_end_stops_when_the_budget_is_spent() -> None:
    script = Script(GET=[Answer(429, None, {"retry-after": "0"})])
    with pytest.raises(StoppedError, match="Too many requests had to be repeated"):
        asked(script, read)
    assert len(script.asked) == 101


def test_reads_in_trouble_together_spend_one_budget() -> None:
    script = Script(GET=[Answer(500, None)])

    async def many(api: Api) -> list[Any]:
        return await asyncio.gather(*(api.get("/test-sets/x") for _ in range(20)), return_exceptions=True)

    errors = asked(script, many)
    assert all(isinstance(error, UnexpectedAnswerError) for error in errors)
    assert len(script.asked) <= 20 + 500 // 14


def test_reads_in_trouble_leave_half_of_the_budget_to_writing() -> None:
    pace: list[Pace] = []

    async def one_after_the_other(api: Api) -> None:
        pace.append(api.pace)
        for _ in range(30):
            with pytest.raises(UnexpectedAnswerError):
                await api.get("/test-sets/x")

    script = Script(GET=[Answer(503, None)])
    asked(script, one_after_the_other)
    assert len(script.asked) == 30 + 250 // 14
    assert 250 <= pace[0].budget.left < 250 + 14


def test_a_read_passes_while_writing_is_paused() -> None:
    def paused() -> Pace:
        pace = Pace(4, clock=virtual_clock())
        pace.pause_all("rows in doubt are looked for")
        return pace

    assert asked(Script(GET=[FOUND]), read, paused) == FOUND


def test_a_read_goes_through_the_pace_it_was_given() -> None:
    def closed() -> Pace:
        pace = Pace(4, clock=virtual_clock())
        pace.gave_up = UnreachableError("No connection to the API.")
        return pace

    script = Script(GET=[FOUND])
    with pytest.raises(UnreachableError):
        asked(script, read, closed)
    assert script.asked == []


@pytest.mark.parametrize("answer", [Answer(200, {}), Answer(204, None), MISSING])
def test_a_delete_that_is_done_or_has_nothing_to_do_is_done(answer: Answer) -> None:
    script = Script(DELETE=[answer])
    assert asked(script, removed) == answer
    assert script.asked == ["DELETE"]


@pytest.mark.parametrize("trouble", [BROKEN, Answer(502, None), Answer(200, None)], ids=["broken", "502", "empty"])
def test_a_delete_without_a_clear_answer_is_read_back_and_tried_again_only_if_it_is_there(trouble: Outcome) -> None:
    script = Script(DELETE=[trouble, trouble, GONE], GET=[FOUND, MISSING])
    assert asked(script, removed) == MISSING
    assert script.asked == ["DELETE", "GET", "DELETE", "GET"]


def test_a_delete_that_nobody_answers_gives_up_and_says_so() -> None:
    script = Script(DELETE=[Answer(500, None)], GET=[FOUND])
    with pytest.raises(UnexpectedAnswerError, match="DELETE /test-sets/x was answered 500"):
        asked(script, removed)
    assert script.asked.count("DELETE") == MAX_ATTEMPTS


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(409, {"error": {"code": "CONFLICT", "message": "it is in use"}}), "it is in use"),
        (Answer(404, None), "without the API's error form"),
        (Answer(404, {"message": "Not Found"}), "without the API's error form"),
    ],
)
def test_a_delete_that_is_refused_or_answered_by_somebody_else_is_not_done(answer: Answer, words: str) -> None:
    script = Script(DELETE=[answer])
    with pytest.raises(UnexpectedAnswerError, match=words):
        asked(script, removed)
    assert script.asked == ["DELETE"]


def test_a_patch_without_a_clear_answer_is_read_back_and_sent_again_only_if_it_has_not_landed() -> None:
    before = Answer(200, {"test_set": {"display_name": "old"}})
    script = Script(PATCH=[BROKEN, BROKEN, FOUND], GET=[before, FOUND])
    assert asked(script, changed) == FOUND
    assert script.asked == ["PATCH", "GET", "PATCH", "GET"]


def test_a_patch_that_collides_is_looked_at_once_and_then_refused() -> None:
    taken = Answer(409, {"error": {"code": "CONFLICT", "message": "the name is taken"}})
    script = Script(PATCH=[taken], GET=[Answer(200, {"test_set": {"display_name": "old"}})])
    with pytest.raises(UnexpectedAnswerError, match="the name is taken"):
        asked(script, changed)
    assert script.asked == ["PATCH", "GET"]


def test_a_patch_of_what_is_gone_is_refused() -> None:
    with pytest.raises(UnexpectedAnswerError, match="404"):
        asked(Script(PATCH=[MISSING]), changed)


async def test_deletes_are_done_whatever_the_network_does(tmp_path: Path) -> None:
    faults = parse_faults("500after:0.2,resetafter:0.2,502:0.2", seed=4)
    place = tmp_path / "sandbox.db"
    time = Time()
    async with running_sandbox(key="k", db=place) as quiet, running_sandbox(key="k", db=place, faults=faults) as rough:
        async with Api(Target(quiet.base_url, "k")) as api:
            bodies = [json.dumps({"display_name": f"set {number}"}).encode() for number in range(12)]
            made = [await api.request("POST", "/test-sets", body) for body in bodies]
        async with Api(Target(rough.base_url, "k"), pace=Pace(4, clock=time.clock())) as api:
            for one in made:
                assert isinstance(one, Answer)
                assert (await api.delete(f"/test-sets/{one.body['test_set']['id']}")).status in {200, 404}
        assert quiet.store.all_bodies("test-sets") == []


def page(*ids: Any, token: Any = None, date: str | None = None) -> Answer:
    headers = {"date": date} if date else {}
    return Answer(200, {"test_sets": [{"id": id_} for id_ in ids], "next_page_token": token}, headers)


def listed(api: Api) -> Any:
    async def all_of_it() -> list[Any]:
        return [item["id"] async for item in api.list(TEST_SETS)]

    return all_of_it()


def test_an_item_that_comes_twice_because_the_list_shifts_is_listed_once() -> None:
    script = Script(GET=[page("a", "b", token="2"), page("b", "c", token=""), page()])
    assert asked(script, listed) == ["a", "b", "c"]
    assert [query.get("page_token") for query in script.queries] == [None, "2"]


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ([page("a", token="again")], "token twice"),
        ([page("a", token=5)], "no text"),
        ([page("a", token="2"), Answer(400, {"error": {"code": "X", "message": "page token expired"}})], "expired"),
        ([page(*(str(number) for number in range(101)))], "101 items"),
        ([Answer(200, {"test_sets": [5]})], "something else"),
        ([Answer(200, {"other": []})], "did not answer a list"),
        ([Answer(200, [])], "did not answer a list"),
        ([MISSING], "did not answer a list"),
    ],
)
def test_a_listing_that_is_not_complete_raises(pages: list[Answer], words: str) -> None:
    with pytest.raises(UnexpectedAnswerError, match=words):
        asked(Script(GET=pages), listed)


def test_a_list_without_end_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_room, "MAX_PAGES", 50)
    script = Script(GET=[page(str(number), token=str(number)) for number in range(60)])
    with pytest.raises(UnexpectedAnswerError, match="not ended after 50 pages"):
        asked(script, listed)
    assert len(script.asked) == 50


def test_pages_tell_when_they_were_answered_and_may_be_left_early() -> None:
    script = Script(GET=[page("a", token="2", date="Sun, 22 Nov 2026 04:00:00 GMT"), page("b", date="yesterday")])

    async def seen(api: Api) -> list[Any]:
        return [(one.date.isoformat() if one.date else None, len(one.items)) async for one in api.pages(TEST_SETS)]

    async def first(api: Api) -> Any:
        async for one in api.pages(TEST_SETS, {"page_size": "1"}):
            return one.items
        return None

    assert asked(script, seen) == [("2026-11-22T04:00:00+00:00", 1), (None, 1)]
    again = Script(GET=[page("a", token="2")])
    assert asked(again, first) == [{"id": "a"}]
    assert again.queries == [{"page_size": "1"}]


async def test_a_real_list_has_every_item_and_the_servers_date(sandbox: RunningSandbox) -> None:
    async with Api(Target(sandbox.base_url, sandbox.key)) as api:
        made = await api.request("POST", "/test-sets", b'{"display_name": "x"}')
        assert isinstance(made, Answer)
        id_ = made.body["test_set"]["id"]
        for number in range(120):
            body = json.dumps({"input_str": f"caller {number}", "test_set_id": id_}).encode()
            await api.request("POST", "/test-cases", body)
        pages = [one async for one in api.pages(TEST_CASES, {"filter": f"test_set_id={id_}"})]
    assert [len(one.items) for one in pages] == [100, 20]
    assert all(one.date is not None for one in pages)
