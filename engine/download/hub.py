"""A model hub over plain HTTP: which files a repository has at a commit, and their bytes from any place on.

huggingface_hub gives the client (proxies, certificates), the token and the address; its own downloads throw a part
away when they end early and compare sizes only, so the bytes are fetched here.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2
from huggingface_hub import constants, get_session, get_token
from huggingface_hub.errors import OfflineModeIsEnabled

from engine.download.line import SILENCE_SECONDS, Lost, PastTheEnd, may_pass, retry_after
from engine.download.verified import Body
from engine.errors import UserError

#: What a model is made of. Pickled weights are not among it: they are never loaded.
_WANTED = re.compile(
    r"(.*\.(json|safetensors|jinja)|tokenizer\.model|merges\.txt|vocab\.txt|(README|LICENSE|NOTICE)[^/]*)"
)
_NEXT_PAGE = re.compile(r'<([^>]+)>;\s*rel="next"')


@dataclass(frozen=True)
class HubFile:
    """A file of a commit. Large ones are named by the SHA-256 of their bytes, small ones by git's blob id."""

    path: str
    bytes: int
    sha256: str | None
    blob_id: str

    @property
    def digest(self) -> str:
        return self.sha256 or self.blob_id


class Hub:
    """One repository. Raises `UserError` for what trying again cannot mend, `Lost` for what it may."""

    def __init__(self, repo: str) -> None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
            raise UserError(f"{repo!r} is not a repository; it is written OWNER/NAME")
        self.repo = repo
        self._base = constants.ENDPOINT
        self._host = urlsplit(self._base).hostname or self._base
        token = get_token()
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    def commit(self, revision: str) -> str:
        """The commit that a branch, tag or commit names now."""
        with self._request(f"/api/models/{self.repo}/revision/{quote(revision, safe='')}") as response:
            answer = _json(response)
        if not isinstance(answer, dict) or not re.fullmatch(r"[0-9a-f]{40}", str(answer.get("sha"))):
            raise UserError(f"{self._base}: does not answer as a model hub does; is HF_ENDPOINT right?")
        return str(answer["sha"])

    def files(self, commit: str) -> list[HubFile]:
        """The files of the commit that make a model, by path."""
        found: list[HubFile] = []
        page: str | None = f"/api/models/{self.repo}/tree/{commit}?recursive=true"
        while page:
            with self._request(page) as response:
                found += [_file(entry) for entry in _json(response) if entry.get("type") == "file"]
                following = _NEXT_PAGE.search(response.headers.get("link", ""))
            page = following[1] if following else None
        wanted = sorted((file for file in found if _WANTED.fullmatch(file.path)), key=lambda file: file.path)
        if not any(file.path.endswith(".safetensors") for file in wanted):
            raise UserError(f"{self.repo}: has no safetensors weights; pickled ones are not loaded")
        for file in wanted:
            parts = PurePosixPath(file.path).parts
            if file.path.startswith("/") or any(part.startswith(".") or "\\" in part for part in parts):
                raise UserError(
                    f"{self.repo}: names a file {file.path!r} outside its directory; nothing is fetched"
                )
        return wanted

    @contextmanager
    def content(self, commit: str, file: HubFile, start: int) -> Iterator[Body]:
        """The file's bytes from `start` on, or from 0 where the hub only gives all of it."""
        wanted = {"range": f"bytes={start}-"} if start else {}
        path = f"/{self.repo}/resolve/{commit}/{quote(file.path)}"
        with self._request(path, wanted) as response:
            partial = response.status_code == httpx2.codes.PARTIAL_CONTENT
            yield Body(start if partial else 0, file.bytes, response.iter_bytes())

    @contextmanager
    def _request(self, place: str, headers: dict[str, str] | None = None) -> Iterator[httpx2.Response]:
        """`place` begins with a slash, or is the whole address of a page of this very hub."""
        if not place.startswith("/") and not place.startswith(f"{self._base}/"):
            raise UserError(f"{self._base}: sends its list on to another host; nothing is fetched")
        address = place if not place.startswith("/") else self._base + place
        # compressed content could not be continued at a byte
        sent = {**self._headers, "accept-encoding": "identity", **(headers or {})}
        try:
            with get_session().stream("GET", address, headers=sent, timeout=SILENCE_SECONDS) as response:
                self._refuse(response)
                yield response
        except OfflineModeIsEnabled:
            raise UserError("HF_HUB_OFFLINE is set; unset it to fetch a model") from None
        except httpx2.UnsupportedProtocol:
            raise UserError(f"{self._base}: is not a web address; is HF_ENDPOINT right?") from None
        except httpx2.TransportError as error:
            raise Lost(f"{self._host}: {error or type(error).__name__}") from None

    def _refuse(self, response: httpx2.Response) -> None:
        status = response.status_code
        if status < 400:
            return
        if may_pass(status):
            raise Lost(f"the hub answers {status}", retry_after(response.headers.get("retry-after")))
        if status == httpx2.codes.RANGE_NOT_SATISFIABLE:
            raise PastTheEnd("the hub has fewer bytes than are here")
        if status in (401, 403):
            raise UserError(
                f"{self.repo}: the hub lets nobody in without a token ({status}); is the name right? "
                f"If it asks for consent, give it at {self._base}/{self.repo} and set HF_TOKEN"
            )
        if status == 404:
            raise UserError(f"{self.repo}: the hub {self._base} has no such repository, revision or file")
        raise UserError(f"{self.repo}: the hub answers {status}")


def _json(response: httpx2.Response) -> Any:
    response.read()
    try:
        return response.json()
    except ValueError:
        raise UserError(
            f"{response.url.host}: does not answer as a model hub does; is HF_ENDPOINT right?"
        ) from None


def _file(entry: dict[str, Any]) -> HubFile:
    lfs = entry.get("lfs") or {}
    return HubFile(str(entry["path"]), int(entry["size"]), lfs.get("oid"), str(entry["oid"]))
