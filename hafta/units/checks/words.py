"""Conditions that look for a word: on the kernel's command line, in the environment, among the credentials."""

from __future__ import annotations

import os

from hafta.units import words
from hafta.units.checks.reading import content
from hafta.units.checks.virtualization import find_container

#: A backslash stands for itself in no word of it, and the end closes a quote.
_COMMAND_LINE = words.VALUE
_LONGEST_NAME = 255


def kernel_command_line() -> list[str]:
    """Return the words of the kernel's command line: in a container, those of its first process, as systemd has it."""
    if find_container():
        line = content("/proc/1/cmdline").rstrip("\0").replace("\0", " ")
    else:
        line = content("/proc/cmdline").rstrip("\n")
    return words.split(line, _COMMAND_LINE)


def is_on_kernel_command_line(wanted: str) -> bool:
    """Tell whether the kernel has been given a word; with `=`, this very one, else one of this name."""
    return _is_among(wanted, kernel_command_line())


def is_in_environment(wanted: str) -> bool:
    """Tell whether a variable is set; with `=`, to this value."""
    return _is_among(wanted, [f"{name}={value}" for name, value in os.environ.items()])


def _is_among(wanted: str, found: list[str]) -> bool:
    if "=" in wanted:
        return wanted in found
    return any(word.startswith(wanted) and word[len(wanted) : len(wanted) + 1] in {"", "="} for word in found)


def has_credential(name: str) -> bool:
    """Tell whether the overlord itself was given a credential of this name."""
    good = name not in {"", ".", ".."} and "/" not in name and len(name) <= _LONGEST_NAME and name.isprintable()
    folders = [os.environ.get(each, "") for each in ("CREDENTIALS_DIRECTORY", "ENCRYPTED_CREDENTIALS_DIRECTORY")]
    return good and any(folder and os.path.lexists(os.path.join(folder, name)) for folder in folders)
