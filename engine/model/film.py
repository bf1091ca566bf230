"""`data film`: one film as the vision tower sees it."""

import os
from pathlib import Path

from engine.data.images import emptiness, read_film
from engine.errors import UserError
from engine.files.temporary import holder
from engine.model.image_processor import ImageProcessor

#: LLaVA-Med's tower.
_SIZE = 336


def write_seen(path: Path, to: Path, base: Path | None = None) -> tuple[list[str], str | None]:
    """Write `to` as PNG, readable by its owner only; lines on what was done, and why the film shows nothing if so.

    base: a base model's directory, whose size and colours count; without it LLaVA-Med's. Raises UserError where the
    film cannot be read, or `to` not be written.
    """
    if to.suffix.lower() != ".png":
        raise UserError(f"{to}: is written as PNG; let its name end in .png")
    film = path.resolve()  # a link that is named outright is meant
    if not film.exists():
        raise UserError(f"{path}: no such image")
    if to.exists() and film.samefile(to):
        raise UserError(f"{to}: is the film itself; name another file")
    read = read_film(film.parent, film.name)
    processor = _processor(base)
    seen = processor.seen(read.image)
    try:
        with holder(to.parent) as beside:
            made = beside.path / "film.png"
            seen.save(made)
            made.chmod(0o600)
            os.replace(made, to)
    except OSError as error:
        raise UserError(f"{to}: cannot be written: {error.strerror or error}") from error
    width, height = read.image.size
    kind = "grey" if read.image.mode == "L" else "colour"
    changes = read.changes or ("8 bits as they are in the file",)
    padded = "" if width == height else f", padded to {max(width, height)} square"
    lines = [f"{width} x {height} {kind}", *changes, f"{to}: RGB of {seen.width} square{padded}"]
    return lines, emptiness(read.image)


def _processor(base: Path | None) -> ImageProcessor:
    if base is None:
        return ImageProcessor(_SIZE)
    from engine.model.loading import model_type_of

    if model_type_of(base) == "llava_mistral":
        from engine.model.llava_mistral import read_config

        original = read_config(base)
        tower = base / str(original.raw["mm_vision_tower"])
        return ImageProcessor.for_tower(tower, original.llava.vision_config.image_size)
    from engine.model.converted import read_converted_config

    return ImageProcessor.for_tower(base, read_converted_config(base).vision_config.image_size)
