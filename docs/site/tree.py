"""The tree that Sphinx reads: the project's own pages, where they stand in the project, and what the code itself tells.

Links between pages are left as they are, because the tree has the shape of the project. What a forge shows and Sphinx
does not is rewritten: a link to a directory, a Mermaid diagram, a block whose word after ``` is not a language.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import library
import pictures
import tables

if TYPE_CHECKING:
    from pathlib import Path

#: The project's own pages.
PAGES = (
    "README.md", "CHANGELOG.md", "docs/*.md", "docs/howto/*.md", "docs/site/README.md", "examples/README.md",
    "examples/*/README.md",
)  # fmt: skip
#: The languages that Pygments knows, of those that our pages name.
LANGUAGES = {"python", "console", "ini", "sh", "text", "json", "yaml", "toml"}
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", flags=re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
FENCE = re.compile(r"^```([^\n`]+)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


class TreeError(Exception):
    """A page has a link that leads nowhere."""


def write(root: Path, output: Path) -> None:
    """Write the tree below `output`. Raises TreeError for a link that leads nowhere."""
    for pattern in PAGES:
        for page in sorted(root.glob(pattern)):
            place = output / page.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            text = blocks(linked(root, page, page.read_text(), output), place)
            if page.parent.name == "howto" and page.name == "README.md":
                text += contents(page.parent)
            place.write_text(text)
    site = root / "docs/site"
    for page in sorted(site.glob("pages/*.md")):
        shutil.copy(page, output / page.name)
    with (output / "index.md").open("a") as index:
        index.write(unlisted(root, (site / "pages/index.md").read_text()))
    for name, text in {**library.pages(root), **tables.pages(root)}.items():
        place = output / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def unlisted(root: Path, index: str) -> str:
    """Return the part of the contents for pages that nobody has put under a heading: a new page is on the site, too."""
    pages = [f"docs/{page.stem}" for page in sorted(root.glob("docs/*.md"))]
    missing = [page for page in pages if not re.search(rf"^{page}$", index, re.MULTILINE)]
    return "\n".join(["", "```{toctree}", ":caption: More", ":hidden:", "", *missing, "```", ""]) if missing else ""


def contents(folder: Path) -> str:
    """Return what makes the other pages of a folder chapters of its first one."""
    names = sorted(page.stem for page in folder.glob("*.md") if page.name != "README.md")
    return "\n".join(["", "```{toctree}", ":hidden:", "", *names, "```", ""])


def linked(root: Path, page: Path, text: str, output: Path) -> str:
    """Return the text with links to directories as links to their pages; other files that it names go along."""

    def link(match: re.Match[str]) -> str:
        begin, target, anchor, end = match.groups(default="")
        if "://" in target:
            return match[0]
        there = (page.parent / target).resolve()
        if there.is_dir():
            target, there = f"{target.rstrip('/')}/README.md", there / "README.md"
        if not there.is_file() or not there.is_relative_to(root):
            raise TreeError(f"{page.relative_to(root)}: nothing stands at {match[2]}")
        if there.suffix != ".md":
            copy = output / there.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(there, copy)
        return f"{begin}{target}{anchor}{end}"

    return outside_code(text, lambda prose: LINK.sub(link, prose))


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Return the text with this change made to all of it but code."""
    parts, end = [], 0
    for code in CODE.finditer(text):
        parts += [change(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, change(text[end:])])


def blocks(text: str, place: Path) -> str:
    """Return the text with diagrams as pictures, and the names of files over the blocks that have them."""
    number = 0

    def block(match: re.Match[str]) -> str:
        nonlocal number
        word = match[1].strip()
        if word == "mermaid":
            number += 1
            picture = place.with_name(f"{place.stem}-{number}.svg")
            drawn = pictures.drawn(match[2])
            picture.write_text(drawn.svg)
            return f"![{drawn.label}]({picture.name})"
        if word in LANGUAGES or word.startswith("{"):
            return match[0]
        return f"`{word}`:\n\n```ini\n{match[2]}```"

    return FENCE.sub(block, text)


if TYPE_CHECKING:
    from collections.abc import Callable
