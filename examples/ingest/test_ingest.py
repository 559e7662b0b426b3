"""The rows of each file are in the ledger once, and each file is in one place, wherever the process is ended.

Run it with `python3 -m pytest` in this directory.
"""

from itertools import count

import pytest
from ingest import Data, append, ingest

import hafta
from hafta.settings import Values
from hafta.testing import FakeRuntime, Violated, crash_everywhere

FOLDERS = ("incoming", "work", "done", "bad")


class World:
    """What outlives a process: the folders, and the ledger."""

    def __init__(self, home, **files):
        (home / "incoming").mkdir(parents=True)
        home.chmod(0o700)
        self.home = home
        self.processes = []
        for name, text in files.items():
            (home / "incoming" / name).write_text(text)

    def data(self):
        self.processes.append(Data(Values({"state": str(self.home), "pause": 1, "ledger": ""})))
        return self.processes[-1]

    def names(self, folder):
        return sorted(path.name for path in (self.home / folder).iterdir())

    @property
    def rows(self):
        path = self.home / "ledger.csv"
        return path.read_text().splitlines() if path.exists() else []

    def end(self):
        for process in self.processes:
            if process.ledger.file is not None:
                process.ledger.file.close()


@pytest.fixture
def make(tmp_path):
    """Make worlds, and end them after the test."""
    made, numbers = [], count()

    def make(**files):
        made.append(World(tmp_path / str(next(numbers)), **files))
        return made[-1]

    yield make
    for world in made:
        world.end()


def test_a_file_that_cannot_be_read_is_set_aside_and_nothing_of_it_is_in_the_ledger(make):
    world = make(monday="t1,08:00,21.5\n", tuesday="t1,08:00,1\nt1,08:00,warm\n")
    data = world.data()
    assert [ingest.call(data, runtime=FakeRuntime()).failures for _ in range(2)] == [0, 5]
    assert [world.names(folder) for folder in FOLDERS] == [[], [], ["monday"], ["tuesday"]]
    assert world.rows == ["t1,08:00,21.5"]


MANY = {f"file{number:02}": f"{number},08:00,1.0\n{number},09:00,2.0\n" for number in range(12)}


def each_file_is_in_one_place(world):
    assert sorted(name for folder in FOLDERS for name in world.names(folder)) == [*MANY]
    assert len(set(world.rows)) == len(world.rows)


def the_ledger_has_the_rows_of_what_is_done(world, result):
    assert result
    each_file_is_in_one_place(world)
    assert "".join(f"{row}\n" for row in world.rows) == "".join(MANY[name] for name in world.names("done")) != ""


def crash(make, **how):
    return crash_everywhere(
        ingest, world=lambda: make(**MANY), data=World.data, always=each_file_is_in_one_place,
        invariant=the_ledger_has_the_rows_of_what_is_done,
        checkpoints=lambda store, data: hafta.Checkpoints(store, keep=data.kept), **how,
    )  # fmt: skip


@pytest.mark.parametrize("kill", [False, True])
def test_wherever_it_dies_each_row_is_in_the_ledger_once(make, kill):
    report = crash(make, kill=kill)
    assert report.succeeded == report.cuts > 20


def test_without_its_undo_the_same_test_finds_rows_twice(make, monkeypatch):
    monkeypatch.setattr(append, "rollback_function", None)
    with pytest.raises(Violated, match="after a process was"):
        crash(make)
