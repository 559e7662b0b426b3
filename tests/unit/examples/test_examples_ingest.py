"""examples/ingest: killed anywhere, and at the end each file is in one place and its rows are there once."""

import os
import random
import runpy
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from example_support import Shell, hold_transcript
from processes import PATIENCE, Child

import hafta
from hafta.durable.codec import position
from hafta.engine.resume import ENDED
from hafta.observe.sources import records
from hafta.settings import Values
from hafta.stores import FileStore
from hafta.stores.protocol import Store
from hafta.testing import FakeRuntime, Violated, crash_everywhere
from hafta.testing.crash import Report

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "examples" / "ingest" / "ingest.py"
EXAMPLE = runpy.run_path(str(PROGRAM), run_name="ingest")
INGEST: hafta.Sequence = EXAMPLE["ingest"]
FOLDERS = ("incoming", "work", "done", "bad")


def test_the_transcript_is_what_it_prints(tmp_path: Path):
    shutil.copytree(PROGRAM.parent, tmp_path / "here")
    hold_transcript(Shell(tmp_path), "ingest")


def rows(name: str, number: int = 3) -> str:
    return "".join(f"{name},{index},{index}.5\n" for index in range(number))


def make_home(home: Path, **files: str) -> Path:
    (home / "incoming").mkdir(parents=True)
    home.chmod(0o700)
    for name, text in files.items():
        (home / "incoming" / name).write_text(text)
    return home


def data(home: Path) -> Report:
    return EXAMPLE["Data"](Values({"state": str(home), "pause": 0.001, "ledger": ""}))


def places(home: Path) -> dict[str, str]:
    """Return where each file is; one that is in two places fails the test."""
    found = [(path.name, folder) for folder in FOLDERS for path in (home / folder).iterdir()]
    assert len(found) == len(dict(found)), found
    return dict(found)


def ledger(home: Path) -> list[str]:
    path = home / "ledger.csv"
    return sorted(path.read_text().splitlines()) if path.exists() else []


def call(home: Path, runtime: hafta.runtime.Runtime | None = None) -> hafta.Result:
    userdata = data(home)
    return call_with(userdata, INGEST, checkpoints=recorded(FileStore(str(home)), userdata), runtime=runtime)


def recorded(store: Store, userdata: object) -> hafta.Checkpoints:
    return hafta.Checkpoints(store, keep=userdata.kept)


def call_with(userdata: object, sequence: hafta.Sequence, **how: object) -> hafta.Result:
    try:
        return sequence.call(userdata, **how)
    finally:
        if userdata.ledger.file is not None:
            userdata.ledger.file.close()  # the system does that for a process that has died


def test_the_rows_of_a_file_are_in_the_ledger_once(tmp_path: Path):
    home = make_home(tmp_path / "home", a=rows("a"), b=rows("b", 2))
    for _ in "ab":
        assert call(home)
    assert places(home) == {"a": "done", "b": "done"}
    assert ledger(home) == sorted((rows("a") + rows("b", 2)).splitlines())


@pytest.mark.parametrize("text", ["a,1\n", "a,1,warm\n", "\n", "a,1,2,3\n", "\xff\xfe"])
def test_a_file_that_cannot_be_read_is_set_aside_after_five_attempts(tmp_path: Path, text: str):
    home = make_home(tmp_path / "home")
    (home / "incoming" / "a").write_bytes(b"a,0,1\n" + text.encode("latin-1"))
    result = call(home, FakeRuntime())
    assert (bool(result), result.failures) == (True, 5)
    assert places(home) == {"a": "bad"}
    assert ledger(home) == []


def test_a_file_that_is_still_hidden_and_a_name_that_was_done_are_left_alone(tmp_path: Path):
    home = make_home(tmp_path / "home", a=rows("a"), **{".b": rows("b")})
    assert call(home)
    (home / "incoming" / "a").write_text(rows("a"))
    assert data(home).next_name() is None


GOOD, BAD = rows("good", 1), "bad,0,1\nbad,1\n"


def worlds(base: Path, text: str) -> Callable[[], Path]:
    numbers = count()
    return lambda: make_home(base / str(next(numbers)), item=text)


def one_call(
    sequence: hafta.Sequence, userdata: object, *, checkpoints: hafta.Checkpoints, **how: object
) -> hafta.Result:
    """Run one sequence; or none, if a process died when the only file was through: the next would wait for ever."""
    seen = checkpoints.store.peek("ingest")
    if seen and seen.saved and position(seen.saved.frame, seen.saved.body).sequences[0].doing == ENDED:
        return hafta.Result("ingest", ok=True)
    return call_with(userdata, sequence, checkpoints=checkpoints, **how)


def is_good(home: Path, _result: hafta.Result) -> None:
    assert (places(home), ledger(home)) == ({"item": "done"}, GOOD.splitlines())
    shutil.rmtree(home)


def is_bad(home: Path, _result: hafta.Result) -> None:
    assert (places(home), ledger(home)) == ({"item": "bad"}, [])
    shutil.rmtree(home)


def is_whole(home: Path, result: hafta.Result) -> None:
    """What kills its process again and again is set aside, or the sequence fails: whole, and nothing of it stays."""
    where = places(home)["item"] if result else "incoming"
    assert places(home) == {"item": where}
    assert ledger(home) == (GOOD.splitlines() if where == "done" else [])
    shutil.rmtree(home)


def crash(place: Path, text: str, invariant: Callable, **how: object) -> Report:
    worlds_of = worlds(place, text)
    return crash_everywhere(
        INGEST, world=worlds_of, data=data, call=one_call, checkpoints=recorded, invariant=invariant, **how
    )


@pytest.mark.parametrize(("text", "invariant", "crashes"), [(GOOD, is_good, 2), (BAD, is_bad, 1)])
def test_wherever_it_dies_and_the_next_one_dies(tmp_path: Path, text: str, invariant: Callable, crashes: int):
    report = crash(tmp_path, text, invariant, crashes=crashes)
    assert report.succeeded == report.cuts > 20


def test_without_its_undo_the_same_test_finds_rows_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(INGEST.nodes["append"], "rollback_function", None)
    with pytest.raises(Violated, match="after a process was ended at cut"):
        crash(tmp_path, GOOD, is_good)


def test_however_often_it_dies_at_the_same_point(tmp_path: Path):
    report = crash(tmp_path, GOOD, is_whole, times=7)
    assert report.crashes > 4 * report.cuts


def test_wherever_it_is_really_killed(tmp_path: Path):
    assert crash(tmp_path, GOOD, is_good, kill=True).cuts > 20


class Service:
    """The example as a whole, started again whenever it has ended, as an overlord does."""

    def __init__(self, home: Path) -> None:
        self._words = ["--state", str(home), "--pause", "0.001"]
        self.child = self._start()

    def _start(self) -> Child:
        quiet = {"out": subprocess.DEVNULL, "err": subprocess.DEVNULL}
        return Child([str(PROGRAM)], *self._words, PYTHONPATH=str(ROOT), **quiet).__enter__()

    def kill(self) -> None:
        self.child.stop(signal.SIGKILL)
        self.child.__exit__()
        self.child = self._start()


def test_random_kills_lose_nothing_and_double_nothing(tmp_path: Path):
    seed = int(os.environ.get("HAFTA_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
    print(f"HAFTA_TEST_SEED={seed}")
    chance, texts, bad = random.Random(seed), {}, {"x-bad", "y-bad"}
    home = make_home(tmp_path / "home", **dict.fromkeys(bad, "x,1\n"))
    service = Service(home)
    try:
        for number in range(25):
            name = f"file-{number:03}"
            texts[name] = rows(name, 200)
            (tmp_path / name).write_text(texts[name])
            (tmp_path / name).rename(home / "incoming" / name)
            service.child.wait_told("READY=1")
            time.sleep(chance.random() * 0.05)  # the load: a moment that nobody chose
            service.kill()
        end = time.monotonic() + PATIENCE
        while not (len(places_now(home)["done"]) == len(texts) and counts(home)["files"] + counts(home)["bad"] == 27):
            assert time.monotonic() < end, places_now(home)
        service.child.wait_told("READY=1")
        assert service.child.stop()[0] == 0
    finally:
        service.child.__exit__()
    assert places(home) == {**dict.fromkeys(texts, "done"), **dict.fromkeys(bad, "bad")}
    assert {**counts(home), "name": ""} == {"name": "", "files": 25, "rows": 25 * 200, "bad": 2}
    assert ledger(home) == sorted("".join(texts.values()).splitlines())
    assert sorted(path.name for path in home.iterdir()) == sorted((*FOLDERS, "hafta-ingest.checkpoint", "ledger.csv"))


def counts(home: Path) -> dict[str, object]:
    """Return what the service keeps: the values of a beginning where nothing is on record yet."""
    (entry,) = records.find([str(home)])
    return {"files": 0, "bad": 0, **entry.kept}


def places_now(home: Path) -> dict[str, list[str]]:
    return {folder: os.listdir(home / folder) for folder in FOLDERS}
