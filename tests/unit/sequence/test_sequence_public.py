"""The public face: what `import hafta` costs and gives."""

import subprocess
import sys
from pathlib import Path

import pytest

import hafta

#: Dear to import (docs/architecture.md, section 2), and not needed by `import hafta`.
DEAR = ("argparse", "asyncio", "click", "dataclasses", "hafta.drivers", "hafta.engine", "hafta.sequence", "inspect",
        "json", "logging", "pathlib", "re", "subprocess", "systemd", "threading", "typing")  # fmt: skip
#: What a call of a plain sequence still does without.
STILL_DEAR = ("argparse", "asyncio", "click", "dataclasses", "inspect", "json", "logging", "pathlib", "re",
              "subprocess", "systemd", "typing")  # fmt: skip


def loaded_by(code, names):
    """Which of these modules a bare interpreter (without site, whose .pth files load things) has loaded after this."""
    home = str(Path(hafta.__file__).parent.parent)
    code = f"import sys\nsys.path.insert(0, {home!r})\n{code}\nprint(*sorted(set({names!r}) & set(sys.modules)))"
    child = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return child.stdout.split()


def test_importing_hafta_loads_nothing_that_is_dear():
    assert loaded_by("import hafta", DEAR) == []


def test_calling_a_sequence_that_succeeds_loads_little_more():
    code = """
import hafta
sequence = hafta.Sequence("s")
sequence.node(name="n")(lambda run: hafta.EXIT)
assert sequence.call()
"""
    assert loaded_by(code, STILL_DEAR) == []


def test_a_star_import_gives_the_public_names_and_no_others():
    names = {}
    exec("from hafta import *", names)
    assert set(names) - {"__builtins__"} == set(hafta.__all__)


def test_the_public_names_are_sorted_and_exist():
    assert hafta.__all__ == sorted(hafta.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert dir(hafta) == sorted(hafta.__all__)
    assert all(getattr(hafta, name) is not None for name in hafta.__all__)


def test_a_name_that_is_not_public_is_no_attribute():
    with pytest.raises(AttributeError, match=r"^module 'hafta' has no attribute 'nonsense'$"):
        hafta.nonsense  # noqa: B018 - looking it up is the test


def test_the_events_and_functions_are_the_members_of_their_enums():
    assert tuple(hafta.Function) == (hafta.NORMAL, hafta.ROLLBACK, hafta.POLICY)
    events = [kind for kind in hafta.Kind if kind.name in hafta.__all__]
    assert [getattr(hafta, kind.name) for kind in events] == events
    assert len(events) >= 5
