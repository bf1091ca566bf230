"""TIFFs in which zero is white: Pillow knows them in some depths only, and turns those of 8 bits and less itself."""

import io
import struct
from typing import IO

#: The tag that says what zero means, and its values.
PHOTOMETRIC = 262
WHITE_IS_ZERO, BLACK_IS_ZERO = 0, 1

_ENTRY = 12
_MOST_ENTRIES = 4096


def as_black_is_zero(file: IO[bytes]) -> io.BytesIO | None:
    """The file with black said to be zero, its pixels untouched; None if it is no TIFF that says that white is.

    What comes of it is a negative, for the caller to turn.
    """
    file.seek(0)
    content = bytearray(file.read())
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(content[:4]))
    if order is None or len(content) < 8:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", content, 4)
        (count,) = struct.unpack_from(f"{order}H", content, start)
        for n in range(min(count, _MOST_ENTRIES)):
            place = start + 2 + n * _ENTRY
            tag, kind, number = struct.unpack_from(f"{order}HHI", content, place)
            if tag == PHOTOMETRIC:
                form = {3: "H", 4: "I"}.get(kind)  # SHORT or LONG
                if form is None or number != 1:
                    return None
                if struct.unpack_from(order + form, content, place + 8) != (WHITE_IS_ZERO,):
                    return None
                struct.pack_into(order + form, content, place + 8, BLACK_IS_ZERO)
                return io.BytesIO(bytes(content))
    except struct.error:  # a directory that leads out of the file
        return None
    return None
