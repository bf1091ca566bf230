"""A run as plain values, a source that a test steers, and a recorded run directory."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from PIL import Image
from textual.pilot import Pilot

from cockpit import input_handling
from cockpit.actions.keys import move_keys
from cockpit.alerts.alert import Alert
from cockpit.app import CockpitApp
from cockpit.screens.flight.state import (
    CaseView,
    EventView,
    FlightState,
    Memory,
    Pace,
    StageView,
    Trend,
    Wanted,
    Zoomed,
)
from cockpit.screens.start.offers import Offers
from cockpit.screens.table import sources_on
from cockpit.toolkit.charts.curves import StageCurve
from cockpit.toolkit.graphics.film import Thumbnail
from cockpit.views.metrics import Metric
from engine.errors import UserError
from engine.runs.layout import RunPaths, checkpoint_name, create_run
from engine.runs.store.opening import open_writer
from engine.runs.store.rows import Bucket, GeneratedSample

GIB = 1024**3
STEPS_A, STEPS_B = 332, 618


def buckets(count: int, loss: Callable[[int], float]) -> tuple[Bucket, ...]:
    return tuple(Bucket(step, step, loss(step), loss(step), loss(step)) for step in range(1, count + 1))


def falling(start: float, end: float, steps: int) -> Callable[[int], float]:
    return lambda step: end + (start - end) * math.exp(-5 * step / steps)


def a_trend(step: int, height: float) -> tuple[StageCurve, ...]:
    """A series that falls from `height` over both stages, up to a step of the second."""
    return (
        StageCurve("stage_a", 0, STEPS_A, None, buckets(STEPS_A, falling(height, height / 4, STEPS_A))),
        StageCurve("stage_b", STEPS_A, STEPS_B, None, buckets(step, falling(height, height / 4, STEPS_B))),
    )


def a_case(number: int = 1) -> CaseView:
    return CaseView(
        case=f"s5000000{number}",
        stage="stage_b",
        step=250,
        generated="Moderate right pleural effusion with adjacent atelectasis. No pneumothorax.",
        reference="Moderate right pleural effusion with compressive atelectasis. Mild cardiomegaly.",
        labels=(("hit", "Pleural Effusion"), ("missed", "Cardiomegaly"), ("invented", "Edema")),
        labels_reference=("Pleural Effusion", "Cardiomegaly"),
        codes=(("hit", "I50.9"), ("missed", "N17.9")),
        codes_reference=("I50.9", "N17.9"),
        place=f"case {number} of 2",
        picture=Thumbnail(16, 16, bytes(range(256))),
    )


def a_state(step: int = 300, state: str = "training", **changes: object) -> FlightState:
    """A run in the middle of stage B."""
    stage_a = StageView(
        "stage_a", "impression + labels", STEPS_A, STEPS_A, 2, None, 2.0, "done", 1.41, ("F1", 0.72), 312.0
    )
    stage_b = StageView(
        "stage_b",
        "reasoning + ICD",
        STEPS_B,
        step,
        3,
        3 * step / STEPS_B,
        1.5,
        "now",
        0.96,
        validations=(100, 200),
        checkpoints=(100, 200),
    )
    whole = FlightState(
        run="night-run-3",
        state=state,
        machine="box  8 GiB  CPU",
        checkpoint="stage_b-000200",
        stages=(stage_a, stage_b),
        curves=(
            StageCurve(
                "stage_a", 0, STEPS_A, 2.0, buckets(STEPS_A, falling(4.2, 0.9, STEPS_A)), ((332, 1.41),)
            ),
            StageCurve(
                "stage_b", STEPS_A, STEPS_B, 1.5, buckets(step, falling(2.4, 0.7, STEPS_B)), ((200, 0.96),)
            ),
        ),
        trends=(
            Trend(Metric("train/lr", "learning rate"), a_trend(step, 1e-4), 9.1e-5),
            Trend(Metric("train/grad_norm", "gradient norm"), a_trend(step, 1.3), 1.2),
        ),
        memory=Memory(process=0.8 * GIB, used=3.4 * GIB, total=7.8 * GIB),
        pace=Pace(12.3 + step % 3, 540.0 - step, 510.0 - step, 600.0 - step),
        cases=(a_case(1), a_case(2)),
        events=(EventView("02:14:51", "info", "validation loss 0.96"),),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


class FakeWatch:
    """Gives out the alerts that the test sets."""

    def __init__(self) -> None:
        self.alerts: tuple[Alert, ...] = ()
        self.reads = 0

    def read(self) -> tuple[Alert, ...]:
        self.reads += 1
        return self.alerts

    def acknowledge(self, keys: tuple[str, ...]) -> None:
        self.alerts = tuple(replace(one, acknowledged=1.0) if one.key in keys else one for one in self.alerts)

    def close(self) -> None: ...


class FakeSource:
    """Gives out the state that the test sets, and remembers what was asked."""

    def __init__(self, state: FlightState) -> None:
        self.state = state
        self.error = ""
        self.asked: list[str] = []
        self.launched = 0
        self.reads = 0
        self.closed = threading.Event()
        self.watch = FakeWatch()
        self.wanted: Wanted | None = None

    def read(self) -> FlightState:
        self.reads += 1
        if self.error:
            raise UserError(self.error)
        zoomed = Zoomed(self.wanted.tag, self.state.curves) if self.wanted else None
        return replace(self.state, zoomed=zoomed)

    def request(self, verb: str) -> int:
        self.asked.append(verb)
        return len(self.asked)

    def look_at(self, wanted: Wanted | None) -> None:
        self.wanted = wanted

    def outcome(self, request: int) -> tuple[bool, str] | None:
        return True, "at step 301"

    def launch(self) -> str:
        self.launched += 1
        return "a new engine goes on from stage_b-000200"

    def close(self) -> None:
        self.closed.set()


def refuse() -> RunPaths:
    raise UserError("nothing can be started here")


def app_on(source: FakeSource | None, **options: object) -> CockpitApp:
    """The app on a source; None opens the start screen."""
    paths = RunPaths(Path("night-run-3")) if source else None
    offers = Offers(refuse, lambda _path: refuse(), lambda: "2 cores   7.8 GiB memory")
    sources = {
        **sources_on(Path("runs")),
        "flight": lambda _paths: source,
        "alerts": lambda _paths: source.watch,  # type: ignore[union-attr]
    }
    return CockpitApp(paths, sources, offers, poll_seconds=0.03, **options)  # type: ignore[arg-type]


def app_on_run(paths: RunPaths, **options: object) -> CockpitApp:
    """The app on a recorded run, as the program opens it."""
    offers = Offers(refuse, lambda _path: refuse(), lambda: "")
    return CockpitApp(paths, sources_on(paths.root.parent), offers, poll_seconds=0.03, **options)  # type: ignore[arg-type]


def shown(app: CockpitApp) -> str:
    """What stands on the screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def said(app: CockpitApp) -> list[str]:
    """What was notified."""
    return [notification.message for notification in app._notifications]


async def until(pilot: Pilot[None], seen: Callable[[], bool], seconds: float = 30.0) -> None:
    """Let the app work until something is to be seen; only a hang takes `seconds`."""
    deadline = time.monotonic() + seconds
    while not seen():
        if pilot.app._exception is not None:
            raise pilot.app._exception
        assert time.monotonic() < deadline, "did not happen in time"
        await pilot.pause()
        await asyncio.sleep(0.01)


Record = Callable[..., RunPaths]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Writes a run as an engine would: `record(name, steps_b, end)`."""

    def write(name: str = "night", steps_b: int = 50, end: str | None = "parked") -> RunPaths:
        paths = create_run(tmp_path / "runs", name)
        images = tmp_path / "images"
        images.mkdir(exist_ok=True)
        Image.linear_gradient("L").resize((40, 50)).save(images / "one.png")
        paths.config.write_text(yaml.safe_dump({"data": {"image_root": str(images)}}))
        with open_writer(paths) as writer:
            writer.open_attempt()
            writer.state("preparing")
            writer.plan(
                [
                    {
                        "stage": "stage_a",
                        "steps": 40,
                        "epochs": 2,
                        "bar": 2.0,
                        "title": "impression + labels",
                    },
                    {"stage": "stage_b", "steps": 100, "epochs": 3, "bar": 1.5, "title": "reasoning + ICD"},
                ]
            )
            writer.begin_attempt("stage_a", 0, {"device": "mps"})
            writer.state("training")
            for stage, steps in (("stage_a", 40), ("stage_b", steps_b)):
                for step in range(1, steps + 1):
                    writer.scalars(
                        stage,
                        step,
                        {
                            "train/loss": math.nan if step == 7 else 3.0 - step / 50,
                            "train/lr": 1e-4,
                            "memory/process": 0.8 * GIB,
                            "memory/system_used": 3.4 * GIB,
                            "memory/system_total": 7.8 * GIB,
                            "gpu/utilization": math.nan,
                        },
                        1_700_000_000.0 + step,
                    )
                if steps:
                    writer.scalars(stage, steps, {"val/loss": 1.2})
                    writer.checkpoint(checkpoint_name(stage, steps), stage, steps, 12_000_000, True)
                    (paths.checkpoints / checkpoint_name(stage, steps)).mkdir()
                    writer.progress(stage, steps, None, 1.5, 1.1, 12.0, 70.0, 5.0, 900_000_000)
            writer.scalars("stage_a", 40, {"val/chexpert_micro_f1": 0.78})
            writer.event("alert", "loss jumped", level="warn", stage="stage_b", step=3)
            writer.sample(sample_row("one.png"))
            writer.sample(sample_row("gone.png", case="s2"))
            if end:
                writer.state(end)
        return paths

    return write


def sample_row(image: str, case: str = "s1") -> GeneratedSample:
    return GeneratedSample(
        stage="stage_a",
        step=40,
        checkpoint="stage_a-000040",
        split="val",
        purpose="case",
        case=case,
        image=image,
        prompt="Write the impression.",
        reference="Small effusion.\nCheXpert: Pleural Effusion, Edema",
        generated="Large [bold]effusion\x1b[31m.\nCheXpert: Pleural Effusion, Fracture",
        labels={"Pleural Effusion": 1, "Fracture": 1},
        labels_reference={"Pleural Effusion": 1, "Edema": 1},
        icd=None,
        icd_reference=None,
        scores={},
    )


CLIPBOARDS = ("DISPLAY", "WAYLAND_DISPLAY", "TMUX", "STY", "TERM_PROGRAM")
"""Variables by which a text would be copied to the clipboard of whoever runs the tests."""


@pytest.fixture(autouse=True)
def _nobodys_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No test sees what the one who runs it has set up."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    # Here keys come at any pace, and each is meant; tests of words set their own times.
    monkeypatch.setattr(input_handling, "ALONE_SECONDS", 0.0)
    monkeypatch.setattr(input_handling, "PACE_SECONDS", 0.0)
    for name in ("NO_COLOR", "TEXTUAL_ANIMATIONS", "TEXTUAL_THEME", "CXR_RUNS", *CLIPBOARDS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    yield
    move_keys({})


@pytest.fixture
def kit() -> ModuleType:
    """The helpers of this file, for tests that lie beside it."""
    return sys.modules[__name__]
