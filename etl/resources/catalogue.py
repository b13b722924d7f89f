"""Every resource by its name. It must never know more of one than that."""

from etl.resources.agents import AGENTS
from etl.resources.metrics import METRICS
from etl.resources.personas import PERSONAS
from etl.resources.resource import Resource
from etl.resources.run_templates import RUN_TEMPLATES
from etl.resources.runs import RUNS
from etl.resources.test_cases import TEST_CASES
from etl.resources.test_sets import TEST_SETS

RESOURCES: dict[str, Resource] = {
    resource.name: resource for resource in (TEST_SETS, PERSONAS, AGENTS, TEST_CASES, RUN_TEMPLATES, RUNS)
}
"""Every resource by its name on the command line, in dependency order: what refers comes after what it refers to."""

REFERABLE: dict[str, Resource] = {**RESOURCES, METRICS.name: METRICS}
"""What rows may refer to: every resource, and those that are only read."""
