"""What a command or an engine says passes one gate; streams that came closed do no harm."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.standard_streams import beneath, printable_streams

HOSTILE = "Mrs X\x1b]0;owned\x07\x9b2J"


def test_what_is_printed_logged_or_warned_of_is_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with printable_streams():
        print(HOSTILE, "naïve", sep="\n")
        sys.stderr.writelines([HOSTILE, "\n"])
        assert not sys.stdout.isatty()
        beneath(sys.stdout).write("\x1b[J")  # what draws goes past it
        try:
            raise ValueError(HOSTILE)
        except ValueError as error:
            sys.excepthook(ValueError, error, error.__traceback__)
    assert sys.stdout is out and sys.stderr is err
    assert out.getvalue() == "Mrs X\ufffd]0;owned\ufffd\ufffd2J\nnaïve\n\x1b[J"
    assert "\x1b" not in err.getvalue() and err.getvalue().count("Mrs X") == 2


#: Logs, warns and prints, as libraries do, what a file of a stranger's says.
ENGINE = f"""
import logging, sys, warnings
from pathlib import Path
from engine import __main__
def says(options):
    logging.getLogger("engine").error("%s", {HOSTILE!r})
    warnings.warn({HOSTILE!r})
    print({HOSTILE!r})
    raise RuntimeError({HOSTILE!r})
__main__._VERBS["run"] = says
sys.argv = ["engine", "run", sys.argv[1]]
sys.exit(__main__.main())
"""


def test_the_log_of_an_engine_has_no_control_characters(tmp_path: Path) -> None:
    log = tmp_path / "training.log"
    with log.open("wb") as opened:
        subprocess.run(
            [sys.executable, "-P", "-c", ENGINE, str(tmp_path)], stdout=opened, stderr=subprocess.STDOUT
        )
    said = log.read_text()
    assert said.count("Mrs X") >= 4 and "RuntimeError" in said
    assert not [one for one in said if not one.isprintable() and one != "\n"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("arguments", ["", "status", "service"])
def test_closed_streams_are_no_traceback(tmp_path: Path, closed: str, arguments: str) -> None:
    ended = subprocess.run(
        f"{sys.executable} -P -m cockpit.cli {arguments} {closed}",
        shell=True,
        capture_output=True,
        text=True,
        env=os.environ | {"CXR_RUNS": str(tmp_path / "runs")},
    )
    assert ended.returncode == (0 if arguments else 2)  # the app needs a terminal
    assert "Traceback" not in ended.stderr and ended.stderr.count("\n") <= 1


def test_files_that_are_opened_do_not_take_the_place_of_closed_streams(tmp_path: Path) -> None:
    """What a library prints must never end in run.db."""
    script = (
        "import os; from engine.standard_streams import open_missing; open_missing()\n"
        f"file = open({str(tmp_path / 'run.db')!r}, 'w')\n"
        "print('said'); os.write(1, b'said'); os.write(2, b'said')\n"
        "raise SystemExit(0 if file.fileno() > 2 else 1)"
    )
    ended = subprocess.run([f'{sys.executable} -P -c "$0" <&- >&- 2>&-', script], shell=True)
    assert ended.returncode == 0 and (tmp_path / "run.db").read_text() == ""
