"""Every promise is held in both drivers and with both stores."""

import os
import sys

import pytest

sys.path[:0] = [os.path.dirname(__file__), os.path.dirname(__file__) + "/../engine"]  # the models share their tape
pytest.register_assert_rewrite("durable_stories", "durable_support")

from durable_support import Lives, make_store  # noqa: E402 - the path is set above


@pytest.fixture(params=["memory", "file"])
def lives(request, tmp_path, driver):
    """A record, and processes that die."""
    return Lives(make_store(request.param, tmp_path), asynchronous=driver == "asyncio")


@pytest.fixture(params=["sync", "asyncio"])
def driver(request):
    return request.param
