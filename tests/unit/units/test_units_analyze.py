"""systemd's own judgement of the units."""

import os
import shutil
import subprocess

import pytest
from unit_files import METRICS, SERVICES, UNITS

ANALYZE = shutil.which("systemd-analyze", path="/usr/bin:/bin")


@pytest.fixture
def analyze():
    """Run systemd-analyze and return what it said; in CI its absence is a failure."""
    if ANALYZE is None:
        text = "systemd-analyze is missing: install systemd (it need not run)"
        pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)

    def run(*words, **environ):
        environ = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **environ}
        return subprocess.run([ANALYZE, *words], env=environ, check=False, capture_output=True, text=True)

    return run


@pytest.mark.parametrize("name", [*SERVICES, *METRICS, "hafta.target"])
def test_every_word_of_a_unit_is_understood(analyze, tmp_path, name):
    """An unknown word only warns, so that the promise is an empty stderr. The programs need not be installed for it."""
    for source in (path for kind in ("service", "target", "timer") for path in UNITS.glob(f"*.{kind}")):
        text = source.read_text().replace("ExecStart=/usr/bin/hafta", "ExecStart=/bin/true hafta")
        (tmp_path / source.name).write_text(text)
    instance = name.replace("@.", "@pipe.")
    done = analyze("verify", "--man=no", str(tmp_path / instance), SYSTEMD_UNIT_PATH=f"{tmp_path}:")
    assert (done.stderr, done.returncode) == ("", 0)


def test_an_unknown_word_would_be_seen(analyze, tmp_path):
    (tmp_path / "probe.service").write_text("[Service]\nExecStart=/bin/true\nNoSuchWord=yes\n")
    done = analyze("verify", "--man=no", str(tmp_path / "probe.service"))
    assert "'NoSuchWord' in section" in done.stderr


@pytest.mark.parametrize(("name", "tenths"), [*((name, 5) for name in SERVICES), (METRICS[0], 12)])
def test_exposure_is_at_most_half_a_point_of_ten_and_of_what_reads_all_little_more(analyze, name, tenths):
    """--threshold counts in tenths. What counts metrics is root and may read all, which alone is half a point."""
    done = analyze("security", "--offline=yes", f"--threshold={tenths}", "--no-pager", str(UNITS / name))
    assert done.returncode == 0, done.stdout + done.stderr
