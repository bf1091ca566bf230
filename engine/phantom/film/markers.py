"""The letters on a film: which side is which, and how it was taken."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.phantom.film.canvas import Field, generator
from engine.phantom.film.style import Style
from engine.phantom.patient.truth import StudyTruth


def draw_markers(density: Field, study: StudyTruth, style: Style, size: int) -> None:
    """Add a lead "L" or "R" in an upper corner, and on some films taken in bed the words "AP PORTABLE"."""
    rng = generator(study.seed, "marker")
    height, width = density.shape
    letter = str(rng.choice(("L", "R")))
    across = rng.uniform(0.86, 0.93) if letter == "L" else rng.uniform(0.05, 0.12)
    _stamp(density, letter, (across * width, rng.uniform(0.03, 0.10) * height), 0.05 * size, 0.75)
    if study.view == "AP" and rng.random() < 0.5:
        _stamp(density, "AP PORTABLE", (rng.uniform(0.03, 0.08) * width, 0.93 * height), 0.024 * size, 0.5)


def _stamp(density: Field, text: str, at: tuple[float, float], tall: float, value: float) -> None:
    font = ImageFont.load_default_imagefont()
    left, top, right, bottom = font.getbbox(text)
    small = Image.new("L", (int(right - left), int(bottom - top)))
    ImageDraw.Draw(small).text((-left, -top), text, fill=255, font=font)
    zoom = tall / small.height
    letters = small.resize((max(1, round(small.width * zoom)), max(1, round(tall))), Image.Resampling.BICUBIC)
    x, y = int(at[0]), int(at[1])
    window = density[y : y + letters.height, x : x + letters.width]
    ink = np.asarray(letters, dtype=np.float32)[: window.shape[0], : window.shape[1]]
    window += np.float32(value / 255) * ink
