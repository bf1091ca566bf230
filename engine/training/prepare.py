"""What can be wrong with the data, found before the first step: phantoms made, samples read, films decoded."""

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.config import STAGES, RunConfig
from engine.data.curriculum import Sample, read_curriculum
from engine.data.images import open_image
from engine.errors import UserError

#: Called with a line about what is under way.
Note = Callable[[str], None]


def prepare_curriculum(config: RunConfig, note: Note, poll: Callable[[], None]) -> list[Sample]:
    """The run's samples; phantoms are made first if the configuration asks for some and they are not there."""
    data = config.data
    if data.phantom and not data.curriculum.is_file():
        _make_phantoms(config, note, poll)
    samples = read_curriculum(data.curriculum)
    _hold_against_expected(config, samples)
    return samples


def _make_phantoms(config: RunConfig, note: Note, poll: Callable[[], None]) -> None:
    from engine.data.build import build_curriculum
    from engine.data.phantom.dataset import write_dataset

    phantom = config.data.phantom
    assert phantom is not None
    home = config.data.curriculum.parent.parent
    begun = time.monotonic()

    def progress(done: int, total: int) -> None:
        poll()
        rate = done / max(1e-9, time.monotonic() - begun)
        note(f"phantoms {done}/{total}, {rate:.0f}/s, {(total - done) / max(rate, 1e-9):.0f} s left")

    if not home.is_dir():
        write_dataset(home, phantom.patients, phantom.seed, phantom.size, progress=progress)
    note("building the curriculum")
    try:
        build_curriculum(home, config.data.curriculum.parent, seed=phantom.seed)
    except BaseException:
        shutil.rmtree(config.data.curriculum.parent, ignore_errors=True)
        raise


def _hold_against_expected(config: RunConfig, samples: Sequence[Sample]) -> None:
    """Refuse a curriculum that lacks a stage or a split, or lets a patient be on both sides."""
    for stage in STAGES:
        for split in ("train", "val"):
            if not any(sample.stage == stage and sample.split == split for sample in samples):
                raise UserError(
                    f"{config.data.curriculum}: no {split} sample of {stage}; see `cxr-cockpit data build --help`"
                )
    sides = {
        split: {sample.subject_id for sample in samples if sample.split == split}
        for split in ("train", "val")
    }
    shared = sides["train"] & sides["val"]
    if shared:
        raise UserError(
            f"{config.data.curriculum}: {len(shared)} patients are in train and in val, e.g. {min(shared)}; "
            "scores would measure memory: split by patient"
        )
    counted = {
        "images": len({sample.image for sample in samples if sample.split != "test"}),
        "train": sum(sample.split == "train" for sample in samples),
        "validation": sum(sample.split == "val" for sample in samples),
    }
    for name, wanted in config.data.expected.model_dump().items():
        if wanted is not None and counted[name] != wanted:
            raise UserError(
                f"{config.data.curriculum}: {counted[name]:,} {name} where data.expected.{name} says {wanted:,}"
            )


def check_images(
    root: Path, samples: Sequence[Sample], workers: int, note: Note, poll: Callable[[], None]
) -> int:
    """Decode every film once: one that fails now costs a minute, at hour nine it costs the night.

    Returns how many there are. Raises `UserError` naming the first that is missing or unreadable, and how many are.
    """
    images = sorted({sample.image for sample in samples})
    failures: list[str] = []

    def decode(image: str) -> str | None:
        try:
            open_image(root, image)
        except UserError as error:
            return str(error)
        return None

    begun = time.monotonic()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="films")
    try:
        for done, failure in enumerate(pool.map(decode, images), 1):
            if failure:
                failures.append(failure)
            if done % 200 == 0 or done == len(images):
                poll()
                rate = done / max(1e-9, time.monotonic() - begun)
                note(
                    f"films decoded {done}/{len(images)}, {rate:.0f}/s, {(len(images) - done) / rate:.0f} s left"
                )
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if failures:
        raise UserError(failures[0] + (f" (and {len(failures) - 1} films more)" if len(failures) > 1 else ""))
    return len(images)
