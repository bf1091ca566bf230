"""Random draws that depend on nothing but a seed and a name, so order and number of workers cannot matter."""

import random
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


def key(seed: int, *names: object) -> int:
    """A 63-bit seed for the thing called `names` under `seed`."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def stream(seed: int, *names: object) -> random.Random:
    """A random stream of its own for the thing called `names` under `seed`."""
    return random.Random(key(seed, *names))


def pick(rng: random.Random, weights: Mapping[T, float]) -> T:
    """One of the mapping's keys, with the probability its weight says."""
    options: Sequence[T] = tuple(weights)
    return rng.choices(options, weights=tuple(weights.values()))[0]
