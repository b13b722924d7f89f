"""`coval-etl sandbox`: a local Coval API until Ctrl-C. It must never listen anywhere but on this machine."""

import asyncio
import json
import signal
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from etl.cli.gathering import Named
from etl.cli.saying import write_out
from etl.resources import Contract

if TYPE_CHECKING:  # --help needs no server
    from etl.sandbox import RunningSandbox

RUN_SECONDS = 10.0
"""How long a run of the command's sandbox takes."""


@click.command("sandbox")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port on 127.0.0.1 (0: any free one).")
@click.option("--db", type=click.Path(dir_okay=False), help="Where the data is kept (default: in memory).")
@click.option("--contract", type=Named([one.value for one in Contract]), default=Contract.V2025_10.value)
@click.option("--faults", metavar="NAME:P,...", help="Faults with their probability, e.g. 429:0.1,500after:0.02.")
@click.option("--latency", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help="Added to every answer.")
@click.option("--key", metavar="KEY", help="The key it accepts (default: a random one).")
@click.option("--seed", type=int, help="Makes the faults repeat.")
@click.option(
    "--run-seconds",
    type=click.FloatRange(min=0),
    default=RUN_SECONDS,
    metavar="SECONDS",
    help="A launched run is completed after so long (10).",
)
@click.option(
    "--queue-limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="So many simulations may be queued or in progress; a launch beyond is answered 429 (default: any number).",
)
def command(  # noqa: PLR0913  # one for each flag
    *,
    port: int,
    db: str | None,
    contract: str,
    faults: str | None,
    latency: float,
    key: str | None,
    seed: int | None,
    run_seconds: float,
    queue_limit: int | None,
) -> None:
    """Run a local Coval API on real storage, for rehearsals, demos and tests.

    Prints one JSON line with its base_url and api_key, then serves until Ctrl-C. Faults: 429 429date 429none 500 502
    503 504 html502 500after 502after 504after reset resetafter latecommit hang hangafter slow garbage.
    """
    from etl.sandbox import parse_faults, running_sandbox

    serving = running_sandbox(
        db=Path(db) if db else None,
        contract=Contract(contract),
        faults=parse_faults(faults or "", seed=seed),
        latency_s=latency,
        port=port,
        key=key,
        run_seconds=run_seconds,
        queue_limit=queue_limit,
    )
    asyncio.run(_serve(serving, contract))


async def _serve(serving: "AbstractAsyncContextManager[RunningSandbox]", contract: str) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with serving as sandbox:
        write_out(json.dumps({"base_url": sandbox.base_url, "api_key": sandbox.key, "contract": contract}) + "\n")
        await stopped.wait()
