"""What one film is made of while it is being drawn."""

from dataclasses import dataclass

import numpy as np

from engine.phantom.film.anatomy import Body, at_height, lookup
from engine.phantom.film.canvas import Field, Frame, Ink, Points, step


@dataclass
class Scene:
    """Fields lie on the coarse grid.

    x, y: body coordinates; u: distance from the spine. left: where the patient's left is.
    wall, border, floor: the inner chest wall, the edge of heart and mediastinum, and the diaphragm.
    inward: how deep inside heart and mediastinum, negative outside.
    lung, below: 1 in the lungs or under the diaphragm, 0 elsewhere.
    density: attenuation drawn so far, about 0 (air) to 1 (abdomen). sound: what it was before any finding.
    airy: how well lung vessels can be told from what surrounds them, 0 … 1.
    lines: ink for fine bright things (pleural lines, plates); devices: ink for tubes, wires and metal.
    """

    body: Body
    frame: Frame
    seed: int
    x: Field
    y: Field
    u: Field
    left: Field
    wall: Field
    border: Field
    inward: Field
    floor: Field
    lung: Field
    below: Field
    density: Field
    sound: Field
    airy: Field
    border_left: Points
    border_right: Points
    lines: Ink
    devices: Ink

    def half(self, side: int) -> Field:
        """1 on the patient's left (side +1) or right (-1) of the spine."""
        return self.left if side > 0 else 1 - self.left

    def edge(self, side: int, y: float) -> float:
        """Distance from the spine to the edge of heart or mediastinum at one height."""
        return at_height(self.border_left if side > 0 else self.border_right, y)

    def add(self, amount: Field) -> None:
        """Add attenuation."""
        self.density += amount


def stage(body: Body, frame: Frame, seed: int) -> Scene:
    """An empty film with its geometry worked out."""
    x, y = frame.grid()
    u = np.abs(x)
    toward_left = x > 0
    border_left, border_right = body.border_left(), body.border_right()
    left_edge, right_edge = lookup(border_left, y), lookup(border_right, y)
    border = np.where(toward_left, left_edge, right_edge)
    wall, floor = body.wall(y), body.diaphragm(x)
    lung = step(wall - u, 0.03) * step(u - border, 0.035) * step(floor - y, 0.03)
    apex = np.clip(np.float32(0.36) - u, 0, None)
    lung *= step(y - np.float32(2.6) * apex * apex, 0.04)
    return Scene(
        body=body,
        frame=frame,
        seed=seed,
        x=x,
        y=y,
        u=u,
        left=toward_left.astype(np.float32),
        wall=wall,
        border=border,
        inward=np.minimum(left_edge - x, right_edge + x),
        floor=floor,
        lung=lung,
        below=step(y - floor, 0.035),
        density=np.zeros_like(x),
        sound=np.zeros_like(x),
        airy=lung.copy(),
        border_left=border_left,
        border_right=border_right,
        lines=Ink(frame),
        devices=Ink(frame),
    )
