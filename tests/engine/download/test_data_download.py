"""A subset of MIMIC from a server that cuts, lies, refuses and asks for time: whole in the end, or said why not."""

import base64
import gzip
import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.download import data_download, verified
from engine.download.data_download import DataDownload
from engine.download.line import Lost
from engine.download.mimic_files import PROJECTS, SUMS, Film, Subset, chosen, read_sums
from engine.download.model_download import read_download, take_lock, workplace
from engine.download.patience import PATIENCE, patiently
from engine.download.physionet import PhysioNet, refuse_address
from engine.download.stopping import Stopped
from engine.errors import UserError

USER, PASSWORD = "ada", "s3cret:pass/word"
JPG, REPORTS, HOSP, ED = (PROJECTS[part].place for part in ("films", "reports", "hosp", "ed"))


def dicom(number: int) -> str:
    digits = hashlib.sha256(str(number).encode()).hexdigest()
    return "-".join(digits[n : n + 8] for n in range(0, 40, 8))


def film(number: int) -> Film:
    split = ("train", "train", "val", "test")[number % 4]
    return Film(dicom(number), f"{50000000 + number // 2}", f"{10000000 + number // 4}", split)


FILMS = [film(number) for number in range(16)]


def make_files() -> dict[str, bytes]:
    """The projects as PhysioNet lays them out, by path below `files`."""
    random_bytes = random.Random(3).randbytes
    files = {f"{JPG}/{one.path}": random_bytes(20_000) for one in FILMS}
    words = {"val": "validate"}
    rows = [f"{f.dicom_id},{f.study_id},{f.subject_id},{words.get(f.split, f.split)}" for f in FILMS]
    views = [f"{f.dicom_id},{'LATERAL' if n % 2 else 'PA'}" for n, f in enumerate(FILMS)]
    tables = {
        "mimic-cxr-2.0.0-split.csv.gz": "\n".join(["dicom_id,study_id,subject_id,split", *rows]),
        "mimic-cxr-2.0.0-metadata.csv.gz": "\n".join(["dicom_id,ViewPosition", *views]),
        "mimic-cxr-2.0.0-chexpert.csv.gz": "subject_id,study_id\n",
    }
    files |= {f"{JPG}/{name}": gzip.compress(text.encode(), mtime=0) for name, text in tables.items()}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for one in FILMS:
            if one.report not in packed.namelist():
                packed.writestr(one.report, f"IMPRESSION: {one.study_id}.")
        packed.writestr("../../evil.txt", "no")
        packed.writestr("files/p10/p10000000/../../../evil.txt", "no")
    files[f"{REPORTS}/mimic-cxr-reports.zip"] = archive.getvalue()
    for part in ("hosp", "ed"):
        for name in PROJECTS[part].tables:
            files[f"{PROJECTS[part].place}/{name}"] = gzip.compress(name.encode(), mtime=0)
    for place in (JPG, REPORTS, HOSP, ED):
        lines = [
            f"{hashlib.sha256(content).hexdigest()} {name.removeprefix(place + '/')}\n"
            for name, content in files.items()
            if name.startswith(f"{place}/")
        ]
        files[f"{place}/{SUMS}"] = "".join(lines).encode()
    return files


@dataclass
class Mirror:
    """A server of the layout. faults: how the next requests for a path are answered, one each."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=make_files)
    faults: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    auth: set[str | None] = field(default_factory=set)
    open_to_all: bool = False
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.addresses.append(handler.path)
        name = handler.path.removeprefix("/files/")
        start = (
            int(match[1]) if (match := re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))) else 0
        )
        head = handler.command == "HEAD"
        sent = handler.headers.get("Authorization")
        self.auth.add(sent)
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if not self.open_to_all and sent != expected:
            self.send(handler, 401, b"", head, WWW_Authenticate='Basic realm="x"')
            return
        if not head:
            self.asked.append((name, start))
        queue = [] if head else self.faults.get(name, [])
        with self.lock:
            fault = queue.pop(0) if queue else None
        if fault is not None:
            fault(handler, self.files.get(name, b""), start)
        elif name not in self.files:
            self.send(handler, 404, b"", head)
        elif start and start >= len(self.files[name]):
            self.send(handler, 416, b"", head)
        else:
            self.send(handler, 206 if start else 200, self.files[name][start:], head)

    @staticmethod
    def send(
        handler: BaseHTTPRequestHandler, code: int, content: bytes, head: bool = False, **headers: str
    ) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if not head:
            handler.wfile.write(content)


def status(code: int, **headers: Any) -> Any:
    return lambda handler, _content, _start: Mirror.send(handler, code, b"", **headers)


def cut_after(count: int) -> Any:
    def answer(handler: BaseHTTPRequestHandler, content: bytes, start: int) -> None:
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start : start + count])
        handler.close_connection = True

    return answer


def instead(other: bytes, **headers: Any) -> Any:
    return lambda handler, _content, start: Mirror.send(
        handler, 206 if start else 200, other[start:], **headers
    )


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    mirror = Mirror()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with mirror.lock:
                mirror.at_once += 1
                mirror.most_at_once = max(mirror.most_at_once, mirror.at_once)
            try:
                mirror.answer(self)
            finally:
                with mirror.lock:
                    mirror.at_once -= 1

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    mirror.url = f"http://127.0.0.1:{server.server_address[1]}/files"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield mirror
    server.shutdown()
    server.server_close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "mimic"
    lock = take_lock(directory)
    assert lock is not None
    yield directory
    os.close(lock)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were taken, none of them in truth."""
    taken: list[float] = []

    def pause(self: DataDownload, lost: Lost, seconds: float) -> None:
        taken.append(seconds)
        self.standing.tell("waiting", str(lost))

    monkeypatch.setattr(DataDownload, "_pause", pause)
    return taken


def download(
    mirror: Mirror, there: Path, parts: Any = ("films",), user: str | None = USER, **options: Any
) -> Any:
    jobs = options.pop("jobs", 3)
    skip = options.pop("skip", ())
    server = PhysioNet(mirror.url, user, PASSWORD if user else None, jobs)
    one = DataDownload(server, there, parts, Subset(**options), jobs, skip)
    try:
        one.run()
    finally:
        server.close()
    return one


def here(there: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(there)): path.read_bytes()
        for path in there.rglob("*")
        if path.is_file() and ".fetch" not in path.parts
    }


def films_here(there: Path) -> set[str]:
    return {name.removeprefix(f"{JPG}/") for name in here(there) if name.endswith(".jpg")}


@pytest.mark.parametrize("jobs", [1, 8])
def test_all_parts_come_whole_and_the_reports_are_unpacked(mirror: Mirror, there: Path, jobs: int) -> None:
    one = download(mirror, there, tuple(PROJECTS), jobs=jobs)
    found = here(there)
    assert all(found[name] == content for name, content in mirror.files.items())
    reports = {f"{REPORTS}/{film.report}": f"IMPRESSION: {film.study_id}.".encode() for film in FILMS}
    assert found.keys() - mirror.files.keys() == reports.keys()
    assert all(found[name] == text for name, text in reports.items())
    assert one.outcome.failed == {} and one.outcome.whole == len(mirror.files) - 4
    assert not list(there.parent.rglob("evil*"))
    told = read_download(there)
    assert told is not None and (told.state, told.done) == ("finished", told.total)
    assert told.total == sum(map(len, mirror.files.values()))
    assert mirror.most_at_once <= jobs
    assert all(
        (there / name).stat().st_mode & 0o077 == 0 for name in found if name.endswith(".txt") and "s5" in name
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"splits": ("val",)}, [f for f in FILMS if f.split == "val"]),
        ({"splits": ("val", "test")}, [f for f in FILMS if f.split in ("val", "test")]),
        ({"frontal": True}, FILMS[::2]),
        ({"frontal": True, "splits": ("train",)}, FILMS[::4]),
        ({}, FILMS),
    ],
)
def test_a_subset_by_split_and_view(
    mirror: Mirror, there: Path, options: dict[str, Any], expected: list[Film]
) -> None:
    download(mirror, there, **options)
    assert films_here(there) == {film.path for film in expected}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n".join(f"files/x/{FILMS[n].dicom_id}.jpg" for n in (0, 5)), (0, 5)),
        (json.dumps([{"image": f"/data/{FILMS[3].path}", "report": "Clear."}]), (3,)),
        (f"# mine\ns{FILMS[4].study_id}\n\n{FILMS[8].study_id}\n", (4, 5, 8, 9)),
        (f"p{FILMS[0].subject_id}\n", (0, 1, 2, 3)),
        (f"id,dicom_id\n1,{FILMS[7].dicom_id}\n2,{FILMS[7].dicom_id}\n", (7,)),
    ],
)
def test_a_subset_by_a_list_of_any_form(
    mirror: Mirror, there: Path, text: str, expected: tuple[int, ...]
) -> None:
    (there / "list.txt").write_text(text)
    download(mirror, there, listed=there / "list.txt")
    assert films_here(there) == {FILMS[n].path for n in expected}


def test_what_the_list_names_and_nobody_has_is_said(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{dicom(99)}\n{FILMS[1].dicom_id}")
    films, remarks = chosen(FILMS, Subset(listed=tmp_path / "list"))
    assert films == [FILMS[1]] and dicom(99) in remarks[0] and remarks[0].startswith("1 name of")
    for text, told in ((dicom(99), "no film is left"), ("what\n", ":1: names no image"), ("", "is empty")):
        (tmp_path / "list").write_text(text)
        with pytest.raises(UserError, match=told):
            chosen(FILMS, Subset(listed=tmp_path / "list"))


def test_a_draw_is_a_function_of_its_seed_and_grows_with_its_count() -> None:
    def drawn(count: int, seed: int) -> set[str]:
        return {film.dicom_id for film in chosen(list(reversed(FILMS)), Subset(count=count, seed=seed))[0]}

    assert drawn(5, 0) == {film.dicom_id for film in chosen(FILMS, Subset(count=5))[0]}
    assert drawn(5, 0) < drawn(9, 0)
    assert drawn(5, 0) != drawn(5, 1)
    assert chosen(FILMS, Subset(count=99))[1] == ["only 16 films of the 99 that were asked for"]


def test_a_cut_line_goes_on_where_it_was_cut(mirror: Mirror, there: Path, pauses: list[float]) -> None:
    name = f"{JPG}/{FILMS[0].path}"
    mirror.faults[name] = [cut_after(7_000), cut_after(0), cut_after(5_000)]
    download(mirror, there)
    assert here(there)[name] == mirror.files[name]
    assert [start for asked, start in mirror.asked if asked == name] == [0, 7_000, 7_000, 12_000]
    assert len(pauses) == 3


def test_interrupted_and_started_again_it_goes_on(mirror: Mirror, there: Path, pauses: list[float]) -> None:
    name = f"{JPG}/{FILMS[9].path}"
    mirror.faults[name] = [cut_after(7_000)] + [cut_after(0)] * (PATIENCE + 1)
    with pytest.raises(Lost, match="closed connection"):
        download(mirror, there, jobs=1)
    assert len(pauses) == PATIENCE + 1
    before = films_here(there)
    assert FILMS[9].path not in before
    mirror.asked.clear()
    download(mirror, there, jobs=1)
    assert films_here(there) == {film.path for film in FILMS}
    asked = dict(mirror.asked)
    assert asked[name] == 7_000
    assert not {f"{JPG}/{path}" for path in before} & asked.keys()


def test_what_was_found_whole_once_is_not_hashed_again(
    mirror: Mirror, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download(mirror, there)
    hashed: list[Path] = []
    real = verified.agrees

    def agrees(remote: Any, path: Path, watch: Any) -> bool:
        hashed.append(path)
        return real(remote, path, watch)

    monkeypatch.setattr(data_download, "agrees", agrees)
    download(mirror, there)
    assert hashed == []
    spoilt = there / JPG / FILMS[2].path
    spoilt.write_bytes(b"x" * 20_000)
    mirror.asked.clear()
    download(mirror, there)
    assert spoilt.read_bytes() == mirror.files[f"{JPG}/{FILMS[2].path}"]
    assert [name for name, _ in mirror.asked] == [f"{JPG}/{FILMS[2].path}"]


def test_a_wrong_hash_is_tried_once_more_and_the_rest_comes(
    mirror: Mirror, there: Path, pauses: list[float]
) -> None:
    once, always = (f"{JPG}/{FILMS[n].path}" for n in (0, 1))
    mirror.faults[once] = [instead(bytes(20_000))]
    mirror.faults[always] = [instead(bytes(20_000))] * 2
    one = download(mirror, there)
    assert films_here(there) == {film.path for n, film in enumerate(FILMS) if n != 1}
    assert list(one.outcome.failed) == [always]
    assert "has not the hash that SHA256SUMS.txt names" in one.outcome.failed[always]
    told = read_download(there)
    assert told is not None and told.state == "failed" and "1 missing" in told.message


def test_a_wrong_table_ends_it(mirror: Mirror, there: Path) -> None:
    mirror.faults[f"{JPG}/mimic-cxr-2.0.0-split.csv.gz"] = [instead(b"no")] * 2
    with pytest.raises(Lost, match=r"split\.csv\.gz: what the server sends has not the hash"):
        download(mirror, there)


def test_a_film_that_is_not_there_is_counted(mirror: Mirror, there: Path) -> None:
    del mirror.files[f"{JPG}/{FILMS[3].path}"]
    one = download(mirror, there)
    assert len(films_here(there)) == 15
    assert "404" in one.outcome.failed[f"{JPG}/{FILMS[3].path}"]


def test_a_film_that_the_sums_do_not_list_is_counted(mirror: Mirror, there: Path) -> None:
    lines = mirror.files[f"{JPG}/{SUMS}"].decode().splitlines(keepends=True)
    mirror.files[f"{JPG}/{SUMS}"] = "".join(line for line in lines if FILMS[3].path not in line).encode()
    one = download(mirror, there)
    assert "does not list it" in one.outcome.failed[FILMS[3].path]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (401, "401: it does not take this user and password"),
        (403, "mimiciv: .* answers 403: the data use agreement of this project is not signed"),
        (
            404,
            r"mimiciv/3\.1/hosp/patients\.csv\.gz: .* answers 404: it has no such file; .*--take and --skip",
        ),
        (400, "answers 400"),
    ],
)
def test_what_trying_again_cannot_mend_is_said_at_once(
    mirror: Mirror, there: Path, code: int, told: str
) -> None:
    mirror.faults[f"{HOSP}/hosp/patients.csv.gz"] = [status(code)] * 9
    with pytest.raises(UserError, match=told):
        download(mirror, there, ("films", "hosp"))


def test_without_an_account_it_says_how_to_give_one(mirror: Mirror, there: Path) -> None:
    with pytest.raises(UserError, match=r"401: it asks who you are; give --user NAME .*PHYSIONET_PASSWORD"):
        download(mirror, there, user=None)
    mirror.open_to_all = True
    download(mirror, there, user=None)
    assert len(films_here(there)) == 16


def test_a_pause_that_the_server_asks_for_holds_for_all(
    mirror: Mirror, there: Path, pauses: list[float]
) -> None:
    mirror.faults[f"{JPG}/{FILMS[0].path}"] = [
        status(429, Retry_After="37"),
        status(503),
        status(500, Retry_After="4"),
    ]
    server = PhysioNet(mirror.url, USER, PASSWORD, 1)
    DataDownload(server, there, ("films",), Subset(), 1).run()
    assert pauses[0] == 37 and pauses[2] == 4 and 0 < pauses[1] <= 2
    assert server.to_wait() > 30
    server.close()


def test_our_own_pauses_are_spread_and_grow() -> None:
    def pauses_of(jitter: Any) -> list[float]:
        taken: list[float] = []

        def lose() -> None:
            raise Lost("away")

        with pytest.raises(Lost):
            patiently(lose, 9, lambda _lost, seconds: taken.append(seconds), jitter=jitter)
        return taken

    plain = pauses_of(lambda seconds: seconds)
    assert plain == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert pauses_of(lambda seconds: seconds / 2) == [seconds / 2 for seconds in plain]


def test_a_pause_ends_when_all_shall_end(mirror: Mirror, there: Path) -> None:
    server = PhysioNet(mirror.url, USER, PASSWORD, 1)
    one = DataDownload(server, there, ("films",), Subset(), 1)
    threading.Timer(0.2, one._stop.set).start()
    with pytest.raises(Stopped):
        one._pause(Lost("away"), 600)
    server.close()


def test_a_server_that_asks_for_an_hour_is_not_waited_for(
    mirror: Mirror, there: Path, pauses: list[float]
) -> None:
    mirror.faults[f"{JPG}/{FILMS[0].path}"] = [status(429, Retry_After="3600")]
    with pytest.raises(Lost, match=r"answers 429 \(too many requests\)"):
        download(mirror, there)
    assert pauses == []


@pytest.mark.parametrize("headers", [{"Content_Type": "text/html; charset=utf-8"}])
def test_a_page_to_sign_in_is_no_file(mirror: Mirror, there: Path, headers: dict[str, str]) -> None:
    mirror.faults[f"{JPG}/{SUMS}"] = [instead(b"<html>sign in</html>", **headers)]
    with pytest.raises(UserError, match="sends a web page, not the file"):
        download(mirror, there)
    assert here(there) == {}


def test_a_redirect_takes_the_password_to_no_other_host(mirror: Mirror, there: Path) -> None:
    name = f"{JPG}/{FILMS[0].path}"
    elsewhere = mirror.url.replace("127.0.0.1", "localhost")
    mirror.faults[name] = [status(302, Location=f"{elsewhere}/{name}")]
    seen: list[str | None] = []
    real = Mirror.answer

    def answer(self: Mirror, handler: BaseHTTPRequestHandler) -> None:
        if (handler.headers.get("Host") or "").startswith("localhost"):
            seen.append(handler.headers.get("Authorization"))
            Mirror.send(handler, 200, self.files[name])
        else:
            real(self, handler)

    mirror.answer = answer.__get__(mirror)  # type: ignore[method-assign]
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    download(mirror, there)
    assert seen == [None]


def test_the_password_is_written_nowhere(mirror: Mirror, there: Path, pauses: list[float]) -> None:
    mirror.faults[f"{JPG}/{FILMS[0].path}"] = [status(500), cut_after(10)]
    download(mirror, there)
    written = b"".join(path.read_bytes() for path in there.rglob("*") if path.is_file())
    assert PASSWORD.encode() not in written
    assert base64.b64encode(f"{USER}:{PASSWORD}".encode()) not in written
    assert not any("s3cret" in address for address in mirror.addresses)


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("ftp://physionet.org/files", "no web address"),
        ("physionet.org/files", "no web address"),
        ("https://ada:pw@physionet.org/files", "no user and password belong"),
        ("http://mirror.example.org/files", "a password is not sent over http; use https://mirror"),
        ("https://physionet.org/files?x=1", "without"),
    ],
)
def test_addresses_that_are_refused(base: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        PhysioNet(base, USER, PASSWORD, 1)
    assert "ada:pw" not in str(error.value)
    refuse_address("http://127.0.0.1:8000", True)


def test_disk_is_asked_first(mirror: Mirror, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=80_000_000))
    with pytest.raises(UserError, match=r"about 24\.2 MB are still to come, the disk has 80\.0 MB free"):
        download(mirror, there)
    assert films_here(there) == set()


def test_a_mirror_without_archive_or_sums_is_taken_and_told(mirror: Mirror, there: Path) -> None:
    for place in (REPORTS, HOSP):
        del mirror.files[f"{place}/{SUMS}"]
    del mirror.files[f"{REPORTS}/mimic-cxr-reports.zip"]
    mirror.files |= {f"{REPORTS}/{film.report}": b"IMPRESSION: Clear." for film in FILMS}
    one = download(mirror, there, ("films", "reports", "hosp"), splits=("val",))
    wanted = {f"{REPORTS}/{film.report}" for film in FILMS if film.split == "val"}
    assert {name for name in here(there) if name.endswith(".txt") and "/s5" in name} == wanted
    assert one.outcome.by_size == len(wanted) + len(PROJECTS["hosp"].tables)
    assert any("6 tables that no SHA256SUMS.txt" in remark for remark in one.outcome.remarks)
    assert "by their size alone" in one.standing.download.message
    cut = there / HOSP / "hosp" / "labevents.csv.gz"
    cut.write_bytes(cut.read_bytes()[:-4])
    download(mirror, there, ("films", "reports", "hosp"), splits=("val",))
    assert cut.read_bytes() == mirror.files[f"{HOSP}/hosp/labevents.csv.gz"]


def test_tables_can_be_left_out(mirror: Mirror, there: Path) -> None:
    download(mirror, there, ("hosp",), skip=("labevents", "omr"))
    assert not (there / HOSP / "hosp" / "labevents.csv.gz").exists()
    assert (there / HOSP / "hosp" / "patients.csv.gz").exists()
    with pytest.raises(UserError, match="nobody knows which films"):
        download(mirror, there, ("films",), skip=("mimic-cxr-2.0.0-split",))


def test_only_the_reports_of_the_films_are_unpacked(mirror: Mirror, there: Path) -> None:
    download(mirror, there, ("films", "reports"), count=1)
    (path,) = films_here(there)
    study = path.split("/")[3]
    assert [name for name in here(there) if "/s5" in name and name.endswith(".txt")] == [
        f"{REPORTS}/{path.rsplit('/', 2)[0]}/{study}.txt"
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"<html>", ":1: is no line of a list"), (b"\n", "is empty"), (b"ab  files/x\n", ":1: is no line")],
)
def test_sums_that_are_none(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / SUMS).write_bytes(content)
    with pytest.raises(UserError, match=told):
        read_sums(tmp_path / SUMS)


@pytest.mark.parametrize("form", ["{} {}", "{}  {}", "{} *{}", "{}  ./{}"])
def test_sums_in_any_form(tmp_path: Path, form: str) -> None:
    (tmp_path / SUMS).write_text(form.format("A" * 64, "files/a b.jpg") + "\r\n")
    assert read_sums(tmp_path / SUMS) == {"files/a b.jpg": "a" * 64}


def test_a_server_that_is_not_there(there: Path, pauses: list[float]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        gone = Mirror(url=f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(Lost, match=r"127\.0\.0\.1:\d+: "):
            download(gone, there, user=None)


def test_a_state_that_stands_can_be_read_while_it_goes_on(mirror: Mirror, there: Path) -> None:
    seen: list[Any] = []
    server = PhysioNet(mirror.url, USER, PASSWORD, 2)
    DataDownload(
        server, there, ("films",), Subset(), 2, show=lambda _now: seen.append(read_download(there))
    ).run()
    server.close()
    assert all(state is not None and state.live for state in seen)
    assert list(workplace(there).glob("*.part")) == []


# --- as a command --------------------------------------------------------------------------------------------------


def command(mirror: Mirror, there: Path, *arguments: object, **environment: str) -> "subprocess.Popen[str]":
    argv = [
        sys.executable,
        "-P",
        "-m",
        "cockpit.cli",
        "data",
        "download",
        "--to",
        there,
        "--base",
        mirror.url,
    ]
    return subprocess.Popen(
        [*map(str, argv), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def ended(child: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = child.communicate(timeout=120)
    return child.returncode, out, err


class Held:
    """Sends part of a file, says so, and keeps the rest until it is let go."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.reached = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, handler: BaseHTTPRequestHandler, content: bytes, start: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: self._count])
        self.reached.set()
        self.let_go.wait(60)
        handler.close_connection = True


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_goes_on_where_it_was(
    mirror: Mirror, tmp_path: Path, end: signal.Signals
) -> None:
    there, name = tmp_path / "mimic", f"{JPG}/{FILMS[9].path}"
    held = Held(7_000)
    mirror.faults[name] = [held]
    asked = ("--take", "films", "--split", "train", "--user", USER)
    child = command(mirror, there, *asked, PHYSIONET_PASSWORD=PASSWORD)
    assert held.reached.wait(60)
    while not any(part.stat().st_size == 7_000 for part in workplace(there).glob("*.part")):
        assert child.poll() is None
        held.let_go.wait(0.01)
    arguments = Path(f"/proc/{child.pid}/cmdline")
    assert not arguments.exists() or PASSWORD.encode() not in arguments.read_bytes()
    child.send_signal(end)
    code, _, told = ended(child)
    held.let_go.set()
    told_state = read_download(there)
    assert told_state is not None and told_state.pid is None
    if end is signal.SIGKILL:
        assert (code, told_state.state) == (-signal.SIGKILL, "interrupted")
    else:
        assert (code, told_state.state) == (1, "stopped") and "give the same command again" in told
    mirror.asked.clear()
    code, out, told = ended(command(mirror, there, *asked, "--json", PHYSIONET_PASSWORD=PASSWORD))
    assert code == 0, told
    assert dict(mirror.asked)[name] == 7_000
    assert films_here(there) == {film.path for film in FILMS if film.split == "train"}
    outcome = json.loads(out)
    assert (outcome["state"], outcome["failed"], outcome["whole"]) == ("finished", {}, 8 + 3)


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (("--user", USER), {"PHYSIONET_PASSWORD": PASSWORD}, "all films are 570 GB: say which"),
        (
            ("--user", USER, "--count", "1"),
            {},
            "nobody to be asked for the password of ada; set PHYSIONET_P",
        ),
        (
            ("--user", USER, "--count", "1"),
            {"PHYSIONET_PASSWORD": "wrong"},
            "401: it does not take this user and password",
        ),
        (("--count", "1"), {}, "401: it asks who you are; give --user"),
        (("--take", "films,x"), {}, "is not made of films, reports, hosp, ed"),
    ],
)
def test_what_is_asked_wrongly_is_one_line(
    mirror: Mirror, tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], told: str
) -> None:
    code, _, err = ended(command(mirror, tmp_path / "mimic", *arguments, **environment))
    assert code == 2 and told in err and "Traceback" not in err and PASSWORD not in err


def test_a_second_one_in_the_same_place_is_refused(mirror: Mirror, there: Path) -> None:
    code, _, err = ended(
        command(mirror, there, "--take", "hosp", "--user", USER, PHYSIONET_PASSWORD=PASSWORD)
    )
    assert code == 2 and "another download is under way" in err
