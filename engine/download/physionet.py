"""PhysioNet, or a mirror of the same layout, over plain HTTP: bytes of a project's file from any place on."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

import httpx2

from engine.download.line import SILENCE_SECONDS, Lost, PastTheEnd, may_pass, retry_after
from engine.download.mimic_files import Project
from engine.download.verified import Body
from engine.errors import UserError

PHYSIONET = "https://physionet.org/files"
USER_VARIABLE, PASSWORD_VARIABLE = "PHYSIONET_USER", "PHYSIONET_PASSWORD"

_TOTAL = re.compile(r"bytes \d+-\d+/(\d+)")


class NotThere(Exception):
    """The server does not have the file."""


class PhysioNet:
    """A server. user, password: of an account there, sent to this host alone and kept nowhere.

    Raises UserError for what trying again cannot mend, Lost for what it may, NotThere for a file that is missing.
    """

    def __init__(self, base: str, user: str | None, password: str | None, connections: int) -> None:
        refuse_address(base, bool(user))
        self._base = base.rstrip("/")
        self.host = urlsplit(base).netloc
        self._user = user
        self._client = httpx2.Client(
            auth=httpx2.BasicAuth(user, password or "") if user else None,
            timeout=SILENCE_SECONDS,
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
            # compressed content could not be continued at a byte
            headers={"accept-encoding": "identity", "user-agent": "cxr-cockpit"},
            follow_redirects=True,
        )
        self._not_before = 0.0
        self._lock = threading.Lock()

    def close(self) -> None:
        self._client.close()

    def size(self, project: Project, path: str) -> int | None:
        """The file's bytes, where the server says; whether it can be had shows when it is fetched."""
        try:
            response = self._client.head(self._address(project, path))
        except httpx2.TransportError:
            return None
        length = response.headers.get("content-length", "")
        return int(length) if response.status_code == httpx2.codes.OK and length.isdigit() else None

    @contextmanager
    def content(self, project: Project, path: str, start: int) -> Iterator[Body]:
        """The file's bytes from `start` on, or from 0 where the server only gives all of it."""
        headers = {"range": f"bytes={start}-"} if start else {}
        address = self._address(project, path)
        try:
            with self._client.stream("GET", address, headers=headers) as response:
                self._refuse(response, project, path)
                yield _body(response, start)
        except httpx2.TooManyRedirects:
            raise UserError(f"{self.host}: sends from one address to the next; is --base right?") from None
        except httpx2.TransportError as error:
            raise Lost(f"{self.host}: {error or type(error).__name__}") from None

    def hold_off(self, seconds: float) -> None:
        """The server asked for a pause: nobody asks it anything before that is over."""
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def to_wait(self) -> float:
        """Seconds until the server may be asked again."""
        with self._lock:
            return max(0.0, self._not_before - time.monotonic())

    def _address(self, project: Project, path: str) -> str:
        return f"{self._base}/{project.place}/{quote(path)}"

    def _refuse(self, response: httpx2.Response, project: Project, path: str) -> None:
        status = response.status_code
        what = f"{project.place}/{path}"
        if status in (200, 206):
            login = response.url.path.rstrip("/").endswith("/login")
            if login or response.headers.get("content-type", "").startswith("text/html"):
                raise UserError(
                    f"{what}: {self.host} sends a web page, not the file: {self._sign_in()}, or is --base wrong?"
                )
            return
        if may_pass(status):
            after = retry_after(response.headers.get("retry-after"))
            if after is not None:
                self.hold_off(after)
            busy = "too many requests" if status == 429 else "the server is not well"
            raise Lost(f"{self.host} answers {status} ({busy})", after)
        if status == httpx2.codes.RANGE_NOT_SATISFIABLE:
            raise PastTheEnd(f"{what}: {self.host} has fewer bytes than are here")
        if status == 401:
            raise UserError(f"{self.host} answers 401: {self._sign_in()}")
        if status == 403:
            raise UserError(
                f"{project.slug}: {self.host} answers 403: the data use agreement of this project is not signed "
                f"by this account, or its access not granted; sign it at https://physionet.org/content/{project.place}/"
                " and give the same command again, or leave the project out with --take"
            )
        if status == 404:
            raise NotThere(f"{what}: {self.host} answers 404: it has no such file")
        raise UserError(f"{what}: {self.host} answers {status}")

    def _sign_in(self) -> str:
        if self._user:
            return "it does not take this user and password"
        return f"it asks who you are; give --user NAME (the password is asked for, or in {PASSWORD_VARIABLE})"


def refuse_address(base: str, with_password: bool) -> None:
    """Raises UserError where `base` is no address to be used, or would show a password to others."""
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"--base: {base[:80]!r} is no web address; it is written https://HOST/PATH")
    if parts.username is not None or parts.password is not None:
        raise UserError(
            f"--base: no user and password belong into an address; give --user, and {PASSWORD_VARIABLE}"
        )
    if parts.query or parts.fragment:
        raise UserError("--base: an address that ends in a path, without ? and #")
    if parts.scheme == "http" and with_password and not _is_here(parts.hostname):
        raise UserError(f"--base: a password is not sent over http; use https://{parts.netloc}{parts.path}")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _body(response: httpx2.Response, start: int) -> Body:
    length = response.headers.get("content-length", "")
    if response.status_code == httpx2.codes.PARTIAL_CONTENT:
        total = _TOTAL.fullmatch(response.headers.get("content-range", ""))
        whole = int(total[1]) if total else start + int(length) if length.isdigit() else None
        return Body(start, whole, response.iter_bytes())
    return Body(0, int(length) if length.isdigit() else None, response.iter_bytes())
