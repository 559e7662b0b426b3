"""The ten-line service is a real one, and the README shows it as it is."""

import re
from pathlib import Path

from processes import Child, in_time

ROOT = Path(__file__).parents[3]
FILE = ROOT / "examples" / "minimal" / "ten_lines.py"


def service(*options: str, **environ: str) -> Child:
    return Child([str(FILE)], *options, PYTHONPATH=str(ROOT), **environ)


def test_the_readme_shows_it_as_it_is_and_it_has_ten_lines():
    code = FILE.read_text().partition('"""\n\n')[2].strip()
    [shown] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown.strip() == code
    assert len([line for line in code.splitlines() if line]) == 10


def test_it_tells_how_full_the_disk_is():
    with service("--once") as child:
        status, out, err = child.finish()
    assert (status, err) == (0, "")
    assert re.fullmatch(r"[\d,]+ blocks are free\nSequence was: disk succeeded\n", out)


def test_it_is_ready_fed_and_stops_at_once():
    def attempt() -> tuple[int, float]:
        with service(WATCHDOG_USEC="100000") as child:
            child.wait_told("READY=1")
            child.wait_told("WATCHDOG=1", times=4)
            return child.stop()

    in_time(attempt)


def test_a_disk_that_is_not_there_is_tried_again_with_growing_pauses(tmp_path: Path):
    with service("--once", DISK=str(tmp_path / "disk")) as child:
        line = child.wait_line("attempt 2", child.process.stderr)
        assert line.startswith("disk: warning: Sequence disk rolled back node look from checkpoint 0, attempt 2")
        (tmp_path / "disk").mkdir()
        child.wait_line("blocks are free")
        assert child.process.wait() == 0
