"""Every random draw as a pure function of what it is for.

There is no generator whose state a resumed run would have to restore, and neither order nor number of workers can
matter: the order of samples is a function of (seed, stage, epoch), dropout of (seed, stage, step), a fresh adapter of
(seed), a phantom of (seed, its number).
"""

import hashlib


def seed_for(*parts: object) -> int:
    """A 63-bit seed for the draw that `parts` name; other parts give an unrelated one."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
