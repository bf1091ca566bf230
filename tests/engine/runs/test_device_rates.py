"""The rates a trial measured, kept beside the runs."""

from pathlib import Path

import pytest

from engine.runs.device_rates import FILE, DeviceRates, read_device_rates, write_device_rates

RATES = DeviceRates("mps", "Apple M3 Ultra", "2026-01-02T03:04:05+00:00", {"fp32": 2e13, "bf16": None})


def test_what_is_kept_is_read_and_nobody_else_reads_it(tmp_path: Path) -> None:
    runs = tmp_path / "new" / "runs"
    path = write_device_rates(runs, RATES)
    assert path == runs / ".device.json" and read_device_rates(runs) == RATES
    assert path.stat().st_mode & 0o777 == 0o600 and runs.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in runs.iterdir()] == [FILE]


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"device": "mps"}', '{"chip": 1, "more": 2}'])
def test_what_is_not_there_or_no_such_file_is_nothing(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / FILE).write_text(text)
    assert read_device_rates(tmp_path) is None
