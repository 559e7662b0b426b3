"""The page about testing shows what works: its tests are run as they stand there."""

import itertools
import re
from pathlib import Path

import pytest
from durable_support import power

from hafta.testing import Violated, crash_everywhere

PAGE = Path(__file__).parents[3] / "docs" / "testing.md"


@pytest.fixture
def shown():
    """The names that the blocks of the page define."""
    names = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    return names


@pytest.fixture
def make_folder(tmp_path):
    numbers = itertools.count()

    def make():
        folder = tmp_path / str(next(numbers))
        (folder / "in").mkdir(parents=True)
        (folder / "out").mkdir()
        for name in ("a", "b"):
            (folder / "in" / name).touch()
        return folder

    return make


def test_the_test_with_a_fake_runtime(shown, make_folder):
    shown["test_a_full_disk_is_waited_for"](make_folder())


def test_the_test_with_crashes(shown, make_folder):
    shown["test_wherever_it_dies"](make_folder)


@pytest.mark.parametrize("options", [{"kill": True}, {"times": 3}, {"power_cut": True, "checkpoints": power}])
def test_the_options_of_the_table(shown, make_folder, options):
    crash_everywhere(
        shown["mover"], world=make_folder, data=shown["Data"], invariant=shown["all_is_moved"],
        always=shown["each_file_is_in_one_place"], **options,
    )  # fmt: skip


def test_it_tells_where_a_careless_one_broke(shown, make_folder):
    shown["move"].rollback_function = None
    with pytest.raises(Violated, match=r"after a process was ended at cut \d+, "):
        crash_everywhere(
            shown["mover"], world=make_folder, data=shown["Data"], invariant=shown["all_is_moved"],
            always=shown["each_file_is_in_one_place"], times=5,
        )  # fmt: skip


def test_the_store_of_ones_own_keeps_the_promises(shown):
    suite = shown["TestMyStore"]()
    promises = [name for name in dir(suite) if name.startswith("test_")]
    assert len(promises) > 10
    for name in promises:
        getattr(suite, name)()
