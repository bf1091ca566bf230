"""The picture of a study: a drawn frontal chest radiograph that shows exactly what the truth says."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from engine.phantom.film.anatomy import body_of
from engine.phantom.film.bones import breaks_of, callus, draw_bones
from engine.phantom.film.canvas import COARSE, Field, Frame, enlarge, generator
from engine.phantom.film.markers import draw_markers
from engine.phantom.film.scene import Scene, stage
from engine.phantom.film.signs_devices import support_device
from engine.phantom.film.signs_lung import (
    atelectasis,
    consolidation,
    edema,
    lung_lesion,
    lung_opacity,
    pneumonia,
    strength,
)
from engine.phantom.film.signs_pleura import pleural_effusion, pleural_other, pneumothorax
from engine.phantom.film.style import Range, Style
from engine.phantom.film.tissue import paint_tissue
from engine.phantom.film.vessels import draw_vessels
from engine.phantom.patient.truth import Finding, PatientTruth, StudyTruth

__all__ = ["Style", "jpeg", "render"]

_TONES = 2048

#: Signs in the order in which they are laid over the chest: air and fluid in the pleura come last.
_SIGNS: dict[str, Callable[[Scene, Finding], None]] = {
    "Edema": edema,
    "Lung Opacity": lung_opacity,
    "Pneumonia": pneumonia,
    "Consolidation": consolidation,
    "Lung Lesion": lung_lesion,
    "Atelectasis": atelectasis,
    "Pleural Other": pleural_other,
    "Pneumothorax": pneumothorax,
    "Pleural Effusion": pleural_effusion,
    "Support Devices": support_device,
}


def render(
    study: StudyTruth, patient: PatientTruth, size: int, style: Style | None = None
) -> NDArray[np.uint8]:
    """The film as grey values (height, width), uint8; the longer side has `size` pixels.

    The same study, patient, size and style always give the same bytes. The patient's left is the picture's
    right. Raises ValueError for a size below 64.
    """
    if size < 64:
        raise ValueError(f"a film needs at least 64 pixels, got {size}")
    used = style or Style()
    rng = generator(study.seed, "film")
    body = body_of(patient, study)
    frame = _frame(body.tall, size, used, rng)
    scene = stage(body, frame, study.seed)
    paint_tissue(scene)
    scene.sound = scene.density.copy()
    breaks = breaks_of(study.findings, patient.seed)
    callus(scene, breaks)
    for label, draw in _SIGNS.items():
        for finding in study.findings:
            if finding.label == label:
                draw(scene, finding)
    behind, front = draw_bones(scene, breaks)
    vessels = draw_vessels(scene, _congestion(study))
    shape = (frame.height, frame.width)
    density = enlarge(scene.density, shape).copy()
    bone = np.float32(0.16 * _between(rng, used.bone))
    # The denser what lies around a bone, the less it stands out: plain in lung, faint in heart and abdomen.
    density += bone * (behind + front) * (1 - np.float32(1.4) * np.clip(density - np.float32(0.35), 0, 0.6))
    density += np.float32(0.15 * _between(rng, used.vessel)) * vessels * enlarge(scene.airy, shape)
    for ink, gain in ((scene.lines, 0.28), (scene.devices, 0.42)):
        if not ink.blank:
            density += np.float32(gain) * ink.field()
    draw_markers(density, study, used, size)
    return _develop(density, scene.density, study, used, size, rng)


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """The film as a JPEG file of quality 95, as MIMIC-CXR-JPG stores its films."""
    target = BytesIO()
    Image.fromarray(picture).save(target, "JPEG", quality=95)
    return target.getvalue()


def _frame(tall: float, size: int, style: Style, rng: np.random.Generator) -> Frame:
    aspect = _between(rng, style.aspect)
    height = size if aspect >= 1 else round(size * aspect)
    width = round(size / aspect) if aspect >= 1 else size
    height, width = height // COARSE * COARSE, width // COARSE * COARSE
    zoom = min(width / 2.46, height / (2.22 * tall)) * _between(rng, style.scale)
    centre = (width * (0.5 + _between(rng, style.shift)), height * (0.485 + _between(rng, style.shift)))
    return Frame(height, width, centre, (zoom, zoom * tall), float(np.deg2rad(_between(rng, style.tilt))))


def _congestion(study: StudyTruth) -> float:
    return max((strength(f) for f in study.findings if f.label == "Edema"), default=0.0)


def _develop(
    density: Field, coarse: Field, study: StudyTruth, style: Style, size: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Grain, blur and tone curve: from attenuation to grey values."""
    grain = generator(study.seed, "grain").standard_normal(density.shape, dtype=np.float32)
    density += np.float32(_between(rng, style.noise)) * grain
    curve = _tone_curve(coarse, style, rng)
    index = np.clip(density * np.float32(_TONES / 1.25), 0, _TONES - 1).astype(np.uint16)
    picture = Image.fromarray(np.take(curve, index))
    radius = _between(rng, style.softness) * size
    return np.asarray(picture.filter(ImageFilter.BoxBlur(radius)) if radius > 0.05 else picture)


def _tone_curve(coarse: Field, style: Style, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Grey value of every density: a steep straight line, mixed with the film's histogram equalisation."""
    level = (np.arange(_TONES, dtype=np.float32) + 0.5) * np.float32(1.25 / _TONES)
    steep = _between(rng, style.contrast)
    straight = np.clip(0.5 + (level - 0.5) * steep + _between(rng, style.exposure), 0, 1)
    index = np.clip(coarse * np.float32(_TONES / 1.25), 0, _TONES - 1).astype(np.intp)
    count = np.bincount(index.ravel(), minlength=_TONES)
    count = np.minimum(count, count.sum() // (_TONES // 6))  # or flat areas turn into amplified grain
    equal = np.cumsum(count) / count.sum()
    share = _between(rng, style.equalise)
    mixed: NDArray[np.uint8] = np.clip(255 * ((1 - share) * straight + share * equal), 0, 255).astype(
        np.uint8
    )
    return mixed


def _between(rng: np.random.Generator, limits: Range) -> float:
    return float(rng.uniform(*limits))
