"""How the units hang together."""

import re

import pytest
from unit_files import SERVICES, UNITS, read

SANDBOX = re.compile(
    r"Ambient|Capability|Device|IPAddress|Keyring|Lock|Memory|NoNew|Private|Proc|Protect|Remove|Restrict|SystemCall"
)


def sandbox(name):
    return {key: values for key, values in read(name).items() if SANDBOX.match(key[1])}


def users():
    lines = (UNITS / "hafta.sysusers").read_text().splitlines()
    return {tuple(line.split()[:3]) for line in lines if not line.startswith("#")}


def test_all_services_stand_in_the_same_sandbox():
    server = sandbox("hafta-server.service")
    assert len(server) > 25
    assert all(sandbox(name) == server for name in SERVICES)


def test_a_dead_server_does_not_take_its_client_along():
    unit = read("hafta-client.service")
    assert unit["Unit", "Wants"] == unit["Unit", "After"] == ["hafta-server.service"]
    assert not {("Unit", "Requires"), ("Unit", "BindsTo")} & unit.keys()


def test_the_target_starts_and_stops_both():
    assert read("hafta.target")["Unit", "Wants"] == ["hafta-server.service hafta-client.service"]
    assert all(read(name)["Unit", "PartOf"] == ["hafta.target"] for name in SERVICES)


def test_the_clients_may_read_the_servers_pipe():
    server = read("hafta-server.service")["Service", "Environment"]
    assert server == ["HAFTA_PIPE=%t/hafta/pipe", "HAFTA_MODE=0640"]
    assert ("m", "hafta-client", "hafta") in users()
    assert all(read(name)["Service", "User"] == ["hafta-client"] for name in SERVICES[1:])


def test_each_client_has_its_own_pipe_and_its_own_checkpoints():
    """Two readers of one pipe would share its bytes; and only one may have a record."""
    assert read("hafta-client.service")["Service", "Environment"] == ["HAFTA_PIPE=%t/hafta/pipe"]
    instance = ["HAFTA_PIPE=%t/hafta/%i", "HAFTA_INSTANCE=%i"]
    assert read("hafta-client@.service")["Service", "Environment"] == instance


@pytest.mark.parametrize("name", SERVICES)
def test_settings_are_read_where_each_distribution_keeps_them(name):
    program = name.removesuffix(".service").replace("@", "@%i")
    assert read(name)["Service", "EnvironmentFile"] == [f"-/etc/default/{program}", f"-/etc/sysconfig/{program}"]


@pytest.mark.parametrize("name", [*SERVICES, "hafta.target"])
def test_every_unit_can_be_enabled_and_names_its_page(name):
    unit = read(name)
    assert unit["Install", "WantedBy"] == ["multi-user.target"]
    page = name.replace("@", "")
    assert f"man:{page}(8)" in unit["Unit", "Documentation"][0].split()


@pytest.mark.parametrize("name", SERVICES)
def test_the_user_of_a_service_is_made_by_sysusers(name):
    (user,) = read(name)["Service", "User"]
    assert ("u", user, "-") in users()
    assert read(name)["Service", "Group"] == [user]
