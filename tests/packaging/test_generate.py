"""Launchers, configuration files, and the generator as a program."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import configuration
import launchers
import programs
import pytest

from hafta import settings

ROOT = Path(__file__).parents[2]
SERVICES = {program.name: program for program in programs.services(ROOT)}
#: hafta and what it needs, in one directory, as a distribution has them.
LIBRARY = "/usr/lib/python3/dist-packages"


def test_there_is_a_launcher_for_each_entry_point(generated):
    names = programs.entry_points(ROOT).keys()
    assert {path.name for path in (generated / "bin").iterdir()} == names
    assert all(os.access(generated / "bin" / name, os.X_OK) for name in names)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_isolated_and_without_the_site_module(generated, name):
    lines = (generated / "bin" / name).read_text().splitlines()
    assert lines[0] == "#!/usr/bin/python3 -IS"
    assert f'sys.path.append("{LIBRARY}")' in lines


@pytest.mark.parametrize("name", SERVICES)
def test_a_launcher_answers_and_ignores_the_user_s_own_modules(generated, name, tmp_path, monkeypatch):
    """What stands in the current directory, $PYTHONPATH or the home must not get into a service."""
    (tmp_path / "sys.py").write_text("raise SystemExit(99)")
    (tmp_path / "hafta.py").write_text("raise SystemExit(99)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    text = (generated / "bin" / name).read_text().replace(LIBRARY, str(ROOT))
    (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["/usr/bin/python3", "-IS", str(tmp_path / name), "--version"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{name} ")


@pytest.mark.parametrize("name", programs.entry_points(ROOT))
def test_ctrl_c_while_a_launcher_imports_ends_it_without_a_traceback(generated, name, tmp_path):
    (tmp_path / "hafta").mkdir()
    (tmp_path / "hafta" / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    text = (generated / "bin" / name).read_text().replace(LIBRARY, str(tmp_path))
    if "-IS" not in text:
        text = text.replace("import sys\n", f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n")
    (tmp_path / "launcher").write_text(text)
    flags = text.splitlines()[0].split()[1]
    done = subprocess.run(
        ["/usr/bin/python3", flags, str(tmp_path / "launcher")], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_fedora_keeps_its_modules_elsewhere():
    assert launchers.library("fedora") == f"/usr/lib/python3.{sys.version_info.minor}/site-packages"
    assert launchers.library("debian") == LIBRARY


#: With these a service ends by itself, and its unit would start it again at once, for ever.
ENDING = {"HAFTA_COUNT", "HAFTA_ONCE"}


@pytest.mark.parametrize("name", SERVICES)
def test_the_configuration_file_has_every_setting_commented_out(generated, name):
    lines = (generated / "config" / name).read_text().splitlines()
    assert all(line.startswith("#") or not line for line in lines)
    shown = re.findall(r"(?m)^#(HAFTA_\w+)=", "\n".join(lines))
    assert shown == [setting.variable for setting in SERVICES[name].settings if setting.variable not in ENDING]


@pytest.mark.parametrize("name", SERVICES)
def test_a_default_that_is_no_value_is_told_in_words(generated, name):
    told = {setting.variable: setting.shown_default for setting in SERVICES[name].settings}
    empty = [words for words in paragraphs(generated / "config" / name) if words[-1].endswith("=")]
    assert empty
    for *words, last in empty:
        shown = told[last.removeprefix("#").removesuffix("=")]
        assert shown is None or f"(default: {shown})" in " ".join(words)


def paragraphs(path):
    return [text.replace("# ", "").split() for text in path.read_text().split("\n\n")]


@pytest.mark.parametrize("name", SERVICES)
def test_what_it_shows_is_what_holds(generated, name):
    """Uncommented, each line gives the value that the service has without it, under its unit."""
    text = (generated / "config" / name).read_text()
    environ = dict(re.findall(r"(?m)^#(HAFTA_\w+)=(.*)$", text))
    unit = configuration.unit_defaults(ROOT, name)
    shown, _ = settings.parse(SERVICES[name], [], environ)
    without, _ = settings.parse(SERVICES[name], [], unit)
    assert vars(shown) == vars(without)


MISSING = "need: missing: no-such-package; as root: apt-get install no-such-package\n"
NOT_ROOT = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ([sys.executable, "-B", "generate"], 2, "usage: python3 packaging/generate OUTPUT [FAMILY]"),
        ([*NOT_ROOT, "./need", "no-such-package"], 5, MISSING),  # the command to install it, and no attempt
        (["./need", "dpkg", "bash"], 0, ""),
    ],
)
def test_the_generator_says_how_it_is_used_and_need_what_is_missing(command, status, said):
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT / "packaging")
    assert (done.returncode, done.stdout, done.stderr[: len(said) or None]) == (status, "", said)
