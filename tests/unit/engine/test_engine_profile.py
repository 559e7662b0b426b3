"""How hard the random tests try."""

import pytest
import test_engine_model
import test_engine_random_moves
from engine_effort import MANY, MOVES, RULES


def test_random_tests_try_ten_thousand_examples_where_many_are_asked_for():
    assert RULES.max_examples == (10_000 if MANY else 500)


@pytest.mark.parametrize(
    ("test", "effort"),
    [
        (test_engine_model.test_every_random_sequence_goes_as_the_naive_model_says, RULES),
        (test_engine_random_moves.test_the_invariant_holds_after_any_moves_legal_or_not, MOVES),
        (test_engine_random_moves.test_the_fast_path_does_what_the_single_moves_do, MOVES),
    ],
)
def test_they_have_no_seed_and_no_time_limit_wherever_they_run(test, effort):
    used = test._hypothesis_internal_use_settings
    assert used == effort
    assert (used.derandomize, used.deadline, used.print_blob, used.suppress_health_check) == (False, None, True, ())
