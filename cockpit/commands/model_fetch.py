"""`model fetch`: start the download, or join the one that is under way, and follow it to its end."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from cockpit.commands.common.console import SPARSE_SECONDS, LiveLines
from cockpit.commands.common.headless import Interrupts, interrupts
from cockpit.views.download import progress_lines
from engine.download.model_download import (
    DEFAULT_REPO,
    Download,
    default_directory,
    read_download,
    start_download,
    stop_download,
)
from engine.paths import expanded
from engine.words.printable import message, one_line
from engine.words.sizes import on_disk

POLL_SECONDS = 0.2


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "repo", metavar="REPO", nargs="?", default=DEFAULT_REPO, help=f"(default: {DEFAULT_REPO})"
    )
    parser.add_argument(
        "--revision", metavar="R", default="main", help="branch, tag or commit (default: main)"
    )
    parser.add_argument("--to", metavar="DIR", type=Path, help="(default: models/NAME)")
    parser.description = (
        "Fetch a base model from the hub: config, tokenizer and safetensors, each file under its own name only\n"
        "when its size and hash agree. What is there already, copied by hand or left by a download that was cut,\n"
        "is checked and kept; give the same command again to go on. It runs in a process of its own: a lost\n"
        "terminal does not end it, Ctrl-C does. HF_ENDPOINT names another hub, HF_TOKEN a token."
    )
    parser.epilog = f"example:\n  cxr-cockpit model fetch {DEFAULT_REPO} --to models/llava-med"


def run(options: argparse.Namespace) -> int:
    directory = expanded(options.to or default_directory(options.repo))
    joined = read_download(directory)
    own = joined is None or not joined.live
    if joined and joined.live:
        print(
            f"a download of {one_line(joined.repo)} is under way there; Ctrl-C leaves it to itself",
            flush=True,
        )
    with interrupts() as counter:
        download = start_download(options.repo, options.revision, directory) if own else joined
        assert download is not None
        download = _follow(directory, download, counter, own)
    if download.live:
        print(f"the download goes on; see it again with {_again(download)}")
        return 1
    if download.state == "finished":
        following = shlex.join(["cxr-cockpit", "model", "inspect", str(directory)])
        print(f"{directory}: {download.message}\nnext: {following}")
        return 0
    if download.state == "failed":
        print(f"cxr-cockpit: {message(download.message)}", file=sys.stderr)
        return 2 if download.usage else 1
    done = f"{on_disk(download.done)} of {on_disk(download.total)} are here; " if download.total else ""
    print(f"{download.state}: {done}go on with {_again(download)}")
    return 1


def _follow(directory: Path, download: Download, counter: Interrupts, own: bool) -> Download:
    """Show the download until it ends. The first Ctrl-C ends it if it is ours, else only the following."""
    live = LiveLines(sparse_seconds=SPARSE_SECONDS)
    told: set[str] = set()
    asked = False
    try:
        while True:
            download = read_download(directory) or download
            for file in download.files:
                if file.state == "whole" and file.path not in told:
                    told.add(file.path)
                    live.tell(f"✔ {one_line(file.path)}  {on_disk(file.bytes)}")
            if not download.live or (counter.count and not own) or counter.count > 1:
                return download
            if counter.count and not asked and download.pid is not None:
                asked = True
                stop_download(download)
            live.show(progress_lines(download))
            counter.wait(POLL_SECONDS)
    finally:
        live.erase()


def _again(download: Download) -> str:
    words = [] if download.repo == DEFAULT_REPO else [download.repo]
    words += [] if download.revision == "main" else ["--revision", download.revision]
    own = download.directory == default_directory(download.repo)
    words += [] if own else ["--to", str(download.directory)]
    return f"`{shlex.join(['cxr-cockpit', 'model', 'fetch', *words])}`"
