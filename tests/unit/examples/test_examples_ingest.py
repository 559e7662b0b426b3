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
from service_support import PATIENCE, Child

import hafta
from hafta.settings import Values
from hafta.stores import FileStore
from hafta.stores.codec import position
from hafta.stores.protocol import Store
from hafta.testing import FakeRuntime, Violated, crash_everywhere

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "examples" / "ingest" / "ingest.py"
EXAMPLE = runpy.run_path(str(PROGRAM), run_name="ingest")
INGEST: hafta.Sequence = EXAMPLE["ingest"]
FOLDERS = ("incoming", "work", "done", "bad")


def rows(name: str, number: int = 3) -> str:
    return "".join(f"{name},{index},{index}.5\n" for index in range(number))


def make_home(home: Path, **files: str) -> Path:
    (home / "incoming").mkdir(parents=True)
    home.chmod(0o700)
    for name, text in files.items():
        (home / "incoming" / name).write_text(text)
    return home


def data(home: Path) -> object:
    return EXAMPLE["Data"](Values({"state": str(home), "pause": 0.001}))


def places(home: Path) -> dict[str, str]:
    """Return where each file is; one that is in two places fails the test."""
    found = [(path.name, folder) for folder in FOLDERS for path in (home / folder).iterdir()]
    assert len(found) == len(dict(found)), found
    return dict(found)


def ledger(home: Path) -> list[str]:
    path = home / "ledger.csv"
    return sorted(path.read_text().splitlines()) if path.exists() else []


def call(home: Path, runtime: hafta.runtime.Runtime | None = None) -> hafta.Result:
    return call_with(data(home), INGEST, store=FileStore(str(home)), runtime=runtime)


def call_with(userdata: object, sequence: hafta.Sequence, **how: object) -> hafta.Result:
    try:
        return sequence.call(userdata, keep=userdata.kept, **how)
    finally:
        if userdata.ledger is not None:
            userdata.ledger.close()  # the system does that for a process that has died


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


def one_call(sequence: hafta.Sequence, userdata: object, *, store: Store, **how: object) -> hafta.Result:
    """Run one sequence; or none, if a process died when the only file was through: the next would wait for ever."""
    seen = store.peek("ingest")
    if seen and seen.saved and position(seen.saved.frame, seen.saved.body).levels[0].phase == "ended":
        return hafta.Result("ingest", ok=True)
    return call_with(userdata, sequence, store=store, **how)


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


@pytest.mark.parametrize(("text", "invariant", "crashes"), [(GOOD, is_good, 2), (BAD, is_bad, 1)])
def test_wherever_it_dies_and_the_next_one_dies(tmp_path: Path, text: str, invariant: object, crashes: int):
    report = crash_everywhere(
        INGEST, world=worlds(tmp_path, text), data=data, call=one_call, invariant=invariant, crashes=crashes
    )
    assert report.cuts > 40
    assert report.succeeded == report.cuts


def test_without_its_undo_the_same_test_finds_rows_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(INGEST.nodes["append"], "rollback_function", None)
    with pytest.raises(Violated, match="after a process was ended at cut"):
        crash_everywhere(INGEST, world=worlds(tmp_path, GOOD), data=data, call=one_call, invariant=is_good)


def test_however_often_it_dies_at_the_same_point(tmp_path: Path):
    report = crash_everywhere(
        INGEST, world=worlds(tmp_path, GOOD), data=data, call=one_call, invariant=is_whole, times=7
    )
    assert report.crashes > 4 * report.cuts


def test_wherever_it_is_really_killed(tmp_path: Path):
    report = crash_everywhere(
        INGEST, world=worlds(tmp_path, GOOD), data=data, call=one_call, invariant=is_good, kill=True
    )
    assert report.cuts > 25


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
    chance, texts = random.Random(seed), {}
    home = make_home(tmp_path / "home")
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
        while len(places_now(home)["done"]) < len(texts):
            assert time.monotonic() < end, places_now(home)
        service.child.wait_told("READY=1")
        assert service.child.stop()[0] == 0
    finally:
        service.child.__exit__()
    assert places(home) == dict.fromkeys(texts, "done")
    assert ledger(home) == sorted("".join(texts.values()).splitlines())
    assert sorted(path.name for path in home.iterdir()) == sorted((*FOLDERS, "hafta-ingest.checkpoint", "ledger.csv"))


def places_now(home: Path) -> dict[str, list[str]]:
    return {folder: os.listdir(home / folder) for folder in FOLDERS}
