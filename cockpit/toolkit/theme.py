"""Colours: two quiet themes of our own, and the roles that every widget paints with.

A role says what a cell means, never what colour it has, so that any Textual theme can be used. One accent
colour; the warning colour for what deserves a look; the error colour only for what needs a hand.
"""

from __future__ import annotations

from rich._palettes import STANDARD_PALETTE
from rich.color import Color as RichColor
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.theme import Theme

DARK = Theme(
    name="cockpit-dark",
    primary="#6fc3c9",
    secondary="#8a9aa5",
    accent="#6fc3c9",
    warning="#d8a657",
    error="#e5645c",
    success="#6fc3c9",
    foreground="#d3dade",
    background="#0e1316",
    surface="#141b1f",
    panel="#1b2429",
    dark=True,
)
LIGHT = Theme(
    name="cockpit-light",
    primary="#0f6f78",
    secondary="#51636d",
    accent="#0f6f78",
    warning="#946200",
    error="#b3261e",
    success="#0f6f78",
    foreground="#1d272c",
    background="#f6f7f5",
    surface="#eceeeb",
    panel="#e2e6e3",
    dark=False,
)

ROLES = (
    "text",
    "strong",
    "dim",
    "faint",
    "accent",
    "accent_strong",
    "warn",
    "bad",
    "raw",
    "mean",
    "mark",
    "key",
    "invented",
    "missed",
    "invented_word",
    "missed_word",
    "curve_1",
    "curve_2",
    "curve_3",
    "curve_4",
)
"""text and strong for what is read; dim for names of things, faint for rules and rails; accent for what goes
on; warn and bad for what deserves a look and what needs a hand; raw, mean and mark for the curves; key for
keys; invented and missed for what only the model or only the
truth says, underlined where it is a word of a text; curve_1 … curve_4 for runs beside each other, in hues that
colour-blind eyes tell apart."""

_CURVES_DARK = ("#56b4e9", "#e69f00", "#cc79a7", "#f0e442")
_CURVES_LIGHT = ("#0072b2", "#b35900", "#a0457e", "#3a3f2a")


def palette(app: App[object]) -> dict[str, Style]:
    """The style of every role in the app's present theme and the terminal's colours."""
    theme = app.current_theme
    # Without a terminal, as for a picture, there is no lack of colours.
    few_colours = app.console.color_system == "standard" and not app.is_headless
    key = theme.name, few_colours
    if key not in _palettes:
        if theme.ansi:
            _palettes[key] = _ansi_palette()
        else:
            _palettes[key] = sixteen_palette(theme.dark) if few_colours else blended_palette(theme)
    return _palettes[key]


_palettes: dict[tuple[str, bool], dict[str, Style]] = {}


def blended_palette(theme: Theme) -> dict[str, Style]:
    """Roles in the theme's own colours and in mixtures of them."""
    generated = theme.to_color_system().generate()
    ink = Color.parse(generated["foreground"])
    paper = Color.parse(generated["background"])
    accent = Color.parse(generated["primary"])
    warn = Color.parse(generated["warning"])
    bad = Color.parse(generated["error"])
    missed = Color.parse((_CURVES_DARK if theme.dark else _CURVES_LIGHT)[2])

    def style(colour: Color, bold: bool = False) -> Style:
        return Style(color=RichColor.from_rgb(*colour.rgb), bold=bold)

    return {
        "text": style(ink),
        "strong": style(ink, bold=True),
        "dim": style(paper.blend(ink, 0.66)),
        "faint": style(paper.blend(ink, 0.28)),
        "accent": style(accent),
        "accent_strong": style(accent, bold=True),
        "warn": style(warn),
        "bad": style(bad, bold=True),
        "raw": style(paper.blend(accent, 0.42)),
        "mean": style(accent, bold=True),
        "mark": style(ink, bold=True),
        "key": style(accent),
        "invented": style(warn),
        "missed": style(missed),
        "invented_word": style(warn) + Style(underline=True),
        "missed_word": style(missed) + Style(underline=True),
        **{
            f"curve_{number}": style(Color.parse(colour), bold=True)
            for number, colour in enumerate(_CURVES_DARK if theme.dark else _CURVES_LIGHT, start=1)
        },
    }


def sixteen_palette(dark: bool) -> dict[str, Style]:
    """Roles where the terminal has sixteen colours: mixtures would all come out as the same grey.

    Each is written as the exact colour that the terminal's number stands for.
    """
    numbers = _SIXTEEN_DARK if dark else _SIXTEEN_LIGHT
    bold = {"strong", "accent_strong", "bad", "mean", "mark", "curve_1", "curve_2", "curve_3", "curve_4"}
    return {
        role: Style(
            color=RichColor.from_rgb(*STANDARD_PALETTE[number]),
            bold=role in bold,
            underline=role.endswith("_word"),
        )
        for role, number in numbers.items()
    }


_SIXTEEN_DARK = {
    **dict.fromkeys(("text", "strong", "mark"), 15),
    "dim": 7,
    "faint": 8,
    **dict.fromkeys(("accent", "accent_strong", "mean", "key", "curve_1"), 14),
    **dict.fromkeys(("warn", "invented", "invented_word", "curve_2"), 11),
    "bad": 9,
    "raw": 6,
    **dict.fromkeys(("missed", "missed_word", "curve_3"), 13),
    "curve_4": 10,
}
_SIXTEEN_LIGHT = {
    **dict.fromkeys(("text", "strong", "mark"), 0),
    "dim": 8,
    "faint": 7,
    **dict.fromkeys(("accent", "accent_strong", "mean", "key", "curve_1"), 4),
    **dict.fromkeys(("warn", "invented", "invented_word", "curve_2"), 3),
    "bad": 1,
    "raw": 6,
    **dict.fromkeys(("missed", "missed_word", "curve_3"), 5),
    "curve_4": 2,
}


def _ansi_palette() -> dict[str, Style]:
    """Roles in the terminal's own sixteen colours."""
    return {
        "text": Style.parse("default"),
        "strong": Style.parse("bold default"),
        "dim": Style.parse("bright_black"),
        "faint": Style.parse("bright_black"),
        "accent": Style.parse("cyan"),
        "accent_strong": Style.parse("bold cyan"),
        "warn": Style.parse("yellow"),
        "bad": Style.parse("bold red"),
        "raw": Style.parse("bright_black"),
        "mean": Style.parse("bold cyan"),
        "mark": Style.parse("bold default"),
        "key": Style.parse("cyan"),
        "invented": Style.parse("yellow"),
        "missed": Style.parse("magenta"),
        "invented_word": Style.parse("underline yellow"),
        "missed_word": Style.parse("underline magenta"),
        "curve_1": Style.parse("bold cyan"),
        "curve_2": Style.parse("bold yellow"),
        "curve_3": Style.parse("bold magenta"),
        "curve_4": Style.parse("bold green"),
    }
