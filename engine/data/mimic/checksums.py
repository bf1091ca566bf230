"""Whether a table's file is the one that was published: the hashes that PhysioNet puts beside it."""

import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from engine.errors import UserError
from engine.files.plain_file import open_plain

_LISTS = ("SHA256SUMS.txt", "SHA256SUMS")
#: From a table up to the root of its database: mimiciv/3.1/hosp/admissions.csv.gz.
_LEVELS = 3
# Hundreds of thousands of films stand in the list, too; only tables are looked for.
_TABLE_ENDS = (".csv.gz", ".csv")


@dataclass
class Inputs:
    """The tables that were read, by name: file, hash, and whether a list of hashes had it."""

    read: dict[str, dict[str, str | bool]] = field(default_factory=dict)

    def check(self, name: str, path: Path) -> None:
        """Takes the file's hash. Raises UserError if it is not the published one, or if it cannot be read."""
        if name in self.read:
            return
        own = sha256(path)
        listed = _listed(path)
        if listed is not None and listed[1] != own:
            raise UserError(
                f"{path}: is damaged: its SHA-256 is not the one in {listed[0]}; download it again "
                "(if you have changed it yourself, remove its line there)"
            )
        self.read[name] = {"file": str(path), "sha256": own, "checked": listed is not None}


def sha256(path: Path) -> str:
    """In hex. Raises UserError where the file cannot be read."""
    try:
        with open_plain(path, "rb") as file:
            taken = hashlib.sha256()
            while block := file.read(1 << 20):
                taken.update(block)
            return taken.hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot read the table: {error.strerror}") from error


def _listed(path: Path) -> tuple[Path, str] | None:
    """The list that names the file, and its hash there."""
    for folder in [*path.parents][:_LEVELS]:
        for name in _LISTS:
            sums = folder / name
            if sums.is_file() and (found := _hashes(sums).get(path.relative_to(folder).as_posix())):
                return sums, found
    return None


@cache
def _hashes(sums: Path) -> dict[str, str]:
    """Hash by path, of the tables in the list."""
    found = {}
    with open_plain(sums, errors="replace") as lines:
        for line in lines:
            digest, _, name = line.strip().partition(" ")
            name = name.strip().removeprefix("*").removeprefix("./")
            if name.endswith(_TABLE_ENDS):
                found[name] = digest.lower()
    return found
