"""From a film to the pixels the vision tower was trained on: padded to a square, never cropped.

A centre crop cuts lung apices or bases off a portrait film. The original pads at a random one-pixel offset;
here the offset is always (long - short) // 2, so that one film always gives the same pixels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.errors import UserError
from engine.model.json_file import read_object

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ImageProcessor:
    """Pads to square with the mean colour, resizes (bicubic) and normalises.

    size: side of the square in pixels. mean, std: per RGB channel, in 0…1.
    """

    size: int
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    @classmethod
    def for_tower(cls, tower: Path, size: int) -> "ImageProcessor":
        """The processor of a vision tower's directory, CLIP's own where it has no preprocessor_config.json."""
        path = tower / "preprocessor_config.json"
        if not path.is_file():
            return cls(size)
        raw = read_object(path)
        try:
            mean = [float(value) for value in raw.get("image_mean", CLIP_MEAN)]
            std = [float(value) for value in raw.get("image_std", CLIP_STD)]
            if not all(0 <= value <= 1 for value in mean) or not all(0 < value <= 1 for value in std):
                raise ValueError
            return cls(size, (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))
        except (TypeError, ValueError, IndexError):
            raise UserError(f"{path}: image_mean and image_std are three numbers in 0…1") from None

    def square(self, image: Image.Image) -> Image.Image:
        """The film in RGB, centred on a square filled with the mean colour."""
        rgb = image.convert("RGB")
        width, height = rgb.size
        if width == height:
            return rgb
        side = max(width, height)
        fill = (int(255 * self.mean[0]), int(255 * self.mean[1]), int(255 * self.mean[2]))
        canvas = Image.new("RGB", (side, side), fill)
        canvas.paste(rgb, ((side - width) // 2, (side - height) // 2))
        return canvas

    def seen(self, image: Image.Image) -> Image.Image:
        """The film as the tower sees it, before its values are normalised: RGB, `size` pixels square."""
        return self.square(image).resize((self.size, self.size), Image.Resampling.BICUBIC)

    def __call__(self, image: Image.Image) -> npt.NDArray[np.float32]:
        """Pixels of shape (3, size, size), normalised."""
        pixels = np.asarray(self.seen(image), dtype=np.float32) / np.float32(255)
        normalised = (pixels - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(normalised.transpose(2, 0, 1))
