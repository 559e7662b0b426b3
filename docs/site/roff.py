"""Man pages as Markdown: the part of roff that ours use. A word of roff that is not known here ends the build."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

REFERENCE = re.compile(r"<b>([\w.@-]+)(?:</b>)?\((\d)\)(?:</b>)?")
#: Tags, because Markdown's own signs cannot stand next to each other: --set=NAME in two fonts.
FONTS = {"B": ("<b>", "</b>"), "I": ("<i>", "</i>"), "R": ("", "")}
SPECIAL = {r"\-": "-", r"\(aq": "'", r"\(ha": "^", r"\(ti": "~", r"\&": "", r"\ ": " ", r"\e": "\\"}


class RoffError(Exception):
    """A page has a word of roff that is not known here."""


def markdown(text: str, pages: Collection[str]) -> str:
    """Return the page. What it says of other pages in `pages` becomes links. Raises RoffError."""
    lines = Lines(text)
    out = [block for block in lines.blocks() if block]
    page = "\n\n".join(out) + "\n"

    def link(match: re.Match[str]) -> str:
        name = f"{match[1]}.{match[2]}"
        return f"[{match[1]}({match[2]})]({name}.md)" if name in pages else match[0]

    return REFERENCE.sub(link, page)


class Lines:
    """The lines of a page, read one after the other into blocks of Markdown."""

    def __init__(self, text: str) -> None:
        self.lines = [line for line in text.splitlines() if not line.startswith('.\\"')]
        self.prose: list[str] = []
        self.depth = ""  # two spaces more inside of an item

    def blocks(self) -> Iterator[str]:
        """Yield headings, paragraphs, items and examples."""
        lines = iter(self.lines)
        for line in lines:
            word, _, rest = line.partition(" ")
            if not line.startswith("."):
                self.prose.append(inline(line))
            elif word in {".SH", ".SS", ".TH", ".PP", ".TP", ".TQ", ".EX"}:
                yield self.flush()
                yield self.begin(word, rest, lines)
            elif word == ".br":
                self.prose.append("\\")
            else:
                self.prose.append(fonts(word, rest))
        yield self.flush()

    def begin(self, word: str, rest: str, lines: Iterator[str]) -> str:
        """Return what begins with this word of roff."""
        if word == ".EX":
            return self.example(lines)
        if word in {".TP", ".TQ"}:
            head = next(lines)
            while head.startswith(".br"):
                head = next(lines)
            self.depth = "  "
            return f"- {fonts(*head.partition(' ')[::2]) if head.startswith('.') else inline(head)}"
        self.depth = ""
        titles = {".SH": "## ", ".SS": "### "}
        if word in titles:
            title = plain(rest).strip('"')
            return titles[word] + (title.capitalize() if word == ".SH" else title)
        return ""

    def flush(self) -> str:
        """Return the paragraph that ends here."""
        text, self.prose = "\n".join(self.depth + line for line in self.prose).replace("\n  \\\n", "\\\n"), []
        return text.replace("\n\\\n", "\\\n")

    def example(self, lines: Iterator[str]) -> str:
        """Return an example as a block of code."""
        found = []
        for line in lines:
            if line == ".EE":
                break
            found.append(self.depth + plain(re.sub(r"\\f[BIR]", "", line)))
        return "\n".join([f"{self.depth}```text", *found, f"{self.depth}```"])


def fonts(word: str, rest: str) -> str:
    """Return a line such as `.BR hafta (7)`. Raises RoffError."""
    letters = word[1:]
    if not letters or set(letters) - set(FONTS):
        raise RoffError(f"{word} is a word of roff that docs/site/roff.py does not know")
    parts = shlex.split(rest.replace("\\", "\\\\").replace("'", "\\'")) if len(letters) > 1 else [rest.strip('"')]
    both = [f"\\f{letters[number % len(letters)]}{part}" for number, part in enumerate(parts)]
    return inline("".join(both) + "\\fR")


def inline(line: str) -> str:
    """Return text with its fonts as tags."""
    found = []
    font = "R"
    for piece in re.split(r"(\\f[BIR])", line):
        if re.fullmatch(r"\\f[BIR]", piece):
            font = piece[-1]
            continue
        begin, end = FONTS[font] if piece else ("", "")
        found.append(f"{begin}{escape(plain(piece))}{end}")
    return "".join(found)


def plain(text: str) -> str:
    """Return the characters that roff would print. Raises RoffError."""

    def special(match: re.Match[str]) -> str:
        if match[0] not in SPECIAL:
            raise RoffError(f"{match[0]} is a word of roff that docs/site/roff.py does not know")
        return SPECIAL[match[0]]

    return re.sub(r"\\(\(..|.)", special, text)


def escape(text: str) -> str:
    """Return text that means nothing to Markdown."""
    return re.sub(r"([\\`*{}\[\]<>#|$~]|(?<!\w)_|_(?!\w))", r"\\\1", text)
