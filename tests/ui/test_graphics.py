"""Which graphics the terminal proves, and what is sent for a picture in them."""

import base64
import io
import os
import pty
import re
import threading

import pytest
from PIL import Image
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from cockpit.terminal import graphics
from cockpit.terminal.graphics import Graphics, cell_in, choose_graphics, proved
from cockpit.textual_internals import narrowed
from cockpit.toolkit.graphics import kitty, sixel
from cockpit.toolkit.graphics.film import PLAIN_VIEW, FilmView, Thumbnail
from cockpit.toolkit.graphics.pictures import MARK, Pictures
from cockpit.toolkit.lines import cells, width_of
from engine.errors import UserError

KITTY = b"\x1b_Gi=31;OK\x1b\\\x1b[6;20;10t\x1b[?62;c"
XTERM = b"\x1b[?64;1;2;4;6c"
PLAIN = b"\x1b[?1;2c"
COLOURFUL = {"TERM": "xterm-256color"}


@pytest.mark.parametrize(
    ("answer", "way"),
    [
        (KITTY, "kitty"),
        (XTERM, "sixel"),
        (PLAIN, "half"),
        (b"", "half"),
        (b"\x1b_Gi=31;ENOTSUP\x1b\\\x1b[?62c", "half"),
        (b"\x1b[?4c", "half"),  # what stands first is the kind of terminal, not what it can do
    ],
)
def test_only_what_is_proved_is_used(answer: bytes, way: str) -> None:
    assert proved(answer) == way


def test_the_size_of_a_cell_is_taken_from_the_answer() -> None:
    assert cell_in(KITTY) == (10, 20)
    assert cell_in(b"\x1b[6;0;0t") is None
    assert cell_in(PLAIN) is None


@pytest.mark.parametrize("wanted", ["half", "none", "kitty", "sixel"])
def test_who_chooses_is_not_asked(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphics, "ask_terminal", lambda seconds: pytest.fail("the terminal was asked"))
    assert choose_graphics(wanted, False, COLOURFUL).way == wanted


def test_auto_takes_what_the_terminal_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphics, "ask_terminal", lambda seconds: KITTY)
    assert choose_graphics("auto", False, COLOURFUL) == Graphics("kitty", (10, 20))


@pytest.mark.parametrize(
    ("ascii", "environment"),
    [(True, COLOURFUL), (False, COLOURFUL | {"NO_COLOR": "1"}), (False, {"TERM": "screen"})],
)
def test_plain_terminals_are_not_asked(
    ascii: bool, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphics, "ask_terminal", lambda seconds: KITTY)
    assert choose_graphics("auto", ascii, environment).way == "half"
    with pytest.raises(UserError, match=r"placed by colour|do not pass tmux, screen"):
        choose_graphics("kitty", ascii, environment)


def test_another_way_is_wrong_usage() -> None:
    with pytest.raises(UserError, match="choose from auto, half, kitty, sixel, none"):
        choose_graphics("ascii", False, COLOURFUL)


def test_the_answer_is_read_from_the_terminal() -> None:
    master, slave = pty.openpty()
    asked = bytearray()

    def terminal() -> None:
        for answer in (b"\x1bP>|kitty(0.42)\x1b\\\x1b[?62;c", KITTY):
            asked.clear()
            while b"\x1b[c" not in asked:
                asked.extend(os.read(master, 1000))
            os.write(master, answer)

    thread = threading.Thread(target=terminal)
    thread.start()
    assert graphics.ask(slave, 60.0).endswith(KITTY)
    thread.join()
    assert b"a=q" in asked
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(
    ("name", "asked_further"),
    [
        (b"\x1bP>|kitty(0.42)\x1b\\", True),
        (b"\x1bP>|ghostty 1.2\x1b\\", True),
        (b"\x1bP>|tmux 3.3a\x1b\\", False),
        (b"\x1bP>|Zellij(40)\x1b\\", False),
        (b"", False),
    ],
)
def test_only_who_tells_a_name_and_is_no_multiplexer_is_asked_further(
    name: bytes, asked_further: bool
) -> None:
    """Others would take kitty's question for a title, or print it."""
    master, slave = pty.openpty()
    asked = bytearray()

    def terminal() -> None:
        while b"\x1b[c" not in asked:
            asked.extend(os.read(master, 1000))
        assert b"\x1b_" not in asked
        os.write(master, name + PLAIN)
        while b"\x1b_" not in asked and b"end" not in asked:
            asked.extend(os.read(master, 1000))
        os.write(master, PLAIN)

    thread = threading.Thread(target=terminal)
    thread.start()
    graphics.ask(slave, 60.0)
    os.write(slave, b"end")
    thread.join()
    assert (b"\x1b_G" in asked) == asked_further
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("environment", [{"TMUX": "/tmp/x"}, {"TERM": "screen-256color"}, {"ZELLIJ": "0"}])
def test_kittys_pictures_are_refused_where_they_would_become_titles(environment: dict[str, str]) -> None:
    with pytest.raises(UserError, match="do not pass tmux"):
        choose_graphics("kitty", False, COLOURFUL | environment)


def test_a_terminal_that_does_not_answer_is_not_waited_for_long() -> None:
    master, slave = pty.openpty()
    assert graphics.ask(slave, 0.01) == b""
    os.close(master)
    os.close(slave)


# --- kitty ----------------------------------------------------------------------------------------------------

FILM = Thumbnail(32, 32, bytes(value * 8 for _ in range(32) for value in range(32)))


def picture_in(sequence: str) -> Image.Image:
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", sequence)
    assert [keys.rpartition("m=")[2] for keys, _ in chunks] == ["1"] * (len(chunks) - 1) + ["0"]
    return Image.open(io.BytesIO(base64.b64decode("".join(code for _, code in chunks))))


def test_a_picture_is_sent_once_under_the_number_of_its_cells() -> None:
    pictures = Pictures(Graphics("kitty", (4, 8)))
    frame = pictures.place(FILM, 6, 3, PLAIN_VIEW)
    sent = pictures.sent_before(ColorSystem.TRUECOLOR)
    style = frame[0][0][1]
    assert isinstance(style, Style) and style.color is not None and style.color.triplet is not None
    red, green, blue = style.color.triplet
    assert f"i={red << 16 | green << 8 | blue},c=6,r=3," in sent
    assert picture_in(sent).size == (24, 24)
    assert pictures.sent_before(ColorSystem.TRUECOLOR) == ""
    assert pictures.place(FILM, 6, 3, PLAIN_VIEW) == frame
    assert pictures.sent_before(ColorSystem.TRUECOLOR) == ""


def test_the_cells_are_as_many_as_the_picture_has() -> None:
    frame = Pictures(Graphics("kitty")).place(FILM, 6, 3, PLAIN_VIEW)
    assert [width_of(line) for line in frame] == [6, 6, 6]
    row = cells(frame[2], 6)
    assert [char[0] for char, _ in row] == [kitty.PLACEHOLDER] * 6
    assert row[0][0][1:] == "\u030e\u0305"  # row 2, column 0


def test_another_look_is_another_picture() -> None:
    pictures = Pictures(Graphics("kitty"))
    plain = pictures.place(FILM, 6, 3, PLAIN_VIEW)
    inverted = pictures.place(FILM, 6, 3, FilmView(inverted=True))
    assert plain != inverted
    assert pictures.sent_before(ColorSystem.TRUECOLOR).count("a=T") == 2


def test_numbers_hold_in_256_colours() -> None:
    assert len({kitty.number_of(colour, ColorSystem.EIGHT_BIT) for colour in kitty.COLOURS}) == len(
        kitty.COLOURS
    )
    for colour in kitty.COLOURS:
        shown = colour.downgrade(ColorSystem.EIGHT_BIT)
        assert kitty.number_of(colour, ColorSystem.EIGHT_BIT) == shown.number
        assert 16 <= (shown.number or 0) < 256


def test_old_pictures_give_their_number_away() -> None:
    pictures = Pictures(Graphics("kitty"))
    for step in range(3 * len(kitty.COLOURS)):
        pictures.place(FILM, 6, 3, FilmView(window=32 + step))
    assert pictures.sent_before(ColorSystem.TRUECOLOR).count("a=T") == len(kitty.COLOURS)


# --- sixel ----------------------------------------------------------------------------------------------------


def decoded(sequence: str) -> tuple[int, int, list[list[int]]]:
    """Levels of the pixels, as a terminal would draw them."""
    found = re.fullmatch(r'\x1bP0;1;0q"1;1;(\d+);(\d+)(.*)\x1b\\', sequence, re.DOTALL)
    assert found
    width, height = int(found[1]), int(found[2])
    pixels = [[-1] * width for _ in range(height)]
    body = re.sub(r"#\d+;2;\d+;\d+;\d+", "", found[3])
    for band, text in enumerate(body.split("-")):
        for line in text.split("$"):
            level, drawn = re.fullmatch(r"#(\d+)(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
            x = 0
            for repeat, char in re.findall(r"(?:!(\d+))?([?-~])", drawn):
                for _ in range(int(repeat or 1)):
                    for bit in range(6):
                        if ord(char) - 63 >> bit & 1:
                            pixels[band * 6 + bit][x] = int(level)
                    x += 1
    return width, height, pixels


def test_every_pixel_is_drawn_in_its_grey() -> None:
    grey = bytes((x * 7 + y * 13) % 256 for y in range(14) for x in range(9))
    width, height, pixels = decoded(sixel.encode(grey, 9, 14))
    assert (width, height) == (9, 14)
    assert pixels == [[grey[y * 9 + x] * sixel.GREYS // 256 for x in range(9)] for y in range(14)]


def drawn(pictures: Pictures, update: object) -> str:
    return str(narrowed(update, pictures).render_segments(Console(color_system=None)))


def strips(pictures: Pictures, view: FilmView = PLAIN_VIEW) -> list[Strip]:
    frame = pictures.place(FILM, 6, 3, view)
    edge = Segment("| ", Style())
    return [
        Strip([edge, *(Segment(text, style) for text, style in line if isinstance(style, Style))])
        for line in frame
    ]


def test_a_sixel_is_drawn_over_its_cells_after_the_text() -> None:
    pictures = Pictures(Graphics("sixel", (4, 8)))
    sent = drawn(pictures, LayoutUpdate([[strip] for strip in strips(pictures)], Region(0, 5, 8, 3)))
    text, _, over = sent.partition("\x1bP")
    assert text.endswith("\x1b[6;3H")
    assert '"1;1;24;24' in over


def test_a_change_beside_a_sixel_does_not_draw_it_again() -> None:
    pictures = Pictures(Graphics("sixel", (4, 8)))
    picture = strips(pictures)
    edge, rest = picture[1].divide([2, 8])
    update = ChopsUpdate([{}, {0: edge, 2: rest}], [(1, 0, 2)], [[], [2, 8]])
    assert "\x1bP" not in drawn(pictures, update)
    update = ChopsUpdate([{}, {0: edge, 2: rest}], [(1, 4, 5)], [[], [2, 8]])
    assert "\x1b[1;3H\x1bP" in drawn(pictures, update)


def test_a_sixel_under_a_box_is_not_drawn_over_it() -> None:
    pictures = Pictures(Graphics("sixel", (4, 8)))
    picture = strips(pictures)
    picture[2] = picture[2].crop(0, 5)
    sent = drawn(pictures, LayoutUpdate([[strip] for strip in picture], Region(0, 0, 8, 3)))
    assert "\x1bP" not in sent


def test_another_sixel_has_other_cells() -> None:
    pictures = Pictures(Graphics("sixel"))
    first, second = (
        pictures.place(FILM, 6, 3, view)[0][0][1] for view in (PLAIN_VIEW, FilmView(inverted=True))
    )
    assert isinstance(first, Style) and isinstance(second, Style)
    assert first != second and MARK in first.meta
