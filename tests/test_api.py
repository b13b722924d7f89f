"""The api room: one request, answered or explained; nothing repeated that could have had an effect."""

import inspect
import json
import ssl

import aiohttp
import pytest
from aiohttp import client_exceptions

from etl.api import Answer, Api, NoAnswer, Pace, Target, normalise_base_url, refusal_of
from etl.api.answers import Cause
from etl.api.contract import detect_contract
from etl.api.transport import explain
from etl.errors import KeyRefusedError, UnexpectedAnswerError, UnreachableError, UsageError
from etl.resources import TEST_CASES, TEST_SETS, Contract
from etl.sandbox import RunningSandbox, parse_faults, running_sandbox
from tests.paced_world import Time
from tests.raw_server import raw_server

CASE = {"input_str": "Where is my parcel?", "test_set_id": "abc12345"}


async def test_a_created_resource_is_answered_with_its_json(api: Api) -> None:
    made = await api.request("POST", "/test-sets", json.dumps({"display_name": "Calls"}).encode())
    assert isinstance(made, Answer)
    assert made.status == 201
    assert made.body["test_set"]["display_name"] == "Calls"
    assert made.request_id


async def test_a_refusal_gives_the_field_and_the_words(api: Api) -> None:
    refused = await api.request("POST", "/test-cases", b'{"input_str": "", "test_set_id": "abc12345"}')
    assert isinstance(refused, Answer)
    assert refused.status == 400
    assert refusal_of(refused).field == "input_str"
    assert refusal_of(refused).code == "INVALID_ARGUMENT"


async def test_a_refusal_without_the_apis_form_says_so() -> None:
    assert "without the API's error form" in refusal_of(Answer(502, None)).message


@pytest.mark.parametrize(
    "reply",
    [b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 201 Created\r\nContent-Length: 90\r\n\r\n{"],
    ids=["empty", "cut"],
)
async def test_a_2xx_without_its_body_is_an_answer_without_a_body(reply: bytes) -> None:
    async with raw_server(reply) as (url, _), Api(Target(url, "k")) as api:
        answer = await api.request("POST", "/test-cases", b"{}")
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (201, None)


async def test_a_refused_connection_was_not_sent() -> None:
    async with Api(Target("http://127.0.0.1:1/v1", "k")) as api:
        outcome = await api.request("POST", "/test-cases", b"{}")
    assert isinstance(outcome, NoAnswer)
    assert (outcome.sent, outcome.cause) == (False, Cause.CONNECT)


async def test_a_name_that_does_not_exist_was_not_sent() -> None:
    async with Api(Target("http://no-such-host.invalid/v1", "k")) as api:
        outcome = await api.request("POST", "/test-cases", b"{}")
    assert isinstance(outcome, NoAnswer)
    assert not outcome.sent


async def test_a_connection_closed_without_an_answer_was_sent_once() -> None:
    async with raw_server(None) as (url, seen), Api(Target(url, "k")) as api:
        outcome = await api.request("POST", "/test-cases", b"{}")
    assert isinstance(outcome, NoAnswer)
    assert outcome.sent
    assert len(seen) == 1


async def test_a_timeout_after_the_hand_over_was_sent() -> None:
    async with (
        running_sandbox(key="k", faults=parse_faults("hang:1")) as sandbox,
        Api(Target(sandbox.base_url, "k", timeout_s=1)) as api,
    ):
        outcome = await api.request("POST", "/test-sets", b'{"display_name": "x"}')
    assert isinstance(outcome, NoAnswer)
    assert (outcome.sent, outcome.cause) == (True, Cause.TIMEOUT)


async def test_a_redirect_is_not_followed_and_the_key_stays_here() -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as (elsewhere, seen):
        moved = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere}/x\r\nContent-Length: 0\r\n\r\n".encode()
        async with raw_server(moved) as (url, _), Api(Target(url, "secret-key")) as api:
            answer = await api.request("POST", "/test-cases", b"{}")
            with pytest.raises(UnexpectedAnswerError, match="redirected"):
                await api.get("/test-cases")
    assert isinstance(answer, Answer)
    assert answer.status == 307
    assert seen == []


async def test_a_reply_that_repeats_the_key_is_read_without_it() -> None:
    said = b'{"error": {"code": "INVALID_ARGUMENT", "message": "bad key canary-4711", "details": []}}'
    reply = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said)
    async with raw_server(reply) as (url, _), Api(Target(url, "canary-4711")) as api:
        answer = await api.request("POST", "/test-cases", b"{}")
    assert isinstance(answer, Answer)
    assert refusal_of(answer).message == "bad key «hidden»"


@pytest.mark.parametrize("page", [b"<html>", b'{"test_sets": [5]}', b'{"other": []}'])
async def test_a_list_that_is_none_stops_with_a_sentence(page: bytes) -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page)
    async with raw_server(reply) as (url, _), Api(Target(url, "k"), pace=Pace(4, clock=Time().clock())) as api:
        with pytest.raises(UnexpectedAnswerError):
            _ = [item async for item in api.list(TEST_SETS)]


async def test_a_host_name_that_cannot_be_is_bad_usage() -> None:
    async with Api(Target(f"https://{'a' * 70}.example/v1", "k")) as api:
        with pytest.raises(UsageError):
            await api.request("GET", "/test-sets")


async def test_a_server_without_tls_is_told_from_a_bad_certificate() -> None:
    async with (
        running_sandbox(key="k") as sandbox,
        Api(Target(sandbox.base_url.replace("http://", "https://"), "k")) as api,
    ):
        outcome = await api.request("GET", "/test-sets")
    assert isinstance(outcome, NoAnswer)
    assert outcome.cause is Cause.TLS
    assert "http://" in outcome.explanation


async def test_a_refused_key_stops_a_read(sandbox: RunningSandbox) -> None:
    async with Api(Target(sandbox.base_url, "another-key")) as api:
        with pytest.raises(KeyRefusedError):
            await api.get("/test-sets")


async def test_a_read_is_asked_for_again_until_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = parse_faults("503:0.5", seed=3)
    pace = Pace(4, clock=Time().clock())
    async with running_sandbox(key="k", faults=faults) as sandbox, Api(Target(sandbox.base_url, "k"), pace=pace) as api:
        answers = [await api.get("/test-sets") for _ in range(5)]
    assert {answer.status for answer in answers} == {200}


async def test_a_read_that_nobody_answers_is_unreachable() -> None:
    async with Api(Target("http://127.0.0.1:1/v1", "k"), pace=Pace(4, clock=Time().clock())) as api:
        with pytest.raises(UnreachableError):
            await api.get("/test-sets")


async def test_a_list_has_every_item_of_every_page_once(api: Api) -> None:
    names = [f"set {number}" for number in range(230)]
    for name in names:
        await api.request("POST", "/test-sets", json.dumps({"display_name": name}).encode())
    listed = [item["display_name"] async for item in api.list(TEST_SETS, {"order_by": "create_time"})]
    assert listed == names


async def test_a_page_token_that_repeats_stops_the_list() -> None:
    page = b'{"test_cases": [], "next_page_token": "again"}'
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page)
    async with raw_server(reply) as (url, _), Api(Target(url, "k")) as api:
        with pytest.raises(UnexpectedAnswerError, match="token twice"):
            _ = [item async for item in api.list(TEST_CASES)]


@pytest.mark.parametrize("contract", list(Contract))
async def test_the_contract_is_seen_in_what_is_listed(contract: Contract) -> None:
    async with running_sandbox(key="k", contract=contract) as sandbox, Api(Target(sandbox.base_url, "k")) as api:
        assert await detect_contract(api) is contract, "its metrics tell"
        await api.request("POST", "/test-sets", b'{"display_name": "x"}')
        assert await detect_contract(api) is contract


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://api.coval.dev/v1", "https://api.coval.dev/v1"),
        ("https://api.coval.dev/v1/", "https://api.coval.dev/v1"),
        ("https://api.coval.dev", "https://api.coval.dev/v1"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
    ],
)
def test_a_base_url_has_v1_once(given: str, meant: str) -> None:
    assert normalise_base_url(given) == meant


@pytest.mark.parametrize(
    "url", ["api.coval.dev", "ftp://x/v1", "http://api.coval.dev/v1", "https://u:p@x/v1", "https://x:notaport/"]
)
def test_a_base_url_that_cannot_be_or_would_leak_the_key_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        normalise_base_url(url)


def test_the_key_is_in_no_printed_form() -> None:
    target = Target("https://api.coval.dev/v1", "sk-secret-canary", proxy="http://user:pass@proxy")
    assert "canary" not in repr(target)
    assert "pass" not in repr(target)
    assert "canary" not in target.key_fingerprint()


def _exception_classes() -> list[type[BaseException]]:
    found = {one for _, one in inspect.getmembers(client_exceptions, inspect.isclass) if issubclass(one, Exception)}
    return sorted(found, key=lambda one: one.__name__)


KNOWN = {
    "ClientConnectionError": Cause.BROKEN,
    "ClientConnectionResetError": Cause.BROKEN,
    "ClientConnectorCertificateError": Cause.TLS,
    "ClientConnectorDNSError": Cause.CONNECT,
    "ClientConnectorError": Cause.CONNECT,
    "ClientConnectorSSLError": Cause.TLS,
    "ClientError": Cause.BROKEN,
    "ClientHttpProxyError": Cause.CONNECT,
    "ClientOSError": Cause.BROKEN,
    "ClientPayloadError": Cause.BROKEN,
    "ClientProxyConnectionError": Cause.CONNECT,
    "ClientResponseError": Cause.BROKEN,
    "ClientSSLError": Cause.TLS,
    "ConnectionTimeoutError": Cause.CONNECT,
    "ContentTypeError": Cause.BROKEN,
    "InvalidURL": None,
    "InvalidUrlClientError": None,
    "InvalidUrlRedirectClientError": None,
    "NonHttpUrlClientError": None,
    "NonHttpUrlRedirectClientError": None,
    "RedirectClientError": Cause.BROKEN,
    "ServerConnectionError": Cause.BROKEN,
    "ServerDisconnectedError": Cause.BROKEN,
    "ServerFingerprintMismatch": Cause.TLS,
    "ServerTimeoutError": Cause.TIMEOUT,
    "SocketTimeoutError": Cause.TIMEOUT,
    "TooManyRedirects": Cause.BROKEN,
    "UnixClientConnectorError": Cause.CONNECT,
    "UploadAbortedError": Cause.BROKEN,
    "WSMessageTypeError": Cause.BROKEN,
    "WSServerHandshakeError": Cause.BROKEN,
}
"""What each of the library's exceptions means to us. A new one fails the test until somebody has thought about it."""


@pytest.mark.parametrize("kind", _exception_classes(), ids=lambda kind: kind.__name__)
def test_every_exception_of_the_library_is_known(kind: type[BaseException]) -> None:
    assert kind.__name__ in KNOWN
    error = kind.__new__(kind)
    expected = KNOWN[kind.__name__]
    if expected is None:
        with pytest.raises(UsageError):
            explain(error)
    else:
        assert explain(error)[0] is expected


def test_a_failure_is_explained_without_its_headers() -> None:
    request_info = aiohttp.RequestInfo(url=None, method="POST", headers={"X-API-Key": "canary"}, real_url=None)  # type: ignore[arg-type]
    error = aiohttp.ClientResponseError(request_info, (), status=500, message="boom")
    assert "canary" not in explain(error)[1]
    assert explain(ssl.SSLError("bad"))[0] is Cause.TLS
