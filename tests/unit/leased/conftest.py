import os

import pytest
from leased_support import KINDS, LACKING, Place
from servers import Etcd, Postgres


def pytest_collection_modifyitems(items):
    """Without the servers, say what is missing; in CI nothing may be."""
    if LACKING and not os.environ.get("CI"):
        here = os.path.dirname(__file__)
        for item in items:
            if item.path.is_relative_to(here) and "lease.py" not in item.path.name:
                item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(LACKING)}"))


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    """Both servers, started when they are first asked for."""
    running = {}

    def get(kind):
        if kind not in running:
            running[kind] = {"etcd": Etcd, "postgres": Postgres}[kind](tmp_path_factory.mktemp(kind))
        return running[kind]

    yield get
    for one in running.values():
        one.end()


@pytest.fixture(params=KINDS)
def place(request, servers):
    made = Place(request.param, servers(request.param))
    yield made
    made.relay.end()
