"""The runner of mutants: which mistakes it makes, and that it tells those that tests notice from the others."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from operators import mutate, sites  # noqa: E402 - from beside this


def mutants_of(source):
    return [mutate(source, number)[4] for number in range(len(list(sites(ast.parse(source)))))]


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("a = b < c", ["a = b <= c"]),
        ("a = b is c and d", ["a = b is c or d", "a = b is not c and d"]),
        ("a = not b", ["a = b"]),
        ("a = b + 1", ["a = b - 1", "a = b + 2"]),
        ("a += True", ["a -= True", "pass", "a += False"]),
        ("self.a = b", ["pass"]),
        ("del a", ["pass"]),
        ("raise Wrong('text')", ["pass"]),
        ("f(a, b, k=c)", ["pass", "f(b, a, k=c)"]),
        ("f(a, a, *b)", ["pass"]),
        ("max(a, b)", ["pass"]),
        ("a['key'] = 'text'", ["pass", "a['keyx'] = 'text'"]),
        ("if a:\n    b()", ["if not a:", "pass"]),
        ("while True:\n    continue", ["while False:", "break"]),
        ("def f(x=1):\n    return x", ["def f(x=2):", "return None"]),
        ("a = b if c else d", ["a = b if not c else d"]),
    ],
)
def test_a_statement_has_these_mutants(source, mutants):
    assert mutants_of(source) == mutants


@pytest.mark.parametrize(
    "source",
    [
        "'''A text.'''",
        "def f() -> list[1]:\n    '''A text.'''\n    return None",
        "a: list[1]",
        "assert a == 1",
        "if TYPE_CHECKING:\n    a = 1",
        "TYPE_CHECKING = False",
        "__all__ = ['a', 'b'][1:]",
        "a = f'{b + 1:1}'",
        "from a import b",
        "@f(1, 2)\ndef g(): ...",
    ],
)
def test_what_no_program_acts_on_has_none(source):
    assert mutants_of(source) == []


ENGINE = """def sign(n):
    if n < 0:
        return -1
    return 1


def count(n):
    while n > 0:
        n -= 1
"""
TEST = """from hafta.engine.numbers import count, sign


def test_signs():
    assert (sign(-3), sign(3)) == (-1, 1)


def test_counting_ends():
    count(3)
"""


def test_a_run_tells_what_is_killed_what_hangs_and_what_survives_and_remembers_it(tmp_path):
    files = dict.fromkeys(["hafta/__init__.py", "hafta/errors.py", "hafta/engine/__init__.py"], "")
    files |= {"hafta/engine/numbers.py": ENGINE, "tests/unit/engine/test_numbers.py": TEST}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    command = [sys.executable, str(HERE), "--count", "all", "--patience", "0.3", "--root", str(tmp_path), "engine"]
    done = [subprocess.run(command, capture_output=True, text=True, timeout=120, check=False) for _ in range(2)]
    row = "all                                           11       4         2         5  54.5%"
    assert [row in one.stdout for one in done] == [True, True], done[0].stdout + done[0].stderr
    assert "running the tests" not in done[1].stdout
    survivors = (tmp_path / "build" / "mutants.txt").read_text()
    assert "numbers.py:2 comparison (number 0)\n-    if n < 0:\n+    if n <= 0:" in survivors
    assert {
        file for file in tmp_path.rglob("*.py") if file.read_text() != files[str(file.relative_to(tmp_path))]
    } == set()
