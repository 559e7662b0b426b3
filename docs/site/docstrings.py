"""Docstrings and the comments of fields as Markdown: they are prose with `code`, lists of parameters, and examples."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
import tokenize
from io import StringIO
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PARAMETER = re.compile(r"`[^`]+`(, `[^`]+`)*: ")


def markdown(text: str) -> str:
    """Return a docstring as Markdown: paragraphs that are Python as code, lines that explain a parameter as a list."""
    return "\n\n".join(map(_paragraph, inspect.cleandoc(text).split("\n\n")))


def _paragraph(text: str) -> str:
    if is_code(text):
        return f"```python\n{textwrap.dedent(text)}\n```"
    lines = text.splitlines()
    if not any(PARAMETER.match(line) for line in lines):
        return escape(text)
    out = ["- " + lines[0] if PARAMETER.match(lines[0]) else lines[0]]
    for before, line in pairwise(lines):
        if PARAMETER.match(line) and before.endswith((".", ")", ":", ";")):
            out.append(("" if out[-1].startswith(("- ", "  ")) else "\n") + "- " + line)
        elif re.match(r"[A-Z]", line) and before.endswith("."):
            out.append("\n" + line)
        else:
            out.append(("  " if out[-1].startswith(("- ", "  ", "\n- ")) else "") + line)
    return escape("\n".join(out))


def is_code(text: str) -> bool:
    """Whether a paragraph is Python and not prose; a word or two would be both."""
    try:
        tree = ast.parse(textwrap.dedent(text))
    except SyntaxError:
        return False
    return any(not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in tree.body)


def escape(text: str) -> str:
    """Return prose in which only `code` means something to Markdown."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([<>*\[\]|$]|__)", r"\\\1", part) for part in parts)


def comments(cls: type) -> dict[str, str]:
    """Return field -> the comment behind it, in the class body and in `__init__`; a member of an enum is one, too."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("hafta"):
            found.update(_comments(base))
    return found


def _comments(cls: type) -> dict[str, str]:
    source = textwrap.dedent(inspect.getsource(cls))
    behind = dict(_behind(source))
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AnnAssign | ast.Assign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            name = target.id if isinstance(target, ast.Name) else getattr(target, "attr", "")
            if name and not name.startswith("_") and node.end_lineno in behind:
                found.setdefault(name, behind[node.end_lineno])
    return found


def _behind(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, comment)."""
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith(("# noqa", "# type:", "# fmt")):
            yield token.start[0], token.string.lstrip("#: ")


def constant(home: str, name: str) -> str:
    """Return what the comment over a constant of a module (`#: ...`), or behind it, says."""
    lines = inspect.getsource(sys.modules[home]).splitlines()
    for number, line in enumerate(lines):
        if re.match(rf"{name}\b.* = ", line):
            over: list[str] = []
            while lines[number - 1].startswith("#: "):
                number -= 1  # noqa: PLW2901  up to where it begins
                over.insert(0, lines[number][3:])
            return " ".join(over) or line.partition("  # ")[2]
    return ""


def fields(cls: type) -> list[str]:
    """Return the fields of a record, or the attributes that are named as what the class is made with."""
    if found := getattr(cls, "_fields", ()):
        return list(found)
    slots = {name for base in cls.__mro__ for name in getattr(base, "__slots__", ())}
    return [name for name in inspect.signature(cls).parameters if name in slots] if slots else []
