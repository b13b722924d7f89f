"""The metrics of the sandbox: a fixed handful, read only, so that metric ids can be looked up and mapped by name.

It must never know who refers to them. The first three ids are those of the reference pages' examples.
"""

from typing import Any


def _metric(name: str, metric_type: str, description: str) -> dict[str, Any]:
    return {"metric_name": name, "metric_type": metric_type, "description": description}


FIXED_METRICS: dict[str, dict[str, Any]] = {
    "abc123def456ghi789jklm": _metric(
        "Task Completion", "METRIC_LLM_BINARY", "Whether the agent did what the caller asked for"
    ),
    "iM5lM1oRs4zTu7wY0aBdEe": _metric(
        "Expected Behavior", "METRIC_COMPOSITE_EVALUATION", "How many of the expected behaviors were met"
    ),
    "jN6mN2pSt5aUv8xZ1bCeFf": _metric("Latency", "METRIC_LLM_TTFB", "Time to the first token of an answer"),
    "kP7nP3qTu6bVw9yA2cDgGh": _metric(
        "Interruption Rate", "METRIC_AUDIO_LLM_NUMERICAL", "How often one side talks over the other"
    ),
    "mQ8pQ4rUv7cWx0zB3dEhHj": _metric(
        "Identity Verification", "METRIC_LLM_BINARY", "Whether the caller was verified before data was given out"
    ),
}
"""By id."""
