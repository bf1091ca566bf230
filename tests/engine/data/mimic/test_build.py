import csv
import gzip
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.data.curriculum import Sample, read_curriculum
from engine.data.labels import LABELS
from engine.data.mimic.build import build_curriculum, shares
from engine.data.mimic.films import film_time
from engine.errors import UserError

Row = dict[str, Any]

FILM = "2180-05-06 08:00:00"  # StudyTime 80000.0
LATE = "2180-05-06 08:00:01"
HOSP = "mimiciv/3.1/hosp"
ED = "mimic-iv-ed/2.2/ed"
JPG = "mimic-cxr-jpg/2.1.0"


class Tree:
    """A tiny MIMIC tree: rows are collected, then written as gzipped CSV files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tables: dict[str, list[Row]] = {}

    def add(self, table: str, **row: Any) -> None:
        self.tables.setdefault(table, []).append(row)

    def patient(self, subject: int, split: str, sex: str = "M") -> None:
        self.add(f"{HOSP}/patients", subject_id=subject, gender=sex, anchor_age=60, anchor_year=2172, dod="")
        self.split = split

    def study(
        self,
        subject: int,
        study: int,
        dicom: str,
        report: str,
        view: str = "PA",
        time: str = "80000.0",
        **labels: Any,
    ) -> None:
        self.film(subject, study, dicom, view, time)
        folder = f"files/p{str(subject)[:2]}/p{subject}"
        path = self.root / "mimic-cxr/2.1.0" / folder / f"s{study}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(report)
        # The column order differs from that of the label list on purpose.
        names = {name: labels.get(name.replace(" ", "_"), "") for name in reversed(LABELS)}
        self.add(f"{JPG}/mimic-cxr-2.0.0-chexpert", subject_id=subject, study_id=study, **names)

    def film(
        self, subject: int, study: int, dicom: str, view: str, time: str = "80000.0", image: bool = True
    ) -> None:
        self.add(
            f"{JPG}/mimic-cxr-2.0.0-metadata",
            dicom_id=dicom,
            subject_id=subject,
            study_id=study,
            ViewPosition=view,
            StudyDate=21800506,
            StudyTime=time,
        )
        self.add(
            f"{JPG}/mimic-cxr-2.0.0-split",
            dicom_id=dicom,
            study_id=study,
            subject_id=subject,
            split=self.split,
        )
        if image:
            path = self.root / JPG / f"files/p{str(subject)[:2]}/p{subject}/s{study}/{dicom}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4)).save(path)

    def admission(
        self, subject: int, hadm: int, start: str, end: str, codes: list[str], registered: str = ""
    ) -> None:
        self.add(
            f"{HOSP}/admissions",
            subject_id=subject,
            hadm_id=hadm,
            admittime=start,
            dischtime=end,
            edregtime=registered,
            discharge_location="DIED",
        )
        for number, code in enumerate(codes, start=1):
            version, bare = code.split(":")
            self.add(
                f"{HOSP}/diagnoses_icd",
                subject_id=subject,
                hadm_id=hadm,
                seq_num=number,
                icd_code=bare,
                icd_version=version,
            )

    def stay(
        self, subject: int, stay: int, start: str, end: str, complaint: str, hadm: int | str = ""
    ) -> None:
        self.add(f"{ED}/edstays", subject_id=subject, hadm_id=hadm, stay_id=stay, intime=start, outtime=end)
        self.add(
            f"{ED}/triage",
            subject_id=subject,
            stay_id=stay,
            temperature=101.1,
            heartrate=112,
            resprate=18,
            o2sat=91,
            sbp=98,
            dbp=61,
            chiefcomplaint=complaint,
        )

    def vitals(self, stay: int, time: str, rate: Any) -> None:
        columns = {"temperature": "", "heartrate": rate, "resprate": "", "o2sat": "", "sbp": "", "dbp": ""}
        self.add(f"{ED}/vitalsign", subject_id=1, stay_id=stay, charttime=time, **columns)

    def lab(
        self,
        subject: int,
        item: int,
        value: Any,
        charted: str,
        stored: str,
        hadm: Any = "",
        low: Any = "",
        high: Any = "",
    ) -> None:
        self.add(
            f"{HOSP}/labevents",
            labevent_id=len(self.tables.get(f"{HOSP}/labevents", [])),
            subject_id=subject,
            hadm_id=hadm,
            itemid=item,
            charttime=charted,
            storetime=stored,
            valuenum=value,
            ref_range_lower=low,
            ref_range_upper=high,
            comments='said "so",\nand went',
        )

    def write(self) -> Path:
        for name, rows in self.tables.items():
            path = self.root / f"{name}.csv.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            with gzip.open(path, "wt", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        return self.root


def report(text: str) -> str:
    return f"                                 FINAL REPORT\n \n IMPRESSION:\n \n {text}\n"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Patient 10000001 with every trap for leaks, and seven plain ones."""
    tree = Tree(tmp_path / "a [nested] place" / "data")
    for code, version, title in [
        ("I509", 10, "Heart failure, unspecified"),
        ("N179", 10, "Acute kidney failure; unspecified"),
        ("4280", 9, "Congestive heart failure, unspecified"),
        ("E119", 10, "Type 2 diabetes mellitus without complications"),
        ("J189", 10, "Pneumonia, unspecified organism"),
    ]:
        tree.add(f"{HOSP}/d_icd_diagnoses", icd_code=code, icd_version=version, long_title=title)
    tree.patient(10000001, "train")
    tree.study(10000001, 50000001, "b", report("Moderate pulmonary\n edema."), Edema="1.0", Pneumonia="-1.0")
    tree.film(10000001, 50000001, "a", "AP")
    tree.film(10000001, 50000001, "0", "LATERAL")
    tree.admission(10000001, 21, "2180-05-06 09:30:00", "2180-05-09 12:00:00", ["10:I509", "10:N179"])
    tree.stay(10000001, 31, "2180-05-06 06:00:00", "2180-05-06 09:40:00", "Dyspnea", hadm=21)
    tree.vitals(31, "2180-05-06 07:30:00", 95)
    tree.vitals(31, LATE, 180)
    # An earlier admission gives the history; one that ends after the film is no history.
    tree.admission(10000001, 20, "2179-01-01 00:00:00", "2179-01-05 00:00:00", ["10:E119"])
    lab = "2180-05-06 06:30:00"
    tree.lab(10000001, 50912, 1.9, "2180-05-06 06:10:00", "2180-05-06 06:50:00", 21, 0.5, 1.2)
    tree.lab(10000001, 50912, 2.4, lab, FILM, 21, 0.5, 1.2)
    tree.lab(10000001, 50983, 139, lab, "2180-05-06 07:00:00", "", 133, 145)
    tree.lab(10000001, 50971, 7.7, lab, LATE, 21, 3.5, 5.1)  # stored after the film
    tree.lab(10000001, 50931, 888, "2180-05-06 08:30:00", "2180-05-06 07:00:00", 21, 70, 105)  # drawn later
    tree.lab(
        10000001, 51006, 777, "2180-05-06 05:00:00", "2180-05-06 05:30:00", "", 6, 20
    )  # before the arrival
    tree.lab(10000001, 51301, 66, lab, "2180-05-06 07:00:00", 99, 4, 10)  # of another admission
    tree.lab(10000001, 51222, "", lab, "2180-05-06 07:00:00", 21, 12, 16)  # no number
    tree.lab(10000001, 12345, 55, lab, "2180-05-06 07:00:00", 21, 12, 16)  # no key item
    tree.lab(10000001, 50813, 44, lab, "", 21, 0.5, 2)  # never stored
    for number in range(2, 9):
        subject, split = 10000000 + number, "train" if number < 6 else "validate" if number < 8 else "test"
        tree.patient(subject, split, "F")
        tree.study(subject, 50000000 + number, f"d{number}", report("No acute process."), No_Finding="1.0")
        tree.admission(subject, 100 + number, "2180-05-05 00:00:00", "2180-05-07 00:00:00", ["9:4280"])
    return tree


def built(tree: Tree, out: Path, **options: Any) -> dict[str, Sample]:
    build_curriculum(tree.write().parent, out, **options)
    return {sample.id: sample for sample in read_curriculum(out / "curriculum.jsonl")}


def test_stage_b_sample_knows_only_what_was_known(tree: Tree, tmp_path: Path) -> None:
    sample = built(tree, tmp_path / "out", stage_a_fraction=0.5)["s50000001-b"]
    text = (
        "68 M. Complaint: dyspnea. Temp 38.4 C (high), HR 95, BP 98/61, RR 18, SpO2 91 % (low). "
        "Creatinine 2.4 (high). Other labs normal. History: Type 2 diabetes mellitus without complications."
    )
    assert sample.ehr is not None
    assert sample.ehr["text"] == text
    assert sample.prompt == f"Clinical context: {text}\nGive the clinical reasoning and the ICD diagnoses."
    assert sample.target == (
        "Moderate pulmonary edema. Temp is high at 38.4 C, SpO2 is low at 91 % "
        "and Creatinine is high at 2.4.\n"
        "ICD: I50.9 Heart failure, unspecified; N17.9 Acute kidney failure, unspecified"
    )
    assert sample.icd == ("10:I509", "10:N179")
    assert sample.image == "files/p10/p10000001/s50000001/b.jpg"  # PA goes before AP
    assert sample.ehr["labs"] == {
        "Creatinine": {"value": 2.4, "unit": "", "mark": "high"},
        "Sodium": {"value": 139.0, "unit": "", "mark": "normal"},
    }


def test_nothing_from_after_the_film_is_in_any_prompt(tree: Tree, tmp_path: Path) -> None:
    for sample in built(tree, tmp_path / "out", stage_a_fraction=0.5).values():
        for trap in (
            "7.7",
            "888",
            "777",
            "66",
            "44",
            "180",
            "eart failure",
            "idney",
            "DIED",
            "edema",
            "I50",
            "50.9",
        ):
            assert trap not in sample.prompt
            assert trap not in json.dumps(sample.ehr)


def test_stage_a_sample(tree: Tree, tmp_path: Path) -> None:
    samples = built(tree, tmp_path / "out", stage_a_fraction=1.0)
    sample = samples["s50000001-a"]
    assert {s.stage for s in samples.values()} == {"stage_a"}
    assert sample.prompt == "Write the impression of this chest X-ray and list the CheXpert labels."
    assert sample.target == "Moderate pulmonary edema.\nCheXpert: Edema"
    assert (sample.labels["Edema"], sample.labels["Pneumonia"], sample.labels["Fracture"]) == (1, -1, None)
    assert (sample.ehr, sample.icd) == (None, ())
    assert samples["s50000002-a"].target == "No acute process.\nCheXpert: No Finding"


def test_film_before_the_arrival_has_codes_but_nothing_of_the_stay(tree: Tree, tmp_path: Path) -> None:
    tree.patient(10000020, "train")
    tree.study(10000020, 50000020, "x", report("Clear."), No_Finding="1.0")
    tree.admission(10000020, 120, "2180-05-06 20:00:00", "2180-05-07 00:00:00", ["10:J189"])
    tree.stay(10000020, 320, "2180-05-06 18:00:00", "2180-05-06 21:00:00", "Fever", hadm=120)
    tree.lab(10000020, 50983, 120, "2180-05-06 07:00:00", "2180-05-06 07:30:00", "", 133, 145)
    sample = built(tree, tmp_path / "out")["s50000020-b"]
    assert sample.ehr is not None
    assert sample.ehr["text"] == "68 M."
    assert sample.icd == ("10:J189",)


def test_emergency_stay_alone_has_its_own_codes(tree: Tree, tmp_path: Path) -> None:
    tree.patient(10000020, "train")
    tree.study(10000020, 50000020, "x", report("Clear."), No_Finding="1.0")
    tree.stay(10000020, 320, "2180-05-06 07:00:00", "2180-05-06 21:00:00", "Fever")
    tree.add(
        f"{ED}/diagnosis",
        subject_id=10000020,
        stay_id=320,
        seq_num=2,
        icd_code="J189",
        icd_version=10,
        icd_title="PNA",
    )
    tree.add(
        f"{ED}/diagnosis",
        subject_id=10000020,
        stay_id=320,
        seq_num=1,
        icd_code="R509",
        icd_version=10,
        icd_title="FEVER",
    )
    sample = built(tree, tmp_path / "out")["s50000020-b"]
    assert sample.target.endswith("ICD: R50.9 FEVER; J18.9 PNA")


def test_report_counts_everything(tree: Tree, tmp_path: Path) -> None:
    tree.split = "train"
    tree.study(10000001, 50000050, "l", report("Side view."), view="LATERAL", Edema="1.0")
    tree.study(10000001, 50000051, "m", " INDICATION: cough", Edema="1.0")
    tree.study(10000001, 50000052, "n", report("No label, too late for the admission."), time="")
    tree.film(10000001, 50000053, "gone", "PA", image=False)
    tree.film(10000001, 50000054, "unread", "AP")
    out = tmp_path / "out"
    report_object = build_curriculum(tree.write(), out)
    assert report_object.dropped == {
        "image file missing": 1,
        "no frontal film (AP or PA)": 1,
        "report missing": 1,
        "report without impression, findings or last paragraph": 1,
    }
    assert report_object.coverage["usable film and report"] == 9
    assert report_object.coverage["no CheXpert label at all (no stage A sample)"] == 1
    assert report_object.coverage["no laboratory value before the film"] == 8
    written = json.loads((out / "build.json").read_text())
    assert written == report_object.to_json()
    assert written["patient_overlap"] == 0
    assert written["samples"]["splits"]["train"]["patients"] == 5
    assert written["samples"]["splits"]["val"]["stage_b"] == 2
    assert any("image file missing" in line for line in report_object.lines())
    assert "edema" not in (out / "build.json").read_text()


def test_how_reports_were_read_is_counted(tree: Tree, tmp_path: Path) -> None:
    odd = " FINDINGS:  The patient\u2019s heart is normal.\n \n IMPRESSION:  As above.\n"
    tree.split = "train"
    tree.study(10000001, 50000050, "l", "\n" + odd, Edema="1.0")
    source = tree.write()
    file = next(source.rglob("s50000050.txt"))
    file.write_bytes(file.read_text().encode("cp1252"))
    for sections, text, reason in (
        ("own", "The patient\u2019s heart is normal.", "impression that says nothing, passed over"),
        ("official", "As above.", None),
    ):
        out = tmp_path / sections
        build_curriculum(source, out, stage_a_fraction=1, sections=sections)
        samples = {sample.id: sample for sample in read_curriculum(out / "curriculum.jsonl")}
        assert samples["s50000050-a"].target.startswith(f"{text}\n")
        written = json.loads((out / "build.json").read_text())
        assert written["sections"] == sections
        expected = {"report in Windows-1252 and not UTF-8: read as such": 1}
        assert written["counts"] == expected | ({reason: 1} if reason else {})


def test_same_tree_same_bytes_and_private(tree: Tree, tmp_path: Path) -> None:
    source = tree.write()
    build_curriculum(source, tmp_path / "one", seed=3)
    build_curriculum(source, tmp_path / "two", seed=3)
    for name in ("curriculum.jsonl", "build.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        assert stat.S_IMODE((tmp_path / "one" / name).stat().st_mode) == 0o600
    assert sorted(entry.name for entry in (tmp_path / "one").iterdir()) == ["build.json", "curriculum.jsonl"]
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o700


def test_limit_takes_so_many_studies(tree: Tree, tmp_path: Path) -> None:
    samples = built(tree, tmp_path / "out", limit=3)
    assert len({sample.study_id for sample in samples.values()}) == 3


@pytest.mark.parametrize(
    ("a", "b", "fraction", "expected"),
    [
        (100, 65, 0.35, (35, 65)),
        (7, 65, 0.35, (7, 13)),
        (0, 9, 0.35, (0, 9)),
        (9, 0, 0.35, (9, 0)),
        (9, 9, 0, (0, 9)),
        (9, 9, 1, (9, 0)),
    ],
)
def test_shares(a: int, b: int, fraction: float, expected: tuple[int, int]) -> None:
    assert shares(a, b, fraction) == expected


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("21800506", "5556.875", "2180-05-06 00:55:56"),
        ("21800506", "213014.531", "2180-05-06 21:30:14"),
        ("21800506", None, "2180-05-06 00:00:00"),
        ("21800506", "nonsense", "2180-05-06 00:00:00"),
        ("21800506", "996161", "2180-05-06 00:00:00"),
        (None, "80000", "None"),
        ("21801399", "80000", "None"),
    ],
)
def test_film_time(date: str | None, time: str | None, expected: str) -> None:
    assert str(film_time(date, time)) == expected


def test_trees_are_found_once_or_named(tree: Tree, tmp_path: Path) -> None:
    source = tree.write()
    with pytest.raises(UserError, match=r"holds no MIMIC-CXR-JPG.*--jpg-root"):
        build_curriculum(source / HOSP, tmp_path / "out")
    (source / "copy").mkdir()
    (source / "copy" / "admissions.csv").write_text("subject_id\n")
    with pytest.raises(UserError, match=r"more than once.*--hosp-root"):
        build_curriculum(source, tmp_path / "out")
    build_curriculum(source, tmp_path / "out", hosp_root=source / HOSP)
    with pytest.raises(UserError, match="no such directory"):
        build_curriculum(source / "none", tmp_path / "out")


def test_without_emergency_tables_the_hospital_ones_do(tree: Tree, tmp_path: Path) -> None:
    tree.tables = {name: rows for name, rows in tree.tables.items() if not name.startswith(ED)}
    samples = built(tree, tmp_path / "out")
    assert samples["s50000001-b"].icd == ("10:I509", "10:N179")
    assert samples["s50000001-b"].prompt.startswith("Clinical context: 68 M. History: ")


def test_trouble_is_one_clear_line(tree: Tree, tmp_path: Path) -> None:
    source = tree.write()
    labels = source / JPG / "mimic-cxr-2.0.0-chexpert.csv.gz"
    with gzip.open(labels, "wt") as file:
        file.write("subject_id,study_id,Edema\n")
    with pytest.raises(UserError, match="has no column Atelectasis") as error:
        build_curriculum(source, tmp_path / "out")
    labels.write_bytes(b"no gzip")
    with pytest.raises(UserError, match=r"chexpert\.csv\.gz: cannot read the table") as error:
        build_curriculum(source, tmp_path / "out")
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="fraction"):
        build_curriculum(source, tmp_path / "out", stage_a_fraction=35)
    assert not list((tmp_path / "out").iterdir())


def test_a_patient_in_two_splits_is_refused(tree: Tree, tmp_path: Path) -> None:
    tree.split = "test"
    tree.study(10000001, 50000050, "l", report("Clear."), Edema="1.0")
    with pytest.raises(UserError, match="10000001 is in two splits"):
        build_curriculum(tree.write(), tmp_path / "out")
