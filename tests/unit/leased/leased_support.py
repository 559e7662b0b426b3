"""Where the stores of a test are, and what is needed for that."""

import importlib.util
import itertools
import shutil

from processes import sequence
from servers import POSTGRES, Relay

from hafta.stores import EtcdStore, PostgresStore

LACKING = [
    *([] if shutil.which("etcd") else ["etcd (etcd-server)"]),
    *([] if POSTGRES else ["PostgreSQL (postgresql)"]),
    *(f"python3-{name}" for name in ("psycopg", "urllib3") if importlib.util.find_spec(name) is None),
]
KINDS = ("etcd", "postgres")
_numbers = itertools.count()

#: A host is what $HOST says.
ON_HOST = """
import os
import hafta.stores.holder
hafta.stores.holder.host = lambda: os.environ["HOST"]
from hafta.policies import HostLost
"""


def program(text, **functions):
    """Return a service whose record is in a store that hosts share, on the host that $HOST names."""
    return ON_HOST + sequence(text, ", checkpoints=hafta.service.state_checkpoints()", **functions)


def token_of(child):
    return int(child.wait_line("works with").split()[2].rstrip(","))


class Place:
    """Where the stores of one test are: they have the same records. `relay` stands before the server."""

    def __init__(self, kind, server):
        self.kind, self.server = kind, server
        self.relay = Relay(server.port)
        self.prefix = f"test{next(_numbers)}/"
        if kind == "postgres":
            PostgresStore(server.address)._backend._writing.ask("DROP TABLE IF EXISTS hafta_records, hafta_waiting")

    def store(self, *, relayed=False, ttl=5.0, **more):
        port = self.relay.port if relayed else self.server.port
        address = self.server.address.replace(str(self.server.port), str(port))
        if self.kind == "postgres":
            return PostgresStore(address, ttl=ttl, **more)
        return EtcdStore(address, ttl=ttl, prefix=self.prefix, **more)

    def url(self):
        if self.kind == "postgres":
            return self.server.address
        return f"{self.server.address.replace('http', 'etcd')}?prefix={self.prefix}"
