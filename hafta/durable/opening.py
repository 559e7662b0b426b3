"""Opening a durable call: claim its record, read it, and resume or begin."""

from __future__ import annotations

from hafta.durable.callrecord import CallRecord
from hafta.durable.position import Waiting
from hafta.durable.recorder import Recorder
from hafta.engine.machine import Phase
from hafta.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.engine.machine import Machine
    from hafta.engine.shape import Shape

__all__ = ["CallRecord", "open_call"]


def open_call(record: CallRecord, shape: Shape, machine: Machine) -> Recorder | None:
    """Return what records this call, begun where the record says; the machine is idle where that is at its start.

    None: the store has failed, and the program goes on without checkpoints. Raises StoreError and Orphaned.
    """
    try:
        position = record.open(shape.name)
    except StoreError as error:
        if not record.trouble.is_survived(error):
            raise
        record.trouble.report(error.message, "continuing without checkpoints, from the beginning")
        return None
    recorder = Recorder(record, shape, machine)
    if position is not None:
        record.kept.load(position.sequences[0].kept)
        if position.sequences[0].doing.function is not Phase.DONE:
            _resume(recorder, Waiting(position.sequences, position))
    return recorder


def _resume(recorder: Recorder, found: Waiting) -> None:
    try:
        recorder.resume(found)
    except BaseException as error:
        recorder.leave(error)  # the call has no recorder yet, and a stop that comes now is not to count as a crash
        raise
