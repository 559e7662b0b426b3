"""The names of files: which file holds which record, and in which directory."""

from __future__ import annotations

import os

from hafta import directories
from hafta.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "hafta-"
SUFFIX = ".checkpoint"
LONGEST = 200  # of the 255 bytes that a file name may have: the temporary name of a file is longer than its real name

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def file_name(sequence: str, instance: str = "") -> str:
    """Return the name of the file of a sequence instance. Raises StoreError of kind "name"."""
    if not sequence:
        raise StoreError("a sequence without a name has no record", "name it: Sequence('NAME')", kind="name")
    name = PREFIX + escape(sequence) + ("@" + escape(instance) if instance else "") + SUFFIX
    if len(name) > LONGEST:
        shown = f"{sequence}@{instance}"[:40]
        hint = "use a shorter name; each byte other than A-Z a-z 0-9 . _ - needs three bytes"
        raise StoreError(f"the name {shown!r}... needs {len(name)} bytes of at most {LONGEST}", hint, kind="name")
    return name


def parse(name: str) -> tuple[str, str] | None:
    """Return sequence and instance of a file, or None where it is not one of ours."""
    if not (name.startswith(PREFIX) and name.endswith(SUFFIX)):
        return None
    sequence, _, instance = name[len(PREFIX) : -len(SUFFIX)].partition("@")
    try:
        found = unescape(sequence), unescape(instance)
        return found if file_name(*found) == name else None
    except (ValueError, StoreError):
        return None


def escape(text: str) -> str:
    """Return the text with %XX for every byte of its UTF-8 that is not plain."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def unescape(text: str) -> str:
    """Undo `escape`. Raises ValueError for a text that `escape` does not return."""
    first, *rest = text.split("%")
    parts = [first.encode(), *(bytes.fromhex(part[:2]) + part[2:].encode() for part in rest)]
    return b"".join(parts).decode("utf-8", "surrogatepass")


def temporary_name(name: str, pid: int, tick: int) -> str:
    """Return a name that no other creator of this file uses."""
    return f".{name}.{pid}-{tick}.new"


def is_temporary(entry: str, name: str) -> bool:
    """Tell whether a directory entry is a temporary file for `name`."""
    middle = entry[len(name) + 2 : -len(".new")]
    return entry.startswith(f".{name}.") and entry.endswith(".new") and middle.replace("-", "", 1).isdigit()


def directory(environ: Mapping[str, str]) -> str:
    """Return the directory of records: the one that systemd gives, else one in the user's XDG state directory.

    Raises StoreError of kind "name".
    """
    for variable in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
        first = directories.first(environ.get(variable, ""))
        if first.startswith("/"):
            return first
    state = environ.get("XDG_STATE_HOME", "")
    if state.startswith("/"):  # the XDG specification: a relative path is to be ignored
        return os.path.join(state, "hafta")
    home = environ.get("HOME", "") or _home()
    if not home.startswith("/"):
        hint = "set STATE_DIRECTORY (StateDirectory= in the unit) or HOME"
        raise StoreError("there is no directory to keep checkpoints in", hint, kind="name")
    return os.path.join(home, ".local", "state", "hafta")


def _home() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return ""
