"""Random streams and choices of the phantoms."""

import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

from engine.seeds import seed_for

T = TypeVar("T")


def stream(seed: int, *names: object) -> random.Random:
    """A random stream of its own for the thing called `names` under `seed`."""
    return random.Random(seed_for(seed, *names))


def pick(rng: random.Random, weights: Mapping[T, float]) -> T:
    """One of the mapping's keys, with the probability its weight says."""
    options: Sequence[T] = tuple(weights)
    return rng.choices(options, weights=tuple(weights.values()))[0]
