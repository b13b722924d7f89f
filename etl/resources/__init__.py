"""The API's own words, one file per resource: fields, limits, references, paths.

The single place where a limit is written: rules, the sandbox and mappings are made from it. This room must never know
about files, columns or HTTP. Its names are imported when they are used: the command line needs only a few words of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from etl.resources.contract import Contract

if TYPE_CHECKING:
    from etl.resources.agents import AGENTS
    from etl.resources.catalogue import REFERABLE, RESOURCES
    from etl.resources.metrics import METRICS
    from etl.resources.personas import PERSONAS
    from etl.resources.resource import Body, FieldSpec, Kind, Reference, Resource, Unique
    from etl.resources.run_templates import RUN_TEMPLATES
    from etl.resources.runs import RUNS
    from etl.resources.test_cases import TEST_CASES
    from etl.resources.test_sets import TEST_SETS

RESOURCE_NAMES = ("test-sets", "personas", "agents", "test-cases", "run-templates", "runs")
"""The names of `RESOURCES`, for who needs no more."""

MOVED_NAMES = tuple(name for name in RESOURCE_NAMES if name != "runs")
"""What moves to another organisation. Runs are history: they would be launched again."""

_HOMES = {
    "AGENTS": "agents",
    "METRICS": "metrics",
    "PERSONAS": "personas",
    "REFERABLE": "catalogue",
    "RESOURCES": "catalogue",
    "RUNS": "runs",
    "RUN_TEMPLATES": "run_templates",
    "TEST_CASES": "test_cases",
    "TEST_SETS": "test_sets",
    "Body": "resource",
    "FieldSpec": "resource",
    "Kind": "resource",
    "Reference": "resource",
    "Resource": "resource",
    "Unique": "resource",
}

__all__ = [
    "AGENTS",
    "METRICS",
    "MOVED_NAMES",
    "PERSONAS",
    "REFERABLE",
    "RESOURCES",
    "RESOURCE_NAMES",
    "RUNS",
    "RUN_TEMPLATES",
    "TEST_CASES",
    "TEST_SETS",
    "Body",
    "Contract",
    "FieldSpec",
    "Kind",
    "Reference",
    "Resource",
    "Unique",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'etl.resources' has no attribute {name!r}")
    found = getattr(import_module(f"etl.resources.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
