"""Running a program of systemd, such as systemctl or systemd-analyze, and reading what it prints."""

from __future__ import annotations

import os
import shutil
import subprocess

from hafta import exits
from hafta.errors import HaftaError

PATIENCE = 30.0  # seconds
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


def run(*words: str, timeout: float = PATIENCE, inherited: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command of systemd. Raises HaftaError if it is not there, or takes too long.

    `inherited`: descriptors that it gets, too.
    """
    program = shutil.which(words[0], path=PATH)
    if program is None:
        raise HaftaError(f"{words[0]} is not installed", "install systemd", status=exits.NOT_FOUND)
    environ = {**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
    try:
        return subprocess.run(  # noqa: S603 - without a shell
            [program, *words[1:]], env=environ, check=False, capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, timeout=timeout, pass_fds=inherited,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        what = " ".join(words)
        raise HaftaError(
            f"{what} takes more than {timeout:g} s", "look at systemctl status", status=exits.TIMED_OUT
        ) from None
