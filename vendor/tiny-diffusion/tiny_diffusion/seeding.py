"""Where randomness comes from: one generator, seeded once."""

from __future__ import annotations

import random
import sys

import numpy as np

LARGEST_SEED = 2**32 - 1


def seed_everything(seed: int) -> np.random.Generator:
    """Return the generator of a run and say its seed; one that is out of range is replaced.

    The fork (pytorch-lightning 1.4.2) replaces such a seed by a random one and carries on, too.
    """
    if not 0 <= seed <= LARGEST_SEED:
        print(f"{seed} is not in bounds, it must be from 0 to {LARGEST_SEED}", file=sys.stderr)
        seed = random.SystemRandom().randint(0, LARGEST_SEED)
    print(f"Global seed set to {seed}", file=sys.stderr)
    return np.random.default_rng(seed)


def generator_from_numpy() -> np.random.Generator:
    """Return a generator seeded by NumPy's global state: random, unless the caller has seeded that.

    inpaint.py has no `--seed`; who wants the same picture again calls `np.random.seed` before it.
    """
    seed = np.random.randint(0, LARGEST_SEED, size=4, dtype=np.uint32)  # noqa: NPY002 - see above
    return np.random.default_rng(seed)
