"""How things end in a test that would not end, or would end the process."""

from __future__ import annotations


class ForcedFailure(Exception):
    """A failure that a test asked for, with a `reason` that is not an exception."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"forced: {reason}")
        self.reason = reason


class ProcessEnded(BaseException):
    """The process would have ended here, with this exit status: what a panic becomes in a test."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the process ends with status {status}")
        self.status = status


class EndlessWait(BaseException):
    """The test would wait for ever. Not a failure of a node, which would be tried again for ever too."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not ready, and this test would wait for it for ever")
