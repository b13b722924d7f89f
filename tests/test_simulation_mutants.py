"""The proof is proved: mistakes, planted one at a time, are each found; without them the same jobs go right."""

import gc
from collections.abc import Iterator

import pytest

from tests.simulation.job import Job
from tests.simulation.mutants import MUTANTS

SEEDS = 120
"""So many jobs a mistake may survive."""


@pytest.fixture(autouse=True)
def without_chance() -> Iterator[None]:
    """Within a job nothing is collected by chance."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_mistake_is_found(name: str) -> None:
    mutant, draw = MUTANTS[name]
    for seed in range(SEEDS):
        with mutant():
            wrong = Job(draw(seed)).run().judge().wrong
        if wrong:
            break
    else:
        pytest.fail(f"{name} was not found in {SEEDS} jobs")
    assert not [words for words in wrong if "crashed" in words], "the mistake is one of counting, not of Python"
    for other in range(seed + 1):
        assert Job(draw(other)).run().judge().wrong == []
