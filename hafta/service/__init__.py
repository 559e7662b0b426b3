"""Make a program a service: settings, signals, notify, watchdog, journal, restart hold-off, exit status."""

from hafta.service.main import main
from hafta.service.service import Service
from hafta.service.signals import Stop

__all__ = ["Service", "Stop", "main", "run"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.service.runner import run


def __getattr__(name: str) -> object:
    """Load run() on first use: a service without sequences starts without the engine."""
    if name == "run":
        from hafta.service.runner import run

        globals()[name] = run
        return run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
