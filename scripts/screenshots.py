"""Pictures of the real app on a real run: `python scripts/screenshots.py [RUN_DIRECTORY] [--to screenshots]`.

Each is an SVG as the terminal would show it, at 120 × 40 and 80 × 24, and a PNG where `rsvg-convert` is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from cockpit.app import CockpitApp
from cockpit.screens.data.screen import Data
from cockpit.screens.flight.screen import Flight
from cockpit.screens.log.screen import Log
from cockpit.screens.runs.screen import Runs
from cockpit.screens.samples.screen import Samples
from cockpit.screens.setup.checker import checks_on
from cockpit.screens.setup.screen import Setup
from cockpit.screens.start.offers import Offers, machine_line
from cockpit.screens.table import sources_on, ways_to
from engine.errors import UserError
from engine.runs.layout import RunPaths, list_runs, runs_dir

GO = ways_to()

SIZES = ((120, 40), (80, 24))
SCREENS: dict[str, tuple[str, ...]] = {
    **{name: (go.key,) for name, go in GO.items() if name != "flight"},
    "curriculum": (GO["data"].key, "b"),
}
"""Name of the picture: keys that lead there."""
PATIENCE = 120.0
COLUMN = 12.2
"""Pixels from one column to the next."""


def app_on(paths: RunPaths | None, theme: str) -> CockpitApp:
    """The app as `cxr-cockpit` opens it, without anything that could start an engine."""

    def refuse() -> RunPaths:
        raise UserError("screenshots start no run")

    offers = Offers(refuse, lambda _path: refuse(), lambda: machine_line(Path.cwd()))
    runs = paths.root.parent if paths else runs_dir()
    return CockpitApp(
        paths,
        sources_on(runs),
        offers,
        theme=theme,
        poll_seconds=0.1,
        make_check=checks_on(runs) if paths else None,
    )


async def until(pilot: Pilot[None], seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not seen():
        if time.monotonic() > deadline:
            raise UserError(f"nothing to be seen after {PATIENCE:.0f} s")
        await pilot.pause()
        await asyncio.sleep(0.02)


def is_drawn(app: CockpitApp) -> bool:
    """Whether what the screen shows has been read, films included."""
    screen = app.screen
    if isinstance(screen, Flight):
        state = screen.state
        return state is not None and all(case.picture or case.picture_error for case in state.cases)
    if isinstance(screen, Samples):
        return bool(screen.view.book.cases) and bool(screen.view.film)
    if isinstance(screen, Data):
        data = screen.view.state
        measured = data.lengths.reason or data.lengths.measured == data.lengths.total
        films = data.films.looked == data.films.total
        shown = bool(screen.view.film) or not (screen.view.browsing or screen.view.roomy)
        return bool(data.samples) and bool(measured) and films and shown
    if isinstance(screen, Runs):
        return bool(screen.view.state.rows) and len(screen.view.state.curves) == len(screen.view.drawn)
    if isinstance(screen, Log):
        return screen.state is not None
    if isinstance(screen, Setup):
        return app.setup.checked is not None and not app.setup.doing
    return True


async def take(
    to: Path,
    name: str,
    paths: RunPaths | None,
    size: tuple[int, int],
    keys: tuple[str, ...] = (),
    theme: str = "dark",
) -> None:
    """One picture, after the given keys."""
    app = app_on(paths, theme)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: is_drawn(app))
        for key in keys:
            await pilot.press(key)
            await until(pilot, lambda: is_drawn(app))
        await pilot.pause()
        picture = app.export_screenshot(title=f"cxr-cockpit   {size[0]} × {size[1]}")
    target = to / f"{name}-{size[0]}x{size[1]}.svg"
    target.write_text(self_contained(picture), encoding="utf-8")
    print(target)
    converter = shutil.which("rsvg-convert")
    if converter is not None:
        print(as_png(target, converter))


def self_contained(picture: str) -> str:
    """The SVG with a font that is on the machine: its own style sheet would fetch one from a server."""
    without_face = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    # Without xml:space, blanks at the beginning of a stretch of text are left out by some.
    kept = without_face.replace("<svg ", '<svg xml:space="preserve" ', 1)
    # This font is 0.602 of its size wide.
    sized = kept.replace("font-size: 20px", f"font-size: {COLUMN / 0.602:.2f}px")
    return sized.replace("Fira Code, monospace", "'DejaVu Sans Mono', Menlo, Consolas, monospace")


def as_png(svg: Path, converter: str) -> Path:
    """The picture beside its SVG, in few colours: a screen has no more, and the file is a third."""
    from PIL import Image

    png = svg.with_suffix(".png")
    drawn_alone = _STRETCH.sub(_each_alone, svg.read_text(encoding="utf-8"))
    subprocess.run([converter, "--output", str(png)], input=drawn_alone.encode(), check=True)
    with Image.open(png) as drawn:
        few = drawn.convert("RGB").quantize(128)
    few.save(png, optimize=True)
    return png


_STRETCH = re.compile(
    r'(<text class="[^"]+" )x="([\d.]+)"( y="[^"]+") textLength="[^"]+"( clip-path="[^"]+">)(.*?)</text>'
)


def _each_alone(stretch: re.Match[str]) -> str:
    """Braille at its own columns: it comes from another font, whose width the converter does not fit to ours."""
    head, x, y, clip, content = stretch.groups()
    text = html.unescape(content)
    if not any("\u2800" < char <= "\u28ff" for char in text):
        return stretch[0]
    return "".join(
        f'{head}x="{float(x) + COLUMN * place:.1f}"{y}{clip}{html.escape(char)}</text>'
        for place, char in enumerate(text)
        if not char.isspace()
    )


def the_run(given: Path | None) -> RunPaths:
    """The run at that directory, else the newest of $CXR_RUNS or ./runs."""
    if given is not None and not RunPaths(given.absolute()).is_run():
        raise UserError(f"{given}: not a run directory")
    runs = [RunPaths(given.absolute())] if given else list_runs(runs_dir())
    if not runs:
        raise UserError(f"no run in {runs_dir()}: `make demo` flies one")
    return runs[0]


async def take_all(paths: RunPaths, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        await take(to, "flight", paths, size)
        await take(to, "start", None, size)
        for name, keys in SCREENS.items():
            await take(to, name, paths, size, keys)
    await take(to, "flight-light", paths, SIZES[0], theme="light")
    await take(to, "flight-zoom", paths, SIZES[0], keys=("z",))
    await take(to, "film", paths, SIZES[0], keys=("2", "z"))
    await take(to, "help", paths, SIZES[1], keys=("question_mark",))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, nargs="?", help="directory of a run (default: the newest one)")
    parser.add_argument("--to", type=Path, default=Path("screenshots"), help="where the pictures go")
    options = parser.parse_args()
    if shutil.which("rsvg-convert") is None:
        print("screenshots: no rsvg-convert, so SVG alone (Debian: librsvg2-bin)", file=sys.stderr)
    try:
        asyncio.run(take_all(the_run(options.run), options.to))
    except UserError as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
