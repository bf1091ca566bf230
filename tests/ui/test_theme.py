"""Colours that can be read, in every depth of colour, and told apart by eyes that see fewer of them."""

import itertools

import pytest
from rich.color import ColorSystem
from rich.style import Style
from textual.color import Color
from textual.theme import Theme

from cockpit.toolkit.theme import DARK, LIGHT, ROLES, blended_palette, sixteen_palette

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
BLINDNESS = {
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
READ = (
    "text",
    "strong",
    "dim",
    "accent",
    "accent_strong",
    "warn",
    "bad",
    "mean",
    "mark",
    "key",
    "invented",
    "missed",
    "invented_word",
    "missed_word",
)
CURVES = ("curve_1", "curve_2", "curve_3", "curve_4")

RGB = tuple[float, ...]


def linear(style: Style) -> RGB:
    assert style.color is not None
    return linear_of(Color.from_rich_color(style.color))


def linear_of(colour: Color) -> RGB:
    shares = (value / 255 for value in colour.rgb)
    return tuple(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)


def luminance(colour: RGB) -> float:
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def contrast(one: RGB, other: RGB) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def seen_by(colour: RGB, kind: str) -> RGB:
    return tuple(
        min(1.0, max(0.0, sum(weight * value for weight, value in zip(row, colour, strict=True))))
        for row in BLINDNESS[kind]
    )


def distance(one: RGB, other: RGB) -> float:
    """In something like what the eye sees: on the cube roots."""
    return sum((a ** (1 / 3) - b ** (1 / 3)) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_what_is_to_be_read_stands_out(theme: Theme) -> None:
    styles, paper = blended_palette(theme), linear_of(Color.parse(theme.background or ""))
    assert set(styles) == set(ROLES)
    assert {
        role: contrast(linear(styles[role]), paper)
        for role in READ
        if contrast(linear(styles[role]), paper) < 4.5
    } == {}
    assert all(contrast(linear(styles[role]), paper) > 3 for role in CURVES)


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_curves_and_states_are_told_apart_without_full_colour_sight(theme: Theme, kind: str) -> None:
    styles = blended_palette(theme)
    for group in (CURVES, ("accent", "warn", "bad")):
        for one, other in itertools.combinations(group, 2):
            apart = distance(seen_by(linear(styles[one]), kind), seen_by(linear(styles[other]), kind))
            assert apart > 0.09, (one, other, apart)


@pytest.mark.parametrize("system", [ColorSystem.EIGHT_BIT, ColorSystem.STANDARD])
@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_fewer_colours_keep_what_differs(theme: Theme, system: ColorSystem) -> None:
    few = system is ColorSystem.STANDARD
    styles = sixteen_palette(theme.dark) if few else blended_palette(theme)
    assert set(styles) == set(ROLES)
    shown = {role: style.color.downgrade(system).number for role, style in styles.items() if style.color}
    paper = Color.parse(theme.background or "").rich_color.downgrade(system).number
    assert paper not in shown.values()
    for group in (("text", "dim", "faint"), ("dim", "accent", "warn", "bad"), CURVES):
        assert len({shown[role] for role in group}) == len(group), {role: shown[role] for role in group}
