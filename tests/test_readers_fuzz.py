"""Damaged files of every kind, some seconds each. `make fuzz` does the same for longer, with another seed each time."""

import pytest

from tests.fuzz.hunt import hunt, keep
from tests.fuzz.seeds import SUFFIXES

SECONDS = 20.0
SEED = "3"


@pytest.mark.parametrize("kind", SUFFIXES)
def test_whatever_the_bytes_a_reader_gives_rows_or_a_reason(kind: str) -> None:
    tally = hunt(kind, SEED, SECONDS)
    found = "\n".join(f"{keep(finding)} {finding.options}: {finding.why[-800:]}" for finding in tally.findings)
    assert not tally.findings, f"seed {tally.seed}, after {tally.cases} files:\n{found}"
    # Neither are all refused at the door nor do all pass: the mutations reach what they are meant to reach. On a busy
    # machine some kinds, each file of which is read by a process of its own, come to a few dozen files only.
    assert tally.outcomes["refused"], tally.outcomes
    assert tally.outcomes["read"] + tally.outcomes["problems"], tally.outcomes
