"""The session: one door to the network. It must never know a resource's meaning, and never shows the key.

Foreign exceptions are translated here and nowhere else (`explain`); a test walks aiohttp's exception classes.
"""

import asyncio
import hashlib
import io
import json
import random
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace, TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from etl.api.answers import Answer, Cause, NoAnswer, refusal_of
from etl.errors import KeyRefusedError, TlsError, UnexpectedAnswerError, UnreachableError, UsageError
from etl.quoting import HIDDEN
from etl.resources import Resource
from etl.version import __version__

IDLE_LIMIT_S = 2.0
"""A connection that was idle for longer is not used again: a stale one looks exactly like one that carried a POST."""

KEY_LENGTH = 8
"""A shorter key is no secret, and would be found in any text."""
LARGE_BODY_BYTES = 1 << 19
GET_ATTEMPTS = 4
"""How often a GET may fail before its failure counts."""
GET_WAITS = 20
"""How often it is asked for at all: being told to wait is no failure."""
WAIT_STATUSES = frozenset({425, 429})
AGAIN_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Replies to a GET that are asked for again."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and as whom. The key is never part of its printed form.

    `base_url` ends in `/v1` (see `normalise_base_url`); `workspace` becomes the header `x-coval-workspace-id`;
    `timeout_s` bounds a whole request; `proxy` is a URL or None.
    """

    base_url: str
    key: str = field(repr=False)
    workspace: str | None = None
    timeout_s: float = 30.0
    ca_bundle: str | None = None
    proxy: str | None = field(default=None, repr=False)

    def key_fingerprint(self) -> str:
        """A one-way mark of the key, to tell one key from another: 16 hexadecimal digits of a SHA-256."""
        return hashlib.sha256(b"coval-etl key fingerprint\0" + self.key.encode()).hexdigest()[:16]


def normalise_base_url(url: str) -> str:
    """The base URL with `/v1` once and no trailing slash.

    Raises UsageError for what is no http(s) URL, and for plain http to anywhere but this machine: the key would
    travel readable.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or parts.username:
        raise UsageError(f"{url!r} is not a base URL.", "Give one such as https://api.coval.dev/v1.")
    if parts.scheme == "http" and host not in {"localhost", "127.0.0.1", "::1"}:
        raise UsageError(f"{url} would send the key unencrypted.", "Use https://; plain http is for this machine only.")
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"


class Api:
    """An open session. Use it as an async context manager."""

    def __init__(self, target: Target, connections: int = 16) -> None:
        """`connections`: how many may be open at once; the caller never has more requests in flight."""
        self.target = target
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_mark_handed_over)
        trace.on_connection_reuseconn.append(_mark_handed_over)
        headers = {
            "X-API-Key": self.target.key,
            "Accept": "application/json",
            "User-Agent": f"coval-etl/{__version__}",
        }
        if self.target.workspace:
            headers["x-coval-workspace-id"] = self.target.workspace
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=IDLE_LIMIT_S, ssl=_tls(self.target.ca_bundle)
            ),
            timeout=aiohttp.ClientTimeout(total=self.target.timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[trace],
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self, method: str, path: str, body: bytes | None = None, query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        """One request, once: never repeated, never redirected. `body` is JSON. Raises UsageError for a bad URL."""
        if self._session is None:
            raise RuntimeError("the session is not open")
        handed_over = SimpleNamespace(value=False)
        started = time.monotonic()
        try:
            async with self._session.request(
                method,
                f"{self.target.base_url}{path}",
                data=_as_payload(body),
                params=query,
                headers={"Content-Type": "application/json"} if body is not None else None,
                allow_redirects=False,
                proxy=self.target.proxy,
                trace_request_ctx=handed_over,
            ) as reply:
                parsed = await self._read_json(reply)
                headers = {name.lower(): value for name, value in reply.headers.items()}
                return Answer(reply.status, parsed, headers, time.monotonic() - started)
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError, UnicodeError) as error:
            cause, explanation = explain(error)
            return NoAnswer(handed_over.value, cause, explanation, time.monotonic() - started)

    async def _read_json(self, reply: aiohttp.ClientResponse) -> Any:
        """The JSON of a reply, or None where there is none to be had: the status alone has been received.

        A reply that repeats the key is read without it.
        """
        try:
            text = await reply.read()
            if len(self.target.key) >= KEY_LENGTH:
                text = text.replace(self.target.key.encode(), HIDDEN.encode())
            return json.loads(text)
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError, OSError):
            return None

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """A GET, asked for again where that may help. The answer is 2xx with a JSON body, or 404.

        Raises KeyRefusedError (401), UnreachableError, TlsError, UnexpectedAnswerError (anything else).
        """
        failures = waits = 0
        while True:
            outcome = await self.request("GET", path, query=query)
            waits += 1
            failures += not (isinstance(outcome, Answer) and outcome.status in WAIT_STATUSES)
            if not _worth_again(outcome) or failures >= GET_ATTEMPTS or waits >= GET_WAITS:
                return _usable(outcome, f"GET {path}")
            await asyncio.sleep(_wait_s(outcome, waits))

    async def list(self, resource: Resource, query: Mapping[str, str] | None = None) -> AsyncIterator[dict[str, Any]]:
        """Every item of a list, page by page. Raises as `get`, and UnexpectedAnswerError for a list that is no list."""
        asked = {"page_size": str(resource.page_size_max)} | dict(query or {})
        seen: set[str] = set()
        while True:
            answer = await self.get(resource.path, asked)
            items = answer.body.get(resource.plural) if isinstance(answer.body, dict) else None
            if answer.status == 404 or not isinstance(items, list):
                raise UnexpectedAnswerError(f"GET {resource.path} did not answer a list of {resource.name}.")
            for item in items:
                if not isinstance(item, dict):
                    raise UnexpectedAnswerError(f"GET {resource.path} answered a list of something else.")
                yield item
            token = answer.body.get("next_page_token")
            if not token:
                return
            if token in seen:
                raise UnexpectedAnswerError(f"GET {resource.path} gave the same page token twice.")
            seen.add(token)
            asked["page_token"] = token


def _worth_again(outcome: Answer | NoAnswer) -> bool:
    if isinstance(outcome, NoAnswer):
        return outcome.cause is not Cause.TLS
    return outcome.status in AGAIN_STATUSES or (outcome.status == 200 and outcome.body is None)


def _wait_s(outcome: Answer | NoAnswer, times: int) -> float:
    """What the reply asks for in seconds, at most a minute; else full jitter below a limit that doubles."""
    text = outcome.headers.get("retry-after", "") if isinstance(outcome, Answer) else ""
    if text.isascii() and text.isdigit():
        return min(float(text), 60.0)
    return random.uniform(0, min(20.0, 0.5 * 2**times))  # noqa: S311  (spreads requests; nothing depends on its secrecy)


def _usable(outcome: Answer | NoAnswer, what: str) -> Answer:
    if isinstance(outcome, NoAnswer):
        if outcome.cause is Cause.TLS:
            raise TlsError(outcome.explanation, "For a private certificate authority give --ca-bundle FILE.")
        raise UnreachableError(outcome.explanation, "Check the base URL and the network, then try again.")
    if outcome.status == 401:
        raise KeyRefusedError("The API refused the key (401).", "Check COVAL_API_KEY and that it belongs to this API.")
    if outcome.status == 404 or (200 <= outcome.status < 300 and outcome.body is not None):
        return outcome
    if 300 <= outcome.status < 400:
        raise UnexpectedAnswerError(
            f"{what} was redirected ({outcome.status}).", "Redirects are not followed: they could carry the key away."
        )
    if outcome.status < 300:
        raise UnexpectedAnswerError(f"{what} was answered, but not with JSON.", "Is the base URL that of the API?")
    raise UnexpectedAnswerError(f"{what} was answered {outcome.status}: {refusal_of(outcome).message}")


async def _mark_handed_over(_session: aiohttp.ClientSession, context: SimpleNamespace, _facts: object) -> None:
    context.trace_request_ctx.value = True


def _as_payload(body: bytes | None) -> bytes | io.BytesIO | None:
    """Large bodies are sent in pieces: at once they would hold up every other request."""
    return io.BytesIO(body) if body is not None and len(body) > LARGE_BODY_BYTES else body


def _tls(ca_bundle: str | None) -> ssl.SSLContext | bool:
    if ca_bundle is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{ca_bundle} is not a readable file of certificates: {error}.") from None


_TLS_ERRORS = (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch, ssl.SSLError)
_CONNECT_ERRORS = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
_IMPOSSIBLE_URLS = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, UnicodeError)


def explain(error: BaseException) -> tuple[Cause, str]:
    """What a failure of the network library means. Raises UsageError for a URL that can never work."""
    if isinstance(error, _IMPOSSIBLE_URLS):
        raise UsageError("The base URL is not one that can be asked.") from None
    if getattr(getattr(error, "os_error", error), "reason", None) == "WRONG_VERSION_NUMBER":
        return Cause.TLS, "The server does not speak TLS: is its address http:// and not https://?"
    if isinstance(error, _TLS_ERRORS):
        return Cause.TLS, f"The server's certificate was not accepted: {_reason(error)}."
    if isinstance(error, _CONNECT_ERRORS):
        return Cause.CONNECT, f"No connection to the API: {_reason(error)}."
    if isinstance(error, TimeoutError):
        return Cause.TIMEOUT, "No answer within the timeout."
    return Cause.BROKEN, f"The connection broke: {_reason(error)}."


def _reason(error: BaseException) -> str:
    """The innermost plain words of an error; never its repr, which can hold request headers."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answered {getattr(error, 'status', 'nothing')}"
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    words = getattr(inner, "strerror", None) or getattr(inner, "verify_message", None) or type(inner).__name__
    return str(words).rstrip(".")
