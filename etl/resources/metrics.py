"""Metrics: `GET /metrics` only (API notes). Others refer to them by id; nobody makes them here.

Must never know which metrics an organisation has.
"""

from etl.resources.resource import Resource

METRICS = Resource(
    name="metrics",
    path="/metrics",
    singular="metric",
    plural="metrics",
    label="metric_name",
    names=("metric_name", "display_name"),
    create={},
    update={},
    updatable=False,
)
