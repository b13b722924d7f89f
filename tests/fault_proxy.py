"""A proxy on loopback that does to a connection what networks do: cut, delay, reset, swallow, at any byte."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from urllib.parse import urlsplit


class End(Enum):
    """How a connection ends where it is cut."""

    CLOSED = auto()
    RESET = auto()
    SILENT = auto()
    """Not at all: nothing more comes."""


@dataclass(frozen=True)
class Trouble:
    """What happens to one request. `request_bytes` reach the server, `reply_bytes` come back; None: all of them.

    `piece`: how many bytes are handed back at a time.
    """

    request_bytes: int | None = None
    reply_bytes: int | None = None
    end: End = End.CLOSED
    piece: int = 65536


NO_TROUBLE = Trouble()


@dataclass
class FaultProxy:
    """A running proxy, asked by `url`. `trouble` is asked for each request; `replies` are the server's, whole."""

    url: str
    trouble: Callable[[bytes], Trouble] = lambda _request: NO_TROUBLE
    requests: list[bytes] = field(default_factory=list)
    replies: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def fault_proxy(base_url: str) -> AsyncIterator[FaultProxy]:
    """A proxy before a server on this machine."""
    upstream = urlsplit(base_url)
    proxy = FaultProxy("")
    ends: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await _pass(proxy, reader, writer, (upstream.hostname or "", upstream.port or 0)):
                pass
        ends.discard(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{upstream.path}"
        yield proxy
        for end in ends:
            end.transport.abort()


async def _pass(
    proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: tuple[str, int]
) -> bool:
    """One request there and its reply back; whether the connection goes on."""
    request = await _message(reader)
    trouble = proxy.trouble(request)
    proxy.requests.append(request)
    behind, ahead = await asyncio.open_connection(*place)
    ahead.write(request[: trouble.request_bytes])
    if trouble.request_bytes is not None and trouble.request_bytes < len(request):
        ahead.write_eof()
        await behind.read()  # the server has seen the end before the client does
        ahead.close()
        return await _end(writer, reader, trouble.end)
    reply = await _message(behind)
    ahead.close()
    proxy.replies.append(reply)
    handed = reply[: trouble.reply_bytes]
    for start in range(0, len(handed), trouble.piece):
        writer.write(handed[start : start + trouble.piece])
        await writer.drain()
        await asyncio.sleep(0)
    return True if trouble.reply_bytes is None else await _end(writer, reader, trouble.end)


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A request or a reply: its head, and as much body as the head says."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(lengths[0]) if lengths else 0)


async def _end(writer: asyncio.StreamWriter, reader: asyncio.StreamReader, end: End) -> bool:
    if end is End.SILENT:
        await reader.read()  # until the client has had enough
    elif end is End.RESET:
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
    return False
