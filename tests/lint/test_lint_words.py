"""Words that make a reader stop are not used: in docstrings, comments and messages, in docs, man pages and the catalog.

They are grammatical, or were a name for something else here. But a person who reads them at night, or in a second
language, reads them twice. The pattern finds the word; the comment says what to write.
"""

import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Word: what finds it. Blanks also match ends of lines.
WORDS = {
    "mend": r"\bmend(s|ed|ing)?\b",  # repair, fix, correct
    "anew": r"\banew\b",  # again, from the beginning
    "whoever": r"\bwho(so)?ever\b",  # anyone who; or name them
    "is no": r"(?P<fine>\bthere )?\b(is|was) no (?!longer\b|more\b)",  # is not a; "there is no" is fine
    "so many": r"\bso many\b",  # how many, the number
    "tell of": r"\b(tells?|telling|told) of\b",  # describe, report, say
    "of its own": r"\bof (its|ones?'?s?|his|their|my) own\b(?! accord)",  # its own ...
    "is said": r"\b(is|are) said\b",  # says, is reported
    "will have": r"\bwill have\b",  # has
    "beside it": r"\bbeside (it|them|that)\b",  # next to it; besides
    "take up": r"\b(take|takes|taken|taking|took) (\w+ )?up\b(?! to\b)",  # rerun, resume
    "ledger": r"ledger",  # recorder
    "book": r"\b(the|a) book\b",  # call record
}
FOUND = {word: re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE) for word, pattern in WORDS.items()}
#: Parts of identifiers that were names for something else here.
NAMES = re.compile(r"(?:^|_)(ledger|book|tak(?:e|es|en|ing)_up)(?=_|$)", re.IGNORECASE)

#: Rightful uses: (file, word): why.
RIGHTFUL = {
    ("examples/ha/README.md", "ledger"): "a table of the example",
    ("examples/ingest/README.md", "ledger"): "a file of the example",
}


def texts():
    """Yield every file that people read, by its path in the project."""
    patterns = ("hafta/**/*.py", "docs/**/*.md", "*.md", "examples/**/*.md", "units/*", "packaging/man/*")
    for pattern in patterns:
        for file in sorted(ROOT.glob(pattern)):
            yield str(file.relative_to(ROOT))


def words_of(source):
    """Return Python source with everything blotted out but strings and comments, line by line as it was."""
    lines = [re.sub(r"\S", "\0", line) for line in source.splitlines(keepends=True)]
    given = source.splitlines(keepends=True)
    for token in tokenize.generate_tokens(iter(given).__next__):
        if token.type == tokenize.COMMENT or "STRING" in tokenize.tok_name[token.type]:
            (first, start), (last, end) = token.start, token.end
            for number in range(first, last + 1):
                line = given[number - 1]
                left, right = start if number == first else 0, end if number == last else len(line)
                lines[number - 1] = lines[number - 1][:left] + line[left:right] + lines[number - 1][right:]
    return re.sub(r"(?m)^(\s*)#:?", r"\1", "".join(lines))


def names_of(source):
    """Yield (line, identifier) of Python source."""
    for token in tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__):
        if token.type == tokenize.NAME:
            yield token.start[0], token.string


def unwanted(name, source):
    """Return what is wrong in a text, as "line: word: what stands there"."""
    is_python = name.endswith(".py")
    text = words_of(source) if is_python else source
    found = []
    for word, pattern in FOUND.items():
        for match in pattern.finditer(text):
            if match.groupdict().get("fine"):
                continue
            around = " ".join(text[max(0, match.start() - 30) : match.end() + 30].replace("\0", "").split())
            found.append((text.count("\n", 0, match.start()) + 1, word, around))
    if is_python:
        found += [(line, name[1], called) for line, called in names_of(source) if (name := NAMES.search(called))]
    return sorted(found)


@pytest.mark.parametrize("name", [*texts()])
def test_no_word_makes_a_reader_stop(name):
    found = unwanted(name, (ROOT / name).read_text())
    assert [f"{name}:{line}: {word}: {around}" for line, word, around in found if (name, word) not in RIGHTFUL] == []


def test_every_rightful_use_is_still_one():
    found = {(name, word) for name, _ in RIGHTFUL for _, word, _ in unwanted(name, (ROOT / name).read_text())}
    assert set(RIGHTFUL) - found == set()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('"""Nobody mends\n    it."""\n', ["mend"]),
        ("# It begins\n# anew.\n", ["anew"]),
        ("x = f'{x!r} is no node'  # there is no node; it is no longer one\n", ["is no"]),
        ('x = "a file of its own, a pipe of one\'s own"\n', ["of its own", "of its own"]),
        ("anew = whoever = 'fine'\n", []),
        ("self._ledger = take_up\n", ["ledger", "take_up"]),
        ("'it takes all up; it takes up to 5 s'\n", ["take up"]),
    ],
)
def test_the_reader_sees_strings_comments_and_names(source, words):
    assert [word for _, word, _ in unwanted("x.py", source)] == words
