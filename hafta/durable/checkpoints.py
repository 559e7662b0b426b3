"""How a call is recorded: what `checkpoints=` of a call says."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

    from hafta.errors import StoreError
    from hafta.stores.protocol import Store

    OnError = Callable[[StoreError], bool]

LEVELS = ("process", "power")
ANSWERS = ("fail", "go on")  # tuples: a value that cannot be hashed is refused with words, too


class Checkpoints:
    """How a call is recorded, so that the next one resumes it: `sequence.call(data, checkpoints=Checkpoints(store))`.

    `store`: where records live, for instance a hafta.stores.FileStore.
    `instance`: the name of this one, if several run the same sequence at the same time.
    `level`: what a checkpoint survives: the death of the "process", or a "power" cut too.
    `on_error`: "fail" raises StoreError when the store fails; "go on" continues without checkpoints; or a function that
    gets the StoreError and returns whether to go on.
    `keep`: a dict of small values that belong to no node, such as counters. What a function changes in it counts when
    the function succeeds, and is taken back otherwise. A call fills it with the recorded values before it begins.

    Raises TypeError or ValueError for other values. See docs/durable.md.
    """

    __slots__ = ("instance", "keep", "level", "on_error", "power", "store")

    def __init__(
        self,
        store: Store,
        *,
        instance: str = "",
        level: str = "process",
        on_error: str | OnError = "fail",
        keep: dict[str, Any] | None = None,
    ) -> None:
        if isinstance(store, type) or not callable(getattr(store, "claim", None)):
            raise TypeError(f"store is an object that keeps records, such as hafta.stores.FileStore(), not {store!r}")
        if not isinstance(instance, str):
            raise TypeError(f"instance is a name (a str), not {instance!r}")
        if level not in LEVELS:
            raise ValueError(f'level is "process" or "power", not {level!r}')
        if on_error not in ANSWERS and not callable(on_error):
            raise ValueError(f'on_error is "fail", "go on" or a function, not {on_error!r}')
        if keep is not None and not (isinstance(keep, dict) and all(isinstance(name, str) for name in keep)):
            raise TypeError(f"keep is a dict of values by their names (each a str), not {keep!r}")
        self.store = store
        self.instance = instance
        self.level = level
        self.on_error = on_error
        self.keep = keep
        self.power = level == "power"  # whether each record is on the disk before the call continues

    def goes_on(self, error: StoreError) -> bool:
        """Return whether the program wants to go on without checkpoints."""
        return self.on_error(error) if callable(self.on_error) else self.on_error == "go on"

    def replace(self, **changes: Any) -> Self:
        """Return a copy with these changes. Raises TypeError for a name that is not a parameter."""
        given = {name: getattr(self, name) for name in ("store", "instance", "level", "on_error", "keep")} | changes
        return type(self)(given.pop("store"), **given)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in ("instance", "level", "on_error"))
        return f"<checkpoints in {self.store!r}, {shown}>"
