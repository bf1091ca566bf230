"""Pictures in kitty's graphics protocol, placed by characters: where those are drawn, the picture is seen.

So a picture behaves like text: what is written over it hides it, and nothing of it stays behind.
"""

from __future__ import annotations

import base64
import io

from rich.color import Color, ColorSystem
from rich.style import Style

from cockpit.toolkit.lines import Frame

PLACEHOLDER = "\U0010eeee"
_MARKS = (
    "\u0305\u030d\u030e\u0310\u0312\u033d\u033e\u033f\u0346\u034a\u034b\u034c\u0350\u0351\u0352\u0357"
    "\u035b\u0363\u0364\u0365\u0366\u0367\u0368\u0369\u036a\u036b\u036c\u036d\u036e\u036f\u0483\u0484"
    "\u0485\u0486\u0487\u0592\u0593\u0594\u0595\u0597\u0598\u0599\u059c\u059d\u059e\u059f\u05a0\u05a1"
    "\u05a8\u05a9\u05ab\u05ac\u05af\u05c4\u0610\u0611\u0612\u0613\u0614\u0615\u0616\u0617\u0657\u0658"
    "\u0659\u065a\u065b\u065d\u065e\u06d6\u06d7\u06d8\u06d9\u06da\u06db\u06dc\u06df\u06e0\u06e1\u06e2"
)
"""The protocol's own numbering of combining marks: the n-th says row or column n."""
MOST_ROWS = len(_MARKS)
_CHUNK = 4096
_LEVELS = 64
"""Greys: a quarter of what a byte holds, which halves what is sent and is not seen."""
COLOURS = tuple(
    Color.from_rgb(red, green, 0) for red in (95, 135, 175, 215) for green in (0, 95, 135, 175, 215)
)
"""The picture's number is the colour of its characters; these keep theirs in 256 colours, too."""


def number_of(colour: Color, system: ColorSystem) -> int:
    """The picture's number as a terminal with these colours reads it off the colour."""
    shown = colour.downgrade(system)
    if shown.triplet is not None:
        red, green, blue = shown.triplet
        return red << 16 | green << 8 | blue
    return shown.number or 0


def placeholders(colour: Color, columns: int, rows: int) -> Frame:
    """The cells of the picture. The first of a row says which row it is; the others follow from it."""
    first = Style(color=colour, meta={"column": 0})
    rest = Style(color=colour)
    return [
        [(PLACEHOLDER + _MARKS[row] + _MARKS[0], first), (PLACEHOLDER * (columns - 1), rest)]
        for row in range(rows)
    ]


def transmission(grey: bytes, width: int, height: int, number: int, columns: int, rows: int) -> str:
    """The picture, `width` × `height` bytes of grey, sent under its number to fill `columns` × `rows` cells."""
    from PIL import Image

    step = 256 // _LEVELS
    picture = Image.frombytes("L", (width, height), grey).point(
        [value // step * step for value in range(256)]
    )
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    code = base64.b64encode(file.getvalue()).decode()
    pieces = [code[start : start + _CHUNK] for start in range(0, len(code), _CHUNK)]
    head = f"a=T,U=1,i={number},c={columns},r={rows},f=100,q=2,"
    return "".join(
        f"\x1b_G{head if place == 0 else ''}m={int(place < len(pieces) - 1)};{piece}\x1b\\"
        for place, piece in enumerate(pieces)
    )
