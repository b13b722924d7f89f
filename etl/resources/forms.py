"""Forms of text that the pages ask for: ids, phone numbers, URLs, JSON inside strings, sizes.

Each form is an annotated pydantic type, so that a model states its rules in its fields. This file must never know which
resource uses a form.
"""

import json
import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from etl.problems import Code

KB = 1024
"""Sizes on the pages are read as powers of two: the vendor's client caps `custom_persona_data`, 16 KB, at 16,383."""
MB = 1024 * KB

Id22 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{22}$")]
"""Agents, personas, metrics, test cases, run templates, runs: 22 letters and digits."""
Id8 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{8}$")]
"""Test sets: 8 letters and digits."""
Id8Or22 = Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z0-9]{8}|[A-Za-z0-9]{22})$")]
"""`test_set_ids` of an agent under 2025-10: the page prints 22, every test set id elsewhere has 8: both pass."""
Id26 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{26}$")]
"""Mutations: 26 letters and digits."""
Length22 = Annotated[str, StringConstraints(min_length=22, max_length=22)]
Length8 = Annotated[str, StringConstraints(min_length=8, max_length=8)]
Length26 = Annotated[str, StringConstraints(min_length=26, max_length=26)]
Tags = Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=200)]], Field(max_length=20)]

E164 = re.compile(r"\+[1-9][0-9]{1,14}")
SIP = re.compile(r"sips?:[^\s@:]+(?::[^\s@]*)?@[^\s@]+", re.IGNORECASE)
TEMPLATE_VARIABLE = re.compile(r"\{\{.*?\}\}", re.DOTALL)

_IN_WORDS = {
    "^[A-Za-z0-9]{22}$": "22 letters and digits",
    "^[A-Za-z0-9]{8}$": "8 letters and digits",
    "^(?:[A-Za-z0-9]{8}|[A-Za-z0-9]{22})$": "8 letters and digits (or 22)",
    "^[A-Za-z0-9]{26}$": "26 letters and digits",
    "^[a-z0-9_-]+$": "lower-case letters, digits, _ and - only",
    "^[0-9#*+(). -]+$": "digits, # and * (spaces and + ( ) . - are allowed)",
}


def pattern_in_words(pattern: str) -> str:
    """What a pattern of the models asks for, to be read after "should be": `22 letters and digits`, `one of a, b`."""
    choices = re.fullmatch(r"\^\((?!\?)(.+)\)\$", pattern)
    if choices:
        return "one of " + ", ".join(re.sub(r"\[.*?\]\+", "…", choice) for choice in choices[1].split("|"))
    return _IN_WORDS.get(pattern, f"text that matches {pattern}")


def is_phone_number(text: object) -> bool:
    """E.164, as `+12345678901` (create-agent page, `phone_number`)."""
    return isinstance(text, str) and E164.fullmatch(text) is not None


def _phone_or_sip(text: str) -> str:
    if not (is_phone_number(text) or SIP.fullmatch(text)):
        raise PydanticCustomError(
            Code.WRONG_FORM,
            "should be a phone number such as +12345678901 or a SIP address such as sip:user@domain.com",
        )
    return text


PHONE_OR_SIP = AfterValidator(_phone_or_sip)


def url_fault(text: str, schemes: tuple[str, ...], *, public: bool) -> str | None:
    """What is wrong with a URL, as the end of a sentence ("should be …"); None when nothing is.

    `public` refuses localhost and addresses that are private, link-local or reserved, in every spelling that a
    resolver takes: dotted, integer, octal, hexadecimal, IPv6-mapped (create-agent page: "validated, no private
    IPs/localhost"). Names are not resolved: the API does that.
    """
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        return f"should be a {wanted} URL without spaces or line breaks"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"should be a {wanted} URL"
    if parts.scheme.lower() not in schemes or not host:
        return f"should be a {wanted} URL"
    if public and _is_private(host):
        return "should be a public address: localhost and private networks are refused by the API"
    return None


def _is_private(host: str) -> bool:
    # As a resolver reads it: full-width digits and full stops are digits and dots.
    name = unicodedata.normalize("NFKC", host).replace("\u3002", ".").rstrip(".").lower()
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
        return True
    address = _address(name)
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    return address is not None and (not address.is_global or address.is_multicast or address.is_reserved)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host part spells, also in the forms of `inet_aton`: `2130706433`, `0x7f.1`, `0177.0.0.1`."""
    try:
        return ip_address(host.split("%", maxsplit=1)[0])
    except ValueError:
        pass
    numbers = []
    for part in host.split("."):
        if not re.fullmatch(r"0x[0-9a-f]*|[0-9]+", part):
            return None
        try:
            numbers.append(
                int(part[2:] or "0", 16) if part.startswith("0x") else int(part, 8 if part.startswith("0") else 10)
            )
        except ValueError:
            return None
    if len(numbers) > 4 or any(number > 255 for number in numbers[:-1]):
        return None
    value = numbers[-1] + sum(number << (24 - 8 * place) for place, number in enumerate(numbers[:-1]))
    return IPv4Address(value) if value < 1 << 32 else None


def _url(schemes: tuple[str, ...], *, public: bool) -> AfterValidator:
    def check(text: str) -> str:
        fault = url_fault(text, schemes, public=public)
        if fault:
            raise PydanticCustomError(Code.BAD_URL, "{fault}", {"fault": fault})
        return text

    return AfterValidator(check)


HTTP_URL = _url(("http", "https"), public=False)
"""Any http or https URL (`endpoint`: "Must be a valid HTTP/HTTPS URL")."""
PublicHttpUrl = Annotated[str, _url(("http", "https"), public=True)]
PublicWssUrl = Annotated[str, _url(("wss",), public=True)]


def json_size(value: Any) -> int:
    """Bytes of a JSON value written compactly as UTF-8; of a string, its own bytes (it holds JSON text)."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def at_most(limit_bytes: int) -> BeforeValidator:
    """A JSON value of at most so many bytes. Sees the value as it came, before it is parsed into a model."""

    def check(value: Any) -> Any:
        size = json_size(value)
        if size > limit_bytes:
            raise PydanticCustomError(
                Code.TOO_LARGE,
                "should be at most {limit} bytes as JSON; it has {size}",
                {"limit": f"{limit_bytes:,}", "size": f"{size:,}"},
            )
        return value

    return BeforeValidator(check)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


_JSON_FAULTS = {
    "Expecting ',' delimiter": "a comma or a closing bracket is missing",
    "Expecting ':' delimiter": "a colon is missing",
    "Expecting value": "a value is missing: a text in double quotes, a number, true, false, null, { or [",
    "Expecting property name enclosed in double quotes": "a key in double quotes is missing",
    "Illegal trailing comma before end of object": "a comma too many stands",
    "Illegal trailing comma before end of array": "a comma too many stands",
    "Extra data": "there is more behind the end of the JSON",
    "Unterminated string starting at": "the closing quote of a text is missing, which begins",
    "Invalid control character at": "a line break or another control character stands inside a text",
    "Invalid \\escape": "a backslash stands before what needs none",
    "Invalid \\uXXXX escape": "four digits are missing behind \\u",
}
"""What Python's parser says (`json.decoder`, `json.scanner`), as what to look for."""


def json_text(*, templates: bool = False) -> AfterValidator:
    """A string that must itself be JSON. With `templates`, `{{variables}}` may stand in it, in or out of quotes."""

    def check(value: Any) -> Any:
        if isinstance(value, str):
            text = TEMPLATE_VARIABLE.sub("0", value) if templates else value
            try:
                json.loads(text, parse_constant=_refuse_constant)
            except (ValueError, RecursionError) as error:
                fault = _json_fault(value, error, templates=templates)
                raise PydanticCustomError(
                    Code.MALFORMED_JSON, "should be JSON text: {fault}", {"fault": fault}
                ) from None
        return value

    return AfterValidator(check)


def _json_fault(value: str, error: Exception, *, templates: bool) -> str:
    """What is wrong with a text that should be JSON, and where in it, its variables counted as they are written."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    place = error.pos
    for variable in TEMPLATE_VARIABLE.finditer(value) if templates else ():
        if variable.start() < place:
            place += len(variable[0]) - 1
    line, column = value.count("\n", 0, place) + 1, place - value.rfind("\n", 0, place)
    where = f"character {column}" if "\n" not in value else f"line {line}, character {column}"
    return f"{_JSON_FAULTS.get(error.msg, error.msg)} at {where}"
