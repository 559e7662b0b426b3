"""A standby whose store is away: it has no lease to lose, so it goes on waiting."""

from types import SimpleNamespace

import pytest

from hafta.errors import StoreError
from hafta.service.standby import claim_in_turn
from hafta.stores.protocol import Holder, Snapshot

HELD = Snapshot("feed", "", "", None, 0.0, Holder(1, "", 0.0, "elsewhere", 7), True, ())
FREE = HELD.replace(held=False)
AWAY, DENIED = (StoreError(f"store: {kind}", "look at it", kind=kind) for kind in ("unreachable", "permission"))


class Store:
    """Answers as it is told to; None as an answer to claim()."""

    ttl, where = 3.0, "store"

    def __init__(self, *answers):
        self.answers = list(answers)

    def peek(self, *_name):
        answer = self.answers.pop(0)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def claim(self, *_name, power):
        return self.peek()

    def announce(self, *_name):
        pass

    def wait(self, *_question):
        return True


class Service:
    """Notes what is reported."""

    slice = 0.5

    def __init__(self):
        self.told = []

    def now(self):
        return 0.0

    def report(self, event):
        self.told.append(type(event).__name__)

    def ready(self, status):
        self.shown = status

    status = ready

    def sleep(self, _seconds):
        pass


CLAIM = SimpleNamespace(last=None, former=None)


def test_an_outage_that_is_longer_than_a_lease_is_said_once_and_waited_through():
    service = Service()
    again = StoreError("store: no answer within 0.39 s", "look at it", kind="unreachable")
    store = Store(HELD, AWAY, again, AWAY, HELD, FREE, AWAY, FREE, CLAIM)
    assert claim_in_turn(service, store, "feed", "", power=False) is CLAIM
    assert store.answers == []
    assert service.told == ["StandingBy", "StoreTrouble", "StandingBy", "StoreTrouble"]


@pytest.mark.parametrize("answers", [(AWAY,), (FREE, AWAY), (HELD, DENIED)])
def test_who_is_not_standby_yet_or_is_refused_ends(answers):
    with pytest.raises(StoreError) as raised:
        claim_in_turn(Service(), Store(*answers), "feed", "", power=False)
    assert raised.value is answers[-1]
