"""Very many units, and long chains of them: the work grows with their number, and nothing recurses."""

from itertools import pairwise

import pytest
from overlord_harness import wait_until

from hafta.overlord.machine import Machine
from hafta.overlord.manager import Manager
from hafta.overlord.table import Event, State
from hafta.units.conditions import Verdict
from hafta.units.load import Loader
from hafta.units.restart import Policy
from hafta.units.roots import Roots
from hafta.units.unit import Needs, Unit


class FakeRunner:
    """A unit whose starts and stops succeed at once."""

    looks = 0
    main = 0
    machine = Machine(Policy())
    waits_for_empty = False

    def __init__(self, unit):
        self.unit = unit
        self.name = unit.name
        self._state = State.INACTIVE
        self.is_stuck = False

    @property
    def state(self):
        FakeRunner.looks += 1
        return self._state

    def handle(self, event):
        self._state = State.ACTIVE if event is Event.START else State.INACTIVE

    def remove_directories(self, *, restarts):
        pass


def manager_of(units):
    manager = Manager({unit.name: unit for unit in units}, lambda _: None, lambda *_: Verdict())
    manager.runners.update({unit.name: FakeRunner(unit) for unit in units})
    return manager


def chain(length, **needs):
    """Units of which each needs the next one."""
    names = [f"c{number}.service" for number in range(length + 1)]
    return [Unit(name, "f", needs=Needs(**dict.fromkeys(needs, (after,)))) for name, after in pairwise(names)]


def test_a_chain_of_units_may_be_of_any_length(tmp_path):
    for number in range(3000):
        wants = f"Wants=c{number + 1}.service" if number < 2999 else ""
        (tmp_path / f"c{number}.service").write_text(f"[Unit]\n{wants}\n[Service]\nExecStart=/bin/true\n")
    loaded = Loader([str(tmp_path)], Roots("/r", "/s", "/c", "/l", "/e")).load(["c0"])
    assert list(loaded) == [f"c{number}.service" for number in range(3000)]
    manager = manager_of(chain(3000, requires=True, after=True))
    manager.start_all()
    while not manager.settle():
        pass
    last = manager.runners["c2999.service"]
    assert last.state is State.ACTIVE
    manager._leave(last.name)
    while not manager.settle():
        pass
    assert {runner.state for runner in manager.runners.values()} == {State.INACTIVE}
    manager._ask("c0.service")
    while not manager.settle():
        pass
    assert {runner.state for runner in manager.runners.values()} == {State.ACTIVE}
    manager._take_along(last.name)
    while not manager.settle():
        pass
    assert {runner.state for runner in manager.runners.values()} == {State.ACTIVE}


@pytest.mark.parametrize("kind", ["chain", "target"])
def test_the_work_of_starting_and_stopping_grows_with_the_number_of_units(kind):
    """Counted, not timed: how often a state is looked at."""

    def looks(number):
        units = chain(number, wants=True, after=True) if kind == "chain" else target_of(number)
        manager = manager_of(units)
        FakeRunner.looks = 0
        manager.start_all()
        while not manager.settle():
            pass
        manager.stop_all()
        while not manager.settle():
            pass
        assert manager.is_finished
        return FakeRunner.looks

    assert looks(2000) < 3 * looks(1000)


def target_of(number):
    """A target that wants so many services."""
    units = chain(number)
    return [*units, Unit("all.target", "f", needs=Needs(wants=tuple(unit.name for unit in units)))]


class Restless(FakeRunner):
    """A unit that ends at once, and always restarts."""

    def __init__(self, unit):
        super().__init__(unit)
        self.starts = 0

    def handle(self, event):
        self.starts += event in {Event.START, Event.TIMER}
        self._state = State.AUTO_RESTART if event in {Event.START, Event.TIMER} else State.INACTIVE


def test_restarts_never_overtake_a_unit_that_waits_for_its_first_start():
    """Here every unit asks for its restart before the next one has been started: only the order of asking is fair."""
    manager = manager_of(chain(50))
    manager.runners.update({name: Restless(runner.unit) for name, runner in manager.runners.items()})
    manager.start_all()
    for _ in range(500):
        manager._advance()
        for runner in manager.runners.values():
            if runner.state is State.AUTO_RESTART:
                manager.post(runner, Event.TIMER)
        manager.drain()
    assert {runner.starts for runner in manager.runners.values()} == {10}


def test_in_a_storm_every_unit_gets_its_turn(place):
    """Fifty services that end at once and ask to be restarted sooner than fifty can be started."""
    for number in range(50):
        place.service(
            f"s{number}", f"/bin/sh -c 'echo s{number} >>{place.file('seen')}'", "Restart=always", "RestartSec=10ms",
            unit=["StartLimitIntervalSec=0"],
        )  # fmt: skip
    place.start(*[f"s{number}" for number in range(50)])

    def counts():
        seen = place.read("seen").split()
        return [seen.count(f"s{number}") for number in range(50)]

    wait_until(lambda: min(counts()) >= 3)
    final = counts()
    assert max(final) <= 3 * min(final), "some were started far more often than others"
