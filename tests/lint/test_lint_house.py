"""Names, versions and words that stand in more than one place agree."""

import ast
import importlib
import inspect
import tomllib
from pathlib import Path

import pytest

import hafta
from hafta.version import VERSION

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "hafta").rglob("*.py"))
PUBLIC = ("hafta", "hafta.policies", "hafta.testing")


def test_the_version_is_that_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION == hafta.__version__


def declared(file):
    """The names in `__all__` of a file, as they stand there."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value)
    return None


def in_order(name):
    """Constants, classes, the rest: as isort has it, and ruff's RUF022."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def test_every_list_of_public_names_is_sorted():
    lists = {str(file.relative_to(ROOT)): names for file in FILES if (names := declared(file)) is not None}
    assert "hafta/__init__.py" in lists
    assert {name for name, names in lists.items() if names != sorted(names, key=in_order)} == set()


@pytest.mark.parametrize("module", PUBLIC)
def test_each_public_name_is_explained_where_it_is_declared(module):
    home = importlib.import_module(module)
    public = {name: getattr(home, name) for name in home.__all__}
    silent = [
        name
        for name, value in public.items()
        if (inspect.isclass(value) or inspect.isfunction(value)) and not inspect.getdoc(value)
    ]
    assert silent == []


@pytest.mark.parametrize("module", PUBLIC)
def test_each_public_name_is_in_the_docs(module):
    text = "\n".join(file.read_text() for file in (ROOT / "docs").glob("*.md"))
    missing = [name for name in importlib.import_module(module).__all__ if name.strip("_") not in text]
    assert missing == []


def test_modules_begin_with_what_they_are_for_and_hold_annotations_back():
    lacking = []
    for file in FILES:
        tree = ast.parse(file.read_text())
        is_plain = file.name == "__init__.py" or not any(isinstance(node, ast.FunctionDef) for node in ast.walk(tree))
        if not ast.get_docstring(tree) or not (is_plain or "from __future__ import annotations" in file.read_text()):
            lacking.append(str(file.relative_to(ROOT)))
    assert lacking == []
