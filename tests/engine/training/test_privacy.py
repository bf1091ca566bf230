"""A whole stage without a network, every file for its owner alone, and no report outside of the database."""

import os
import platform
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.config import RunConfig, freeze
from engine.data.curriculum import read_curriculum
from engine.runs.layout import RunPaths, create_run
from engine.runs.process import launch
from engine.runs.store.opening import open_reader, status_of

PATIENCE = 120

# Python's own sockets are refused by an audit hook; on Linux the kernel ends the process at any other's, too.
NO_NETWORK = """
import ctypes, platform, socket, struct, sys
def refuse(event, arguments):
    if event == "socket.__new__" and arguments[1] in (socket.AF_INET, socket.AF_INET6):
        raise SystemExit("a socket to the network was asked for")
sys.addaudithook(refuse)
number = {"x86_64": 41, "aarch64": 198}.get(platform.machine())
if sys.platform == "linux" and number:
    def statement(code, jump_true, jump_false, value):
        return struct.pack("HBBI", code, jump_true, jump_false, value)
    LOAD, EQUAL, RETURN, ALLOW, KILL = 0x20, 0x15, 0x06, 0x7FFF0000, 0x80000000
    program = b"".join([
        statement(LOAD, 0, 0, 0),  # the call's number
        statement(EQUAL, 0, 4, number),
        statement(LOAD, 0, 0, 16),  # its first argument, the family
        statement(EQUAL, 1, 0, socket.AF_INET),
        statement(EQUAL, 0, 1, socket.AF_INET6),
        statement(RETURN, 0, 0, KILL),
        statement(RETURN, 0, 0, ALLOW),
    ])
    held = ctypes.create_string_buffer(program)
    filter = struct.pack("HL", len(program) // 8, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # no new privileges
    assert libc.prctl(22, 2, ctypes.c_char_p(filter), 0, 0) == 0  # seccomp by filter
"""
ENGINE = "import runpy; sys.argv[0] = 'engine'; runpy.run_module('engine', run_name='__main__')"


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="seccomp is Linux's"
)
@pytest.mark.parametrize("family", [2, 10])
def test_the_filter_ends_whoever_asks_for_the_network(family: int) -> None:
    asks = f"ctypes.CDLL(None).socket({family}, 1, 0)"
    ended = subprocess.run([sys.executable, "-c", NO_NETWORK + asks], capture_output=True)
    assert ended.returncode == -signal.SIGSYS
    local = "ctypes.CDLL(None).socket(1, 1, 0); print('local')"
    assert subprocess.check_output([sys.executable, "-c", NO_NETWORK + local]) == b"local\n"


def test_the_hook_refuses_python_s_sockets() -> None:
    hook = NO_NETWORK.partition("number =")[0]
    ended = subprocess.run([sys.executable, "-c", hook + "socket.socket()"], capture_output=True, text=True)
    assert ended.returncode == 1 and "was asked for" in ended.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, config: RunConfig) -> RunPaths:
    """Stage A, launched by somebody whose umask hides nothing, without a network."""
    before = os.umask(0)
    try:
        paths = create_run(tmp_path_factory.mktemp("open") / "runs", "night")
        freeze(config, paths.config)
        command = [sys.executable, "-P", "-c", NO_NETWORK + ENGINE]
        launch(paths, [*command, "run", str(paths.root), "--stage", "stage_a"])
    finally:
        os.umask(before)
    deadline = time.monotonic() + PATIENCE
    while (status := status_of(paths)).live or status.state in ("preparing", "starting"):
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    return paths


def test_a_whole_stage_opens_no_socket_to_the_network(trained: RunPaths) -> None:
    status = status_of(trained)
    assert (status.state, status.step) == ("finished", status.steps), trained.log.read_text()[-2000:]


def test_every_file_is_its_owner_s_alone_whatever_the_umask(trained: RunPaths) -> None:
    found = [trained.root, *trained.root.rglob("*")]
    assert len(found) > 10
    for path in found:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_no_report_stands_in_the_log_or_in_an_event(trained: RunPaths, config: RunConfig) -> None:
    samples = read_curriculum(config.data.curriculum)
    texts = {sample.target.splitlines()[0] for sample in samples}
    with open_reader(trained) as reader:
        rows = list(reader.samples())
        said = trained.log.read_text() + "".join(f"{event.message} {event.data}" for event in reader.events())
    texts |= {row.generated for row in rows if len(row.generated.split()) > 2}
    assert rows and {row.reference.splitlines()[0] for row in rows} <= texts
    assert not [text for text in texts if text in said]


def test_the_command_line_writes_for_its_owner_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "cockpit.cli", "data", "phantom", "--out", str(tmp_path / "made")]
    ended = subprocess.run(
        [*command, "--patients", "4", "--size", "64", "--seed", "1"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: os.umask(0),
    )
    assert ended.returncode == 0, ended.stderr
    made = [tmp_path / "made", *(tmp_path / "made").rglob("*")]
    assert len(made) > 10 and not [path for path in made if path.stat().st_mode & 0o077]
