"""The numpy model equals the scalar twin: the same state and ledger after every operation of random programs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzzing import CHOICES, run_seed

OPERATIONS = 20_000
"""Operations for each policy; `python -m tests.fuzzing` runs any number."""


@pytest.mark.parametrize("policy", CHOICES)
def test_model_equals_twin(policy: str) -> None:
    done = seed = 0
    while done < OPERATIONS:
        done += run_seed(policy, seed)
        seed += 1


@given(policy=st.sampled_from(sorted(CHOICES)), seed=st.integers(1 << 32, 1 << 48))
@settings(max_examples=100, deadline=None)
def test_model_equals_twin_on_seeds_nobody_chose(policy: str, seed: int) -> None:
    run_seed(policy, seed)
