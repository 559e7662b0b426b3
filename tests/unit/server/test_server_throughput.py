"""The bench of the pipe: it notices a reader that lost records, and it runs."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "throughput.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("throughput", BENCH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["throughput"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("output", "rate"), [("99 0", 0), ("98 2", 0), ("100 0", 25), ("90 10", 25)])
def test_a_reader_that_lost_records_is_noticed(bench: ModuleType, output: str, rate: int):
    pair = bench.Pair("a | b", [], [], 100, rate)
    with pytest.raises(RuntimeError, match=r"a \| b: .* records read of 100"):
        bench.check(pair, 100, (0, 0), output)
    bench.check(bench.Pair("a | b", [], [], 100, 25), 100, (0, 0), "95 10")


def test_a_program_that_failed_is_noticed(bench: ModuleType):
    with pytest.raises(RuntimeError, match=r"exit statuses \(0, 1\)"):
        bench.check(bench.Pair("a | b", [], [], 1), 1, (0, 1), "1 0")


def test_the_plain_pair_and_the_server_are_timed(bench: ModuleType, tmp_path: Path):
    plain = next(pair for pair in bench.python_pairs() if pair.name == "plain Python")
    assert bench.seconds(plain, 50, str(tmp_path)) > 0
    assert bench.seconds(plain._replace(writer=bench.server()), 50, str(tmp_path)) > 0
    assert os.listdir(tmp_path) == ["pipe"]
