"""Conditions on the name of the machine, its kernel and its distribution."""

from __future__ import annotations

import os
import re

from hafta.units import amounts, envfile, words
from hafta.units.checks.compare import compare, take_operator
from hafta.units.checks.libc import FNM_CASEFOLD, fnmatch
from hafta.units.checks.reading import first_line
from hafta.units.files import read_text

_ID = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RELEASES = ("/etc/os-release", "/usr/lib/os-release")
_OPERATORS = "!<=>$"


def is_host(wanted: str) -> bool:
    """Answer for a machine id, or a pattern that the host's name matches."""
    if _ID.fullmatch(wanted):
        machine = first_line("/etc/machine-id")
        if not _ID.fullmatch(machine):
            raise ValueError("/etc/machine-id has none")
        return wanted.replace("-", "").lower() == machine.replace("-", "").lower()
    return fnmatch(wanted, os.uname().nodename, FNM_CASEFOLD)


def is_kernel_version(value: str) -> bool:
    """Compare the kernel's version: patterns, or operators with versions, all of which must hold."""
    release = os.uname().release
    at, is_first = 0, True
    while True:
        word, at = words.next_word(value, at, words.VARIABLES)
        if word is None:
            return True
        operator, wanted = take_operator(word.strip(words.WHITESPACE), patterns=True)
        wanted = wanted.lstrip(words.WHITESPACE)
        if not wanted and is_first:  # a blank may follow the first operator
            after, at = words.next_word(value, at, _RAW)
            wanted = after or ""
        if not wanted:
            raise ValueError("a version is missing")
        if not compare(operator or "$=", release, wanted):
            return False
        is_first = False


_RAW = words.STATUSES


def is_release(value: str) -> bool:
    """Compare fields of os-release(5): NAME OPERATOR VALUE without blanks, all of which must hold."""
    for word in words.split(value, words.VARIABLES):
        at = next((at for at, character in enumerate(word) if character in _OPERATORS), 0)
        operator, wanted = take_operator(word[at:], patterns=True)
        if not envfile.is_variable(word[:at]) or not operator or not wanted or wanted[0] in words.WHITESPACE:
            raise ValueError("NAME=VALUE is expected")
        if not compare(operator, _fields().get(word[:at], ""), wanted):
            return False
    return True


def _fields() -> dict[str, str]:
    path = next(filter(os.path.exists, _RELEASES), _RELEASES[-1])
    return dict(envfile.parse_file(read_text(path)))


def is_first_boot(value: str) -> bool:
    """Answer whether the machine runs for the first time, as the first process has noted it."""
    return os.path.exists("/run/systemd/first-boot") is amounts.boolean(value)
