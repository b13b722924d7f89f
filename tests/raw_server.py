"""A server of bytes, for what no well-behaved server says."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager


@asynccontextmanager
async def raw_server(reply: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server of bytes: it keeps what it was sent, answers `reply` (None: closes) and closes."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        if reply is not None:
            writer.write(reply)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", seen


@asynccontextmanager
async def keeping_server(*connections: Sequence[bytes]) -> AsyncIterator[tuple[str, list[list[bytes]]]]:
    """A server that keeps connections open: the first connection is given the first list of replies, one a request, and
    is closed when the request after the last one has come. Connections beyond the lists are given the last one's.

    What it was sent (heads only), by connection.
    """
    seen: list[list[bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        replies = connections[min(len(seen), len(connections) - 1)]
        heads: list[bytes] = []
        seen.append(heads)
        try:
            for reply in [*replies, b""]:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", seen


def said(status: str, body: bytes = b"{}", *headers: bytes) -> bytes:
    """A reply: `said("200 OK", b"{}", b"Date: …")`."""
    lines = [b"HTTP/1.1 " + status.encode(), b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
