"""Findings about the project: configuration, base model, curriculum, images, and where runs are written."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config import RunConfig, load_config
from engine.download.model_download import Download, read_download
from engine.errors import UserError
from engine.files.json_file import read_json
from engine.setup_check.finding import SEEN, Finding, Status
from engine.setup_check.rules.model_files import Damaged, header, shard_names
from engine.words.sizes import on_disk

if TYPE_CHECKING:
    from engine.data.curriculum import Sample

IMAGES_LOOKED_AT = 24


def read_config(path: Path) -> tuple[RunConfig | None, Finding]:
    """The configuration, or None with the reason as a finding."""
    try:
        config = load_config(path)
    except UserError as error:
        return None, _finding(
            "config", "fail", "The configuration cannot be used", str(error), "a valid file"
        )
    return config, _finding("config", "ok", f"{path.name} is valid", str(path))


def project_findings(config: RunConfig, runs: Path) -> Iterator[Finding]:
    """Everything that a run needs besides the interpreter, cheapest first."""
    yield from runs_findings(runs)
    yield from model_findings(config.base_directory)
    yield from _curriculum(config)


def runs_findings(runs: Path) -> Iterator[Finding]:
    """Runs hold restricted data: written by one, read by nobody else."""
    place = runs.absolute()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        yield _finding(
            "runs-writable", "fail", "Runs cannot be written", f"{place} is not writable", f"{runs} writable"
        )
        return
    mode = stat.S_IMODE(place.stat().st_mode)
    if place == runs.absolute() and mode & 0o077:
        yield _finding(
            "runs-private",
            "warn",
            "Others can look into the folder of runs",
            f"{runs} has mode {mode:04o}",
            "mode 0700",
            "Each run keeps its own folder closed; the names of runs show.",
            (("chmod", "700", str(runs.absolute())),),
        )
    else:
        yield _finding("runs-writable", "ok", "Runs can be written", str(runs))


def model_findings(directory: Path) -> Iterator[Finding]:
    """Whether the base model is there and whole: index against shards, sizes against headers."""
    expected = "config.json, a tokenizer and every weight file of the index"
    wrong = list(_model_problems(directory)) if directory.is_dir() else ["it is not there"]
    download = read_download(directory) if wrong else None
    if download is not None and download.state != "finished":
        yield _fetching(download, expected)
        return
    if not directory.is_dir():
        why = f"`cxr-cockpit model fetch --to {directory}` brings it; or say where it is in model.base."
        yield _finding(
            "base-model", "fail", "The base model is not there", f"no folder {directory}", expected, why
        )
        return
    if wrong:
        yield _finding(
            "base-model",
            "fail",
            "The base model is not complete",
            f"{directory}: {'; '.join(wrong[:6])}",
            expected,
            f"A download was cut or a file was lost. `cxr-cockpit model fetch --to {directory}` goes on with it.",
        )
    else:
        yield _finding("base-model", "ok", "The base model is complete", str(directory))


def _fetching(download: Download, expected: str) -> Finding:
    """A download that is not over: how far it is, and what holds it up."""
    share = (
        f"{100 * download.done // download.total} % of {on_disk(download.total)}"
        if download.total
        else "begun"
    )
    left = f", {download.seconds_left / 60:.0f} min left" if download.seconds_left is not None else ""
    if download.live:
        title = f"The base model is being fetched: {share}{left}"
        why = "A run can start once it is whole. The download goes on by itself, also without the app."
    else:
        title = f"The download of the base model {download.state}: {share}"
        why = f"`cxr-cockpit model fetch {download.repo} --to {download.directory}` goes on where it was."
    found = f"{download.directory}: {download.state}" + (f", {download.message}" if download.message else "")
    return _finding("base-model", "fail", title, found, expected, why)


def _model_problems(directory: Path) -> Iterator[str]:
    try:
        read_json(directory / "config.json")
    except FileNotFoundError:
        yield "config.json is missing"
    except (OSError, ValueError):
        yield "config.json cannot be read"
    if not any((directory / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        yield "tokenizer.json and tokenizer.model are missing"
    try:
        names = shard_names(directory)
    except Damaged as error:
        yield str(error)
        return
    for name in names:
        try:
            header(directory / name)
        except FileNotFoundError:
            yield f"{name} is missing"
        except (Damaged, OSError, KeyError, TypeError) as error:
            yield str(error)


def _curriculum(config: RunConfig) -> Iterator[Finding]:
    from engine.data.curriculum import read_curriculum

    path = config.data.curriculum
    if not path.exists():
        if config.data.phantom:
            yield _finding("curriculum", "ok", "The phantom data is made before the first step", str(path))
        else:
            why = "`cxr-cockpit data build` or `data import` makes it."
            yield _finding("curriculum", "fail", "The curriculum is not there", f"no {path}", str(path), why)
        return
    try:
        samples = read_curriculum(path)
    except UserError as error:
        yield _finding("curriculum", "fail", "The curriculum cannot be read", str(error), "valid JSON lines")
        return
    yield from _counts(config, samples)
    yield from _patients(samples)
    yield from _images(config, samples)


def _counts(config: RunConfig, samples: list[Sample]) -> Iterator[Finding]:
    expected = config.data.expected
    pairs = [
        ("images", len({one.image for one in samples}), expected.images),
        ("training samples", sum(one.split == "train" for one in samples), expected.train),
        ("validation samples", sum(one.split == "val" for one in samples), expected.validation),
    ]
    wrong = any(wanted is not None and wanted != found for _, found, wanted in pairs)
    yield _finding(
        "curriculum",
        "fail" if wrong else "ok",
        "The curriculum has other counts than expected" if wrong else "The curriculum is there",
        ", ".join(f"{found:,} {what}" for what, found, _ in pairs),
        ", ".join(f"{wanted:,} {what}" for what, _, wanted in pairs if wanted is not None),
        "The run refuses it. If the new counts are right, say so in data.expected." if wrong else "",
    )


def _patients(samples: list[Sample]) -> Iterator[Finding]:
    splits: dict[str, set[str]] = defaultdict(set)
    for one in samples:
        splits[one.subject_id].add(one.split)
    shared = sorted(subject for subject, names in splits.items() if len(names) > 1)
    yield _finding(
        "patients-disjoint",
        "fail" if shared else "ok",
        "Patients are in more than one split" if shared else "No patient is in two splits",
        f"{len(shared):,} of {len(splits):,} patients",
        "0",
        "Scores on patients that the model was trained on say nothing." if shared else "",
    )


def _images(config: RunConfig, samples: list[Sample]) -> Iterator[Finding]:
    from engine.data.images import open_image

    names = sorted({one.image for one in samples})
    step = max(1, len(names) // IMAGES_LOOKED_AT)
    looked_at = names[::step][:IMAGES_LOOKED_AT]
    broken: list[str] = []
    for name in looked_at:
        try:
            open_image(config.data.image_root, name)
        except UserError as error:
            broken.append(str(error))
    yield _finding(
        "images",
        "fail" if broken else "ok",
        f"{len(broken)} of {len(looked_at)} images cannot be read"
        if broken
        else "A sample of images decodes",
        broken[0] if broken else f"{len(looked_at)} of {len(names):,} under {config.data.image_root}",
        "every image readable",
        "The run decodes all of them before its first step and would end there." if broken else "",
    )


def _finding(
    finding_id: str,
    status: Status,
    title: str,
    found: str = "",
    expected: str = "",
    why: str = "",
    fix: tuple[tuple[str, ...], ...] = (),
) -> Finding:
    return Finding(
        finding_id, "project", status, title, found=found, expected=expected, why=why, fix=fix, source=SEEN
    )
