"""Shared test setup: one environment for all, Ctrl-C, and a model hub on this machine that can be told to fail."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, settings

#: pytest imports readline, which leaves the size of its own terminal to each worker and so to every child of a test:
#: no app there would follow its window.
for _name in ("LINES", "COLUMNS"):
    os.environ.pop(_name, None)

if "PYTEST_XDIST_WORKER" in os.environ:
    #: Before anything imports torch. Its threads would wait for each other where the processes fill the cores already.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

#: No test is judged by the clock: on a machine that does other work, an example takes what it takes.
settings.register_profile("any pace", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any pace")

#: What a request is answered with in place of the file: it writes to the handler itself.
Fault = Callable[[BaseHTTPRequestHandler, bytes], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first: of two processes, none ends long after the other."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """As in a terminal: a shell starts what it puts into the background with Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


#: A child calls `here()` at the instant at which it is killed.
_HERE = """
import sys
def here(*_arguments, **_options):
    sys.stdout.write("here\\n"); sys.stdout.flush()
    sys.stdin.read()
"""


@pytest.fixture
def killed() -> Callable[..., None]:
    """Run a script with these arguments and SIGKILL it, alone, when it calls `here`."""

    def kill(script: str, *arguments: object) -> None:
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", _HERE + script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stdin and child.stdout and child.stderr
        with child.stdin, child.stdout, child.stderr:
            told = iter(child.stdout.readline, "")
            assert "here\n" in told, child.stderr.read()
            child.kill()
            child.wait()

    return kill


def cut_after(count: int) -> Fault:
    """Promise everything, send `count` bytes, hang up."""

    def answer(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        start = begin_of(handler)
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start : start + count])
        handler.close_connection = True

    return answer


def status(code: int, **headers: str) -> Fault:
    def answer(handler: BaseHTTPRequestHandler, _content: bytes) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def instead(other: bytes) -> Fault:
    """Other bytes than the hub's list promises."""

    def answer(handler: BaseHTTPRequestHandler, _content: bytes) -> None:
        send(handler, other)

    return answer


def all_of_it(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    """Answer a request for the rest with the whole file, as some caches do."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def begin_of(handler: BaseHTTPRequestHandler) -> int:
    match = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    return int(match[1]) if match else 0


def send(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    start = begin_of(handler)
    handler.send_response(206 if start else 200)
    handler.send_header("Content-Length", str(len(content) - start))
    handler.end_headers()
    handler.wfile.write(content[start:])


@dataclass
class FakeHub:
    """The hub's own addresses, and those of a second host that large files are redirected to.

    files: content by path. listed: what the list names where that is not the file's own hash. faults: how the next
    requests for a path are answered, one each. asked: (path, first byte) of every request for a file's content.
    tokens: what each request of either host carried. revisions: names of the one commit there is.
    """

    url: str = ""
    store_url: str = ""
    repo: str = "some/model"
    files: dict[str, bytes] = field(default_factory=dict)
    listed: dict[str, str] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    tokens: list[tuple[str, str | None]] = field(default_factory=list)
    page: int = 1000
    revisions: set[str] = field(default_factory=lambda: {"main"})

    all_of_it = staticmethod(all_of_it)
    cut_after = staticmethod(cut_after)
    instead = staticmethod(instead)
    status = staticmethod(status)

    @property
    def commit(self) -> str:
        hasher = hashlib.sha1()
        for path, content in sorted(self.files.items()):
            hasher.update(path.encode() + content)
        return hasher.hexdigest()

    def entry(self, path: str) -> dict[str, Any]:
        content = self.files[path]
        blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        entry = {"type": "file", "path": path, "size": len(content), "oid": self.listed.get(path, blob)}
        if path.endswith(".safetensors"):
            sha = self.listed.get(path, hashlib.sha256(content).hexdigest())
            entry["lfs"] = {"oid": sha, "size": len(content), "pointerSize": 134}
        return entry

    def answer(self, handler: BaseHTTPRequestHandler, host: str) -> None:
        self.tokens.append((host, handler.headers.get("Authorization")))
        path, _, query = handler.path.partition("?")
        queue = self.faults.get(path, [])
        about = f"/api/models/{self.repo}/revision/"
        if host == "hub" and path.removeprefix(about) in {quote(name, safe="") for name in self.revisions}:
            content = json.dumps({"sha": self.commit}).encode()
            queue.pop(0)(handler, content) if queue else send(handler, content)
        elif host == "hub" and path == f"/api/models/{self.repo}/tree/{self.commit}":
            self._list(handler, query)
        elif match := re.fullmatch(rf"/{self.repo}/resolve/{self.commit}/(.+)", path):
            self._content(handler, host, match[1])
        else:
            status(404)(handler, b"")

    def _list(self, handler: BaseHTTPRequestHandler, query: str) -> None:
        match = re.search(r"from=(\d+)", query)
        start = int(match[1]) if match else 0
        entries: list[dict[str, Any]] = [self.entry(path) for path in sorted(self.files)]
        entries.append({"type": "directory", "path": "vision_tower", "oid": "0" * 40, "size": 0})
        content = json.dumps(entries[start : start + self.page]).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        if start + self.page < len(entries):
            following = f"{self.url}{handler.path.partition('?')[0]}?recursive=true&from={start + self.page}"
            handler.send_header("Link", f'<{following}>; rel="next"')
        handler.end_headers()
        handler.wfile.write(content)

    def _content(self, handler: BaseHTTPRequestHandler, host: str, name: str) -> None:
        if name not in self.files:
            status(404)(handler, b"")
        elif host == "hub" and name.endswith(".safetensors"):
            status(302, Location=f"{self.store_url}{handler.path}")(handler, b"")
        else:
            self.asked.append((name, begin_of(handler)))
            queue = self.faults.get(name, [])
            answer = queue.pop(0) if queue else send
            answer(handler, self.files[name])


@pytest.fixture
def fake_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub that huggingface_hub's own settings lead to, here and in child processes."""
    from huggingface_hub import constants

    hub = FakeHub()

    def serve(host: str) -> ThreadingHTTPServer:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self, host)

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return server

    servers = [serve("hub"), serve("store")]
    hub.url, hub.store_url = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    yield hub
    for server in servers:
        server.shutdown()
        server.server_close()
