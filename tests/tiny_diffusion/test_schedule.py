"""The noise schedule, and the fork's choice of steps from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_diffusion.schedule import Schedule, alphas_cumprod, ddim_timesteps


@pytest.mark.parametrize(
    ("asked", "taken"),
    [(1, 1), (2, 2), (4, 4), (5, 5), (7, 8), (8, 8), (10, 10), (30, 31), (50, 50), (60, 63)],
)
def test_steps_taken_are_those_that_the_fork_takes(asked: int, taken: int) -> None:
    assert len(Schedule.ddim(asked, 0.0)) == taken


@pytest.mark.parametrize("steps", [3, 9, 27, 36, 37, 101, 111, 251, 333, 501, 1000])
def test_steps_with_which_the_fork_fails_fail_likewise(steps: int) -> None:
    with pytest.raises(IndexError, match="index 1000 is out of bounds"):
        Schedule.ddim(steps, 0.0)


def test_no_steps_divide_by_zero_and_too_many_are_a_value_error() -> None:
    with pytest.raises(ZeroDivisionError):
        ddim_timesteps(0)
    with pytest.raises(ValueError, match="must not be zero"):
        ddim_timesteps(1001)


def test_negative_steps_visit_nothing() -> None:
    assert len(Schedule.ddim(-5, 0.0)) == 0


def test_noise_grows_from_almost_none_to_almost_all() -> None:
    every = alphas_cumprod()
    assert every[0] == pytest.approx(1 - 0.00085)
    assert every[-1] == pytest.approx(0.00466, abs=1e-4)
    assert (np.diff(every) < 0).all()


@given(st.sampled_from([1, 2, 5, 8, 20, 50, 100]), st.floats(0, 1))
def test_noise_added_on_the_way_never_exceeds_what_is_left(steps: int, eta: float) -> None:
    schedule = Schedule.ddim(steps, eta)
    assert (schedule.sigmas >= 0).all()
    assert (schedule.sigmas**2 <= 1 - schedule.alphas_prev + 1e-12).all()
