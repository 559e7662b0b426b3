"""Broken on purpose: what the judge must catch."""

from base64 import b64encode
from struct import pack
from time import time

from outside import World

from hafta.stores.leased.etcd import Etcd
from hafta.stores.leased.lease import Lease


def no_deadline():
    """A lease that its owner believes in for ever: a stopped process does its effect when it goes on."""
    Lease.left = lambda _self: 3600.0


def no_fence():
    """... and nothing looks at a token: neither the store nor the world."""
    no_deadline()
    put = Etcd.put

    def unfenced(self, key, taken, saved, ttl, within):
        done = put(self, key, taken, saved, ttl, within)
        if done is None:
            value = pack(">QdI", saved.number, time(), len(saved.frame)) + saved.frame + saved.body
            self._ask("kv/put", key=self._keys(key)[1], value=b64encode(value).decode())
        return done or taken

    Etcd.put = unfenced
    Etcd.confirm = lambda _self, _key, _taken, _ttl: True
    World.newest = lambda _self, token: token
