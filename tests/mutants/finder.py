"""Imports one module as a mutant, from memory: no file is touched. Also in the processes that a test starts."""

import os
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location

#: Which one: module, file and number, apart by "|". An empty number means the module as it is.
VARIABLE = "HAFTA_MUTANT"


class Mutated(SourceFileLoader):
    """Compiles the mutant."""

    number = ""

    def get_code(self, _name):
        import ast

        from operators import mutate

        source = self.get_data(self.path)
        tree = mutate(source, int(self.number))[0] if self.number else ast.parse(source)
        return compile(tree, self.path, "exec")


class Finder:
    """Finds that module before anybody else does."""

    def __init__(self, which):
        self.module, self.file, self.number = which.split("|")

    def find_spec(self, name, _path=None, _target=None):
        if name != self.module:
            return None
        loader = Mutated(name, self.file)
        loader.number = self.number
        return spec_from_file_location(name, self.file, loader=loader)


def install():
    """Have the module that the environment names imported as the mutant."""
    if VARIABLE in os.environ:
        sys.meta_path.insert(0, Finder(os.environ[VARIABLE]))
