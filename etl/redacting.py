"""Secrets in what the API answers: found by the names they stand under and by their look, replaced by a marker.

It must never know which resource it looks at, nor where the result goes.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import Any

REDACTED = "«redacted:"
"""Begins every marker: `«redacted:0f3a…»`. Nothing that holds it is ever sent."""
ELSEWHERE = "«elsewhere:"
"""Begins what stands in a cell for a text that its format cannot hold: `«elsewhere:SHA-256:40,000 characters»`."""

_DIGITS = 16
_TELLING = re.compile(
    r"authorization|headers?$|^header|(?:api|access|private|signing|auth|encryption)[ _-]?key|token|passw|secret"
    r"|credential|bearer|cookie",
    re.IGNORECASE,
)
_COUNTS = re.compile(r"tokens$|(?:^|_)(?:max|min|num|count)(?:_|$)", re.IGNORECASE)
"""`max_tokens: 400` counts, and is no secret."""
_KEY_INSIDE = re.compile(
    r'["\'](?:[\w -]*)(?:authorization|api[ _-]?key|token|passw|secret|header)[\w -]*["\']\s*:', re.IGNORECASE
)
"""Text that is meant as JSON and has such a key, also in a template that does not parse."""
_LOOKS = re.compile(
    r"""(?<=://)(?!«)[^\s/@:"']+:[^\s/@"']+(?=@)             # a name and a password in a URL
      | (?<=[?&])(?:api[_-]?key|key|token|access_token|secret|password|sig|signature)=[^&\s"'«]+
      | \b(?:Bearer|Basic)\s+(?=[^\s«]*\d)[A-Za-z0-9._~+/=-]{12,}
      | \b(?:sk|pk|rk)[-_](?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20,}
      | \b(?:ghp|gho|ghs|ghu|github_pat)_[A-Za-z0-9_]{20,}
      | \bxox[abposr]-[A-Za-z0-9-]{10,}
      | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
      | \bAIza[A-Za-z0-9_-]{30,}
      | \beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*
      | -----BEGIN[ A-Z]*PRIVATE[ ]KEY-----.*?(?:-----END[ A-Z]*PRIVATE[ ]KEY-----|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_MAYBE = ("://", "=", "earer", "asic", "sk", "pk", "rk", "gh", "github", "xox", "A", "eyJ", "PRIVATE")
"""One of them stands in every look-alike: most texts need no closer look."""


class Redactor:
    """Replaces secrets. The same secret gives the same marker under the same `seed`, so that a change can be seen and
    the secret cannot: the marker is an HMAC. `seed`: secret itself, such as the API key. `fields` counts what was
    replaced, by dotted path. `secrets` is told what each marker stands for.
    """

    def __init__(self, seed: bytes, secrets: "Secrets | None" = None) -> None:
        self._seed = hashlib.sha256(b"coval-etl redaction\0" + seed).digest()
        self._secrets = secrets
        self.fields: dict[str, int] = {}

    def redact(self, item: dict[str, Any]) -> dict[str, Any]:
        """The item without its secrets; an item without any is given back as it is."""
        return {name: self._value(name, value, name) for name, value in item.items()}

    def _value(self, path: str, value: Any, name: str) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if _TELLING.search(name) and value not in ("", [], {}):
            counts = isinstance(value, int | float) and _COUNTS.search(name)
            return value if counts or _is_marked(value) else self._mark(path, value)
        if isinstance(value, dict):
            return {key: self._value(f"{path}.{key}", inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value(path, inner, "") for inner in value]
        return self._text(path, value) if isinstance(value, str) else value

    def _text(self, path: str, text: str) -> str:
        if ("{" in text or "[" in text) and _KEY_INSIDE.search(text) and path.count("."):
            return self._mark(path, text)
        if not any(hint in text for hint in _MAYBE):
            return text
        return _LOOKS.sub(lambda found: self._mark(path, found[0]), text)

    def _mark(self, path: str, value: Any) -> str:
        self.fields[path] = self.fields.get(path, 0) + 1
        text = value if isinstance(value, str) else repr(sorted(_leaves(value)))
        digest = hmac.new(self._seed, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        marker = f"{REDACTED}{digest[:_DIGITS]}»"
        if self._secrets is not None:
            self._secrets.keep(marker, value)
        return marker


class Secrets:
    """What markers stand for, in memory alone: never written down, never shown."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Secrets({len(self._values)} of them)"

    def keep(self, marker: str, value: Any) -> None:
        """Remember one. A marker that would stand for two different things stands for nothing."""
        if marker in self._values and self._values[marker] != value:
            value = marker
        self._values[marker] = value

    def knows_all(self, text: str) -> bool:
        """Whether every marker in a text can be undone."""
        return all(found in self._values for found in _MARKER.findall(text))

    def put_back(self, value: Any) -> Any:
        """A value of JSON with the secrets in the place of their markers; one that is not known stays."""
        if isinstance(value, str):
            if value in self._values:
                return self._values[value]
            return _MARKER.sub(self._inside, value) if REDACTED in value else value
        if isinstance(value, dict):
            return {key: self.put_back(inner) for key, inner in value.items()}
        return [self.put_back(inner) for inner in value] if isinstance(value, list) else value

    def _inside(self, found: re.Match[str]) -> str:
        value = self._values.get(found[0], found[0])
        return value if isinstance(value, str) else found[0]


_MARKER = re.compile(rf"{REDACTED}[0-9a-f]{{{_DIGITS}}}»")


def _is_marked(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(REDACTED)


def _leaves(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{place}]")
    else:
        yield f"{path}={value!r}"
