"""The reference of the library: a page for each public module, from its docstrings, signatures and comments."""

from __future__ import annotations

import importlib
import inspect
import re
from enum import Enum
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any

import docstrings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODULES = ("hafta", "hafta.policies", "hafta.service", "hafta.stores", "hafta.testing")
LONGEST = 24  # lines of an example
#: Where constants are defined that are not words of the engine.
CONSTANTS = {
    "FOREVER": ("hafta.policies.attempts", "FOREVER"),
    "Outcome": ("hafta.drivers.functions", "Outcome"),
    "__version__": ("hafta.version", "VERSION"),
}


class SilentError(Exception):
    """A public name has no words that say what it means."""


def pages(root: Path) -> dict[str, str]:
    """Return reference/MODULE.md -> text. Raises SilentError."""
    examples = Examples(root)
    return {f"reference/{module}.md": page(module, examples) for module in MODULES}


def page(module: str, examples: Examples) -> str:
    """Return the page of a module."""
    home = importlib.import_module(module)
    parts = [f"# {module}", docstrings.markdown(home.__doc__ or ""), f"```{{py:module}} {module}\n```"]
    order = sorted(home.__all__, key=lambda name: (kind(getattr(home, name)), name.strip("_").lower()))
    heading = ""
    for name in order:
        value = getattr(home, name)
        if kind(value) != heading:
            heading = kind(value)
            parts.append(f"## {heading[2:]}")
        parts.append(entry(module, name, value, examples))
    return "\n\n".join(parts) + "\n"


def kind(value: Any) -> str:
    """Return under which heading something stands; the digit is the order."""
    if inspect.isclass(value):
        if issubclass(value, BaseException):
            return "3 Errors"
        return "1 Classes" if not issubclass(value, Enum) else "4 Words"
    return "2 Functions" if inspect.isfunction(value) else "4 Words"


def entry(module: str, name: str, value: Any, examples: Examples) -> str:
    """Return what the page says of one name. Raises SilentError."""
    words = meaning(name, value)
    if not words:
        raise SilentError(f"{module}.{name} has no docstring, or comment, that says what it means")
    body = [words]
    if inspect.isclass(value):
        body += members(value)
    body += examples.of(name)
    what = "class" if inspect.isclass(value) else "function" if inspect.isfunction(value) else "data"
    if inspect.isclass(value) and issubclass(value, BaseException):
        what = "exception"
    shown = "" if what == "data" or (inspect.isclass(value) and issubclass(value, Enum)) else signature(value)
    return directive(4, f"py:{what}", f"{name}{shown}", "\n\n".join(body))


def meaning(name: str, value: Any) -> str:
    """Return the docstring, or for a constant the comment where it is defined; empty if there is none."""
    if inspect.isclass(value) or inspect.isfunction(value):
        own = value.__doc__ if inspect.isfunction(value) or "__doc__" in vars(value) else ""
        return docstrings.markdown(own or "")
    if isinstance(value, Enum):
        text = docstrings.comments(type(value)).get(value.name, "")
        return docstrings.escape(f"The same as `{type(value).__name__}.{value.name}`: {text}.") if text else ""
    return docstrings.escape(docstrings.constant(*CONSTANTS.get(name, ("hafta.engine.words", name))))


def members(cls: type) -> Iterator[str]:
    """Yield what objects of a class have: members of an enum, fields with their meaning, methods that have words."""
    comments = docstrings.comments(cls)
    if issubclass(cls, Enum):
        yield from (field(member.name, comments.get(member.name, "")) for member in cls)
        return
    shown = [name for name in docstrings.fields(cls) if comments.get(name)]
    yield from (field(name, comments[name]) for name in shown)
    for name, member in sorted(methods(cls).items()):
        if isinstance(member, property) and name not in shown:
            yield directive(3, "py:property", name, docstrings.markdown(member.__doc__ or ""))
        elif inspect.isfunction(member):
            yield directive(
                3, "py:method", name + signature(member, method=True), docstrings.markdown(member.__doc__ or "")
            )


def methods(cls: type) -> dict[str, Any]:
    """Return the public members that have a docstring, without what every error, record and policy inherits."""
    from hafta.frozen import Frozen
    from hafta.policies.policy import Policy

    everywhere = {*dir(Frozen), *dir(Exception), *(dir(Policy) if cls is not Policy else ())}
    if issubclass(cls, Policy) and cls is not Policy:
        everywhere |= HOOKS
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("hafta"):
            found.update(vars(base))
    return {
        name: member
        for name, member in found.items()
        if not name.startswith("_") and name not in everywhere
        and not isinstance(member, MemberDescriptorType) and getattr(member, "__doc__", None)
    }  # fmt: skip


#: What a policy defines for the chain that it stands in: its user never calls it.
HOOKS = {"admit", "late", "limit", "notice", "parts", "refine", "wait", "then", "verdict", "about", "grants", "holds"}


def field(name: str, words: str) -> str:
    """Return one field."""
    return directive(3, "py:attribute", name, docstrings.escape(words[:1].upper() + words[1:]) if words else "")


class Bare:
    """An annotation, as it stands in the source."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def signature(value: Any, *, method: bool = False) -> str:
    """Return how it is called. Verdicts have their names, and annotations stand as in the source."""
    try:
        found = inspect.signature(value)
    except ValueError:  # an error without an __init__ of its own takes a message
        return ""
    parameters = [bare(one) for number, one in enumerate(found.parameters.values()) if number or not method]
    returns = found.return_annotation
    end = Bare(returns) if isinstance(returns, str) and not inspect.isclass(value) else inspect.Signature.empty
    text = str(found.replace(parameters=parameters, return_annotation=end))
    assert " at 0x" not in text, text
    return text


def bare(parameter: inspect.Parameter) -> inspect.Parameter:
    """Return a parameter whose default and annotation can be read."""
    from hafta.engine.words import Verdict

    kept = parameter
    if isinstance(parameter.annotation, str):
        kept = kept.replace(annotation=Bare(parameter.annotation))
    if isinstance(parameter.default, Verdict):
        kept = kept.replace(default=Bare(parameter.default.act.name))
    elif callable(parameter.default) and parameter.default is not parameter.empty:
        kept = kept.replace(default=Bare(parameter.default.__name__))
    return kept


def directive(fence: int, name: str, argument: str, body: str) -> str:
    """Return a directive of MyST."""
    marks = "`" * (fence + 1)
    return f"{marks}{{{name}}} {argument}\n{body}\n{marks}"


class Examples:
    """The blocks of code of our pages, which the tests run: the shortest one that uses a name is its example."""

    def __init__(self, root: Path) -> None:
        self.blocks: list[tuple[str, str]] = []
        for page in [root / "README.md", *sorted(root.glob("docs/*.md")), *sorted(root.glob("docs/howto/*.md"))]:
            place = str(page.relative_to(root))
            self.blocks += [(place, code) for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)]
        self.blocks.sort(key=lambda block: block[1].count("\n"))

    def of(self, name: str) -> list[str]:
        """Return what leads to the example of a name, and the example if it is short; nothing if there is none."""
        used = re.compile(rf"\b{name}\b(?!\s*=[^=])")
        for place, code in self.blocks:
            if used.search(re.sub(r'"""(.*?)"""|#[^\n]*|"[^"\n]*"', "", code, flags=re.DOTALL)):
                source = f"Example, from [{place}](../{place}):"
                return [source, f"```python\n{code}```"] if code.count("\n") <= LONGEST else [f"{source[:-1]}."]
        return []
