"""A local server of the Coval API with storage and faults on request: for rehearsals, demos and tests.

It must never know the client. Reference pages, API notes and the vendor's client say what it answers.
"""

from etl.sandbox.faults import FAULTS, NO_FAULTS, Faults, parse_faults
from etl.sandbox.server import RunningSandbox, running_sandbox
from etl.sandbox.store import Store

__all__ = [
    "FAULTS",
    "NO_FAULTS",
    "Faults",
    "RunningSandbox",
    "Store",
    "parse_faults",
    "running_sandbox",
]
