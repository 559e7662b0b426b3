"""A call in each of the two drivers."""

import pytest

from hafta.testing import FakeRuntime


@pytest.fixture(params=["blocking", "asyncio"])
def call(request):
    """Call a sequence in one of the drivers, with a runtime; return its result."""

    def blocking(sequence, runtime=None, data=None):
        return sequence.call(data, runtime=runtime or FakeRuntime())

    def awaiting(sequence, runtime=None, data=None):
        runtime = runtime or FakeRuntime()
        return runtime.run_async(sequence.call_async(data, runtime=runtime))

    return {"blocking": blocking, "asyncio": awaiting}[request.param]
