"""Where a record's image lies below the image root, however the path is written."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from engine.data.curriculum import image_path_problem
from engine.data.images import outside
from engine.data.importing.missing import is_missing
from engine.data.importing.unusable import Unusable

_MIMIC_TREE = re.compile(r"(?:^|.*/)(files/p1\d/.*)")
_MIMIC_STUDY = re.compile(r"(?:^|.*/)(p1\d/p1\d{7}/s5\d{7}/[^/]+)")
_WEB = re.compile(r"(?:https?|s3|gs|ftp)://", re.IGNORECASE)
_SLICES = (".dcm", ".dicom", ".nii", ".npy", ".npz")


def image_path(value: Any, root: Path | None, note: Callable[[str], None]) -> str:
    """The path relative to the image root, cut down to MIMIC's own files/p1… where only that is there.

    root: where the image is looked for; None looks for none. Raises Unusable if there is no image, or none to be used.
    """
    path = _plain(_given(value, note))
    candidates = list(dict.fromkeys(_candidates(path, root)))
    usable = [candidate for candidate in candidates if image_path_problem(candidate) is None]
    if not usable:
        problem = image_path_problem(path)
        if root is None and problem and problem.startswith("is absolute"):
            problem = "is absolute; say with --image-root where the images lie"
        raise Unusable(f"image path {problem}")
    if root is None:
        return usable[0]
    for candidate in usable:
        if _usable(root, candidate):
            if (way_out := outside(root, candidate)) is not None:
                raise Unusable(f"image {way_out}")
            return candidate
    raise Unusable("image file missing below the image root")


def _given(value: Any, note: Callable[[str], None]) -> str:
    """The path as it stands in a text, a list of such, or an object as datasets and chat APIs have it."""
    if isinstance(value, list):
        found = [item for item in value if not is_missing(item)]
        if len(found) > 1:
            note("only the first of several images taken")
        value = found[0] if found else None
    if isinstance(value, Mapping):
        for key in ("path", "file_name", "url", "image", "image_url"):
            if not is_missing(value.get(key)):
                return _given(value[key], note)
        if value.get("bytes"):
            raise Unusable("image is embedded in the record; save it as a file and give its path")
    if is_missing(value) or not isinstance(value, str):
        raise Unusable("no image" if is_missing(value) else "image is no path")
    if value.lstrip().startswith("data:") or len(value) > 5000:
        raise Unusable("image is embedded in the record; save it as a file and give its path")
    return value


def _plain(path: str) -> str:
    """Forward slashes, no file:// before it and no detours in it."""
    path = path.strip().replace("\\", "/").removeprefix("file://")
    if _WEB.match(path) and not _MIMIC_TREE.fullmatch(path):
        raise Unusable("image is a web address; fetch it and give the path of the file")
    if PurePosixPath(path).suffix.casefold() in _SLICES or path.casefold().endswith(".nii.gz"):
        raise Unusable("image is no picture file (DICOM, NIfTI or NumPy); save it as PNG")
    return str(PurePosixPath(path)) if path else path


def _candidates(path: str, root: Path | None) -> Iterator[str]:
    if root is not None and path.startswith(f"{root.absolute()}/"):
        yield path.removeprefix(f"{root.absolute()}/")
    yield path
    if tree := _MIMIC_TREE.fullmatch(path):
        yield tree[1]
    if root is not None and (study := _MIMIC_STUDY.fullmatch(path)):
        yield study[1]
        yield f"files/{study[1]}"


def _usable(root: Path, relative: str) -> bool:
    return image_path_problem(relative) is None and (root / relative).is_file()
