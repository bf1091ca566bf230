"""Which patients, studies and images stand in more than one split."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.data.curriculum import SPLITS, Sample
from engine.data.importing.identity import image_key, study_key
from engine.files.plain_file import open_plain

#: Identity to the splits it is in, in their order.
Shared = dict[str, tuple[str, ...]]


def shared_identities(
    samples: Iterable[Sample], contents: Mapping[str, str] | None = None
) -> dict[str, Shared]:
    """By "patients", "studies" and "images": each identity that stands in more than one of train, val and test.

    contents: hash of its bytes by image; with it "contents" as well.
    """
    found: dict[str, dict[str, set[str]]] = {"patients": {}, "studies": {}, "images": {}}
    if contents is not None:
        found["contents"] = {}
    for sample in samples:
        for kind, key in identities(sample, contents).items():
            found[kind].setdefault(key, set()).add(sample.split)
    return {
        kind: {
            key: tuple(split for split in SPLITS if split in splits)
            for key, splits in keys.items()
            if len(splits) > 1
        }
        for kind, keys in found.items()
    }


def identities(sample: Sample, contents: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the sample shares with others of its patient, study and image."""
    keys = {
        "patients": sample.subject_id,
        "studies": study_key(sample.subject_id, sample.study_id),
        "images": image_key(sample.image),
    }
    return keys if contents is None else {**keys, "contents": contents[sample.image]}


def content_hashes(samples: Iterable[Sample], image_root: Path) -> dict[str, str]:
    """The hash of each image file's bytes, by the sample's image. Raises OSError for one that cannot be read."""
    hashes: dict[str, str] = {}
    for sample in samples:
        if sample.image not in hashes:
            with open_plain(image_root / sample.image, "rb") as file:
                hashes[sample.image] = hashlib.sha256(file.read()).hexdigest()
    return hashes
