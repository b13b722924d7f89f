"""Download: a file behind an http(s) address, as a private copy.

It must never send a credential of any kind, and never takes a part of a file for the whole.

Done with Python's own http.client and not with aiohttp: readers are synchronous, and are called from inside a running
event loop, in which another cannot be run. urllib.request adds the proxies of the environment (`http_proxy`,
`https_proxy`, `no_proxy`); its redirects are not used, because they go from https to http, and take headers along.
Certificates are always checked; `SSL_CERT_FILE` names others to trust.
"""

import http.client
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import PurePath
from urllib.parse import urljoin, urlsplit

from etl.batch import Certainty, Decision
from etl.errors import FileError
from etl.readers.sources.addresses import WEB_SCHEMES, Address, fetchable, shown_form
from etl.readers.sources.source import Source, found
from etl.readers.sources.spool import Spool
from etl.version import __version__

MOST_BYTES = 20 << 30
"""A larger file is not downloaded: it would rather be a stream without an end."""
MOST_REDIRECTS = 5
TIMEOUT_S = 30.0
"""How long a connection may take, and how long no byte may come."""
_CHUNK_BYTES = 1 << 20
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SIGN_IN_HOSTS = frozenset({"accounts.google.com", "login.microsoftonline.com", "login.live.com"})
_IN_ANOTHER_WAY = "Download it in another way, then give the file."
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3}).*", re.DOTALL)
_WORDS: tuple[tuple[type[Exception], str, str], ...] = (
    (TimeoutError, "no byte came for {timeout_s:g} seconds", "Try again later."),
    (socket.gaierror, "its host is not known", "Check how it is spelt, and the network."),
    (http.client.IncompleteRead, "the server closed the connection too early", "Try again."),
    (ConnectionResetError, "the server closed the connection too early", "Try again."),
    (ssl.SSLError, "no secure connection could be made", "Perhaps it is an http:// address."),
    (http.client.HTTPException, "the server does not speak HTTP as it should", _IN_ANOTHER_WAY),
    (ValueError, "the server does not speak HTTP as it should", _IN_ANOTHER_WAY),
    (Exception, "{reason}", "Check the address, the network and the proxies' settings."),
)
"""What an exception is called, the first that fits."""
_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_ENDINGS = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/json": ".json",
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/yaml": ".yaml",
}
"""What a server calls a text, as the ending of a name. Other formats are told by their content."""


def download(
    address: Address,
    *,
    most_bytes: int = MOST_BYTES,
    timeout_s: float = TIMEOUT_S,
) -> Source:
    """The file behind an address. `timeout_s` bounds connecting, and every wait for a byte.

    Raises FileError: not reached, not found, not allowed, a web page instead of a file, too large, cut off, no room.
    """
    opener = _opener()
    url = address.url
    for _ in range(MOST_REDIRECTS + 1):
        with _asked(opener, address, url, timeout_s) as reply:
            if reply.status not in _REDIRECTS:
                return _kept(address, url, reply, most_bytes)
            url = _followed(address, url, reply.headers.get("Location"))
    raise FileError(f"{address.shown} redirects more than {MOST_REDIRECTS} times.", "Give the address it leads to.")


def _followed(address: Address, url: str, location: str | None) -> str:
    """Where a redirect leads. Raises FileError where that is not to be followed."""
    shown = address.shown
    try:
        parts = urlsplit(urljoin(url, location or ""))
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not location or not host or parts.scheme not in WEB_SCHEMES:
        raise FileError(f"{shown} redirects to something that is no http(s) address.", _IN_ANOTHER_WAY)
    if host in _SIGN_IN_HOSTS:
        raise _sign_in(shown)
    if urlsplit(url).scheme == "https" and parts.scheme == "http":
        raise FileError(
            f"{shown} redirects to {shown_form(parts)}, where anybody on the way could change the file.",
            "That is never followed. Look for an https address of the file.",
        )
    if "@" in parts.netloc:
        raise FileError(f"{shown} redirects to an address with a password in it.", _IN_ANOTHER_WAY)
    return fetchable(parts)


def _sign_in(shown: str) -> FileError:
    return FileError(
        f"{shown} can only be read after signing in.",
        'Share it with "anyone with the link", or download it in a browser and give the file.',
    )


def _opener() -> urllib.request.OpenerDirector:
    """What asks: through the proxies of the environment, without redirects, cookies or passwords."""
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
    opener.add_handler(urllib.request.UnknownHandler())
    opener.addheaders = []
    return opener


@contextmanager
def _asked(
    opener: urllib.request.OpenerDirector, address: Address, url: str, timeout_s: float
) -> Iterator[http.client.HTTPResponse]:
    """The reply to one GET. What goes wrong until it is closed becomes a FileError."""
    host = urlsplit(url).hostname
    shown = address.shown if host == address.host else f"{address.shown} (redirected to {host})"
    headers = {"User-Agent": f"coval-etl/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310  # an opener for http and https only
        with opener.open(request, timeout=timeout_s) as reply:
            yield reply
    except urllib.error.URLError as error:
        reason = error.reason if isinstance(error.reason, Exception) else error
        raise _unreached(shown, reason, timeout_s) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreached(shown, error, timeout_s) from error


def _unreached(shown: str, error: Exception, timeout_s: float) -> FileError:
    """Why no file came, in words. Never the exception's own: they may quote the address or a proxy's password."""
    tunnel = _TUNNEL.match(str(error))
    if tunnel is not None:
        words, hint = f"the proxy answered {tunnel[1]}", "Check the settings https_proxy, http_proxy and no_proxy."
    elif isinstance(error, ssl.SSLCertVerificationError):
        words = f"the server's certificate is not accepted ({error.verify_message})"
        hint = "This check is never switched off. A certificate authority of your own: SSL_CERT_FILE=ca.pem"
    else:
        words, hint = next((words, hint) for kind, words, hint in _WORDS if isinstance(error, kind))
    reason = (error.strerror if isinstance(error, OSError) else None) or "it could not be reached"
    return FileError(f"{shown} was not read: {words.format(timeout_s=timeout_s, reason=reason)}.", hint)


def _kept(address: Address, url: str, reply: http.client.HTTPResponse, most_bytes: int) -> Source:
    """A copy of the file in a reply, when it is one and all of it came."""
    _refuse_status(address, reply.status)
    _refuse_encoding(address, reply)
    announced = reply.length
    if announced is None and not reply.chunked:
        raise FileError(
            f"{address.shown} was not read: the server does not say where the file ends, so that a part of it could be "
            "missing.",
            _IN_ANOTHER_WAY,
        )
    if (announced or 0) > most_bytes:
        raise _too_large(address, most_bytes)
    with Spool(address.shown) as spool:
        while chunk := reply.read(_CHUNK_BYTES):
            spool.write(chunk)
            if spool.size_bytes > most_bytes:
                raise _too_large(address, most_bytes)
        if announced is not None and spool.size_bytes != announced:
            raise FileError(
                f"{address.shown} was cut off: {spool.size_bytes:,} of {announced:,} bytes came.", "Try again."
            )
        name = _name_of(address, reply)
        source = found(address.shown, address.shown, name, spool.seal().path, spool=spool)
    if _PAGE.match(source.head):
        source.close()
        raise _web_page(address)
    by_way_of = urlsplit(url).hostname
    evidence = (
        f"{spool.size_bytes:,} bytes, as many as the server announced"
        if announced is not None
        else (f"{spool.size_bytes:,} bytes, to the end that the server marked")
    )
    if by_way_of != address.host:
        evidence += f", by way of {by_way_of}"
    source.decisions = (*address.decisions, Decision("download", address.shown, evidence, Certainty.CERTAIN))
    return source


def _refuse_status(address: Address, status: int) -> None:
    if status == HTTPStatus.OK:
        return
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}:
        raise _sign_in(address.shown)
    if status == HTTPStatus.FORBIDDEN:
        raise FileError(
            f"{address.shown} may not be read: the server answered 403.",
            "An address that holds a permission may have expired: ask for a new one. Or download it in a browser.",
        )
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        raise FileError(f"{address.shown} does not exist: the server answered {status}.", "Check how it is spelt.")
    known = f" {HTTPStatus(status).phrase}" if status in HTTPStatus._value2member_map_ else ""
    again = status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500
    raise FileError(
        f"{address.shown} was not read: the server answered {status}{known}.",
        "Try again later." if again else _IN_ANOTHER_WAY,
    )


def _refuse_encoding(address: Address, reply: http.client.HTTPResponse) -> None:
    """What is packed for the way is unpacked like any file, by its first bytes; that cannot tell these."""
    encoding = (reply.headers.get("Content-Encoding") or "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip", "zstd", "bzip2", "xz", "aws-chunked", ""}:
        raise FileError(
            f"{address.shown} was not read: the server sends it encoded as {encoding[:20]!r}, which was not asked for.",
            _IN_ANOTHER_WAY,
        )


def _name_of(address: Address, reply: http.client.HTTPResponse) -> str:
    """The name whose ending hints at the format: the server's, else the address's, else one by the kind it says."""
    name = PurePath((reply.headers.get_filename() or "").replace("\\", "/")).name or address.name
    ending = _ENDINGS.get(reply.headers.get_content_type())
    return f"{name}{ending}" if ending and not PurePath(name).suffix else name


def _too_large(address: Address, most_bytes: int) -> FileError:
    return FileError(
        f"{address.shown} is larger than {most_bytes:,} bytes, the most that is downloaded.", _IN_ANOTHER_WAY
    )


def _web_page(address: Address) -> FileError:
    if address.host == "docs.google.com":
        return _sign_in(address.shown)
    return FileError(
        f"{address.shown} is a web page, not a file.",
        "Give the address of the file itself (often a link called Raw or Download); if that needs signing in, download "
        "it in a browser and give the file.",
    )
