"""What can be wrong with the data, found before the first step: phantoms made, samples read, films decoded."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from engine.config import PhantomSection, RunConfig
from engine.data.curriculum import Sample, read_curriculum
from engine.data.images import open_image
from engine.errors import UserError
from engine.files.file_lock import try_lock
from engine.files.plain_file import open_plain
from engine.files.temporary import holder
from engine.stages import STAGE_NAMES

#: Called with a line about what is under way.
Note = Callable[[str], None]


def prepare_curriculum(config: RunConfig, note: Note, poll: Callable[[], None]) -> list[Sample]:
    """The run's samples; phantoms are made first if the configuration asks for some and they are not there."""
    data = config.data
    if data.phantom:
        _make_phantoms(data.phantom, data.curriculum, note, poll)
    samples = read_curriculum(data.curriculum)
    _hold_against_expected(config, samples)
    return samples


def _make_phantoms(phantom: PhantomSection, curriculum: Path, note: Note, poll: Callable[[], None]) -> None:
    """Phantoms and their curriculum, unless they are there. Raises `UserError` if others lie in their place."""
    from engine.data.mimic.build import build_curriculum
    from engine.phantom.dataset import write_dataset

    home = curriculum.parent.parent
    stamp = home / "phantom.json"
    begun = time.monotonic()

    def progress(done: int, total: int) -> None:
        poll()
        rate = done / max(1e-9, time.monotonic() - begun)
        note(f"phantoms {done}/{total}, {rate:.0f}/s, {(total - done) / max(rate, 1e-9):.0f} s left")

    with _alone(home, poll):
        if not home.exists():
            with holder(home.parent) as beside:
                making = beside.path / "content"
                write_dataset(making, phantom.patients, phantom.seed, phantom.size, progress=progress)
                (making / stamp.name).write_text(phantom.model_dump_json() + "\n", encoding="utf-8")
                making.rename(home)
        if not stamp.is_file() or json.loads(stamp.read_text(encoding="utf-8")) != phantom.model_dump():
            raise UserError(
                f"{home}: holds other phantoms than data.phantom asks for; remove it or name another directory"
            )
        if not curriculum.is_file():
            note("building the curriculum")
            build_curriculum(home, curriculum.parent, seed=phantom.seed)


@contextmanager
def _alone(home: Path, poll: Callable[[], None]) -> Iterator[None]:
    """Two engines that want the same phantoms make them once: the second waits for the first."""
    home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open_plain(home.with_name(f"{home.name}.lock"), "w") as lock:
        while not try_lock(lock.fileno()):
            poll()
            time.sleep(0.2)
        yield


def _hold_against_expected(config: RunConfig, samples: Sequence[Sample]) -> None:
    """Refuse a curriculum that lacks a stage or a split, or lets a patient be on both sides."""
    for stage in STAGE_NAMES:
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
    root: Path,
    samples: Sequence[Sample],
    workers: int,
    note: Note,
    poll: Callable[[], None],
    bears: int = 0,
) -> int:
    """Decode every film once: one that fails now costs a minute, at hour nine it costs the night.

    Returns how many decode. Raises `UserError` where more than `bears` are missing or unreadable, naming the first.
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
    if len(failures) > bears:
        raise UserError(failures[0] + (f" (and {len(failures) - 1} films more)" if len(failures) > 1 else ""))
    return len(images) - len(failures)
