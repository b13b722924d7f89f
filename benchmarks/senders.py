# ruff: noqa: T201  # what a side did is printed
"""Senders: one way each of creating a test case for every line of a file, run as a process of its own.

`python -m benchmarks.senders NAME FILE URL CONCURRENCY` prints `{"rows", "versions"}`. FILE holds request bodies, a
JSON object a line. It must never know what the others take.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

KEY = "key-of-a-benchmark"
CREATED = 201


def bare_aiohttp(bodies: list[bytes], url: str, concurrency: int) -> int:
    """So many workers that share a session; nothing is kept, nothing repeated."""
    import aiohttp

    async def run() -> int:
        waiting = iter(bodies)
        headers = {"x-api-key": KEY, "Content-Type": "application/json"}
        connector = aiohttp.TCPConnector(limit=concurrency)

        async def work(session: aiohttp.ClientSession) -> int:
            done = 0
            for body in waiting:
                async with session.post(f"{url}/v1/test-cases", data=body) as answer:
                    await answer.read()
                    done += answer.status == CREATED
            return done

        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            return sum(await asyncio.gather(*(work(session) for _ in range(concurrency))))

    return asyncio.run(run())


def bare_httpx(bodies: list[bytes], url: str, concurrency: int) -> int:
    """As `bare_aiohttp`, with httpx."""
    import httpx

    async def run() -> int:
        waiting = iter(bodies)
        limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)

        async def work(client: httpx.AsyncClient) -> int:
            done = 0
            for body in waiting:
                answer = await client.post(f"{url}/v1/test-cases", content=body)
                done += answer.status_code == CREATED
            return done

        headers = {"x-api-key": KEY, "Content-Type": "application/json"}
        async with httpx.AsyncClient(limits=limits, headers=headers, timeout=60) as client:
            return sum(await asyncio.gather(*(work(client) for _ in range(concurrency))))

    return asyncio.run(run())


def sdk_in_threads(bodies: list[bytes], url: str, concurrency: int) -> int:
    """The vendor's client for Python, shared by threads."""
    from coval_sdk import models
    from coval_sdk.client import CovalClient

    with CovalClient(KEY, base_url=f"{url}/v1", retries=False) as client, ThreadPoolExecutor(concurrency) as threads:

        def create(body: bytes) -> Any:
            return client.test_cases.create_test_case(
                models.TestCasesAPICreateTestCaseRequest.from_dict(json.loads(body))
            )

        return sum(1 for _ in threads.map(create, bodies))


def sdk_one_by_one(bodies: list[bytes], url: str, _concurrency: int) -> int:
    """As the vendor's command line does it."""
    return sdk_in_threads(bodies, url, 1)


def delivery_alone(bodies: list[bytes], url: str, concurrency: int) -> int:
    """Our own sending with its ledger, of rows that were read and checked before."""
    import tempfile
    from collections.abc import AsyncIterator
    from datetime import UTC, datetime

    from etl.api import Api, Target
    from etl.ledger import JobFacts, Journal, RowKey, open_ledger
    from etl.resources import TEST_CASES, Contract
    from etl.writer import Delivered, Delivery, Outgoing

    told = 0

    async def each() -> AsyncIterator[Outgoing]:
        for number, body in enumerate(bodies, 1):
            yield Outgoing(RowKey("a" * 40, number), body, (("test_set_id", "aB1cD2eF"),))

    def tell(_: Delivered) -> None:
        nonlocal told
        told += 1

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            ledger = open_ledger(Path(folder) / "ledger.db")
            ledger.open_job(JobFacts("job", "import", "nowhere", None, "f00d", Contract.V2025_10, datetime.now(UTC)))
            ledger.hold("job", ["a" * 40])
            async with Journal(ledger, "job") as journal, Api(Target(f"{url}/v1", KEY), concurrency) as api:
                delivery = Delivery(api, journal, TEST_CASES, Contract.V2025_10, concurrency)
                await delivery.deliver(each(), tell)
            ledger.close()
            if delivery.stopped is not None:
                raise delivery.stopped

    asyncio.run(run())
    return told


SENDERS: dict[str, tuple[Callable[[list[bytes], str, int], int], tuple[str, ...]]] = {
    "aiohttp": (bare_aiohttp, ("aiohttp",)),
    "httpx": (bare_httpx, ("httpx",)),
    "coval-sdk in threads": (sdk_in_threads, ("coval-sdk",)),
    "coval-sdk, one by one": (sdk_one_by_one, ("coval-sdk",)),
    "delivery alone": (delivery_alone, ()),
}
"""Every side by its name, with the packages whose versions are told."""


def main(name: str, path: str, url: str, concurrency: str) -> None:
    """Run one side."""
    sender, packages = SENDERS[name]
    bodies = Path(path).read_bytes().splitlines()
    rows = sender(bodies, url, int(concurrency))
    if rows != len(bodies):
        sys.exit(f"{name}: {rows} of {len(bodies)} rows were created")
    versions = {package: version(package) for package in packages} | {"python": sys.version.split()[0]}
    print(json.dumps({"rows": rows, "versions": versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])
