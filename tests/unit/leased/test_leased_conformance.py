"""etcd and PostgreSQL keep the promises of every store."""

import pytest
from leased_support import KINDS, Place

from hafta.testing.stores import StorePromises


class TestShared(StorePromises):
    @pytest.fixture(autouse=True, params=KINDS)
    def _server(self, request, servers):
        self.places = []
        self.new = lambda: self.places.append(Place(request.param, servers(request.param))) or self.places[-1]
        yield
        for place in self.places:
            place.relay.end()

    def make(self):
        return self.new().store()

    def again(self, _store):
        return self.places[-1].store()
