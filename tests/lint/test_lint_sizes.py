"""Short functions, files of a readable length: the limits of the house's style, with every exception named."""

import ast
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "hafta").rglob("*.py"))

FILE = 300
#: Why a file may be longer.
LONGER = {
    "hafta/engine/machine.py": 420,  # the rules and what carries them out, in one place on purpose
}


def lines_of_functions():
    found = {}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                where = f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"
                found[where] = (node.end_lineno or node.lineno) - node.lineno + 1
    return found


def test_no_function_is_over_60_lines():
    assert {where: lines for where, lines in lines_of_functions().items() if lines > 60} == {}


def test_nine_functions_of_ten_are_under_30_lines_and_the_median_is_about_7():
    lines = list(lines_of_functions().values())
    assert len(lines) > 100
    assert quantiles(lines, n=10)[-1] < 30
    assert median(lines) <= 8


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_is_at_most_300_lines(file):
    name = str(file.relative_to(ROOT))
    assert len(file.read_text().splitlines()) <= LONGER.get(name, FILE)


def test_every_exception_is_still_one():
    assert [name for name in LONGER if len((ROOT / name).read_text().splitlines()) <= FILE] == []
