"""Files as people have them: every kind of file, spelling and conversation, and what is said of each."""

import codecs
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from engine.data.curriculum import Sample, read_curriculum
from engine.data.importing.identity import identifier, image_key
from engine.data.importing.import_report import ImportReport
from engine.data.importing.importer import import_curriculum
from engine.data.importing.missing import is_missing
from engine.errors import UserError

FILM = "files/p10/p10000032/s50414267/02aa804e-bde0afdd-112c0b34-7bc16630-4e384014.jpg"
ROW = {
    "id": "1",
    "subject_id": "7",
    "study_id": "70",
    "image": "a.png",
    "prompt": "What?",
    "target": "Clear.",
}


def take(
    tmp_path: Path, *files: tuple[str, str | bytes], **options: Any
) -> tuple[list[Sample], ImportReport]:
    paths = []
    for name, content in files:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        paths.append(path)
    report = import_curriculum(paths, tmp_path / "out", **options)
    return read_curriculum(tmp_path / "out" / "curriculum.jsonl"), report


def take_records(
    tmp_path: Path, *records: dict[str, Any], **options: Any
) -> tuple[list[Sample], ImportReport]:
    return take(tmp_path, ("in.json", json.dumps(list(records))), **options)


def one(tmp_path: Path, **fields: Any) -> tuple[Sample, ImportReport]:
    (sample,), report = take_records(tmp_path, {**ROW, **fields})
    return sample, report


def remarks(report: ImportReport) -> str:
    return "\n".join(report.lines())


CSV = "id,subject_id,image,prompt,target\n1,7,a.png,What?,Clear.\n"


@pytest.mark.parametrize(
    ("name", "content", "remark"),
    [
        ("a.csv", CSV, ""),
        ("a.tsv", CSV.replace(",", "\t"), ""),
        ("a.csv", CSV.replace(",", ";"), "semicolons divide the cells, not commas"),
        ("a.csv", CSV.replace(",", "\t"), "tabs divide the cells, not commas"),
        ("a.tsv", CSV, "commas divide the cells, not tabs"),
        ("a.csv", CSV.replace(",", "|"), "bars divide the cells, not commas"),
        ("a.csv", "sep=;\r\n" + CSV.replace(",", ";"), "semicolons divide"),
        ("a.csv", codecs.BOM_UTF8 + CSV.encode(), ""),
        ("a.csv", CSV.encode("utf-16"), ""),
        ("a.csv", CSV.encode("utf-16-be"), "read as UTF-16 without a byte order mark"),
        ("a.csv.gz", gzip.compress(CSV.encode()), ""),
        ("a.csv", CSV.replace("\n", "\r\n"), ""),
        ("a.csv", CSV.replace("id,", '"id", ', 1).replace("1,", '"1", ', 1), ""),
        ("a.jsonl", json.dumps(ROW), ""),
        ("a.jsonl", json.dumps([ROW], indent=1), ""),
        ("a.json", json.dumps(ROW), ""),
        ("a.json", json.dumps(ROW, indent=1), ""),
        ("a.json", json.dumps({"data": [ROW]}), ""),
        ("a.json", json.dumps({"case 1": {k: v for k, v in ROW.items() if k != "id"}}), ""),
        ("a.json", json.dumps({name: {"0": value} for name, value in ROW.items()}), ""),
        ("a.json", json.dumps({name: [value] for name, value in ROW.items()}), ""),
        ("a.json", json.dumps({"columns": list(ROW), "index": [0], "data": [list(ROW.values())]}), ""),
        ("a.json", json.dumps({"Train": [ROW], "Validation": []}), ""),
        ("a.ndjson", "\n\n" + json.dumps(ROW) + "\n\n", ""),
        ("a.jsonl", codecs.BOM_UTF8 + json.dumps(ROW).encode(), ""),
    ],
)
def test_every_kind_of_file(tmp_path: Path, name: str, content: str | bytes, remark: str) -> None:
    (sample,), report = take(tmp_path, (name, content))
    assert (sample.subject_id, sample.image, sample.prompt, sample.target) == (
        "7",
        "a.png",
        "What?",
        "Clear.",
    )
    assert not report.dropped
    assert remark in remarks(report)
    assert bool(remark) == ("divide" in remarks(report) or "read as" in remarks(report))


def test_parquet(tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "train [1].parquet"
    escaped = str(path).replace("'", "''")
    duckdb.sql(
        "SELECT 7 AS subject_id, {'bytes': NULL, 'path': 'a.png'} AS image, 'Clear.' AS answer, "
        "[{'role': 'user', 'content': 'What?'}, {'role': 'assistant', 'content': 'Clear.'}] AS messages"
    ).write_parquet(escaped)
    report = import_curriculum([path], tmp_path / "out")
    (sample,) = report.samples
    assert (sample.subject_id, sample.image, sample.prompt, sample.split) == ("7", "a.png", "What?", "train")
    path.write_bytes(b"PAR1 no")
    with pytest.raises(UserError, match="cannot read the Parquet file"):
        import_curriculum([path], tmp_path / "out")


def test_windows_1252_is_read_and_told_and_damage_is_not_taken_for_it(tmp_path: Path) -> None:
    text = CSV.replace("Clear.", "No “active” disease – 38 °C.")
    (sample,), report = take(tmp_path, ("a.csv", text.encode("cp1252")))
    assert sample.target == "No “active” disease – 38 °C."
    assert report.notes["the file is not UTF-8: read as Windows-1252"] == 1
    damaged = text.encode() + b"\x93"
    with pytest.raises(UserError, match=rf"is not UTF-8 \(byte {len(damaged) - 1}\), but the rest of it is"):
        take(tmp_path, ("a.csv", damaged))
    with pytest.raises(UserError, match=r"neither UTF-8 nor Windows-1252 \(byte 3\)"):
        take(tmp_path, ("a.csv", b"abc\x81"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('image,target\na.png,"He said "clear" twice"\n', "in.csv:2: broken CSV: .*written twice"),
        (
            'image,target\na.png,"Clear.\nb.png,Fine.\nc.png,Good.\n',
            "in.csv:2: broken CSV: .*every one is closed",
        ),
        ('image,target\na.png,"He said \\"clear\\" twice"\n', "in.csv:2: broken CSV"),
        ("image,target,image\na.png,Clear.,b.png\n", "the column 'image' stands twice"),
        ("image,target\na.png,Cle\0ar.\n", "in.csv:2: broken CSV|no record became"),
    ],
)
def test_broken_quoting_is_named_and_swallows_nothing(tmp_path: Path, content: str, reason: str) -> None:
    if "\0" in content:
        samples, _ = take(tmp_path, ("in.csv", content))
        assert "\0" not in samples[0].target
        return
    with pytest.raises(UserError, match=reason):
        take(tmp_path, ("in.csv", content))
    assert not (tmp_path / "out").exists()


def test_rows_of_another_length_are_left_out_and_said(tmp_path: Path) -> None:
    content = 'image,target,split\na.png,"Clear,\nreally.",train\nb.png,Lungs\nclear,train\nc.png,Clear, too,train\n'
    (sample,), report = take(tmp_path, ("in.csv", content))
    assert sample.target == "Clear,\nreally."
    assert report.dropped == {"fewer cells than the header has": 2, "more cells than the header has": 1}
    assert report.first["fewer cells than the header has"].endswith("in.csv:4")


def test_a_report_may_hold_what_other_readers_take_for_a_line_end(tmp_path: Path) -> None:
    lines = [
        json.dumps({**ROW, "image": f"{n}.png", "target": f"A\u2028B\x85C {n}"}, ensure_ascii=False)
        for n in range(2)
    ]
    samples, report = take(tmp_path, ("a.json", "\n".join(lines) + "\n{oops"))
    assert [sample.image for sample in samples] == ["0.png", "1.png"]
    assert report.dropped == {"broken JSON": 1}


def test_a_field_that_stands_twice_is_said(tmp_path: Path) -> None:
    (sample,), report = take(tmp_path, ("a.json", '[{"image": "a.png", "target": "A.", "target": "B."}]'))
    assert sample.target == "B."
    assert report.notes["a field stands twice in the record: its last value counts"] == 1


@pytest.mark.parametrize("name", ["a.csv.gz", "a.json.gz"])
def test_a_gzip_file_that_is_cut_or_none(tmp_path: Path, name: str) -> None:
    packed = gzip.compress(CSV.encode() * 1000)
    for content in (packed[:-20], b"no gzip", packed[:10] + b"\xff" * 30):
        with pytest.raises(UserError, match="cannot read the file"):
            take(tmp_path, (name, content))


# --- missing values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mark",
    ["nan", "NaN", "None", "NULL", "<NA>", "N/A", "", "-", "___", "NaT", "#N/A", "n/a", "NA", " nan ", "--"],
)
def test_marks_of_a_missing_value(tmp_path: Path, mark: str) -> None:
    assert is_missing(mark)
    sample, report = one(tmp_path, prompt=mark, subject_id=mark, ehr=mark, split=mark, impression="x")
    assert (sample.subject_id, sample.ehr, sample.stage) == ("a.png", None, "stage_a")
    assert "Write the impression" in sample.prompt
    noted = sum("read as missing" in remark for remark in report.notes)
    assert noted == (4 if mark.strip() else 0)


@pytest.mark.parametrize("text", ["None.", "No.", "0", "nano", "N", "null hypothesis"])
def test_what_only_looks_like_a_mark(text: str) -> None:
    assert not is_missing(text)


def test_the_first_alias_with_a_value_counts(tmp_path: Path) -> None:
    record = {"image": "a.png", "impression": "___", "findings": "Clear.", "report": "", "caption": "Other."}
    (sample,), report = take_records(tmp_path, record)
    assert sample.target == "Clear."
    assert report.unknown_fields == {"caption": 1}
    assert report.notes["impression: '___' read as missing"] == 1


def test_missing_values_within_the_record_and_the_labels(tmp_path: Path) -> None:
    ehr = {"age": 68, "labs": {"Creatinine": float("nan"), "Lactate": "NaN", "BNP": 4}, "note": "n/a"}
    sample, report = one(tmp_path, ehr=ehr, icd=["J90", None, "nan"], Edema="nan", Fracture=1)
    assert sample.ehr is not None and sample.ehr["text"] == "age: 68; labs: BNP 4."
    assert sample.ehr["labs"] == {"Creatinine": None, "Lactate": None, "BNP": 4}
    assert sample.icd == ("10:J90",)
    assert sample.labels["Edema"] is None and sample.labels["Fracture"] == 1
    assert report.notes["label 'nan' read as blank"] == 1
    assert report.notes["value 'n/a' in the EHR context read as missing"] == 1


# --- given, but not to be read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "icd", "remark"),
    [
        ({"icd": [{"icd_code": "E8859", "icd_version": 9.0}]}, ("9:E8859",), ""),
        ({"icd": [{"icd_code": "V4581", "icd_version": "ICD-9-CM"}]}, ("9:V4581",), ""),
        ({"icd_code": "E8859", "icd_version": "9.0"}, ("9:E8859",), ""),
        ({"icd9": "V45.81; 428.0"}, ("9:V4581", "9:4280"), ""),
        ({"icd10": ["V4581"]}, ("10:V4581",), ""),
        ({"icd": [{"icd_code": "4280", "icd_version": "eleven"}]}, (), "4280 of version eleven"),
        ({"icd_code": "4280", "icd_version": "eleven"}, (), "version not understood: eleven"),
        ({"icd": [250.0]}, (), "250.0: a number has lost the zeros of its code"),
        ({"icd": [4280]}, (), "4280: a number has lost"),
        ({"icd": "4280.0"}, (), "not understood: 4280.0"),
        ({"icd": ["E871"]}, ("10:E871",), "guessed from the form of E871, which fits both"),
        ({"icd": "['I50.9', 'J90']"}, ("10:I509", "10:J90"), ""),
    ],
)
def test_icd_codes(tmp_path: Path, fields: dict[str, Any], icd: tuple[str, ...], remark: str) -> None:
    sample, report = one(tmp_path, stage="B", ehr="Fever.", **fields)
    assert sample.icd == icd
    assert remark in remarks(report)
    assert bool(remark) == (
        "ICD code" in remarks(report).replace("without ICD codes", "") or "guessed" in remarks(report)
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"subject_id": "1.0E+07"}, "'1.0E+07' was rounded"),
        ({"subject_id": ["7"]}, "subject_id is a list"),
        ({"study_id": {"x": 1}}, "study_id is an object"),
        ({"prompt": {"x": 1}}, "prompt is no text"),
        ({"target": 3}, "target is no text"),
        ({"image": 3}, "image is no path"),
        ({"image": {"bytes": "iVBORw0KGgo=", "path": None}}, "embedded in the record"),
        ({"image": "data:image/png;base64,iVBORw0KGgo="}, "embedded in the record"),
        ({"image": "https://example.org/a.png"}, "web address"),
        ({"image": "a.dcm"}, "no picture file"),
        ({"image": "C:\\films\\a.png"}, "say with --image-root"),
        ({"image": "/films/a.png"}, "say with --image-root"),
        ({"stage": "3"}, "unknown stage '3'"),
    ],
)
def test_what_cannot_be_read_is_left_out_under_its_reason(
    tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UserError) as error:
        one(tmp_path, **fields)
    assert reason in str(error.value)


# --- identity ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    ["p10000032", "P10000032", "10000032", 10000032, 10000032.0, "10000032.0", " 10000032 ", "1.0000032E+07"],
)
def test_a_patient_by_any_spelling(value: Any) -> None:
    assert identifier(value) == "10000032"


def test_an_image_by_any_path() -> None:
    assert image_key(FILM) == image_key(f"png/{Path(FILM).stem.upper()}.PNG")
    assert image_key("a//b/./1.png") == image_key("a/b/1.png") != image_key("b/1.png")


@pytest.mark.parametrize(
    "path",
    [
        FILM,
        f"/data/mimic-cxr-jpg/2.1.0/{FILM}",
        f"C:\\data\\{FILM}".replace("/", "\\"),
        f"https://physionet.org/files/mimic-cxr-jpg/2.1.0/{FILM}",
        f"file:///data/{FILM}",
        f"./{FILM}",
        FILM.replace("p10/", "p10//"),
        FILM.removeprefix("files/"),
        {"path": FILM, "bytes": None},
        [{"url": FILM}],
    ],
)
def test_an_image_of_mimic_is_found_however_it_is_written(tmp_path: Path, path: Any) -> None:
    root = tmp_path / "jpg"
    (root / FILM).parent.mkdir(parents=True)
    (root / FILM).touch()
    (sample,), _ = take_records(tmp_path, {"image": path, "report": "Clear."}, image_root=root)
    assert (sample.image, sample.subject_id, sample.study_id) == (FILM, "10000032", "50414267")


def test_overlap_of_three_splits_by_patient_study_image_and_bytes(tmp_path: Path) -> None:
    root = tmp_path / "films"
    root.mkdir()
    for name, content in (("1.png", b"A"), ("2.png", b"B"), ("3.png", b"A"), ("4.png", b"C")):
        (root / name).write_bytes(content)
    records = [
        {**ROW, "subject_id": "p10000001", "study_id": "s50000001", "image": "1.png", "split": "train"},
        {**ROW, "subject_id": 10000001.0, "study_id": 50000002, "image": "2.png", "split": "val"},
        {**ROW, "subject_id": "3", "study_id": "50000001.0", "image": "3.png", "split": "test"},
        {**ROW, "subject_id": "4", "study_id": "4", "image": "./4.png", "split": "train"},
        {**ROW, "subject_id": "5", "study_id": "5", "image": "4.png", "split": "test", "target": "Fine."},
    ]
    _, report = take_records(tmp_path, *records, image_root=root, hash_images=True)
    told = report.to_json()
    assert told["overlap"] == {"patients": 1, "studies": 1, "images": 1, "contents": 2}
    assert told["overlapping"]["patients"] == {"train+val": ["10000001"]}
    assert told["overlapping"]["studies"] == {"train+test": ["50000001"]}
    assert told["overlapping"]["images"] == {"train+test": ["4.png"]}
    assert "overlap: 1 patient in train and val" in report.lines()
    assert "overlap: 2 images by their bytes in train and test" in report.lines()


def test_a_study_counted_within_its_patient_is_no_overlap(tmp_path: Path) -> None:
    records = [
        {**ROW, "subject_id": "1", "study_id": "1", "split": "train"},
        {**ROW, "subject_id": "2", "study_id": "1", "image": "b.png", "split": "val"},
    ]
    _, report = take_records(tmp_path, *records)
    assert report.to_json()["overlap"] == {"patients": 0, "studies": 0, "images": 0}


def test_a_duplicate_in_another_split_is_told_as_such(tmp_path: Path) -> None:
    (sample,), report = take_records(tmp_path, {**ROW, "split": "train"}, {**ROW, "split": "test"})
    assert sample.split == "train"
    assert any("earlier record of split train" in reason for reason in report.dropped)


# --- splits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.json", "train"),
        ("mimic_VAL_v2.json", "val"),
        ("llava-med.validation.json", "val"),
        ("test-2.json", "test"),
        ("latest.json", None),
        ("train_val.json", None),
        ("training.json", "train"),
    ],
)
def test_a_file_s_name_is_a_split(tmp_path: Path, name: str, split: str | None) -> None:
    (sample,), report = take(tmp_path, (name, json.dumps([ROW])))
    said = [remark for remark in report.notes if remark.startswith("split ")]
    assert said == ([f"split {split} taken from the file's name"] if split else [])
    assert split is None or sample.split == split


def test_the_record_s_own_split_counts_most_and_strife_is_told(tmp_path: Path) -> None:
    part = json.dumps({"val": [{**ROW, "split": "test"}], "train": [{**ROW, "image": "b.png"}]})
    samples, report = take(tmp_path, ("val.json", part))
    assert [sample.split for sample in samples] == ["test", "train"]
    text = remarks(report)
    assert "another one than the part of the file" in text
    assert "split test of the record counts, not val of the file's name" in text


def official_table(tmp_path: Path) -> Path:
    path = tmp_path / "mimic-cxr-2.0.0-split.csv.gz"
    image = Path(FILM).stem
    path.write_bytes(
        gzip.compress(
            f"dicom_id,study_id,subject_id,split\n{image},50414267,10000032,test\nx,50000009,10000009,validate\n".encode()
        )
    )
    return path


def test_the_official_split(tmp_path: Path) -> None:
    table = official_table(tmp_path)
    records = [
        {"image": FILM, "report": "A.", "split": "train"},
        {"image": "a.png", "report": "B.", "subject_id": "p10000009"},
        {"image": "b.png", "report": "C.", "study_id": "s50000009", "subject_id": "x"},
        {"image": "c.png", "report": "D.", "subject_id": "1"},
    ]
    samples, report = take_records(tmp_path, *records, split="official", split_table=table)
    assert [sample.split for sample in samples] == ["test", "val", "val"]
    assert report.dropped == {"not in MIMIC's split table": 1}
    assert report.notes["split train set aside: MIMIC's table says test"] == 1
    with pytest.raises(UserError, match="--split-table"):
        take_records(tmp_path, *records, split="official")


def test_a_kept_split_is_held_against_the_official_one(tmp_path: Path) -> None:
    official_table(tmp_path)
    (tmp_path / FILM).parent.mkdir(parents=True)
    (tmp_path / FILM).touch()
    (sample,), report = take_records(
        tmp_path, {"image": FILM, "report": "A.", "split": "train"}, image_root=tmp_path
    )
    assert sample.split == "train"
    assert report.notes["split train, but test in MIMIC's table"] == 1


def test_split_by_patient_sets_theirs_aside(tmp_path: Path) -> None:
    records = [
        {**ROW, "subject_id": str(patient), "image": f"{patient}-{n}.png", "split": ("train", "val")[n]}
        for patient in range(200)
        for n in range(2)
    ]
    samples, report = take_records(tmp_path, *records, split="patient")
    assert report.to_json()["overlap"]["patients"] == 0
    assert 5 <= len({sample.subject_id for sample in samples if sample.split == "val"}) <= 40
    assert sum(count for remark, count in report.notes.items() if "set aside" in remark) > 100


# --- conversations -------------------------------------------------------------------------------------------------

TEXT = {"type": "text", "text": "What?"}
PICTURE = {"type": "image"}


def chat(*turns: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role, content in turns]


@pytest.mark.parametrize(
    "turns",
    [
        chat(("user", [PICTURE, TEXT]), ("assistant", [{"type": "text", "text": "Edema."}])),
        chat(("user", [TEXT, PICTURE]), ("assistant", "Edema.")),
        chat(("user", "<image>\nWhat?"), ("assistant", "Edema.")),
        chat(("user", "What? <image>"), ("assistant", "Edema.")),
        chat(("user", "<|image|>What?"), ("assistant", "Edema.")),
        chat(("user", "<im_start><image><im_end>\nWhat?"), ("assistant", "Edema.")),
        chat(("system", "You are kind."), ("user", "What?"), ("assistant", "Edema.")),
        chat(("system", [{"type": "text", "text": "Be kind."}]), ("user", [TEXT]), ("assistant", "Edema.")),
        chat(("user", [PICTURE]), ("user", "What?"), ("assistant", "Edema.")),
        chat(("user", [TEXT]), ("assistant", ["Edema."]), ("user", "Any lines?"), ("assistant", "None.")),
        chat(("user", ["What?"]), ("assistant", ["Edema."])),
        chat(("user", [{"text": "What?", "type": None}, {"image": "a.png"}]), ("assistant", "Edema.")),
        chat(("user", [{"type": "image_url", "image_url": {"url": "a.png"}}, TEXT]), ("assistant", "Edema.")),
        [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "Edema."}],
        [{"from": who, "value": text} for who, text in (("system", "x"), ("user", "What?"), ("gpt", "Edema."))],
    ],
)  # fmt: skip
def test_a_conversation_in_any_form(tmp_path: Path, turns: list[dict[str, Any]]) -> None:
    for key in ("messages", "conversations"):
        record = {"image": "a.png", key: turns, "Edema": 1, "prompt": None, "target": None}
        (sample,), report = take_records(tmp_path, record)
        assert (sample.prompt, sample.target) == ("What?", "Edema.\nCheXpert: Edema")
        system = any("system" in turn.values() for turn in turns)
        assert ("system turn left out" in remarks(report)) == system
        assert ("longer conversation" in remarks(report)) == (len(turns) == 4)
    (sample,), _ = take_records(tmp_path, {"image": "a.png", "messages": json.dumps(turns)})
    assert sample.prompt == "What?"


def test_the_image_of_a_part_is_the_record_s_where_it_has_none(tmp_path: Path) -> None:
    turns = chat(("user", [{"type": "image", "image": "b.png"}, TEXT]), ("assistant", "Edema."))
    (sample,), _ = take_records(tmp_path, {"messages": turns})
    assert sample.image == "b.png"


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        (
            chat(("assistant", "Hello."), ("user", "What?"), ("assistant", "Edema.")),
            "does not begin with a question",
        ),
        (chat(("user", "What?"), ("tool", "x"), ("assistant", "Edema.")), "a turn of 'tool'"),
        (
            chat(("user", [{"type": "audio", "audio": "x"}, TEXT]), ("assistant", "E.")),
            "neither text nor image",
        ),
        (chat(("user", "What?"), ("assistant", None)), "no target"),
        (chat(("user", "What?")), "does not begin with a question and its answer"),
    ],
)
def test_a_conversation_that_is_none(tmp_path: Path, turns: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(UserError) as error:
        take_records(tmp_path, {"image": "a.png", "messages": turns})
    assert reason in str(error.value)


def test_prompt_and_completion_as_turns_and_alpaca_s_two_halves(tmp_path: Path) -> None:
    trl = {
        "image": "a.png",
        "prompt": chat(("user", [PICTURE, TEXT])),
        "completion": chat(("assistant", "Edema.")),
    }
    alpaca = {"image": "b.png", "instruction": "What?", "input": "68 M.", "output": "Edema."}
    samples, report = take_records(tmp_path, trl, alpaca)
    assert [(sample.prompt, sample.target) for sample in samples] == [
        ("What?", "Edema."),
        ("What?\n68 M.", "Edema."),
    ]
    assert report.notes["input put below the instruction"] == 1


# --- whole reports -------------------------------------------------------------------------------------------------

REPORT = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with fever.

 FINDINGS:

 The lungs are
 clear.

 IMPRESSION:

 No acute cardiopulmonary
 process.
"""


@pytest.mark.parametrize("name", ["report", "text", "findings", "target", "answer"])
def test_a_whole_report_is_its_impression(tmp_path: Path, name: str) -> None:
    record = {"image": "a.png", name: REPORT}
    (sample,), report = take_records(tmp_path, record)
    assert sample.target == "No acute cardiopulmonary process."
    assert report.notes[f"whole report in {name}: its impression taken"] == 1


def test_a_whole_report_without_impression_is_its_findings_and_keeps_its_label_line(tmp_path: Path) -> None:
    text = REPORT.partition(" IMPRESSION")[0] + "\nCheXpert: No Finding"
    (sample,), report = take_records(tmp_path, {"image": "a.png", "report": text})
    assert sample.target == "The lungs are clear.\nCheXpert: No Finding"
    assert report.notes["whole report in report: its findings taken"] == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("report", "The lungs are clear.\n\nNo effusion."),
        ("answer", "Findings: clear.\nImpression: normal."),
        ("target", "Impression: normal."),
    ],
)
def test_an_answer_that_is_no_whole_report_stays(tmp_path: Path, name: str, text: str) -> None:
    (sample,), report = take_records(tmp_path, {"image": "a.png", name: text})
    assert sample.target == text.replace("\n\n", "\n")
    assert "whole report" not in remarks(report)


# --- links ---------------------------------------------------------------------------------------------------------


def test_a_link_out_of_the_root_is_left_out_with_what_fixes_it(tmp_path: Path) -> None:
    (tmp_path / "disk" / "files").mkdir(parents=True)
    (tmp_path / "disk" / "files" / "a.png").touch()
    root = tmp_path / "root"
    root.mkdir()
    (root / "files").symlink_to(tmp_path / "disk" / "files")
    (root / "b.png").symlink_to(tmp_path / "disk" / "files" / "a.png")
    (root / "c.png").symlink_to("d.png")
    (root / "d.png").touch()
    records = [{"image": image, "report": f"{image}."} for image in ("files/a.png", "b.png", "c.png")]
    (sample,), report = take_records(tmp_path, *records, image_root=root)
    assert sample.image == "c.png"
    reasons = "\n".join(report.dropped)
    assert f"symbolic link; give {tmp_path / 'disk'} as the image root" in reasons
    assert f"make a directory that holds {tmp_path / 'disk' / 'files'} the image root" in reasons
