"""What a foreign environment says is read in one go, whatever it says."""

import time

import pytest

from engine.setup_check.rules.causes import _FILE, _REFUSED


@pytest.mark.parametrize(
    "words", ["a" + "==" * 40 + "!", "x=" * 20_000, "a." * 20_000, "/a" * 20_000, "/" * 20_000]
)
def test_no_words_hold_it_up(words: str) -> None:
    begun = time.process_time()
    assert _REFUSED.search(words) is None and _FILE.search(words) is None
    assert time.process_time() - begun < 2


def test_what_they_are_for() -> None:
    said = "tokenizers>=0.21,<0.22 is required for a normal functioning of this module, but found tokenizers==0.20."
    found = _REFUSED.search(said)
    assert found and found.groups() == ("tokenizers>=0.21,<0.22", "tokenizers", "0.20")
    file = _FILE.search("ImportError: /opt/env/lib/libtorch.so.2: undefined symbol")
    assert file and file[0] == "/opt/env/lib/libtorch.so.2"
