"""A download that is cut, lied to, held off or out of space ends whole or says why, and never starts from nothing."""

import errno
import json
import os
import random
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.download import fetch as fetching
from engine.download import model_download
from engine.download.fetch import PATIENCE, Fetch, fetch_model
from engine.download.hub import Lost
from engine.download.model_download import read_download, take_lock, workplace
from engine.errors import UserError

SHARD = "model-00001-of-00002.safetensors"


@pytest.fixture
def hub(fake_hub: Any) -> Any:
    bytes_of = random.Random(4).randbytes
    fake_hub.files = {
        "config.json": b'{"model_type": "llava_mistral"}',
        SHARD: bytes_of(500_000),
        "model-00002-of-00002.safetensors": bytes_of(300_000),
        "tokenizer.model": bytes_of(700),
        "vision_tower/config.json": b"{}",
        "pytorch_model.bin": b"pickle",
        ".gitattributes": b"x",
        "empty.json": b"",
    }
    return fake_hub


@pytest.fixture
def there(tmp_path: Path) -> Path:
    directory = tmp_path / "models" / "model"
    lock = take_lock(directory)
    assert lock is not None
    os.close(lock)
    return directory


def fetch(there: Path, waits: list[float] | None = None) -> Any:
    return Fetch("some/model", "main", there, (waits if waits is not None else []).append).run()


def assert_whole(hub: Any, there: Path) -> None:
    wanted = {name for name in hub.files if name not in ("pytorch_model.bin", ".gitattributes")}
    assert {str(path.relative_to(there)) for path in there.rglob("*") if path.is_file()} == {
        *wanted,
        ".fetch/state.json",
        ".fetch/lock",
    }
    assert all((there / name).read_bytes() == hub.files[name] for name in wanted)


def test_it_fetches_what_makes_a_model_and_nothing_else(hub: Any, there: Path) -> None:
    hub.page = 3  # the list comes in several pages
    fetch(there)
    assert_whole(hub, there)
    told = read_download(there)
    assert told is not None
    assert (told.state, told.commit, told.done, told.pid) == ("finished", hub.commit, told.total, None)
    assert told.total == sum(len((there / file.path).read_bytes()) for file in told.files)


def test_the_token_goes_to_the_hub_and_to_no_other_host(hub: Any, there: Path) -> None:
    fetch(there)
    assert {token for host, token in hub.tokens if host == "hub"} == {"Bearer hf_secret"}
    assert {token for host, token in hub.tokens if host == "store"} == {None}


def test_a_cut_line_goes_on_where_it_was_cut(hub: Any, there: Path) -> None:
    hub.faults[SHARD] = [hub.cut_after(100_000), hub.cut_after(0), hub.cut_after(200_000)]
    waits: list[float] = []
    fetch(there, waits)
    assert_whole(hub, there)
    assert [start for name, start in hub.asked if name == SHARD] == [0, 100_000, 100_000, 300_000]
    assert len(waits) == 3


def test_the_next_process_goes_on_where_the_last_one_ended(hub: Any, there: Path) -> None:
    hub.faults[SHARD] = [hub.cut_after(200_000), *[hub.cut_after(0)] * (PATIENCE + 1)]
    with pytest.raises(Lost, match="closed connection"):
        fetch(there)
    assert not (there / SHARD).exists()
    hub.asked.clear()
    fetch(there)
    assert_whole(hub, there)
    assert hub.asked[0] == (SHARD, 200_000)
    assert "config.json" not in [name for name, _ in hub.asked]


def test_a_pause_that_the_hub_asks_for_is_kept(hub: Any, there: Path) -> None:
    hub.faults[SHARD] = [hub.status(429, Retry_After="37"), hub.status(503), hub.status(500, Retry_After="4")]
    hub.faults[f"/api/models/{hub.repo}/revision/main"] = [hub.status(429, Retry_After="11")]
    waits: list[float] = []
    fetch(there, waits)
    assert_whole(hub, there)
    assert waits[0] == 11 and waits[1] == 37 and waits[3] == 4
    assert 0 < waits[2] <= 60


def test_a_pause_given_as_a_date_is_understood(hub: Any, there: Path) -> None:
    hub.faults[SHARD] = [hub.status(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")]
    waits: list[float] = []
    fetch(there, waits)
    assert waits == [0]


def test_a_hub_that_asks_for_an_hour_is_not_waited_for(hub: Any, there: Path) -> None:
    hub.faults[SHARD] = [hub.status(429, Retry_After="3600")]
    waits: list[float] = []
    with pytest.raises(Lost, match="429"):
        fetch(there, waits)
    assert waits == []


def test_patience_ends_with_a_hub_that_stays_ill(hub: Any, there: Path) -> None:
    hub.faults[SHARD] = [hub.status(503)] * 100
    waits: list[float] = []
    with pytest.raises(Lost, match="503"):
        fetch(there, waits)
    assert len(waits) == PATIENCE
    assert waits == sorted(waits) and waits[-1] == 60


def test_a_hub_that_never_answers_is_soon_told_of(
    hub: Any, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        waits: list[float] = []
        with pytest.raises(Lost, match=r"127\.0\.0\.1: "):
            fetch(there, waits)
    assert len(waits) == fetching.FIRST_PATIENCE


def test_bytes_that_are_not_the_listed_ones_never_get_the_name(hub: Any, there: Path) -> None:
    wrong = bytes(len(hub.files[SHARD]))
    hub.faults[SHARD] = [hub.instead(wrong)] * 2
    with pytest.raises(Lost, match=rf"{SHARD}: what the hub sends has not the hash"):
        fetch(there)
    assert not (there / SHARD).exists()
    fetch(there)
    assert_whole(hub, there)


def test_a_part_that_was_spoilt_is_fetched_once_more_from_nothing(hub: Any, there: Path) -> None:
    hub.faults[SHARD] = [hub.cut_after(200_000), *[hub.cut_after(0)] * (PATIENCE + 1)]
    with pytest.raises(Lost):
        fetch(there)
    (part,) = workplace(there).glob("*.part")
    with part.open("r+b") as opened:
        opened.write(b"\0\0\0\0")
    hub.asked.clear()
    fetch(there)
    assert_whole(hub, there)
    assert [start for name, start in hub.asked if name == SHARD] == [200_000, 0]


def test_a_small_file_with_a_wrong_hash_is_refused_too(hub: Any, there: Path) -> None:
    hub.listed["config.json"] = "0" * 40
    with pytest.raises(Lost, match=r"config\.json"):
        fetch(there)


def test_a_file_that_changed_on_the_hub_begins_anew(hub: Any, there: Path) -> None:
    hub.faults[SHARD] = [hub.cut_after(200_000), *[hub.cut_after(0)] * (PATIENCE + 1)]
    with pytest.raises(Lost):
        fetch(there)
    hub.files[SHARD] = random.Random(5).randbytes(400_000)
    hub.asked.clear()
    fetch(there)
    assert_whole(hub, there)
    assert (SHARD, 0) in hub.asked


def test_a_hub_that_only_gives_whole_files_is_taken_from_the_start(hub: Any, there: Path) -> None:
    hub.faults[SHARD] = [hub.cut_after(100_000), hub.all_of_it]
    fetch(there)
    assert_whole(hub, there)


def test_what_was_copied_by_hand_is_verified_and_kept(hub: Any, there: Path) -> None:
    (there / SHARD).write_bytes(hub.files[SHARD])
    second = "model-00002-of-00002.safetensors"
    (there / second).write_bytes(hub.files[second][:-1] + b"\0")
    fetch(there)
    assert_whole(hub, there)
    names = [name for name, _ in hub.asked]
    assert SHARD not in names and second in names


def test_disk_is_asked_first(hub: Any, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=700_000))
    with pytest.raises(UserError, match=r"1\.8 MB are still to come"):
        fetch(there)
    assert hub.asked == []


def test_on_a_full_disk_it_ends_and_goes_on_when_there_is_room(
    hub: Any, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    room = 350_000

    def write(descriptor: int, content: bytes) -> int:
        nonlocal room
        if len(content) < 1000:
            return real(descriptor, content)
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        room -= len(content)
        return real(descriptor, content)

    monkeypatch.setattr(os, "write", write)
    assert fetch_model("some/model", "main", there) == 1
    told = read_download(there)
    assert told is not None
    assert told.state == "failed" and "the disk is full" in told.message and not told.usage
    room = 10**9
    hub.asked.clear()
    assert fetch_model("some/model", "main", there) == 0
    assert_whole(hub, there)
    assert hub.asked[0][0] == SHARD and hub.asked[0][1] > 100_000


@pytest.mark.parametrize(
    ("repo", "told"),
    [("some/other", "no such repository"), ("model", "written OWNER/NAME"), ("../../etc/x", "OWNER/NAME")],
)
def test_a_repository_that_is_not_there_is_wrong_usage(
    hub: Any, tmp_path: Path, repo: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch_model(repo, "main", tmp_path / "m") == 2
    failed = read_download(tmp_path / "m")
    assert failed is not None and failed.usage and told in failed.message
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("code", [401, 403])
def test_a_gated_repository_says_what_to_do(hub: Any, there: Path, code: int) -> None:
    hub.faults[f"/api/models/{hub.repo}/revision/main"] = [hub.status(code)]
    with pytest.raises(UserError, match="set HF_TOKEN"):
        fetch(there)
    hub.faults[SHARD] = [hub.status(code)]  # the list is open, the weights are not
    with pytest.raises(UserError, match="set HF_TOKEN"):
        fetch(there)


@pytest.mark.parametrize("revision", ["v1.5", "refs/pr/3"])
def test_a_revision_is_asked_for_by_its_name(hub: Any, there: Path, revision: str) -> None:
    with pytest.raises(UserError, match="no such repository, revision or file"):
        Fetch("some/model", revision, there).run()
    hub.revisions = {revision}
    told = Fetch("some/model", revision, there).run()
    assert (told.state, told.revision, told.commit) == ("finished", revision, hub.commit)
    assert_whole(hub, there)


@pytest.mark.parametrize("path", ["../evil.json", "a/../../evil.json", "a/.ssh/evil.json", "/etc/evil.json"])
def test_a_list_that_leads_out_of_the_directory_is_refused(hub: Any, there: Path, path: str) -> None:
    hub.files[path] = b"{}"
    with pytest.raises(UserError, match="outside its directory"):
        fetch(there)
    assert hub.asked == []


def test_pickled_weights_alone_are_no_model(hub: Any, there: Path) -> None:
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"pickle"}
    with pytest.raises(UserError, match="no safetensors"):
        fetch(there)


def test_another_model_does_not_go_into_the_same_directory(hub: Any, there: Path) -> None:
    fetch(there)
    with pytest.raises(UserError, match="holds some/model"):
        Fetch("some/other", "main", there)


def test_what_is_no_hub_is_told_so(hub: Any, there: Path) -> None:
    hub.faults[f"/api/models/{hub.repo}/revision/main"] = [hub.instead(b"<html>portal</html>")]
    with pytest.raises(UserError, match="HF_ENDPOINT"):
        fetch(there)


def test_offline_is_kept_to(hub: Any, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE"):
        fetch(there)
    assert hub.tokens == []


def test_a_process_that_is_gone_without_a_word_is_interrupted(hub: Any, there: Path) -> None:
    fetch(there)
    place = workplace(there) / "state.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"state": "fetching", "pid": 1}))
    told = read_download(there)
    assert told is not None
    assert (told.state, told.pid) == ("interrupted", None)
    lock = take_lock(there)
    assert lock is not None
    held = read_download(there)
    os.close(lock)
    assert held is not None and held.state == "fetching"


def test_one_download_a_directory(hub: Any, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_download, "LOOK_SECONDS", 0.0)
    lock = take_lock(there)
    assert lock is not None
    with pytest.raises(UserError, match="another download"):
        fetch_model("some/model", "main", there)
    os.close(lock)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "flying"}'])
def test_a_state_that_cannot_be_read_is_none(there: Path, text: str) -> None:
    (workplace(there) / "state.json").write_text(text)
    assert read_download(there) is None
