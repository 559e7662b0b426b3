"""The child that crash tests kill."""

import os
import signal

import pytest

from hafta.testing.child import ChildFailed
from hafta.testing.child import run as run_child


def test_a_child_that_ends_by_itself_is_a_failure():
    with pytest.raises(ChildFailed, match="the process ended by itself, with status 7"):
        run_child(lambda tell: os._exit(7))
    with pytest.raises(ChildFailed, match="the process ended by itself, with status -15"):
        run_child(lambda tell: os.kill(os.getpid(), signal.SIGTERM))
