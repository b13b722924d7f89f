"""Whatever somebody does with a job, in whatever order: nothing is lost, nothing is doubled."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.mutants import MUTANTS
from tests.simulation.stateful import Game

FEW = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
"""`make soak` plays 2,000 games of 50 moves."""
MANY = settings(FEW, max_examples=400, phases=[Phase.generate])
"""Until one fails, without making it small."""


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_nothing_is_lost_or_doubled_whatever_is_done() -> None:
    run_state_machine_as_test(Game, settings=FEW)


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
@pytest.mark.parametrize("name", ["retry on 500", "intent is nothing on open", "lease not checked"])
def test_the_game_finds_planted_mistakes_too(name: str) -> None:
    mutant, _ = MUTANTS[name]
    with mutant(), pytest.raises(BaseException, match=r"took effect|doubled"):
        run_state_machine_as_test(Game, settings=MANY)
