r"""fnmatch(3) and glob(3) of the C library, which is what systemd asks: Python's have other rules for \ and [^a]."""

from __future__ import annotations

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_NO_MATCH = 1
FNM_CASEFOLD = 1 << 4
_GLOB_NOSORT = 1 << 2
_GLOB_BRACE = 1 << 10
_GLOB_NOMATCH = 3
_GLOB_ABORTED = 2


class _Found(ctypes.Structure):
    """A glob_t: how it begins everywhere, and room for the rest of it."""

    _fields_ = (
        ("count", ctypes.c_size_t),
        ("paths", ctypes.POINTER(ctypes.c_char_p)),
        ("rest", ctypes.c_char * 256),
    )


def fnmatch(pattern: str, text: str, flags: int = 0) -> bool:
    """Tell whether a text matches a pattern. Raises ValueError if the C library cannot say."""
    answer = _LIBC.fnmatch(_bytes(pattern), _bytes(text), flags)
    if answer not in {0, _NO_MATCH}:
        raise ValueError(f"{pattern} cannot be matched")
    return bool(answer == 0)


def glob_exists(pattern: str) -> bool:
    """Tell whether a path matches a pattern. The entries . and .. of a directory do not count."""
    found = _Found()
    answer = _LIBC.glob(_bytes(pattern), _GLOB_NOSORT | _GLOB_BRACE, None, ctypes.byref(found))
    try:
        if answer not in {0, _GLOB_NOMATCH, _GLOB_ABORTED}:
            raise MemoryError
        paths = (found.paths[at] or b"" for at in range(found.count if answer == 0 else 0))
        return any(not {b".", b".."}.intersection(path.split(b"/")) for path in paths)
    finally:
        _LIBC.globfree(ctypes.byref(found))


def _bytes(text: str) -> bytes:
    found = os.fsencode(text)
    if b"\0" in found:
        raise ValueError("it has a NUL byte")
    return found
