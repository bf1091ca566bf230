"""Ribs (whole or broken), clavicles, scapulae and the processes of the spine."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from engine.phantom.film.anatomy import SIDES, Body
from engine.phantom.film.canvas import Field, Ink, Points, bump, curve, generator, outline
from engine.phantom.film.scene import Scene
from engine.phantom.patient.truth import Finding

_RIBS = 9
_BROKEN_FIRST = {"upper": 2, "mid": 4, "lower": 6}


@dataclass(frozen=True)
class Break:
    """A displaced fracture of one posterior rib: side, number from 0, place along it, and step in body
    units."""

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
        place = rng.uniform(0.42, 0.56)
        direction = rng.choice((-1.0, 1.0))
        size = (0.065, 0.078, 0.090)[finding.severity - 1] * (1 if finding.certain else 0.45)
        for number in range(int(finding.severity)):
            at = place + rng.uniform(-0.03, 0.03)
            found.append(Break(SIDES[finding.side or "left"], first + number, at, direction * size))
    return found


def draw_bones(scene: Scene, breaks: Iterable[Break]) -> tuple[Field, Field]:
    """Two layers of bone, 0 … 1, at the picture's size: behind (ribs at the back, spine) and in front."""
    back, front = Ink(scene.frame), Ink(scene.frame)
    broken = {(b.side, b.rib): b for b in breaks}
    courses = [_course(scene.body, rib) for rib in range(_RIBS)]
    twist = generator(scene.seed, "twist").uniform(-0.025, 0.025)
    for side in (1, -1):
        _scapula(back, scene.body, side)
        for rib, course in enumerate(courses):
            one = broken.get((side, rib))
            if one is None:
                _bone(back, course * (side, 1), _WIDTHS)
            else:
                _broken_bone(back, course * (side, 1), one)
        for rib in range(1, 7):
            _rib_in_front(front, courses[rib][-1], side, rib)
        _clavicle(front, scene, side, twist)
    _processes(back, scene.body)
    return back.field(), front.field()


def callus(scene: Scene, breaks: Iterable[Break]) -> None:
    """The cuff of new bone and blood around every break, split by the gap."""
    for one in breaks:
        course = _course(scene.body, one.rib) * (one.side, 1)
        cut = _cut(one)
        slope = float(np.arctan2(*(course[cut + 1] - course[cut - 1])[::-1]))
        at = (float(course[cut, 0]), float(course[cut, 1] + 0.2 * one.offset))
        strength = np.float32(min(0.27, abs(one.offset) * 3.4))
        cuff = bump(scene.x, scene.y, at, (0.075, 0.048), slope)
        gap = bump(scene.x, scene.y, at, (0.008, 0.04), slope + 0.3)
        scene.add(strength * (cuff - 0.9 * gap))


_ALONG = np.linspace(0, 1, 28)
_WIDTHS = np.interp(_ALONG, (0, 0.2, 0.8, 1), (0.05, 0.066, 0.062, 0.045))
_RISE = 0.10 * np.sin(np.pi * np.clip(_ALONG * 1.25, 0, 1))
_REACH = np.sin(_ALONG * np.pi / 2 * 0.97) ** 0.92
_FRONT = np.linspace(0, 1, 18)
_FRONT_WIDTHS = np.interp(_FRONT, (0, 0.5, 1), (0.045, 0.068, 0.085))


def _course(body: Body, rib: int) -> Points:
    """The middle (28, 2) of a left rib, from the spine to where it turns to the front."""
    start = body.rib_start + body.rib_spacing * rib
    drop = body.rib_drop * (0.55 + 0.06 * rib)
    y = start - _RISE * (1 - 0.05 * rib) + drop * _ALONG**2.1
    reach = body.wall_at(np.array([start + drop]))[0] + 0.015
    return np.stack([0.09 + (reach - 0.09) * _REACH, y], axis=1)


def _cut(one: Break) -> int:
    return round(one.place * (len(_ALONG) - 1))


def _broken_bone(ink: Ink, course: Points, one: Break) -> None:
    cut = _cut(one)
    inner, outer = course[:cut].copy(), course[cut + 1 :].copy()
    outer[:, 1] += one.offset * np.linspace(1, 0, len(outer)) ** 1.3
    inner[-4:, 1] -= one.offset * np.array([0.08, 0.2, 0.35, 0.5])
    _bone(ink, inner, _WIDTHS[:cut], 1.2)
    _bone(ink, outer, _WIDTHS[cut + 1 :], 1.2)
    solid = 0.5 + min(0.5, 6 * abs(one.offset))
    ink.ribbon(inner[-4:], 0.066, solid)
    ink.ribbon(outer[:4], 0.066, solid)


def _rib_in_front(ink: Ink, turn: Points, side: int, rib: int) -> None:
    end = 0.36 + 0.035 * rib
    x = turn[0] + (end - turn[0]) * _FRONT**1.15
    y = turn[1] + (0.20 + 0.035 * rib) * _FRONT**0.85 + 0.02
    _bone(ink, np.stack([side * x, y], axis=1), _FRONT_WIDTHS, 0.62)


def _bone(ink: Ink, points: Points, widths: Points, strength: float = 1.0) -> None:
    rim = outline(points, widths)
    ink.polygon(rim, 0.46 * strength)
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
