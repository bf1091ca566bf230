"""`completion`: scripts that let a shell complete the commands; they ask `completion --candidates` at each tab."""

from __future__ import annotations

import argparse
import sys

from cockpit.commands.completion_candidates import candidates
from cockpit.commands.completion_scripts import SCRIPTS, SEPARATOR
from engine.errors import UserError
from engine.standard_streams import beneath


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", nargs="?", choices=list(SCRIPTS), help=", ".join(SCRIPTS))
    parser.add_argument("--candidates", help=argparse.SUPPRESS)
    parser.description = (
        "Print a script that makes a shell complete commands, options, runs, checkpoints and configurations."
    )
    parser.epilog = (
        "bash: in ~/.bashrc    source <(cxr-cockpit completion bash)\n"
        "zsh:  in ~/.zshrc     source <(cxr-cockpit completion zsh)     after compinit\n"
        "fish:                 cxr-cockpit completion fish > ~/.config/fish/completions/cxr-cockpit.fish\n\n"
        "example:\n  source <(cxr-cockpit completion bash)"
    )


def run(options: argparse.Namespace) -> int:
    # A tab stands between a word and what it is about, and no terminal reads it: a shell does.
    output = beneath(sys.stdout)
    if options.candidates is not None:
        words = candidates(options.parser, options.candidates.split(SEPARATOR))
        print("\n".join(words.lines()), file=output)
    elif options.shell is None:
        raise UserError("completion of which shell: bash, zsh or fish?")
    else:
        print(SCRIPTS[options.shell], end="", file=output)
    return 0
