"""Puts a unit in place: never over a file that somebody else wrote or changed, and with one rename.

A file of ours begins with a line that has a hash of all that follows, so that a change made by hand is seen. The order
is: look (who runs this, what is there), have systemd verify the text elsewhere, put it in place, reload, enable, start.
A cut before the rename leaves nothing, and after it a unit that the same command, run again, enables and starts.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from contextlib import contextmanager

import click

from hafta import exits
from hafta.causes import cause_of
from hafta.cli.table import shown
from hafta.errors import HaftaError
from hafta.systemd.tools import PATIENCE
from hafta.systemd.tools import run as _run
from hafta.units.roots import BOOTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEM_UNITS = "/etc/systemd/system"
MARK = "# Written by hafta unit, which replaces this file only as long as nobody else has changed it: "


def exposure_of(name: str, text: str) -> str:
    """Return what systemd-analyze says of the unit's exposure, as a sentence; empty where it is not installed."""
    try:
        with _elsewhere(name, text) as file:
            done = _run("systemd-analyze", "security", "--offline=yes", "--no-pager", file)
    except HaftaError:
        return ""
    found = re.search(r"exposure level .*: ([\d.]+) ", done.stdout)
    return f"Exposure {found[1]} of 10, says systemd-analyze security of {_version()}." if found else ""


def _version() -> str:
    words = _run("systemd-analyze", "--version").stdout.split()
    return " ".join(words[:2])


def install(name: str, text: str, *, of_user: bool, force: bool, patience: float) -> None:
    """Put it in place, enable it and start it; say what was done and how to undo it. Raises HaftaError."""
    how = ("--user",) if of_user else ()
    folder = _folder(of_user=of_user)
    file = os.path.join(folder, name)
    if not force:
        _check_place(file, how, name)
    _verify(name, text, how)
    put(folder, name, marked(text))
    click.echo(f"wrote {shown(file)}")
    systemctl = " ".join(("systemctl", *how))
    _systemctl(*how, "daemon-reload")
    _systemctl(*how, "enable", "--quiet", name)
    click.echo(f"undo with: {systemctl} disable --now {name}; rm {shown(file)}; {systemctl} daemon-reload")
    done = _run("systemctl", *how, "restart", name, timeout=patience + PATIENCE)
    if done.returncode:
        raise HaftaError(
            f"{name} is installed, but did not start", f"look at: journalctl {' '.join((*how, '-u', name))}",
            status=exits.FAILED,
        )  # fmt: skip
    click.echo(f"enabled and started {name}")


def _folder(*, of_user: bool) -> str:
    """Return where the unit goes. Raises HaftaError if systemd does not run there, or we may not write there."""
    if not of_user:
        if not os.path.isdir(BOOTED):
            raise HaftaError(
                "systemd does not run this machine", "print the unit, and use hafta run", status=exits.FAILED
            )
        if os.geteuid():
            raise HaftaError("installing it for the system takes root", "use sudo, or --user", status=exits.PERMISSION)
        return SYSTEM_UNITS
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if not os.path.exists(os.path.join(runtime or "/nowhere", "systemd/private")):
        hint = "log in as this user (not with su), or look at $XDG_RUNTIME_DIR"
        raise HaftaError("no systemd of this user runs", hint, status=exits.FAILED)
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(home, "systemd/user")


def marked(text: str) -> str:
    """Return the text with the line that tells whether somebody has changed it since."""
    return f"{MARK}{_hash(text)}\n{text}"


def is_unchanged(text: str) -> bool:
    """Tell whether a text is as we wrote it."""
    first, _, rest = text.partition("\n")
    return first == f"{MARK}{_hash(rest)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


def _check_place(file: str, how: tuple[str, ...], name: str) -> None:
    """Raises HaftaError if a unit of this name is there that is not ours."""
    hint = "use another --name; or --force, to replace it"
    try:
        info = os.lstat(file)
    except FileNotFoundError:
        other = _run("systemctl", *how, "show", name, "--property=FragmentPath", "--value").stdout.strip()
        if other and other != file:
            raise HaftaError(
                f"{other} is a unit of this name, which ours would hide", hint, status=exits.IN_USE
            ) from None
        return
    if not stat.S_ISREG(info.st_mode):
        what = "a symbolic link (masked?)" if stat.S_ISLNK(info.st_mode) else "not a file"
        raise HaftaError(f"{file} is {what}", "systemctl unmask, or use another --name", status=exits.IN_USE)
    with open(file, encoding="utf-8", errors="surrogateescape", newline="") as there:
        text = there.read()
    if not is_unchanged(text):
        what = "was changed since hafta unit wrote it" if text.startswith(MARK) else "was not written by hafta unit"
        raise HaftaError(f"{file} {what}", hint, status=exits.IN_USE)


def _verify(name: str, text: str, how: tuple[str, ...]) -> None:
    """Have systemd read the unit. Raises HaftaError with what it says."""
    with _elsewhere(name, text) as file:
        done = _run("systemd-analyze", *how, "verify", "--man=no", file)
    if said := [line for line in done.stderr.splitlines() if name in line]:
        raise HaftaError(
            f"systemd does not accept the unit: {said[0].strip()}", "correct that option", status=exits.USAGE
        )


def put(folder: str, name: str, text: str) -> None:
    """Write a file with one rename, so that nobody ever sees a part of it. Raises HaftaError."""
    part = f".{name}.{os.getpid()}"
    try:
        os.makedirs(folder, exist_ok=True)
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _write(part, text, directory)
            os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        cause = cause_of(error)
        raise HaftaError(f"cannot write {folder}/{name}: {cause.words}", cause.hint, status=exits.SYSTEM) from error


def _write(part: str, text: str, directory: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(part, flags, 0o644, dir_fd=directory)
    try:
        with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)  # whatever the umask is: PID 1 reads it, and so may everybody
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(part, dir_fd=directory)
        raise


@contextmanager
def _elsewhere(name: str, text: str) -> Iterator[str]:
    """Put the text as a file of this name into a directory of nobody's, for a while."""
    with tempfile.TemporaryDirectory(prefix="hafta-unit-") as folder:
        put(folder, name, text)
        yield os.path.join(folder, name)


def _systemctl(*words: str) -> None:
    done = _run("systemctl", *words)
    if done.returncode:
        what = f"systemctl {' '.join(words)}: {done.stderr.strip() or f'status {done.returncode}'}"
        raise HaftaError(what, "run it by hand to see", status=exits.FAILED)
