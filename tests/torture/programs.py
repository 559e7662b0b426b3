"""Whole programs that are going to be hurt: each a durable sequence with real files, and what must hold of these."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import sys
from typing import TYPE_CHECKING

import worker
from sequences import make_folder, nothing_is_lost, serve
from straced import calls_of, kill

import hafta
from hafta.runtime import Runtime
from hafta.settings import Values
from hafta.stores import FileStore

if TYPE_CHECKING:
    from straced import Call

PROGRAM = os.path.join(os.path.dirname(__file__), "../../examples/ingest/ingest.py")
EXAMPLE = runpy.run_path(PROGRAM, run_name="ingest")
FOLDERS = ("incoming", "work", "done", "bad")
MONDAY, WEDNESDAY = "a,1,0.5\na,2,1.5\n", "c,1,2.5\n"
#: They change nothing: a kill before one of them is a kill before the next one that does.
LOOKS = {"newfstatat", "lseek", "getdents64", "ioctl", "read", "pread64", "execve", "access", "close"}


class Program:
    """A program in a folder of its own, as it is before the fault."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.make()

    def copy(self, name: str) -> Program:
        program = type(self).__new__(type(self))
        program.__dict__.update(self.__dict__, folder=f"{self.folder}-{name}")
        shutil.copytree(self.folder, program.folder)
        return program

    def remove(self) -> None:
        shutil.rmtree(self.folder)
        os.unlink(self.trace)

    @property
    def trace(self) -> str:
        return f"{self.folder}.trace"

    def calls(self) -> list[Call]:
        """Return the system calls that have to do with its folder."""
        for name in ("warm", "counted"):  # the first one may write bytecode
            program = self.copy(name)
            calls = calls_of(program.command(), program.trace)
            program.remove()
        return [call for call in calls if program.folder in call.line and call.name not in {"execve", "readlink"}]

    def calls_of_store(self, *, ever: bool) -> list[Call]:
        """Return those of its store; with `ever` those after which nobody else makes calls of the name."""
        calls = self.calls()
        others = {call.name: call.nth for call in calls if not self.stores(call)}
        return [call for call in calls if self.stores(call) and not (ever and call.nth < others.get(call.name, 0))]

    def is_killed_at(self, line: str) -> None:
        """Run it until it is killed before the first system call that looks like this."""
        call = next(call for call in self.calls() if re.search(line, call.line))
        kill(self.command(), self.trace, call)


class Shop(Program):
    """The shop of sequences.py."""

    def __init__(self, folder: str, level: str) -> None:
        self.level = level
        super().__init__(folder)

    def make(self) -> None:
        make_folder(self.folder)

    def command(self, on_error: str = "fail") -> list[str]:
        return [sys.executable, "-I", "-S", worker.__file__, "shop", self.folder, self.level, on_error]

    def stores(self, call: Call) -> bool:
        return "/state" in call.line

    def look(self) -> None:
        nothing_is_lost(self.folder)

    def come_to_the_end(self) -> None:
        serve(self.folder, level=self.level)
        assert FileStore(f"{self.folder}/state").peek("shop").saved is None, "it has ended, and is to be resumed"
        assert os.listdir(f"{self.folder}/state") == ["hafta-shop.checkpoint"], "a temporary file is left"


class Ingest(Program):
    """examples/ingest, as it is: a process for each file."""

    def make(self) -> None:
        os.makedirs(f"{self.folder}/incoming", mode=0o700)
        os.chmod(self.folder, 0o700)
        self.bring("monday", MONDAY)
        self.bring("tuesday", "b,1,warm\n")

    def bring(self, name: str, text: str) -> None:
        with open(f"{self.folder}/incoming/{name}", "w") as file:
            file.write(text)

    def command(self) -> list[str]:
        return [sys.executable, "-I", PROGRAM, "--state", self.folder, "--once"]

    def stores(self, call: Call) -> bool:
        return "hafta-ingest" in call.line

    def look(self) -> None:
        names = [name for folder in FOLDERS for name in self.files(folder)]
        assert sorted(names) == ["monday", "tuesday"], "a file is lost, or in two places"

    def files(self, folder: str) -> list[str]:
        path = f"{self.folder}/{folder}"
        return os.listdir(path) if os.path.isdir(path) else []

    def come_to_the_end(self) -> None:
        """Call it until a file has come through that is the last of all: without one it would wait."""
        self.bring("wednesday", WEDNESDAY)
        while not self.files("done").count("wednesday"):
            data = EXAMPLE["Data"](Values({"state": self.folder, "pause": 1.0, "ledger": ""}))
            store = FileStore(self.folder)
            assert EXAMPLE["ingest"].call(data, runtime=Runtime(), checkpoints=hafta.Checkpoints(store, keep=data.kept))
            data.ledger.file.close()
        assert [data.kept[what] for what in ("files", "rows", "bad")] == [2, 3, 1], "not counted once"
        assert [sorted(self.files(folder)) for folder in FOLDERS] == [[], [], ["monday", "wednesday"], ["tuesday"]]
        with open(f"{self.folder}/ledger.csv") as ledger:
            assert ledger.read() == MONDAY + WEDNESDAY
        assert sorted(os.listdir(self.folder)) == sorted([*FOLDERS, "hafta-ingest.checkpoint", "ledger.csv"])
