"""How many simulations a run starts: the page's formula, from a request body and the number of test cases.

It must never know files, nor ask anybody for the size of a test set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_QUEUED = 5_000
"""Simulations that an organisation may queue in an hour unless it agreed on more; beyond it the API answers 429
(vendor's client 0.9.7)."""


@dataclass(frozen=True, slots=True)
class Simulations:
    """What one run starts: for each of its test cases `iterations` times (1 + `mutations`).

    `named`: the test cases that the body itself limits it to (those listed, or the size of the sample, whichever are
    fewer); None: all of the test set.
    """

    named: int | None
    iterations: int
    mutations: int

    @property
    def each(self) -> int:
        """Simulations for each test case."""
        return self.iterations * (1 + self.mutations)

    def of(self, cases: int) -> int:
        """All simulations, where the test set has so many test cases."""
        return self.each * (cases if self.named is None else min(self.named, cases))

    @property
    def most(self) -> int | None:
        """All simulations as far as the body says it; None where only the test set can tell."""
        return None if self.named is None else self.each * self.named


def simulations_of(body: Mapping[str, Any]) -> Simulations:
    """What a body asks for (launch-run page: test cases times iterations times one more than mutations).

    `body`: of a launch, its settings in `options`, or of a run template, which has them beside the rest. What is of a
    wrong type counts as absent.
    """
    options = body.get("options")
    holder = options if isinstance(options, Mapping) else body
    ids, size, iterations = (holder.get(name) for name in ("test_case_ids", "sub_sample_size", "iteration_count"))
    listed = len(ids) if isinstance(ids, list) and ids else None
    sampled = size if isinstance(size, int) and size > 0 else None
    mutations = body.get("mutation_ids")
    return Simulations(
        min((count for count in (listed, sampled) if count is not None), default=None),
        iterations if isinstance(iterations, int) else 1,
        len(mutations) if isinstance(mutations, list) and mutations else int(body.get("mutation_id") is not None),
    )
