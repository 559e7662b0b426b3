"""The annotated example runs: type checkers are not its only readers."""

from pathlib import Path

from processes import Child

ROOT = Path(__file__).parents[3]
FILE = ROOT / "examples" / "typed" / "gauge.py"


def test_it_reads_a_gauge(tmp_path: Path):
    (tmp_path / "gauge").write_text("3.5\n")
    with Child([str(FILE), str(tmp_path / "gauge")], PYTHONPATH=str(ROOT)) as child:
        assert child.finish() == (0, "4 bytes\n3.5 bar\nabove 3 bar\ngauge succeeded\n", "")


def test_nonsense_is_not_tried_again(tmp_path: Path):
    (tmp_path / "gauge").write_text("full\n")
    with Child([str(FILE), str(tmp_path / "gauge")], PYTHONPATH=str(ROOT)) as child:
        status, out, err = child.finish()
    assert (status, out.splitlines()[-1].partition(":")[0]) == (1, "gauge failed at node read_gauge, attempt 1")
    assert err.count("rolled back node read_gauge from checkpoint RECEIVED (1)") == 1
