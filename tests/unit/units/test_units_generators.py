"""Generators are not run, and who runs what is enabled is told which."""

import os

from hafta.overlord import plan
from hafta.units.generators import generators, not_run


def program(folder, name, mode=0o755):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(mode)


def test_those_of_packages_are_named_and_those_of_systemd_and_masked_ones_are_not(tmp_path):
    etc, lib = tmp_path / "etc", tmp_path / "lib"
    for name in ("systemd-fstab-generator", "postgresql-generator", "masked-generator"):
        program(lib / "system-generators", name)
    program(lib / "system-generators", "README", 0o644)
    (etc / "system-generators").mkdir(parents=True)
    os.symlink("/dev/null", etc / "system-generators" / "masked-generator")
    assert generators((str(etc), str(lib), str(tmp_path / "none"))) == ["postgresql-generator"]


def test_it_is_said_where_all_is_run_that_is_enabled_and_only_there(monkeypatch):
    monkeypatch.setattr(plan, "generators", lambda: ["a-generator", "b-generator"])
    (note,) = plan._of_machine(["x.service", "default.target"])
    assert note.startswith("not run: a-generator, b-generator (systemd.generator(7)); name the units")
    assert plan._of_machine(["x.service"]) == []
    assert not_run([]) == []
