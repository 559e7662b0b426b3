"""--hold-pipe under systemd, which holds the pipe over a restart: switched on, and switched off again."""

import pytest
from services import SERVER, configure, is_running, start, stop, wait_for_read

PLAIN = {"interval": 0.05, "bad_rate": 0}


@pytest.fixture(params=[0, 1], ids=["cold", "warm"])
def warmth(request):
    return {"warm": request.param}


@pytest.fixture
def held(installed, warmth):
    start(installed, **PLAIN, **warmth, hold_pipe=1)
    yield installed
    stop(installed)


def stored(machine):
    return machine.get(SERVER, "NFileDescriptorStore")


def test_a_server_for_which_it_is_switched_off_is_not_locked_out_by_what_systemd_still_holds(held, warmth):
    held.wait_until("systemd holds the pipe", lambda: stored(held) == "1")
    held.run("systemctl", "restart", SERVER)
    assert stored(held) == "1"
    configure(held, SERVER, **PLAIN, **warmth)
    cursor = held.cursor()
    held.run("systemctl", "restart", SERVER)
    held.wait_until("systemd holds it no more", lambda: stored(held) == "0")
    wait_for_read(held, cursor)
    assert is_running(held, SERVER)
