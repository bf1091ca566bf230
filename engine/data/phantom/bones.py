"""Ribs (whole or broken), clavicles, scapulae and the processes of the spine."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from engine.data.phantom.anatomy import SIDES, Body
from engine.data.phantom.canvas import Field, Ink, Points, bump, curve, generator, outline
from engine.data.phantom.scene import Scene
from engine.data.phantom.truth import Finding

_RIBS = 10
_BROKEN_FIRST = {"upper": 3, "mid": 5, "lower": 7}


@dataclass(frozen=True)
class Break:
    """A displaced fracture of one posterior rib: side, number from 0, place along it, and step in body units."""

    side: int
    rib: int
    place: float
    offset: float


def breaks_of(findings: Iterable[Finding], seed: int) -> list[Break]:
    """The broken ribs that a study's fractures mean."""
    found = []
    for finding in findings:
        if finding.label != "Fracture":
            continue
        rng = generator(seed, "fracture", finding.side)
        first = _BROKEN_FIRST[finding.zone or "mid"] + int(rng.integers(0, 2))
        place = rng.uniform(0.50, 0.72)
        direction = rng.choice((-1.0, 1.0))
        size = (0.040, 0.052, 0.064)[finding.severity - 1] * (1 if finding.certain else 0.45)
        for number in range(int(finding.severity)):
            at = place + rng.uniform(-0.03, 0.03)
            found.append(Break(SIDES[finding.side or "left"], first + number, at, direction * size))
    return found


def draw_bones(scene: Scene, breaks: Iterable[Break]) -> tuple[Field, Field]:
    """Two layers of bone, 0 … 1, at the picture's size: behind (ribs at the back, spine) and in front."""
    back, front = Ink(scene.frame), Ink(scene.frame)
    broken = {(b.side, b.rib): b for b in breaks}
    for side in (1, -1):
        _scapula(back, scene.body, side)
        for rib in range(_RIBS):
            _rib_behind(back, scene.body, side, rib, broken.get((side, rib)))
        for rib in range(1, 7):
            _rib_in_front(front, scene.body, side, rib)
    twist = generator(scene.seed, "twist").uniform(-0.025, 0.025)
    for side in (1, -1):
        _clavicle(front, scene, side, twist)
    _processes(back, scene.body)
    return back.field(), front.field()


def callus(scene: Scene, breaks: Iterable[Break]) -> None:
    """The cuff of swelling and blood around every break."""
    for one in breaks:
        points = _behind(scene.body, one.side, one.rib)
        at = points[round(one.place * (len(points) - 1))]
        strength = np.float32(min(0.09, abs(one.offset) * 1.6))
        scene.add(strength * bump(scene.x, scene.y, (at[0], at[1]), (0.07, 0.055)))


def _behind(body: Body, side: int, rib: int) -> Points:
    t = np.linspace(0, 1, 28)
    start = body.rib_start + body.rib_spacing * rib
    drop = body.rib_drop * (0.55 + 0.06 * rib)
    y = start - 0.10 * np.sin(np.pi * np.clip(t * 1.25, 0, 1)) * (1 - 0.05 * rib) + drop * t**2.1
    reach = body.wall_at(np.array([start + drop]))[0] + 0.015
    x = 0.09 + (reach - 0.09) * np.sin(t * np.pi / 2 * 0.97) ** 0.92
    return np.stack([side * x, y], axis=1)


def _rib_behind(ink: Ink, body: Body, side: int, rib: int, broken: Break | None) -> None:
    points = _behind(body, side, rib)
    widths = np.interp(np.linspace(0, 1, len(points)), (0, 0.2, 0.8, 1), (0.05, 0.066, 0.062, 0.045))
    if broken is None:
        _bone(ink, points, widths)
        return
    cut = round(broken.place * (len(points) - 1))
    inner, outer = points[: cut + 1], points[cut + 1 :].copy()
    fade = np.linspace(1, 0.25, len(outer))
    outer[:, 1] += broken.offset * fade
    inner = inner.copy()
    inner[-3:, 1] -= broken.offset * np.array([0.15, 0.35, 0.55])
    _bone(ink, inner, widths[: cut + 1], 1.25)
    _bone(ink, outer, widths[cut + 1 :], 1.25)


def _rib_in_front(ink: Ink, body: Body, side: int, rib: int) -> None:
    start = _behind(body, side, rib)[-1]
    t = np.linspace(0, 1, 18)
    end = 0.36 + 0.035 * rib
    x = abs(start[0]) + (end - abs(start[0])) * t**1.15
    y = start[1] + (0.20 + 0.035 * rib) * t**0.85 + 0.02
    widths = np.interp(t, (0, 0.5, 1), (0.045, 0.068, 0.085))
    _bone(ink, np.stack([side * x, y], axis=1), widths, 0.62)


def _bone(ink: Ink, points: Points, widths: Points, strength: float = 1.0) -> None:
    ink.ribbon(points, widths, 0.40 * strength)
    rim = outline(points, widths * 0.93)
    ink.line(rim[: len(points)], 0.011, 0.62 * strength)
    ink.line(rim[len(points) :], 0.013, 0.75 * strength)


def _clavicle(ink: Ink, scene: Scene, side: int, twist: float) -> None:
    lift = 0.06 * (scene.body.arms - 0.5)
    middle = curve(
        [
            (side * 0.10 + twist, 0.20),
            (side * 0.32 + twist, 0.13 - 0.2 * lift),
            (side * 0.62, 0.055 - lift),
            (side * 0.86, -0.025 - lift),
            (side * 1.06, -0.05 - lift),
        ],
        22,
    )
    widths = np.interp(np.linspace(0, 1, 22), (0, 0.12, 0.5, 0.9, 1), (0.095, 0.075, 0.062, 0.075, 0.06))
    _bone(ink, middle, widths, 1.05)


def _scapula(ink: Ink, body: Body, side: int) -> None:
    out = 0.16 * (body.arms - 0.35)
    blade = curve(
        [(0.98, 0.10), (0.84, 0.22), (0.86, 0.52), (0.98, 0.86), (1.05, 0.80), (1.13, 0.45), (1.16, 0.15)], 30
    )
    blade[:, 0] = side * (blade[:, 0] + out)
    ink.polygon(blade, 0.22)
    ink.line(blade[:14], 0.012, 0.50)
    ink.line(blade[14:], 0.020, 0.62)
    head = curve([(1.16, -0.02), (1.27, 0.02), (1.31, 0.14), (1.24, 0.24), (1.15, 0.20), (1.12, 0.08)], 20)
    head[:, 0] = side * (head[:, 0] + out)
    ink.polygon(head, 0.42)
    ink.line(np.concatenate([head, head[:1]]), 0.014, 0.62)


def _processes(ink: Ink, body: Body) -> None:
    for level in range(-2, 13):
        y = body.rib_start + 0.02 + body.rib_spacing * level
        ink.line(np.array([[0.0, y + 0.02], [0.0, y + 0.075]]), 0.022, 0.32)
        for side in (1, -1):
            ink.disc((side * 0.062, y), 0.016, 0.30)
