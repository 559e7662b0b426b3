"""Make a program a service: settings, signals, notify, watchdog, journal, restart hold-off, exit status."""

from hafta.service.main import main
from hafta.service.service import Service
from hafta.service.signals import Stop

__all__ = ["Service", "Stop", "default_store", "main", "run", "state_checkpoints"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.service.runner import default_store, run, state_checkpoints


def __getattr__(name: str) -> object:
    """Load run() on first use: a service without sequences starts without the engine."""
    if name in {"default_store", "run", "state_checkpoints"}:
        from hafta.service import runner

        globals()[name] = value = getattr(runner, name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
