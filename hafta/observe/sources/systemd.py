"""What systemd knows about units now: `systemctl show`, which any user may ask about all of them.

It is begun before anything else is imported, by posix_spawn: so it costs little more than what comes meanwhile.
"""

from __future__ import annotations

import os
import select
import time

from hafta.observe.shown import FOREVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

BOOTED = "/run/systemd/system"  # sd_booted(3)
PATIENCE = 10.0  # seconds for an answer
MOST = 16 << 20  # bytes of one
#: What is asked for. Others than these are not read.
TEXTS = ("Id", "LoadState", "ActiveState", "SubState", "Result", "InvocationID", "StatusText", "FragmentPath", "User")
NUMBERS = ("MainPID", "NRestarts", "ExecMainCode", "ExecMainStatus", "MemoryCurrent")
MOMENTS = (
    "StateChangeTimestampMonotonic", "ActiveEnterTimestampMonotonic", "WatchdogTimestampMonotonic",
    "ExecMainStartTimestampMonotonic", "ExecMainExitTimestampMonotonic",
)  # fmt: skip
SPANS = ("WatchdogUSec", "RestartUSec", "RestartUSecNext")
LISTS = ("DropInPaths", "StateDirectory")
TRUTHS = ("NeedDaemonReload", "DynamicUser")
NAMES = (*TEXTS, *NUMBERS, *MOMENTS, *SPANS, *LISTS, *TRUTHS)
#: systemd.time(7), as systemctl writes spans.
UNITS = {
    "us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000,
    "w": 604_800_000_000, "month": 2_629_800_000_000, "y": 31_557_600_000_000,
}  # fmt: skip


class Unanswered(Exception):
    """systemd did not answer; the text says why."""


class Show:
    """One question, which is being answered. Raises Unanswered if it cannot be asked."""

    def __init__(self, units: Sequence[str], environ: Mapping[str, str], *, of_user: bool = False) -> None:
        words = ["systemctl", *(["--user"] if of_user else []), "show", f"--property={','.join(NAMES)}", "--", *units]
        self._fd, theirs = os.pipe2(os.O_CLOEXEC)
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, theirs, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        try:
            quiet = {**environ, "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "", "LC_ALL": "C.UTF-8"}
            self._pid = os.posix_spawnp(words[0], words, quiet, file_actions=actions)
        except OSError as error:
            os.close(self._fd)
            raise Unanswered(f"systemctl cannot be run: {error.strerror}") from error
        finally:
            os.close(theirs)

    def answer(self) -> list[dict[str, Any]]:
        """Return the properties of each unit. Raises Unanswered."""
        try:
            data = self._read()
        finally:
            os.close(self._fd)
        if isinstance(data, str):
            os.kill(self._pid, 9)
            os.waitpid(self._pid, 0)
            raise Unanswered(data)
        return self._ended(data)

    def _read(self) -> bytearray | str:
        """Return what it prints up to its end; else what is wrong."""
        data, end = bytearray(), time.monotonic() + PATIENCE
        while select.select([self._fd], [], [], max(0.0, end - time.monotonic()))[0]:
            more = os.read(self._fd, 1 << 16)
            if not more:
                return data
            data += more
            if len(data) > MOST:
                return f"systemctl says more than {MOST} bytes"
        return f"systemctl does not answer within {PATIENCE:g} s"

    def _ended(self, data: bytearray) -> list[dict[str, Any]]:
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        if status:
            code = os.waitstatus_to_exitcode(status)
            raise Unanswered(f"systemctl show ended with status {code}: its manager cannot be reached")
        return parse(data.decode(errors="replace"))


def parse(text: str) -> list[dict[str, Any]]:
    """Return the properties of each unit from what `systemctl show` prints: blocks between empty lines."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    return [_block(block) for block in blocks]


def _block(block: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in block.split("\n"):  # a STATUS of a service may have other ends of lines: U+2028
        name, equals, value = line.partition("=")
        if equals and name in NAMES:
            found[name] = _value(name, value)
    return found


def _value(name: str, value: str) -> Any:
    if name in NUMBERS:
        return int(value) if value.isascii() and value.isdigit() else None
    if name in MOMENTS:
        return int(value) if value.isascii() and value.isdigit() else 0
    if name in SPANS:
        return span(value)
    if name in TRUTHS:
        return value == "yes"
    return value.split() if name in LISTS else value


def span(text: str) -> int | None:
    """Return the microseconds of `1min 30s`; None for other text, such as `[not set]`; FOREVER for infinity."""
    if text == "infinity":
        return FOREVER
    total = 0.0
    words = text.split()
    for word in words:
        number = word.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = UNITS.get(word[len(number) :], 0) if number != word else 1
        if not unit or not number.replace(".", "", 1).isdigit():
            return None
        total += float(number) * unit
    return round(total) if words else None


def full_name(unit: str) -> str:
    """Return a name with its suffix, as systemctl completes it."""
    kinds = (".service", ".socket", ".target", ".timer", ".path", ".mount", ".scope", ".slice", ".device", ".swap")
    return unit if unit.endswith((*kinds, ".automount")) else f"{unit}.service"
