"""The steps that the fork's samplers can run. Pure.

They walk `range(0, 1000, 1000 // steps)` and add one to each time step (`make_ddim_timesteps` in
the fork's `util.py`), so some numbers of steps give more steps, and others end out of bounds.
"""

DIFFUSION_STEPS = 1000
"""Steps of the models' noise schedule (`timesteps` in the fork's configurations)."""


def sampled_steps(steps: int) -> int:
    """Return how many steps the samplers run when `steps` are requested (7 gives 8)."""
    return len(range(0, DIFFUSION_STEPS, DIFFUSION_STEPS // steps))


def is_usable(steps: int) -> bool:
    """Whether the samplers can run `steps`: their last time step plus one stays below 1000."""
    if not 1 <= steps <= DIFFUSION_STEPS:
        return False
    return (DIFFUSION_STEPS - 1) % (DIFFUSION_STEPS // steps) != 0


def nearest_usable(steps: int) -> int:
    """Return the usable number of steps that is nearest to `steps`, the larger one of two."""
    usable = (number for number in range(1, DIFFUSION_STEPS + 1) if is_usable(number))
    return min(usable, key=lambda number: (abs(number - steps), -number))


def check_steps(steps: int) -> int:
    """Return `steps`; raises ValueError with the nearest usable values below and above."""
    if is_usable(steps):
        return steps
    usable = [number for number in range(1, DIFFUSION_STEPS + 1) if is_usable(number)]
    below = [number for number in usable if number < steps][-1:]
    above = [number for number in usable if number > steps][:1]
    values = " or ".join(map(str, below + above))
    raise ValueError(f"{steps} steps do not work with this model. Try {values}.")
