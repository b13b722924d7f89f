# ruff: noqa: T201  # the address is printed
"""An API that stores test cases and nothing else, as fast as Python can: `python -m benchmarks.answering [SECONDS]`.

It must never be what limits a comparison: it speaks just enough HTTP/1.1 over asyncio's own transports, answers after
SECONDS (0: at once), checks nothing, and tells at `/stats` how long it took for each
request itself. Prints its address.
"""

import asyncio
import json
import sys
import time
from collections import deque
from functools import partial
from statistics import median
from urllib.parse import parse_qs, urlsplit

TEST_SET = "aB1cD2eF"
MOMENT = "2026-11-22T04:15:00Z"
_KEPT_TIMES = 20_000


class Store:
    """What was stored, as the JSON texts of its members."""

    def __init__(self, latency_s: float, listed: int) -> None:
        self.latency_s = latency_s
        self.cases = [self._case(number, b'"input_str":"Caller %d asks"' % number) for number in range(listed)]
        self.posts = 0
        self.took_s: deque[float] = deque(maxlen=_KEPT_TIMES)

    def answer(self, method: str, target: str, body: bytes) -> bytes:
        """The whole response."""
        parts = urlsplit(target)
        if method == "POST":
            self.posts += 1
            case = self._case(len(self.cases), body.strip()[1:-1])
            self.cases.append(case)
            return _response(201, b'{"test_case":%b}' % case)
        if parts.path == "/stats":
            times = [taken_s for taken_s in self.took_s if taken_s]
            stats = {"posts": self.posts, "median_s": median(times) if times else 0.0}
            return _response(200, json.dumps(stats).encode())
        if parts.path.endswith("/test-cases"):
            return _response(200, self._page(parse_qs(parts.query)))
        if "/test-cases/" in parts.path:
            number = int(parts.path.rpartition("/")[2])
            return _response(200, b'{"test_case":%b}' % self.cases[number])
        if parts.path.rpartition("/")[2] == TEST_SET:
            return _response(200, json.dumps({"test_set": _test_set()}).encode())
        name = parts.path.rpartition("/")[2].replace("-", "_")
        return _response(200, json.dumps({name: [_test_set()] if name == "test_sets" else []}).encode())

    def _page(self, query: dict[str, list[str]]) -> bytes:
        """Test cases in the order of their creation, whatever was asked for."""
        size, first = int(query.get("page_size", ["50"])[0]), int(query.get("page_token", ["0"])[0])
        page = self.cases[first : first + size]
        more = first + size < len(self.cases)
        token = b'"%d"' % (first + size) if more else b"null"
        total = len(self.cases)
        return b'{"test_cases":[%b],"next_page_token":%b,"total_count":%d}' % (b",".join(page), token, total)

    @staticmethod
    def _case(number: int, members: bytes) -> bytes:
        moment = MOMENT.encode()
        known = b'"id":"%022d","name":"testCases/%022d","create_time":"%b","update_time":"%b"'
        return b"{" + known % (number, number, moment, moment) + b"," + members + b"}"


class Connection(asyncio.Protocol):
    """One client: requests come one after the other, each with its length."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # what asyncio gives
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end]
            length = _length(head)
            if len(self._held) < end + 4 + length:
                return
            body, self._held = self._held[end + 4 : end + 4 + length], self._held[end + 4 + length :]
            self._serve(head.split(b"\r\n", 1)[0].decode(), body)

    def _serve(self, line: str, body: bytes) -> None:
        begun_s = time.perf_counter()
        method, target, _ = line.split(" ")
        if not self._store.latency_s or target == "/stats":
            self._finish(begun_s, self._store.answer(method, target, body))
        else:
            answer = partial(self._later, begun_s, method, target, body)
            asyncio.get_running_loop().call_later(self._store.latency_s, answer)

    def _later(self, begun_s: float, method: str, target: str, body: bytes) -> None:
        self._finish(begun_s, self._store.answer(method, target, body))

    def _finish(self, begun_s: float, response: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(response)
        self._store.took_s.append(time.perf_counter() - begun_s)


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def _response(status: int, body: bytes) -> bytes:
    head = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def _test_set() -> dict[str, str]:
    return {"id": TEST_SET, "display_name": "Benchmark", "slug": "benchmark", "create_time": MOMENT}


async def serve(latency_s: float, listed: int) -> None:
    """Until the process ends."""
    store = Store(latency_s, listed)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(store), "127.0.0.1", 0)
    print(json.dumps({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), int(sys.argv[2])))
