"""The way to the API, step by step: its name, a connection, its certificate. It must never send a request."""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from etl.api.transport import CONNECT_LIMIT_S, explain, trusting
from etl.errors import EtlError, TlsError, UnreachableError

SHOWN_ADDRESSES = 3


class Hop(NamedTuple):
    """One step: what it leads over (`name`, `connection`, `certificate`), what was found, or why it ends here.

    `ends`: when the certificate will no longer be valid.
    """

    over: str
    found: str
    error: EtlError | None = None
    ends: datetime | None = None


async def hops_to(url: str, ca_bundle: str | None) -> AsyncIterator[Hop]:
    """Each step on the way to a URL (of an API or of a proxy), until one fails.

    Raises UsageError for a `ca_bundle` that cannot be read.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    trust = trusting(ca_bundle) if parts.scheme == "https" else None
    if not _is_address(host):
        named = await _look_up(host, port)
        yield named
        if named.error is not None:
            return
    begun_s = time.monotonic()
    try:
        async with asyncio.timeout(CONNECT_LIMIT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        yield Hop("connection", "", UnreachableError(f"No connection to {host}:{port}: {_words(error)}.", _BLOCKED))
        return
    try:
        yield Hop("connection", f"{host}:{port}, after {_ms(begun_s)}")
        if trust is not None:
            yield await _secure(writer, trust, host)
    finally:
        writer.transport.abort()


_BLOCKED = "Is the address right, and may this machine reach it? Behind a firewall, HTTPS_PROXY names the way out."


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        return bool(ip_address(host))
    return False


async def _look_up(host: str, port: int) -> Hop:
    begun_s = time.monotonic()
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_LIMIT_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        words = f"The name {host} was not looked up within {CONNECT_LIMIT_S:.0f} seconds."
        return Hop("name", "", UnreachableError(words, "Check this machine's name servers."))
    except (OSError, UnicodeError) as error:
        words = f"There is no address for the name {host}: {getattr(error, 'strerror', None) or 'it is no name'}."
        return Hop(
            "name", "", UnreachableError(words, "Check the base URL's spelling, and this machine's name servers.")
        )
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    shown = ", ".join(addresses[:SHOWN_ADDRESSES]) + (", …" if len(addresses) > SHOWN_ADDRESSES else "")
    return Hop("name", f"{host} is {shown}, after {_ms(begun_s)}")


async def _secure(writer: asyncio.StreamWriter, trust: ssl.SSLContext, host: str) -> Hop:
    try:
        async with asyncio.timeout(CONNECT_LIMIT_S):
            await writer.start_tls(trust, server_hostname=host)
    except TimeoutError:
        words = f"The server did not agree on TLS within {CONNECT_LIMIT_S:.0f} seconds."
        return Hop("certificate", "", TlsError(words, "Is its address https:// at all?"))
    except (OSError, ssl.SSLError) as error:
        _, words = explain(error)
        return Hop("certificate", "", TlsError(words, "For a private certificate authority give --ca-bundle FILE."))
    secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
    certificate = secured.getpeercert() or {}
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    return Hop("certificate", f"{secured.version()}, valid until {ends:%Y-%m-%d}", ends=ends)


def _words(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"nobody answered within {CONNECT_LIMIT_S:.0f} seconds"
    return os.strerror(error.errno) if error.errno else "none of its addresses answers"


def _ms(begun_s: float) -> str:
    return f"{(time.monotonic() - begun_s) * 1000:.0f} ms"
