"""Tables as pandas, Excel and R save them again, and as mirrors lay them out: read right, or refused by name."""

import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.data.curriculum import Sample, read_curriculum
from engine.data.mimic.build import build_curriculum
from engine.data.mimic.cells import day_goes_first
from engine.data.mimic.code_repair import CodeBook
from engine.data.mimic.diagnosis_list import group_of
from engine.data.mimic.patients import age_at
from engine.errors import UserError

from .mimic_tree import (
    FILM,
    HADM,
    STAY,
    STUDY,
    SUBJECT,
    TABLES,
    admission,
    coded,
    lab,
    write_tree,
)


@dataclass
class Built:
    a: Sample | None
    b: Sample | None
    report: dict[str, Any]

    @property
    def prompt(self) -> str:
        assert self.b is not None, self.report
        return self.b.prompt


def build(root: Path, packed: bool = True, options: dict[str, Any] | None = None, **tables: Any) -> Built:
    write_tree(root / "tree", packed=packed, **tables)
    build_curriculum(root / "tree", root / "out", **(options or {}))
    samples = {sample.stage: sample for sample in read_curriculum(root / "out" / "curriculum.jsonl")}
    report = json.loads((root / "out" / "build.json").read_text())
    return Built(samples.get("stage_a"), samples.get("stage_b"), report)


def with_first(table: str, **cells: Any) -> dict[str, Any]:
    return {table: [{**TABLES[table][0], **cells}]}


@pytest.mark.parametrize(
    "tables",
    [
        with_first("admissions", subject_id=f"{SUBJECT}.0", hadm_id=f"{HADM}.0"),
        with_first("diagnoses_icd", hadm_id="2.0000001E7", icd_version="10.0", seq_num="1.0"),
        with_first("diagnoses_icd", hadm_id="20,000,001", icd_version=" 10 "),
        with_first("diagnoses_icd", icd_version="ICD10"),
        with_first("metadata", subject_id=f"p{SUBJECT}", study_id=f"s{STUDY}.0"),
        with_first("metadata", StudyDate="21500105.0", StudyTime="100000"),
        with_first("metadata", StudyDate="2150-01-05", StudyTime="10:00:00"),
        with_first("chexpert", Edema="1", Pneumonia="-1.00", Fracture="NaN", Consolidation="<NA>"),
        with_first("chexpert", Edema="1e0", Pneumonia="NULL"),
        with_first("admissions", admittime="2150-01-02T00:00:00", dischtime="2150-01-09 00:00:00.000"),
        with_first("admissions", admittime="2150-01-02 00:00:00 UTC", dischtime="2150-01-09 00:00:00+00:00"),
        with_first("admissions", admittime="2150/01/02 00:00", dischtime="2150/01/09 00:00"),
        with_first("admissions", admittime="02.01.2150 00:00", dischtime="09.01.2150 00:00"),
        with_first("admissions", admittime="1/2/2150 0:00", dischtime="1/19/2150 0:00", edregtime=""),
        with_first("admissions", admittime="2-Jan-2150 00:00", dischtime="09JAN2150:00:00:00"),
        with_first("admissions", edregtime="NaT", hadm_id=HADM),
        with_first("split", split="Validate"),
    ],
)
def test_a_cell_saved_otherwise_means_the_same(tmp_path: Path, tables: dict[str, Any]) -> None:
    one = next(iter(tables.values()))[0]
    if one.get("admittime") == "1/2/2150 0:00":
        tables["admissions"].append(admission(HADM + 1, "1/25/2150 0:00", "2/3/2150 0:00"))
    found = build(tmp_path, **tables)
    assert found.b is not None and found.b.icd == ("10:I509",)
    assert found.b.labels["Edema"] == 1


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        (
            with_first("admissions", subject_id="1.00E+07"),
            r"admissions\.csv\.gz: column subject_id: cannot read '1\.00E\+07'",
        ),
        (with_first("diagnoses_icd", hadm_id="2E+07"), r"diagnoses_icd\.csv\.gz: column hadm_id"),
        (with_first("admissions", hadm_id="20000001.5"), "column hadm_id"),
        (with_first("admissions", admittime="1/2/50 0:00"), "column admittime: cannot read '1/2/50 0:00'"),
        (with_first("admissions", admittime="22:23.0"), "column admittime"),
        (
            with_first("admissions", admittime="1/2/2150 0:00", dischtime="1/9/2150 0:00"),
            "whether the day or the month",
        ),
        (with_first("chexpert", Edema="positive"), "chexpert.csv.gz: column Edema: cannot read 'positive'"),
        (with_first("chexpert", Edema="2"), "column Edema"),
        (with_first("metadata", StudyDate="2150"), "metadata.csv.gz: column StudyDate"),
    ],
)
def test_what_cannot_be_read_is_refused_with_file_and_column(
    tmp_path: Path, tables: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        build(tmp_path, **tables)


def test_a_missing_column_is_named_in_our_words(tmp_path: Path) -> None:
    header = {"labevents": ["labevent_id", "subject_id", "itemid", "charttime"]}
    with pytest.raises(UserError, match=r"labevents\.csv\.gz: has no column .*storetime.*it has labevent_id"):
        build(tmp_path, columns=header)
    tree = write_tree(tmp_path / "semicolons", packed=False)
    path = tree / "mimiciv/3.1/hosp/patients.csv"
    path.write_text(path.read_text().replace(",", ";"))
    with pytest.raises(UserError, match=r"separated by semicolons"):
        build_curriculum(tree, tmp_path / "out")


def test_header_and_line_ends_of_other_programs(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", packed=False)
    path = tree / "mimiciv/3.1/hosp/admissions.csv"
    text = path.read_text().replace("\r\n", "\n")
    head, row = text.strip().split("\n")
    path.write_bytes(f"\ufeff,{head.upper()}\r\n0,{row}\r\n".encode())
    build_curriculum(tree, tmp_path / "out")
    assert read_curriculum(tmp_path / "out" / "curriculum.jsonl")[-1].icd == ("10:I509",)


@pytest.mark.parametrize(
    ("code", "version", "known", "right"),
    [
        ("7054", "9", ["9:07054"], "9:07054"),
        ("88", "9", ["9:0088"], "9:0088"),
        ("88", "9", ["9:0088", "9:00088"], None),
        ("88", "9", [], None),
        ("4280", "9", ["9:4280"], "9:4280"),
        ("4280.0", "9", ["9:4280"], "9:4280"),
        ("428.0", "9", ["9:4280"], "9:4280"),
        ("428.0", "9", ["9:4280", "9:428"], None),
        ("I50.9", "10", ["10:I509"], "10:I509"),
        ("i509 ", "10.0", [], "10:I509"),
        ("I509", None, ["10:I509"], "10:I509"),
        ("I509", None, [], None),
        ("I509", "11", ["10:I509"], None),
        ("1000", "9", ["9:1000", "9:01000"], "9:1000"),
    ],
)
def test_a_code_is_restored_where_one_fits_and_else_named(
    code: str, version: str | None, known: list[str], right: str | None
) -> None:
    found = CodeBook(dict.fromkeys(known, "")).resolve(version, code)
    assert found.code == right
    assert bool(found.problem) == (right is None)


def test_in_a_table_that_lost_its_zeros_a_code_that_may_be_two_is_named() -> None:
    book = CodeBook(dict.fromkeys(("9:1000", "9:01000", "9:07054", "9:4280"), ""))
    book.notice({("9", "1000"), ("9", "7054"), ("10", "I509")})
    assert book.resolve("9", "1000").problem == "may be any of 9:01000, 9:1000"
    assert book.resolve("9", "4280").code == "9:4280"
    intact = CodeBook(book.titles)
    intact.notice({("9", "1000"), ("9", "07054")})
    assert intact.resolve("9", "1000").code == "9:1000"


def test_codes_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    rows = [
        coded("I509"),
        coded("J189", seq=2),
        coded("Z3800", seq=3),
        coded("88", 9, seq=4),
        coded("7054", 9, seq=5),
    ]
    known = [*TABLES["d_icd_diagnoses"], {"icd_code": "07054", "icd_version": 9, "long_title": "Hepatitis C"}]
    found = build(tmp_path, diagnoses_icd=rows, d_icd_diagnoses=known)
    assert found.b is not None and found.b.icd == ("10:I509", "10:J189")
    counts = found.report["rows"]
    assert counts["diagnosis rows of the list"] == 2
    assert counts["diagnosis rows of the list without a title in the dictionary"] == 1
    assert counts["diagnosis rows that no chest film bears on (not in the list)"] == 2
    assert counts["diagnosis rows whose code was restored from the dictionary"] == 1
    assert found.report["unreadable_codes"] == {"9:88": "no ICD code, perhaps one that has lost its zeros"}


def test_the_list_is_asked_before_codes_are_counted_off(tmp_path: Path) -> None:
    rows = [coded(f"Z38{n:02}", seq=n) for n in range(1, 9)] + [coded("J189", seq=9)]
    found = build(tmp_path, diagnoses_icd=rows)
    assert found.b is not None and found.b.icd == ("10:J189",)


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("10:I509", "heart failure"),
        ("10:I110", "heart failure"),
        ("10:I10", "hypertension"),
        ("9:4280", "heart failure"),
        ("9:486", "pneumonia"),
        ("9:V4501", "device in the chest"),
        ("10:J9811", "atelectasis"),
        ("10:J189", "pneumonia"),
        ("9:E8859", None),
        ("10:Z3800", None),
        ("9:51881", "respiratory failure"),
        ("9:5118", "pleural effusion"),
        ("10:S2231XA", "rib and sternum fracture"),
    ],
)
def test_groups_of_the_list(code: str, group: str | None) -> None:
    assert group_of(code) == group


@pytest.mark.parametrize(
    ("rows", "shown", "hidden"),
    [
        ([lab(51222, 5.1, flag="abnormal", valueuom="g/dL")], "Hemoglobin 5.1 (abnormal)", "normal limits"),
        ([lab(51222, 51, valueuom="g/L", ref_range_lower=120, ref_range_upper=160)], "Hemoglobin 5.1 (low)", "51 "),
        ([lab(50912, 177, valueuom="µmol/L", ref_range_upper=106)], "Creatinine 2 (high)", "177"),
        ([lab(50912, 177, valueuom="furlong")], "", "177"),
        ([lab(50931, 999999, valueuom="mg/dL")], "", "999999"),
        ([lab(51003, 0.09, number=1), lab(51003, "<0.01", "09:00:00", 2, valuenum="", valueuom="ng/mL")],
         "Troponin T <0.01 ng/mL", "0.09"),
        ([lab(51003, 0.09), lab(51003, "___", "09:00:00", 2, valuenum="", comments="LESS THAN 0.01.")],
         "Troponin T <0.01", "0.09"),
        ([lab(50963, 400), lab(50963, ">70,000", "09:00:00", 2, valuenum="nan", ref_range_upper=450)],
         "NT-proBNP >70000 (high)", "400"),
        ([lab(50963, 400), lab(50963, "GREATER THAN 70000", "09:00:00", 2, valuenum="", ref_range_upper=450)],
         "NT-proBNP >70000 (high)", "400"),
        ([lab(50983, 139), lab(50983, "HEMOLYZED", "09:00:00", 2, valuenum="")], "Sodium 139", "HEMO"),
        ([lab(50983, 139), lab(50983, "NaN", "09:00:00", 2)], "Sodium 139", "nan"),
        ([lab(50983, 139), lab(50983, 121, "09:59:00", 2, storetime="2150-01-05 10:00:01")], "Sodium 139", "121"),
        ([lab(50983, 139), lab(50983, 121, "09:00:00", 2, storetime="")], "Sodium 139", "121"),
        ([lab(50983, 139), lab(50983, 121, "09:00:00", 2, hadm_id="20000077.0")], "Sodium 139", "121"),
        ([lab(50983, 139, hadm_id=f"{HADM}.0", ref_range_lower=133, ref_range_upper=145)], "Labs normal.", "139"),
        ([lab(50983, 139, itemid="50983.0")], "Sodium 139", "normal"),
    ],
)  # fmt: skip
def test_laboratory_values(tmp_path: Path, rows: list[Any], shown: str, hidden: str) -> None:
    found = build(tmp_path, labevents=rows)
    assert shown in found.prompt
    assert found.b is not None
    assert hidden not in found.prompt + found.b.target


def test_what_became_of_laboratory_rows_is_counted(tmp_path: Path) -> None:
    rows = [
        lab(50983, 139, number=1),
        lab(50971, 4, number=2, storetime=""),
        lab(50931, 99, number=3, valueuom="furlong"),
        lab(50912, 99, number=4, valueuom="umol/L"),
        lab(51301, "CLUMPED", number=5, valuenum=""),
    ]
    found = build(tmp_path, labevents=rows).report
    assert found["rows"]["laboratory rows known at the film"] == 2
    assert found["rows"]["laboratory rows without a time of storing"] == 1
    assert found["rows"]["laboratory rows in a unit that cannot be converted"] == 1
    assert found["rows"]["laboratory rows not a number"] == 1
    assert found["notes"]["laboratory rows left out for their unit: furlong"] == 1
    assert found["notes"]["laboratory values converted to the usual unit"] == 1
    assert found["notes"]["laboratory values without a unit, taken to be in the usual one"] == 1
    assert found["notes"]["laboratory values that nobody judged (no range, no flag)"] == 2


def test_films_without_a_value_are_counted_by_the_reason(tmp_path: Path) -> None:
    late = [lab(50983, 139, storetime="2150-01-05 11:00:00")]
    counts = build(tmp_path, labevents=late).report["joins"]["laboratory values"]
    assert counts == {"only values stored after the film": 1}


@pytest.mark.parametrize(
    ("year", "age", "anchor", "right"),
    [
        (2147, 91, 2150, 91),
        (2153, 88, 2150, 91),
        (2150, 60.0, 2150.0, 60),
        (2140, 5, 2150, None),
        (2150, None, 2150, None),
    ],
)
def test_ages_over_89_stay_over_89(year: int, age: float | None, anchor: float, right: int | None) -> None:
    assert age_at(year, age, anchor) == right


def test_blank_stays_blank(tmp_path: Path) -> None:
    stay = {"subject_id": SUBJECT, "stay_id": STAY, "hadm_id": "nan", "intime": "2150-01-01 20:00:00"}
    triage = {
        "subject_id": SUBJECT,
        "stay_id": STAY,
        "chiefcomplaint": "None",
        "temperature": "NULL",
        "heartrate": "N/A",
    }
    found = build(
        tmp_path,
        edstays=[{**stay, "outtime": "2150-01-05 20:00:00"}],
        triage=[triage],
        **with_first("patients", gender="nan", anchor_age="<NA>"),
    )
    assert found.prompt.startswith("Clinical context: Nothing recorded.")
    assert found.report["joins"]["age and sex"] == {"without age": 1}


def test_an_emergency_stay_without_hadm_id_tells_complaint_and_vitals(tmp_path: Path) -> None:
    ids = {"subject_id": SUBJECT, "stay_id": f"{STAY}.0"}
    found = build(
        tmp_path,
        admissions=[admission(begin="2150-01-05 12:00:00", edregtime="2150-01-05 08:00:00")],
        edstays=[{**ids, "hadm_id": "", "intime": "2150-01-05 08:00:00", "outtime": "2150-01-05 12:30:00"}],
        triage=[{**ids, "chiefcomplaint": "Dyspnea", "heartrate": "120"}],
        vitalsign=[
            {**ids, "charttime": "2150-01-05 09:00:00", "heartrate": "122", "o2sat": "880"},
            {**ids, "charttime": FILM.replace("10:00:00", "10:00:01"), "heartrate": "199"},
        ],
    )
    assert "Complaint: dyspnea." in found.prompt and "HR 122 (high)" in found.prompt
    assert found.report["notes"]["emergency stays whose admission was found by the hours"] == 1
    assert found.report["rows"]["vital signs not possible in a patient"] == 1


@pytest.mark.parametrize(("days", "known"), [(29, False), (30, True)])
def test_an_earlier_stay_is_history_once_it_is_coded(tmp_path: Path, days: int, known: bool) -> None:
    end = f"2149-12-{36 - days:02} 10:00:00"
    past = admission(HADM + 1, "2149-12-01 00:00:00", end)
    found = build(
        tmp_path,
        admissions=[past, admission()],
        diagnoses_icd=[coded("I509"), coded("J189", hadm=HADM + 1)],
        d_icd_diagnoses=[{"icd_code": "J189", "icd_version": 10, "long_title": "Pneumonia"}],
    )
    assert ("History: Pneumonia." in found.prompt) == known
    assert (
        "only stays that ended less than 30 days before: not coded yet"
        in found.report["joins"]["earlier diagnoses"]
    ) != known


@pytest.mark.parametrize(
    ("cells", "usable"),
    [
        ({"ViewPosition": "", "PerformedProcedureStepDescription": "CHEST (PORTABLE AP)"}, True),
        ({"ViewPosition": "nan", "PerformedProcedureStepDescription": "CHEST PORT. LINE PLACEMENT"}, True),
        ({"ViewPosition": "", "ViewCodeSequence_CodeMeaning": "postero-anterior"}, True),
        ({"ViewPosition": "", "ViewCodeSequence_CodeMeaning": "lateral",
          "PerformedProcedureStepDescription": "CHEST (PORTABLE AP)"}, False),
        ({"ViewPosition": "", "PerformedProcedureStepDescription": "CHEST (PA AND LAT)"}, False),
        ({"ViewPosition": "LL"}, False),
    ],
)  # fmt: skip
def test_frontal_by_view_code_or_procedure(tmp_path: Path, cells: dict[str, str], usable: bool) -> None:
    tables = with_first("metadata", **cells)
    if usable:
        notes = build(tmp_path, **tables).report["notes"]
        assert any(note.startswith("films without a view position, frontal by their") for note in notes)
    else:
        with pytest.raises(UserError, match="no usable study"):
            build(tmp_path, **tables)


@pytest.mark.parametrize(
    "place",
    [
        "physionet.org/files",
        "mirror/one/two",
        "mimic [copy] 2150",
    ],
)
def test_trees_are_found_where_mirrors_and_wget_put_them(tmp_path: Path, place: str) -> None:
    write_tree(tmp_path / "tree" / place)
    build_curriculum(tmp_path / "tree", tmp_path / "out")
    assert len(read_curriculum(tmp_path / "out" / "curriculum.jsonl")) == 2


def test_patients_folders_without_files_above_them_are_found(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree")
    for root in ("mimic-cxr-jpg/2.1.0", "mimic-cxr/2.1.0"):
        (tree / root / "files" / "p10").rename(tree / root / "p10")
        (tree / root / "files").rmdir()
    build_curriculum(tree, tmp_path / "out")
    assert read_curriculum(tmp_path / "out" / "curriculum.jsonl")[0].image.startswith("p10/p10000101/")


@pytest.mark.parametrize("name", ["triage", "vitalsign", "diagnosis"])
def test_a_missing_emergency_table_is_named(tmp_path: Path, name: str) -> None:
    without: dict[str, Any] = {name: None}
    found = build(tmp_path, **without)
    assert [missing.split()[0] for missing in found.report["missing_tables"]] == [f"ed/{name}"]


def test_a_flipped_bit_is_found_by_the_list_of_hashes(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree")
    path = tree / "mimiciv/3.1/hosp/admissions.csv.gz"
    sums = tree / "mimiciv/3.1/SHA256SUMS.txt"
    sums.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()} hosp/admissions.csv.gz\n")
    report = build_curriculum(tree, tmp_path / "out")
    assert report.inputs.read["admissions"]["checked"] is True
    assert report.inputs.read["patients"]["checked"] is False
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # in the checksum, which DuckDB does not look at
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"admissions\.csv\.gz: is damaged: its SHA-256 is not the one in .*SHA256SUMS"
    ):
        build_curriculum(tree, tmp_path / "again")


def test_a_table_cut_short_is_refused(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", labevents=[lab(50983, 139, number=n) for n in range(4000)])
    path = tree / "mimiciv/3.1/hosp/labevents.csv.gz"
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(UserError, match=r"labevents\.csv\.gz: cannot read the table") as error:
        build_curriculum(tree, tmp_path / "out")
    assert "\n" not in str(error.value)


def test_labels_given_twice_and_otherwise_are_no_labels(tmp_path: Path) -> None:
    rows = [{**TABLES["chexpert"][0]}, {**TABLES["chexpert"][0], "Edema": "0.0"}]
    found = build(tmp_path, chexpert=rows)
    assert found.report["joins"]["CheXpert labels"] == {"two rows that differ": 1}
    assert found.b is not None and set(found.b.labels.values()) == {None}
    assert build(tmp_path / "same", chexpert=[rows[0], rows[0]]).a is not None


@pytest.mark.parametrize(
    ("policy", "line"),
    [("zeros", "CheXpert: none"), ("ignore", "CheXpert: none"), ("ones", "CheXpert: Pneumonia")],
)
def test_the_policy_for_uncertain_labels_is_written_and_named(tmp_path: Path, policy: str, line: str) -> None:
    tables = with_first("chexpert", Edema="", Pneumonia="-1.0")
    found = build(tmp_path, options={"uncertain": policy}, **tables)
    assert found.a is not None and found.a.target.endswith(line)
    assert found.report["uncertain"] == policy == found.report["arguments"]["uncertain"]


def test_day_and_month() -> None:
    assert day_goes_first(13, 5, dots=False) is True
    assert day_goes_first(5, 13, dots=False) is False
    assert day_goes_first(5, 5, dots=True) is True
    assert day_goes_first(5, 5, dots=False) is None
    assert day_goes_first(13, 13, dots=False) is None


def test_build_json_holds_hashes_of_what_was_read_and_written(tmp_path: Path) -> None:
    found = build(tmp_path).report
    written = hashlib.sha256((tmp_path / "out" / "curriculum.jsonl").read_bytes()).hexdigest()
    assert found["curriculum_sha256"] == written
    for one in found["inputs"].values():
        assert one["sha256"] == hashlib.sha256(Path(one["file"]).read_bytes()).hexdigest()
    assert {"cxr-cockpit", "duckdb", "python"} <= found["versions"].keys()
    assert not re.search(r"edema", json.dumps(found), re.IGNORECASE)


def test_a_file_that_is_no_gzip_is_refused(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree")
    path = tree / "mimiciv/3.1/hosp/admissions.csv.gz"
    path.write_bytes(gzip.decompress(path.read_bytes()))
    with pytest.raises(UserError, match=r"admissions\.csv\.gz: cannot read the table"):
        build_curriculum(tree, tmp_path / "out")


def test_a_dictionary_that_lost_its_zeros_names_the_codes_that_fell_together(tmp_path: Path) -> None:
    known = [
        {"icd_code": "1882", "icd_version": 9, "long_title": "Miliary tuberculosis"},
        {"icd_code": "1882", "icd_version": 9, "long_title": "Tumour of the bladder"},
        *TABLES["d_icd_diagnoses"],
    ]
    found = build(tmp_path, diagnoses_icd=[coded("1882", 9), coded("I509", seq=2)], d_icd_diagnoses=known)
    assert found.b is not None and found.b.icd == ("10:I509",)
    assert "several titles" in found.report["unreadable_codes"]["9:1882"]


def test_patients_of_another_database_are_named(tmp_path: Path) -> None:
    found = build(tmp_path, **with_first("patients", subject_id=22), admissions=[], edstays=[])
    assert found.a is not None and found.b is None
    assert any("MIMIC-III" in missing for missing in found.report["missing_tables"])
    assert found.report["joins"]["hospital or emergency stay"] == {"the patient has no stay in the tables": 1}


def test_a_number_stands_though_its_text_was_removed(tmp_path: Path) -> None:
    found = build(
        tmp_path, labevents=[lab(50983, "___", valuenum="121", ref_range_lower=133, ref_range_upper=145)]
    )
    assert "Sodium 121 (low)" in found.prompt
