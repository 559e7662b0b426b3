"""How a call is recorded: what `store=` and its companions of Sequence.call mean, and what they may not be."""

from __future__ import annotations

from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.drivers.ledger import OnError
    from hafta.errors import StoreError
    from hafta.stores.protocol import Store


class Durability(Record):
    """How a call is recorded."""

    store: Store
    instance: str = ""
    power: bool = False
    on_error: OnError | None = None
    keep: dict[str, Any] | None = None

    def go_on(self, error: StoreError) -> bool:
        """Return whether the program wants to go on without being recorded."""
        return self.on_error is not None and self.on_error(error)


def durability(
    store: Store | None, instance: str, level: str, on_store_error: str | OnError, keep: dict[str, Any] | None
) -> Durability | None:
    """Return what was asked for; None without a store. Raises ValueError and TypeError for what it may not be."""
    if level not in {"process", "power"}:
        raise ValueError(f'the level of a durable call is "process" or "power", not {level!r}')
    if on_store_error not in {"fail", "go on"} and not callable(on_store_error):
        raise ValueError(f'on_store_error is "fail", "go on" or a function, not {on_store_error!r}')
    if not isinstance(instance, str):
        raise TypeError(f"instance is a name (a str), not {instance!r}")
    if keep is not None and not (isinstance(keep, dict) and all(isinstance(name, str) for name in keep)):
        raise TypeError(f"keep is a dict of values by their names (each a str), not {keep!r}")
    if store is None:
        return None
    check_store(store)
    on_error = on_store_error if callable(on_store_error) else lambda _error: on_store_error == "go on"
    return Durability(store, instance, level == "power", on_error, keep)


def check_store(store: object) -> None:
    """Raise TypeError for what is no store."""
    if isinstance(store, type) or not callable(getattr(store, "claim", None)):
        raise TypeError(f"store is an object that keeps records, such as hafta.stores.FileStore(), not {store!r}")
