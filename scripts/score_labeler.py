"""Score the labeler on Open-i: score_labeler.py GOLD.csv REPORTS.csv [--part development|held-out|all]

GOLD.csv: NegBio's `openi_gld_std14.csv` (filename CXR<uid>, 14 names, 0/1). REPORTS.csv: `indiana_reports.csv`
(uid, findings, impression). A random 1,200 reports (seed 0) are the development set; the phrases were
only ever looked at there.
"""

import argparse
import csv
import random
from pathlib import Path

from engine.data.labeler.label import label

#: Names of the gold standard, and ours.
LABELS = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Effusion": "Pleural Effusion",
    "Pneumonia": "Pneumonia",
    "Pneumothorax": "Pneumothorax",
    "Consolidation": "Consolidation",
    "Edema": "Edema",
}
DEVELOPMENT, SEED, RESAMPLES = 1200, 0, 1000
#: Of one report and label: truly positive, falsely positive, falsely negative.
Counts = tuple[int, int, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gold", type=Path)
    parser.add_argument("reports", type=Path)
    parser.add_argument("--part", choices=("development", "held-out", "all"), default="all")
    options = parser.parse_args()
    with options.gold.open(newline="") as file:
        gold = sorted(csv.DictReader(file), key=lambda row: int(row["filename"].removeprefix("CXR")))
    with options.reports.open(newline="") as file:
        texts = {
            f"CXR{row['uid']}": f"{row['findings']}\n\n{row['impression']}" for row in csv.DictReader(file)
        }
    development = set(random.Random(SEED).sample(range(len(gold)), DEVELOPMENT))
    wanted = {"development": {True}, "held-out": {False}, "all": {True, False}}[options.part]
    own = [row for number, row in enumerate(gold) if (number in development) in wanted]
    read = [label(texts[row["filename"]]) for row in own]
    for policy, positive in (
        ("uncertain counts as negative", {1}),
        ("uncertain counts as positive", {1, -1}),
    ):
        print(f"{len(own):,} reports, {policy}")
        counts = [
            [_counted(found[ours] in positive, row[theirs] == "1") for theirs, ours in LABELS.items()]
            for row, found in zip(own, read, strict=True)
        ]
        for place, name in enumerate(LABELS):
            _tell(name, [[report[place]] for report in counts])
        _tell("micro", counts)


def _counted(found: bool, true: bool) -> Counts:
    return found and true, found and not true, true and not found


def _tell(name: str, reports: list[list[Counts]]) -> None:
    """One line: counts over all reports, and F1 with its 95 % interval by bootstrap over reports."""
    sums = [tuple(map(sum, zip(*report, strict=True))) for report in reports]
    drawn = random.Random(SEED)
    scores = sorted(_f1(drawn.choices(sums, k=len(sums))) for _ in range(RESAMPLES))
    tp, fp, fn = (sum(column) for column in zip(*sums, strict=True))
    low, high = scores[int(0.025 * RESAMPLES)], scores[int(0.975 * RESAMPLES) - 1]
    print(
        f"  {name:<14} true {tp:>5}  false {fp:>4}  missed {fn:>4}  F1 {_f1(sums):.3f} [{low:.3f}, {high:.3f}]"
    )


def _f1(sums: list[tuple[int, ...]]) -> float:
    tp, fp, fn = (sum(column) for column in zip(*sums, strict=True))
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0


if __name__ == "__main__":
    main()
