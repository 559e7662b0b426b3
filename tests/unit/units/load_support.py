"""Directories of unit files, for tests that load units from them."""

from hafta.units.load import Loader
from hafta.units.roots import Roots

ROOTS = Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
TRUE = "ExecStart=/bin/true\n"


class Files:
    """Directories of unit files."""

    def __init__(self, path):
        self.path = path
        self.system = path / "system"
        self.system.mkdir()

    def write(self, name, text, folder="units"):
        """Write a file and return its path."""
        file = self.path / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return str(file)

    def service(self, name, text="", unit=""):
        """Write a service with these lines."""
        return self.write(f"{name}.service", f"[Unit]\n{unit}\n[Service]\n{TRUE}{text}\n")

    def load(self, *operands):
        """Load units by name."""
        return Loader((str(self.path / "units"), str(self.path / "more"), str(self.system)), ROOTS).load(operands)

    def one(self, text, unit=""):
        """Return the unit that these lines make."""
        self.service("x", text, unit)
        return self.load("x")["x.service"]
