"""`coval-etl sandbox`: a local Coval API until Ctrl-C. It must never listen anywhere but on this machine."""

import asyncio
import json
import signal
from pathlib import Path

import rich_click as click

from etl.cli.saying import write_out
from etl.resources import Contract


@click.command("sandbox")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port on 127.0.0.1 (0: any free one).")
@click.option("--db", type=click.Path(dir_okay=False), help="Where the data is kept (default: in memory).")
@click.option("--contract", type=click.Choice([one.value for one in Contract]), default=Contract.V2025_10.value)
@click.option("--faults", metavar="NAME:P,...", help="Faults with their probability, e.g. 429:0.1,500after:0.02.")
@click.option("--latency", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help="Added to every answer.")
@click.option("--key", metavar="KEY", help="The key it accepts (default: a random one).")
@click.option("--seed", type=int, help="Makes the faults repeat.")
def command(
    *, port: int, db: str | None, contract: str, faults: str | None, latency: float, key: str | None, seed: int | None
) -> None:
    """Run a local Coval API on real storage, for rehearsals, demos and tests.

    Prints one JSON line with its base_url and api_key, then serves until Ctrl-C. Faults: 429 429date 429none 500 502
    503 504 html502 500after 502after 504after reset resetafter latecommit hang hangafter slow garbage.
    """
    asyncio.run(_serve(port, db, Contract(contract), faults, latency, key, seed))


async def _serve(
    port: int,
    db: str | None,
    contract: Contract,
    faults: str | None,
    latency_s: float,
    key: str | None,
    seed: int | None,
) -> None:
    from etl.sandbox import parse_faults, running_sandbox

    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with running_sandbox(
        db=Path(db) if db else None,
        contract=contract,
        faults=parse_faults(faults or "", seed=seed),
        latency_s=latency_s,
        port=port,
        key=key,
    ) as sandbox:
        facts = {"base_url": sandbox.base_url, "api_key": sandbox.key, "contract": contract.value}
        write_out(json.dumps(facts) + "\n")
        await stopped.wait()
