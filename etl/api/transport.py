"""One request to Coval, once: the door to the network. It must never know a resource, and never shows the key.

Foreign exceptions are translated here and nowhere else (`explain`); a test walks aiohttp's exception classes.
"""

import hashlib
import json
import math
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace, TracebackType
from typing import Any, Protocol, Self
from urllib.parse import quote, urlsplit

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from etl.api.answers import Answer, Cause, NoAnswer
from etl.crashpoints import reach
from etl.errors import UsageError
from etl.quoting import HIDDEN
from etl.version import __version__

IDLE_LIMIT_S = 2.0
"""A connection that was idle for longer is not used again: a stale one looks exactly like one that carried a POST."""
CONNECT_LIMIT_S = 15.0
"""How long one connection may take to be made, TLS included."""
KEY_LENGTH = 8
"""A shorter key is no secret, and would be found in any text."""
HAND_OVER_S = 30.0
"""So long after it was asked for a request may still leave. A job's lease lasts that much longer than sending does."""
PIECE_BYTES = 1 << 16
"""Large bodies are sent in pieces: at once they would hold up every other request."""


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
    if parts.username is not None:
        raise UsageError("The base URL holds a name or a password.", "Leave it out: the key is what the API asks for.")
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise UsageError(f"{url!r} is not a base URL.", "Give one such as https://api.coval.dev/v1.")
    if parts.scheme == "http" and host not in {"localhost", "127.0.0.1", "::1"}:
        raise UsageError(f"{url} would send the key unencrypted.", "Use https://; plain http is for this machine only.")
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"


class Transport(Protocol):
    """What carries a request. `Api` has its own, over the network; the simulator gives another."""

    async def request(
        self, method: str, path: str, body: bytes | None = None, query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        """One request, once: never repeated, never redirected. `path` is below the base URL, `body` is JSON.

        The outcome's `elapsed_s` is what it took; the pace learns from it.
        """


class HttpTransport:
    """Requests over the network. Use it as an async context manager. `sent`: how many of which something may have left.

    Entering raises UsageError for a key or a workspace that no header can hold, and for an unreadable `ca_bundle`.
    """

    def __init__(self, target: Target, connections: int = 16) -> None:
        """`connections`: how many may be open at once; the caller never has more requests in flight."""
        self.sent = 0
        self._target = target
        self._quoted_key = quote(target.key, safe="", errors="replace")
        telling = (target.key.encode(errors="replace"), self._quoted_key.encode(), b"\\u", b"\\/")
        self._telling = re.compile(b"|".join(map(re.escape, telling)))
        self._connections = connections
        # Never the defaults of a session: those are sent to proxies, too.
        self._headers = {"X-API-Key": target.key}
        if target.workspace:
            self._headers["x-coval-workspace-id"] = target.workspace
        self._writing: aiohttp.ClientSession | None = None
        self._reading: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        target = self._target
        if not all(text.isascii() and text.isprintable() for text in (target.key, target.workspace or "")):
            raise UsageError("The API key or the workspace holds characters that none has.")
        connector = aiohttp.TCPConnector(
            limit=self._connections,
            keepalive_timeout=IDLE_LIMIT_S,
            ssl=True if target.ca_bundle is None else trusting(target.ca_bundle),
        )
        opened = partial(
            aiohttp.ClientSession,
            headers={"Accept": "application/json", "User-Agent": f"coval-etl/{__version__}"},
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=target.timeout_s, sock_connect=min(CONNECT_LIMIT_S, target.timeout_s)),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._writing = opened()
        self._reading = opened(connector_owner=False, trace_configs=[_trace()], middlewares=(_once,))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in (self._reading, self._writing):
            if session is not None:
                await session.close()

    async def request(
        self, method: str, path: str, body: bytes | None = None, query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        """One request, once: never repeated, never redirected. `body` is JSON. Raises UsageError for a bad URL."""
        session = self._reading if body is None else self._writing
        if session is None:
            raise RuntimeError("the session is not open")
        passage = _Passage(_awake_s() + HAND_OVER_S)
        started = time.monotonic()
        try:
            async with session.request(
                method,
                f"{self._target.base_url}{path}",
                data=None if body is None else _Body(body, passage),
                params=query,
                headers=self._headers,
                allow_redirects=False,
                proxy=self._target.proxy,
                trace_request_ctx=passage,
            ) as reply:
                parsed = await self._read_json(reply)
                return Answer(reply.status, parsed, self._kept(reply.headers), time.monotonic() - started)
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError, UnicodeError) as error:
            cause, explanation = explain(error)
            return NoAnswer(passage.begun, cause, explanation, time.monotonic() - started)
        finally:
            passage.until_s = -math.inf  # what has not left by now does not leave any more: the outcome is told
            self.sent += passage.begun

    def _kept(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {
            lower: self._hide(value)
            for name, value in headers.items()
            if (lower := name.lower()) in _KEPT_HEADERS or "ratelimit" in lower
        }

    async def _read_json(self, reply: aiohttp.ClientResponse) -> Any:
        """The JSON of a reply, or None where there is none to be had: the status alone has been received.

        A reply that repeats the key is read without it.
        """
        try:
            text = await reply.read()
            parsed = json.loads(text)
            return self._hide_within(parsed) if self._may_tell(text) else parsed
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError, OSError):
            return None

    def _may_tell(self, text: bytes) -> bool:
        """Whether the key can be in a reply: as it is, as a URL has it, or in JSON's escapes."""
        return self._telling.search(text) is not None

    def _hide(self, text: str) -> str:
        key = self._target.key
        if len(key) < KEY_LENGTH:
            return text
        return text.replace(key, HIDDEN).replace(self._quoted_key, HIDDEN)

    def _hide_within(self, value: Any) -> Any:
        """A parsed reply without the key, however its text spelt it. Raises RecursionError for one that is too deep."""
        if isinstance(value, str):
            return self._hide(value)
        if isinstance(value, list):
            return [self._hide_within(one) for one in value]
        if isinstance(value, dict):
            return {self._hide(name): self._hide_within(one) for name, one in value.items()}
        return value


class _InterruptedError(aiohttp.ClientError):
    """No answer after the hand-over. A GET or DELETE that ends in the library's own class is repeated by it."""

    def __init__(self, error: OSError | aiohttp.ServerDisconnectedError) -> None:
        super().__init__()
        self.os_error = error


async def _once(request: aiohttp.ClientRequest, carry: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """One request is one request: aiohttp repeats idempotent ones silently, once, when their connection breaks."""
    try:
        return await carry(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientSSLError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _InterruptedError(error) from None


_KEPT_HEADERS = frozenset({"date", "retry-after", "x-request-id"})
"""Of a reply's headers; beside those that state a limit."""


@dataclass(slots=True)
class _Passage:
    """How far a request has come. `begun`: some of it may have left.

    `until_s`: nothing of it leaves later than this. Whoever slept until then may have lost the job to another process.
    """

    until_s: float
    begun: bool = False

    def must_be_open(self, *, untouched: bool) -> None:
        """Raises TimeoutError where this process slept too long. `untouched`: nothing of the request has left."""
        if _awake_s() > self.until_s:
            self.begun = not untouched
            raise TimeoutError


def _trace() -> aiohttp.TraceConfig:
    """How far a request without a body has come: whatever follows a connection may have left."""
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(_mark_handed_over)
    trace.on_connection_reuseconn.append(_mark_handed_over)
    trace.on_request_headers_sent.append(_must_be_open)
    return trace


async def _mark_handed_over(_session: aiohttp.ClientSession, context: SimpleNamespace, _facts: object) -> None:
    # No look at the clock here: a connection that was given to a request which then raises is never closed.
    context.trace_request_ctx.begun = True


async def _must_be_open(_session: aiohttp.ClientSession, context: SimpleNamespace, _facts: object) -> None:
    context.trace_request_ctx.must_be_open(untouched=False)


class _Body(aiohttp.Payload):
    """The body of a request. Before its first piece nothing leaves (the head waits for it), so that here it begins, and
    here is the last moment at which to look at the clock."""

    def __init__(self, body: bytes, passage: _Passage) -> None:
        super().__init__(body, content_type="application/json")
        self._size = len(body)
        self._passage = passage

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return str(self._value, encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        self._passage.begun = True
        for at in range(0, len(self._value), PIECE_BYTES):
            reach("handed-over")
            self._passage.must_be_open(untouched=at == 0)
            await writer.write(self._value[at : at + PIECE_BYTES])


def _awake_s() -> float:
    """Seconds of a clock that goes on while the machine sleeps, where the system has one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def trusting(ca_bundle: str | None) -> ssl.SSLContext:
    """What certificates are held against: the system's, or those of a file. Raises UsageError for an unreadable one."""
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except (OSError, ssl.SSLError) as error:
        why = "none is in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageError(
            f"{ca_bundle} is not a readable file of certificates: {why}.",
            "It holds them as PEM: -----BEGIN CERTIFICATE.",
        ) from None


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
