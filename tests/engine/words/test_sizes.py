"""Memory in GiB, disks and lines in GB: one rule, and each figure says which."""

import pytest

from engine.words.sizes import GIB, in_memory, on_disk


@pytest.mark.parametrize(
    ("count", "memory", "disk"),
    [
        (512 * GIB, "512.0 GiB", "549.76 GB"),
        (15_132_438_528, "14.09 GiB", "15.13 GB"),
        (740_000_000, "706 MiB", "740.0 MB"),
        (3_000, "3 KiB", "3 kB"),
        (0, "0 KiB", "0 B"),
    ],
)
def test_each_unit_is_what_it_says(count: int, memory: str, disk: str) -> None:
    assert (in_memory(count), on_disk(count)) == (memory, disk)
