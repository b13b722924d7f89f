"""Mutations: how a good file becomes a bad one, by chance that can be repeated (a seeded `random.Random`)."""

import io
import re
import struct
import zipfile
from collections.abc import Callable, Sequence
from random import Random

from tests.reading_binary import binary_record, ole_file

MOST_BYTES = 1 << 20
"""No mutated file is longer: what is looked for shows in small ones."""

_NUMBERS = (0, 1, -1, 2, 7, 16, 255, 256, 0x7F, 0x80, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000)
_MORE_NUMBERS = (0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF)

_ANY_TOKENS = (
    *(b"\0", b"\r", b"\n", b"\r\n", b"\t", b'"', b"'", b",", b";", b"|", b"\\", b" ", b"\xff", b"\x80", b"\x1b[2J"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"),
    *(b"\xe2\x80\xae", b"\xe2\x80\xa8", b"\xc2\x85", b"\xc2\xa0", b"\xf0\x9f\x91\xa9", b"\xcc\x81", b"\x0b", b"\x0c"),
)
_TEXT_TOKENS = {
    "csv": (b'""', b'"""', b'"\n', b',"', b'",', b"sep=;\n", b"#REF!", b"=1+1", b",,,,", b"\n\n", b"\\", b'\\"'),
    "json": (
        *(b"{", b"}", b"[", b"]", b":", b",", b"{}", b"[]", b'""', b"null", b"true", b"NaN", b"-Infinity", b"1e999"),
        *(
            b"-0",
            b"01",
            b"1.",
            b".5",
            b"1E400",
            b"9" * 400,
            b"9" * 5000,
            b"0." + b"1" * 5000,
            b"[" * 600,
            b'{"a":' * 600,
        ),
        *(
            b"\\u0000",
            b"\\ud800",
            b"\\udc00\\ud800",
            b"\\x41",
            b'"id":1,',
            b'"_row":1,',
            b'"*":1,',
            b'"^a$":',
            b"//",
            b"/*",
        ),
    ),
    "yaml": (
        *(b"- ", b"-", b": ", b"? ", b"&a ", b"*a", b"<<: *a", b"!!python/object:os.system ", b"!!binary ", b"!x "),
        *(b"|\n", b">-\n", b"|9\n", b"---\n", b"...\n", b"%YAML 9.9\n", b"%TAG ! x\n", b"# ", b"{", b"}", b"[", b"]"),
        *(b"~", b"null", b".nan", b".inf", b"0x1F", b"0o17", b"1_000", b"1:30", b"2024-01-01", b"yes", b"on", b"="),
        *(b"[" * 600, b"{a: " * 600, b"- " * 600, b"  " * 300, b'"\\x41', b"\\U00110000", b"\\ud800", b"tests:\n"),
    ),
}
_TEXT_TOKENS["jsonl"] = (*_TEXT_TOKENS["json"], b"}{", b"}\n{", b"}\r{", b'"_coval_etl_line":"{}",')

_XML_VALUES = (
    *(
        "",
        "0",
        "1",
        "-1",
        "2",
        "65536",
        "1048577",
        "4294967296",
        "9" * 30,
        "1e308",
        "1e999",
        "nan",
        "true",
        "A1",
        "XFD1048576",
    ),
    *(
        "A0",
        "ZZZZ9",
        "A1:XFD1048576",
        "n",
        "s",
        "str",
        "inlineStr",
        "e",
        "b",
        "d",
        "../../x",
        "x" * 5000,
        "&#0;",
        "&lt;",
    ),
    *(
        "&#xD800;",
        "\ud7ff",
        "hidden",
        "veryHidden",
        "2024-13-45",
        "P1Y",
        "PT25H",
        "float",
        "percentage",
        "\u202e",
        "rId99",
    ),
)
_XML_TOKENS = (
    *(
        "<c/>",
        "<row>",
        "</row>",
        "<v>",
        "</v>",
        "<f>1</f>",
        "<is><t>x</t></is>",
        "<!-- -->",
        "<![CDATA[x]]>",
        "<?x y?>",
    ),
    *("<!DOCTYPE x>", '<mergeCell ref="A1:B3"/>', '<row r="1048576"><c r="A1048576"><v>1</v></c></row>', "&x;", "]]>"),
    *(
        '<table:table-cell table:number-columns-repeated="1000000000"/>',
        "<text:p>x</text:p>",
        "<text:s text:c='99999999'/>",
    ),
    '<table:table-row table:number-rows-repeated="1000000000"><table:table-cell office:value="1"/></table:table-row>',
)
_ATTRIBUTE = re.compile(r'="[^"]*"')
_ELEMENT = re.compile(r"<[^<>]*>")
_CONTENT = re.compile(r"(?<=>)[^<>]+(?=<)")


def mutate(chance: Random, kind: str, content: bytes, other: bytes) -> bytes:
    """A changed copy of `content`, a good file of a kind (a format, or `packed`); `other` is another good one."""
    change = _KINDS.get(kind)
    if change is None or chance.random() < 0.2:
        changed = _mutate_bytes(chance, content, other, _TEXT_TOKENS.get(kind, ()))
    else:
        changed = change(chance, content, other)
    return changed[:MOST_BYTES]


def _times(chance: Random) -> int:
    return min(1 + int(chance.expovariate(0.7)), 12)


def _mutate_bytes(chance: Random, content: bytes, other: bytes, tokens: Sequence[bytes]) -> bytes:
    for _ in range(_times(chance)):
        content = chance.choice(_BYTE_CHANGES)(chance, content, other, tokens)
    return content


def _span(chance: Random, content: bytes) -> tuple[int, int]:
    """A range: mostly short, sometimes long."""
    start = chance.randrange(len(content) + 1)
    length = chance.choice((1, 2, 4, 8, 30, 200, chance.randrange(len(content) + 1)))
    return start, min(start + length, len(content))


def _flip(chance: Random, content: bytes, other: bytes, tokens: Sequence[bytes]) -> bytes:
    if not content:
        return b"\0"
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]


def _set(chance: Random, content: bytes, other: bytes, tokens: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.randbytes(chance.choice((1, 1, 2, 4))) + content[at + 1 :]


def _set_number(chance: Random, content: bytes, other: bytes, tokens: Sequence[bytes]) -> bytes:
    size = chance.choice((1, 2, 4, 8))
    number = chance.choice(_NUMBERS + _MORE_NUMBERS) & (1 << 8 * size) - 1
    at = chance.randrange(len(content) + 1)
    return content[:at] + number.to_bytes(size, chance.choice(("little", "big"))) + content[at + size :]


def _delete(chance: Random, content: bytes, other: bytes, tokens: Sequence[bytes]) -> bytes:
    start, end = _span(chance, content)
    return content[:start] + content[end:]


def _double(chance: Random, content: bytes, other: bytes, tokens: Sequence[bytes]) -> bytes:
    start, end = _span(chance, content)
    times = chance.choice((1, 1, 1, 2, 50, 1000))
    return (content[:end] + content[start:end] * times + content[end:])[:MOST_BYTES]


def _move(chance: Random, content: bytes, other: bytes, tokens: Sequence[bytes]) -> bytes:
    start, end = _span(chance, content)
    rest = content[:start] + content[end:]
    at = chance.randrange(len(rest) + 1)
    return rest[:at] + content[start:end] + rest[at:]


def _insert(chance: Random, content: bytes, other: bytes, tokens: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(content) + 1)
    token = chance.choice(tokens if tokens and chance.random() < 0.7 else _ANY_TOKENS)
    return content[:at] + token + content[at + chance.choice((0, 0, len(token))) :]


def _cut(chance: Random, content: bytes, other: bytes, tokens: Sequence[bytes]) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _splice(chance: Random, content: bytes, other: bytes, tokens: Sequence[bytes]) -> bytes:
    start, end = _span(chance, other)
    at = chance.randrange(len(content) + 1)
    return chance.choice((content[:at] + other[start:], content[:at] + other[start:end] + content[at:]))


_BYTE_CHANGES: tuple[Callable[[Random, bytes, bytes, Sequence[bytes]], bytes], ...] = (
    *(_flip, _set, _set_number, _delete, _double, _move, _insert, _insert, _insert, _cut, _splice),
)


# Zip archives: the parts are changed and packed again, so that the checksums are right


def unpack(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repack(parts: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _mutate_archive(chance: Random, content: bytes, other: bytes) -> bytes:
    parts, others = unpack(content), unpack(other)
    for _ in range(chance.choice((1, 1, 1, 2))):
        name = chance.choice(list(parts))
        if chance.random() < 0.05:
            del parts[name]
            parts = parts or {"empty": b""}
        elif chance.random() < 0.05:
            parts[chance.choice(list(others))] = parts[name]
        else:
            parts[name] = _mutate_part(chance, name, parts[name], others.get(name, parts[name]))
    return repack(parts)


def _mutate_part(chance: Random, name: str, part: bytes, other: bytes) -> bytes:
    if name.endswith(".bin") and chance.random() < 0.8:
        return _mutate_records(chance, part, _split_binary, lambda kind, body: binary_record(kind & 0x3FFF, body))
    if name.endswith((".xml", ".rels")) and chance.random() < 0.85:
        return _mutate_xml(chance, part)
    return _mutate_bytes(chance, part, other, _ANY_TOKENS)


def _mutate_xml(chance: Random, part: bytes) -> bytes:
    text = part.decode("utf-8", "replace")
    for _ in range(_times(chance)):
        text = chance.choice((_change_attribute, _change_attribute, _change_content, _change_element, _insert_xml))(
            chance, text
        )[:MOST_BYTES]
    return text.encode("utf-8", "surrogatepass")


def _one_of(chance: Random, found: re.Pattern[str], text: str) -> tuple[int, int] | None:
    places = [match.span() for match in found.finditer(text)]
    return chance.choice(places) if places else None


def _change_attribute(chance: Random, text: str) -> str:
    place = _one_of(chance, _ATTRIBUTE, text)
    return f'{text[: place[0]]}="{chance.choice(_XML_VALUES)}"{text[place[1] :]}' if place else text


def _change_content(chance: Random, text: str) -> str:
    place = _one_of(chance, _CONTENT, text)
    return f"{text[: place[0]]}{chance.choice(_XML_VALUES)}{text[place[1] :]}" if place else text


def _change_element(chance: Random, text: str) -> str:
    """Delete, double or move an element's tag, or all from one tag to another."""
    first, last = _one_of(chance, _ELEMENT, text), _one_of(chance, _ELEMENT, text)
    if not first or not last:
        return text
    start, end = first[0], (last[1] if last[0] > first[0] and chance.random() < 0.3 else first[1])
    match chance.randrange(3):
        case 0:
            return text[:start] + text[end:]
        case 1:
            return text[:end] + text[start:end] * chance.choice((1, 1, 3, 200)) + text[end:]
        case _:
            at = last[0] if not start <= last[0] < end else end
            return text[:at] + text[start:end] + text[at:]


def _insert_xml(chance: Random, text: str) -> str:
    place = _one_of(chance, _ELEMENT, text)
    at = place[1] if place else 0
    return text[:at] + chance.choice(_XML_TOKENS) + text[at:]


# Records of the binary workbook formats

Record = tuple[int, bytes]


def _split_binary(stream: bytes) -> list[Record]:
    """BIFF12: kind and length as numbers of seven bits a byte."""
    records: list[Record] = []
    at = 0
    while at < len(stream):
        kind = stream[at]
        at += 1
        if kind & 0x80:
            kind = kind & 0x7F | stream[at] << 7
            at += 1
        length = shift = 0
        while True:
            byte = stream[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        records.append((kind, stream[at : at + length]))
        at += length
    return records


def _split_biff8(stream: bytes) -> list[Record]:
    records: list[Record] = []
    at = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        if not kind:
            break
        records.append((kind, stream[at + 4 : at + 4 + length]))
        at += 4 + length
    return records


def _join_biff8(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind & 0xFFFF, len(body) & 0xFFFF) + body


def _mutate_records(
    chance: Random, stream: bytes, split: Callable[[bytes], list[Record]], join: Callable[[int, bytes], bytes]
) -> bytes:
    try:
        records = split(stream)
    except IndexError:
        return _mutate_bytes(chance, stream, stream, ())
    for _ in range(_times(chance)):
        if not records:
            break
        at = chance.randrange(len(records))
        kind, body = records[at]
        match chance.randrange(7):
            case 0:
                del records[at]
            case 1:
                records[at:at] = [records[at]] * chance.choice((1, 1, 3, 300))
            case 2:
                records.insert(chance.randrange(len(records)), records.pop(at))
            case 3:
                records[at] = (chance.choice(records)[0] if chance.random() < 0.7 else chance.randrange(1 << 14), body)
            case 4:
                records[at] = (kind, body[: chance.randrange(len(body) + 1)])
            case _:
                records[at] = (kind, _mutate_bytes(chance, body, body, ()))
    return b"".join(join(*record) for record in records)[:MOST_BYTES]


def _mutate_old_workbook(chance: Random, content: bytes, other: bytes) -> bytes:
    """The one stream of our own compound files lies behind the header, in one piece."""
    size = struct.unpack_from("<Q", content, content.index("Workbook".encode("utf-16-le")) + 120)[0]
    stream = _mutate_records(chance, content[512 : 512 + size], _split_biff8, _join_biff8)
    return ole_file("Workbook", stream)


_KINDS: dict[str, Callable[[Random, bytes, bytes], bytes]] = {
    "xlsx": _mutate_archive,
    "xlsb": _mutate_archive,
    "ods": _mutate_archive,
    "xls": _mutate_old_workbook,
}
