"""What the cockpit reaches for in Textual that Textual does not promise to keep; nothing else does.

`tests/cockpit/test_textual_internals.py` says which of it a newer Textual has changed.
"""

from __future__ import annotations

from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.control import Control
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual._styles_cache import StylesCache
from textual.app import App
from textual.binding import BindingsMap
from textual.command import CommandPalette
from textual.drivers import linux_driver
from textual.geometry import Size
from textual.keys import _character_to_key
from textual.notifications import Notification
from textual.screen import Screen
from textual.strip import Strip

# --- what the terminal is sent: changed columns alone, and the pictures of its own graphics around them -------

MARK = "picture"
"""Key of a cell's meta data: (number, row, columns) of a picture that is drawn over its cells."""
Part = tuple[int, int, Strip]
"""A piece of a line as it stands on the screen: column, row, content."""


class PictureSender(Protocol):
    """What is sent so that the pictures on the screen are seen."""

    def sent_before(self, system: ColorSystem) -> str: ...
    def drawn_over(self, number: int, x: int, y: int) -> str: ...


def narrowed(update: Any, pictures: PictureSender | None = None) -> Any:
    """The compositor's update without what need not be sent, and with what its pictures need.

    Textual sends a widget's line from the widget's left edge up to the change, which costs several times the bytes of
    the change itself. Over SSH that is most of what a live screen sends.
    """
    if isinstance(update, ChopsUpdate):
        return SpanUpdate(update, pictures)
    return WholeUpdate(update, pictures) if pictures and isinstance(update, LayoutUpdate) else update


class SpanUpdate(CompositorUpdate):
    """A partial update with every piece of a line cut to its span on both sides."""

    def __init__(self, whole: ChopsUpdate, pictures: PictureSender | None) -> None:
        self._whole = whole
        self._pictures = pictures

    def render_segments(self, console: Console) -> str:
        """What the terminal is sent."""
        sequences = []
        touched: list[Part] = []
        for y, x1, x2 in self._whole.spans:
            for end, (x, strip) in zip(self._whole.chop_ends[y], self._whole.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                start = max(x, x1)
                sequences.append(Control.move_to(start, y).segment.text)
                sequences.append(strip.crop(start - x, min(end, x2) - x).render(console))
                touched.append((x, y, strip))
        return _with_pictures("".join(sequences), touched, console, self._pictures)


class WholeUpdate(CompositorUpdate):
    """A full update, as Textual sends it."""

    def __init__(self, whole: LayoutUpdate, pictures: PictureSender) -> None:
        self._whole = whole
        self._pictures = pictures

    def render_segments(self, console: Console) -> str:
        """What the terminal is sent."""
        return _with_pictures(self._whole.render_segments(console), self._parts(), console, self._pictures)

    def _parts(self) -> Iterator[Part]:
        for y, line in enumerate(self._whole.strips, self._whole.region.y):
            x = self._whole.region.x
            for strip in line:
                yield x, y, strip
                x += strip.cell_length


def _with_pictures(text: str, parts: Iterable[Part], console: Console, pictures: PictureSender | None) -> str:
    if pictures is None:
        return text
    system = console._color_system or ColorSystem.TRUECOLOR
    over = (pictures.drawn_over(number, x, y) for number, (x, y) in _marked(parts).items())
    return pictures.sent_before(system) + text + "".join(over)


def _marked(parts: Iterable[Part]) -> dict[int, tuple[int, int]]:
    """Upper left cell of every picture that is touched and not covered in part, by its number."""
    origins: dict[int, tuple[int, int]] = {}
    covered: set[int] = set()
    for x, y, strip in parts:
        for segment in strip:
            mark = segment.style.meta.get(MARK) if segment.style else None
            if mark is not None:
                number, row, columns = mark
                if segment.cell_length < columns:
                    covered.add(number)
                origins[number] = (x, y - row)
            x += segment.cell_length
    return {number: origin for number, origin in origins.items() if number not in covered}


_colours = partial(StylesCache.get_inner_outer, StylesCache)


def let_go_of_lines() -> None:
    """From now on the lines that a widget had drawn go with it.

    Textual remembers the colours of a line with the widget's cache of lines as part of the key, for a thousand widgets
    (Textualize/textual#6665): every box that was open and every message that passed by would stay with all its lines,
    and each would make every key slower. They depend on the two colours alone.
    """
    setattr(StylesCache, "get_inner_outer", staticmethod(_colours))  # noqa: B010


# --- keys ------------------------------------------------------------------------------------------------------


def forgive_bytes() -> None:
    """From now on bytes that are no UTF-8 are read as U+FFFD, which is no key.

    Textual's driver decodes strictly and ends the app at the first one, as a line with noise may send them.
    """
    setattr(linux_driver, "getincrementaldecoder", _forgiving)  # noqa: B010


def _forgiving(encoding: str) -> partial[IncrementalDecoder]:
    return partial(getincrementaldecoder(encoding), errors="replace")


def key_of_character(character: str) -> str:
    """Textual's name for the key that types this."""
    return _character_to_key(character)


def add_keys(screen: Screen[Any], keys: BindingsMap) -> None:
    """Bind more keys on this one screen, whose class does not know them."""
    screen._bindings = BindingsMap.merge([screen._bindings, keys])


def add_key(screen: Screen[Any], keys: str, action: str) -> None:
    """Bind keys (commas between) on this one screen to an action."""
    screen._bindings.bind(keys, action)


def actions_of_key(screen: Screen[Any], key: str) -> list[str]:
    """The actions that a key has on this screen, as they are written in its bindings."""
    return [binding.action for binding in screen._bindings.key_to_bindings.get(key, ())]


# --- screens ---------------------------------------------------------------------------------------------------


if TYPE_CHECKING:
    _Screen = Screen[Any]
else:
    _Screen = object  # Textual takes the style sheet of the first base that is a widget, and no other's


class TerminalSized(_Screen):
    """For a screen: an earlier size that comes late is not laid out for.

    Textual lays a screen out for every size it is told, and tells it the size that it laid out for. Two sizes on their
    way at once, as from a window that is dragged, would be told again and again in turn, and no key taken any more.
    """

    def _screen_resized(self, size: Size) -> None:
        super()._screen_resized(self.app.size)


class WholePalette(CommandPalette):
    """The command palette, which takes nothing any more once its parts are going.

    Left while it searched, it still takes what was found, and none of its parts is there any more.
    """

    def is_whole(self) -> bool:
        return all(self.query(part) for part in ("#--input", "CommandList", "LoadingIndicator"))

    def _watch__list_visible(self) -> None:
        if self.is_whole():
            super()._watch__list_visible()

    async def _watch__show_busy(self) -> None:
        if self.is_whole():
            await super()._watch__show_busy()

    def _action_command_list(self, action: str) -> None:
        # A list without room has no lines: a page of it would end the app.
        if any(one.scrollable_content_region for one in self.query("CommandList")):
            super()._action_command_list(action)


# --- the app ---------------------------------------------------------------------------------------------------


class OpenApp(App[None]):
    """Textual's app with what it keeps to itself."""

    def pictures(self) -> PictureSender | None:
        """What sends the pictures of the terminal's own graphics, where it has some."""
        return None

    def crash_note(self) -> RenderableType:
        """What is told when the app fails; Textual's own prints the values of all variables."""
        raise NotImplementedError

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        super()._display(screen, narrowed(renderable, self.pictures()))

    def _fatal_error(self) -> None:
        self.bell()
        self._exit_renderables.append(self.crash_note())
        self._close_messages_no_wait()

    def write_to_terminal(self, sequence: str) -> None:
        """Send what is no part of the screen."""
        if self._driver is not None:
            self._driver.write(sequence)

    def keep_for_fields(self, text: str) -> None:
        """What the app's own fields paste."""
        self._clipboard = text

    def palette_is_open(self) -> bool:
        """Whether keys are being found by their names; Textual asks for an app of another type than its own."""
        return CommandPalette.is_open(cast(App[object], self))

    @property
    def messages_shown(self) -> list[Notification]:
        """The messages that can be read now."""
        return list(self._notifications)

    def is_bound(self, key: str) -> bool:
        """Whether a key means something on the screen that is on top."""
        return any(key in bindings.key_to_bindings for _, bindings in self.screen._modal_binding_chain)

    async def press_bound(self, key: str) -> None:
        """Do what a key means, as if no word were being typed."""
        await self._check_bindings(key)
