"""Code pages: by which names the bytes of a text most likely go, for a person to choose from.

It must never decide: its guesses go into hints, and into nothing else.
"""

import re
import unicodedata
from itertools import pairwise

_ONE_BYTE = (
    *("cp1252", "cp1250", "cp1251", "koi8-r", "cp866", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874"),
    *("mac-roman", "cp850"),
)
"""The likelier first, where nothing else tells them apart."""
_TWO_BYTES = {
    "gb18030": (*range(0xA1, 0xA4), *range(0xB0, 0xD8)),
    "cp932": (*range(0x81, 0x84), *range(0x88, 0x98)),
    "euc_jp": (*range(0xA1, 0xA6), *range(0xB0, 0xD0)),
    "big5": (*range(0xA1, 0xC7),),
    "cp949": (*range(0xA1, 0xA4), *range(0xB0, 0xC9)),
}
"""The first bytes of the characters that are in daily use."""
_MOST = 3
"""How many names are offered."""
_NEAR = 0.02
"""A reading whose part of oddities is larger than the best's by this much is not offered."""
_SAMPLE_BYTES = 1 << 14
_WORD = re.compile(r"[^\W\d_]*[^\W\d_\x00-\x7f][^\W\d_]*")
_SIGNS = frozenset("\xa0€‚„…‘’“”•–—™§©«»®°±²³´¶·º¹¼½¾×÷ªµ¿¡£¥¢№")  # noqa: RUF001  # they are meant
_INVISIBLE = frozenset({"Cc", "Cn", "Co", "Cs"})


def likely_names(data: bytes) -> list[str]:
    """At most three codecs, the likeliest first, that read the bytes; these begin and end with whole lines."""
    lines = [line for line in data.splitlines() if not line.isascii()]
    sample = b"\n".join(lines)[:_SAMPLE_BYTES]
    sample = sample[: sample.rfind(b"\n")] if len(lines) > 1 and len(sample) == _SAMPLE_BYTES else sample
    scores = {codec: score for codec in (*_ONE_BYTE, *_TWO_BYTES) if (score := _oddity(sample, codec)) is not None}
    best = min(scores.values(), default=0.0)
    near = [codec for codec in sorted(scores, key=lambda codec: scores[codec]) if scores[codec] <= best + _NEAR]
    return near[:_MOST]


def _oddity(sample: bytes, codec: str) -> float | None:
    """The part of the characters beyond ASCII that are oddly placed; None: the codec does not read the bytes."""
    try:
        text = sample.decode(codec)
    except UnicodeDecodeError:
        return None
    beyond = [char for char in text if char > "\x7f"]
    if any(unicodedata.category(char) in _INVISIBLE for char in beyond):
        return None
    if leads := _TWO_BYTES.get(codec):
        odd = sum(char.encode(codec)[0] not in leads for char in beyond)
    else:
        odd = sum(unicodedata.category(char)[0] not in "LM" and char not in _SIGNS for char in beyond)
        odd += sum(map(_odd_letters, _WORD.findall(text)))
        odd += len(re.findall(r"(?<=[^\W\d_])[^\w\s\x00-\x7f’](?=[^\W\d_])", text))  # noqa: RUF001  # an apostrophe
    return odd / max(len(beyond), 1)


def _odd_letters(word: str) -> int:
    """Letters of another script than the first beyond ASCII, capitals behind small letters, too many accents."""
    beyond = [char for char in word if char > "\x7f"]
    script = unicodedata.name(beyond[0], "").partition(" ")[0]
    foreign = sum(not unicodedata.name(char, "").startswith(script) for char in word)
    capitals = sum(left.islower() and right.isupper() for left, right in pairwise(word))
    accents = max(2 * len(beyond) - len(word) - 1, 0) if script == "LATIN" else 0
    return foreign + capitals + accents
