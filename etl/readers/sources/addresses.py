"""Addresses: what may be shown of one, and where the file behind it lies.

It must never open a connection, and nothing it shows holds what follows the `?` of an address or the password before
its host: both are how an address carries a secret.
"""

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlencode, urlsplit, urlunsplit

from etl.batch import Certainty, Decision
from etl.errors import UsageError

WEB_SCHEMES = frozenset({"http", "https"})
CLOUD_SCHEMES = frozenset({"s3", "gs", "az"})

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
"""Of two characters and more: one alone is a Windows drive."""
_SHEETS_HOST = "docs.google.com"
_SHEET = re.compile(r"((?:/a/[\w.-]+)?/spreadsheets(?:/u/\d+)?/d/)(e/)?([\w-]+)(?:/(\w*))?/?")
"""Before the id, whether it is a published sheet's, the id, what is asked for."""
_PATH_CHARACTERS = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class Address:
    """An address that was typed, taken apart.

    `shown` is what messages and reports call it, `name` the last part of its path, `url` where it is fetched. In the
    cloud the `host` is the bucket, and the `path` the object's key, letter by letter as it was typed.
    """

    scheme: str
    host: str
    path: str
    shown: str
    name: str
    url: str = field(repr=False)
    decisions: tuple[Decision, ...] = ()


def is_address(typed: str) -> bool:
    """Whether this is an address, not the path of a file."""
    return _SCHEME.match(typed) is not None


def read_address(typed: str) -> Address:
    """What a typed address means. Raises UsageError: of a kind that is not read, no host, a password in it."""
    try:
        parts = urlsplit(typed.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError("The address cannot be understood.", "Write it as https://host/path/cases.csv.") from error
    shown = shown_form(parts)
    if parts.scheme not in WEB_SCHEMES | CLOUD_SCHEMES:
        raise UsageError(
            f"{shown} is an address of a kind that is not read.",
            "Read are http://, https://, s3://, gs:// and az://. Or download it, then give the file.",
        )
    if not host:
        raise UsageError(f"{shown} names no host.", "Write it as https://host/path/cases.csv.")
    if "@" in parts.netloc:
        raise UsageError(
            f"{shown} was given with a password in it, which others on this machine can see.",
            "Download it in another way, then give the file; or use an address that needs no password.",
        )
    if parts.scheme in CLOUD_SCHEMES:
        bucket, _, key = typed.strip().partition("://")[2].partition("/")
        return Address(parts.scheme, bucket, key, shown, PurePosixPath(key).name, "")
    sheet = _sheet_of(parts, host)
    if sheet is not None:
        return sheet
    name = PurePosixPath(unquote(parts.path)).name
    return Address(parts.scheme, host, parts.path, shown, name, fetchable(parts))


def shown_form(parts: SplitResult) -> str:
    """`https://host/path/cases.csv?…`: an address without what may be a secret."""
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{place}{parts.path}{'?…' if parts.query else ''}"


def fetchable(parts: SplitResult) -> str:
    """The address as it is sent: blanks and letters that are not ASCII are spelt with %, the fragment stays here.

    Raises UsageError for a host that no name server could know.
    """
    try:
        place = parts.netloc.encode("idna").decode() if not parts.netloc.isascii() else parts.netloc
    except UnicodeError as error:
        raise UsageError(f"{shown_form(parts)} has no valid host.", "Check how it is spelt.") from error
    path = quote(parts.path or "/", safe=_PATH_CHARACTERS)
    return urlunsplit((parts.scheme, place, path, quote(parts.query, safe=_PATH_CHARACTERS + "?[]"), ""))


def _sheet_of(parts: SplitResult, host: str) -> Address | None:
    """The CSV export of the Google Sheet that an address shows in a browser; None for every other address."""
    match = _SHEET.fullmatch(parts.path) if host == _SHEETS_HOST else None
    if match is None or match[4] in {"export", "gviz"} or (match[4] == "pub" and "output=" in parts.query):
        return None
    before, published, id_, _ = match.groups()
    gids = parse_qs(parts.query).get("gid", []) + parse_qs(parts.fragment).get("gid", [])
    gid = gids[-1] if gids and gids[-1].isdecimal() else None
    own = {"gid": gid} if gid else {}
    if published:
        path, query = f"{before}e/{id_}/pub", {"output": "csv", **own, **({"single": "true"} if gid else {})}
    else:
        path, query = f"{before}{id_}/export", {"format": "csv", **own}
    url = f"https://{_SHEETS_HOST}{path}?{urlencode(query)}"
    shown = f"https://{_SHEETS_HOST}{before}{published or ''}{id_}/{match[4] or ''}{f'#gid={gid}' if gid else ''}"
    decision = Decision(
        "address",
        url,
        "the CSV export of the sheet that the address shows: cells come as the sheet displays them"
        if gid
        else "the CSV export of the first sheet, because the address names none with gid=",
        Certainty.CERTAIN if gid else Certainty.LIKELY,
    )
    return Address("https", host, path, shown, "", url, (decision,))
