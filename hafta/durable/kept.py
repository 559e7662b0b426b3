"""The caller's own values: recorded as they were when the function that runs began.

Invariant: what a function changes counts once, when the function succeeds. A failure, a stop and a crash take it back:
here to what `snapshot` had returned, in the next process to the same, which was recorded.
"""

from __future__ import annotations

from hafta.durable import codec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Values = dict[str, Any]


class Kept:
    """The dict that the caller has given as `keep=`, or none."""

    __slots__ = ("_encoded", "_newest", "values")

    def __init__(self, values: Values | None) -> None:
        self.values = values
        self._encoded = b""
        self._newest: Values | None = None

    def load(self, recorded: Values | None) -> None:
        """Give the caller what was recorded; values that were not stay."""
        if self.values is not None and recorded:
            self.values.update(codec.copied(recorded, "keep"))

    def snapshot(self) -> Values | None:
        """Return the values of now. Raises StoreError of kind "value" for one that cannot be recorded."""
        if self.values is None:
            return None
        encoded = codec.encode(self.values, "keep")
        if encoded != self._encoded:
            self._newest, self._encoded = codec.decode(encoded)[0], encoded
        return self._newest

    def revert(self, snapshot: Values | None) -> None:
        """Take back what was changed since then."""
        if self.values is not None and snapshot is not None:
            values = codec.copied(snapshot, "keep")
            self.values.clear()
            self.values.update(values)
