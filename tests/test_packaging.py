"""What an installed copy brings along."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("package", ["cockpit", "engine"])
def test_every_file_that_a_package_reads_is_installed_with_it(package: str) -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    home = ROOT / package
    installed = {path for pattern in setup["package-data"][package] for path in home.glob(pattern)}
    # what the package holds, and what it links to
    read = {path for path in home.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    read |= {path for link in home.iterdir() if link.is_symlink() for path in link.iterdir()}
    assert read
    assert read <= installed
