"""How the units hang together."""

import re

import pytest
from unit_files import METRICS, SERVICES, UNITS, read

from hafta.service.options import Warm
from hafta.units.amounts import seconds
from hafta.units.sandbox import SANDBOX, Needs, sandbox

INGEST = UNITS.parent / "examples" / "ingest" / "ingest.service"
#: Said by DynamicUser= already.
IMPLIED = {"AmbientCapabilities"}


def shut_in(text):
    """The lines of a unit that shut it in, in their order."""
    names = {name for name, _ in SANDBOX} | {"DeviceAllow", "ReadWritePaths"}
    pairs = [tuple(line.split("=", 1)) for line in text.splitlines() if re.match(r"\w+=", line)]
    return [pair for pair in pairs if pair[0] in names]


def users():
    lines = (UNITS / "hafta.sysusers").read_text().splitlines()
    return {tuple(line.split()[:3]) for line in lines if not line.startswith("#")}


@pytest.mark.parametrize("file", [*(UNITS / name for name in SERVICES), INGEST], ids=lambda file: file.name)
def test_all_services_stand_in_the_one_sandbox_of_the_project(file):
    left_out = IMPLIED if file == INGEST else set()
    assert shut_in(file.read_text()) == [pair for pair in SANDBOX if pair[0] not in left_out]


def test_metrics_stand_in_the_same_sandbox_with_one_capability_to_read():
    """ProtectProc= would hide whose the processes are, and with that whom to believe."""
    file = "/var/lib/prometheus/node-exporter"
    needs = Needs(proc=True, capabilities=("CAP_DAC_READ_SEARCH",), writes=(f"-{file}",))
    wanted = [pair for pair in sandbox(needs) if pair[0] not in {"ProtectProc", "AmbientCapabilities"}]
    text = (UNITS / METRICS[0]).read_text()
    assert shut_in(text) == [("AmbientCapabilities", ""), *wanted]
    unit = read(METRICS[0])
    assert unit["Service", "ExecStart"] == [f"/usr/bin/hafta metrics --textfile {file}/hafta.prom"]
    assert unit["Unit", "ConditionPathIsDirectory"] == [file]
    assert unit["Service", "StateDirectoryMode"] == ["0700"]


def test_the_first_count_of_the_largest_journal_is_not_cut_off():
    """It would begin from the start each time, and never end: 4 GiB are 6 million events, 4,000 in a second."""
    [limit] = read(METRICS[0])["Service", "TimeoutStartSec"]
    assert seconds(limit) >= 6_000_000 / 4_000


def test_the_timer_of_metrics_is_off_until_somebody_enables_it():
    assert read(METRICS[1])["Install", "WantedBy"] == ["timers.target"]
    assert not any(section == "Install" for section, _ in read(METRICS[0]))
    for recipe in ("debian/rules", "rpm/hafta.spec"):
        lines = (UNITS.parent / "packaging" / recipe).read_text().splitlines()
        starting = [line for line in lines if METRICS[1] in line and "enable" in line.replace("--no-enable", "")]
        assert starting == []


def test_a_dead_server_does_not_take_its_client_along():
    unit = read("hafta-client.service")
    assert unit["Unit", "Wants"] == unit["Unit", "After"] == ["hafta-server.service"]
    assert not {("Unit", "Requires"), ("Unit", "BindsTo")} & unit.keys()


def test_the_target_starts_and_stops_both():
    assert read("hafta.target")["Unit", "Wants"] == ["hafta-server.service hafta-client.service"]
    assert all(read(name)["Unit", "PartOf"] == ["hafta.target"] for name in SERVICES)


def test_the_clients_may_read_the_servers_pipe():
    server = read("hafta-server.service")["Service", "Environment"]
    assert server[:2] == ["HAFTA_PIPE=%t/hafta/pipe", "HAFTA_MODE=0640"]
    assert ("m", "hafta-client", "hafta") in users()
    assert all(read(name)["Service", "User"] == ["hafta-client"] for name in SERVICES[1:])


def test_each_client_has_its_own_pipe_and_its_own_checkpoints():
    """Two readers of one pipe would share its bytes; and only one may have a record."""
    assert read("hafta-client.service")["Service", "Environment"][0] == "HAFTA_PIPE=%t/hafta/pipe"
    instance = ["HAFTA_PIPE=%t/hafta/%i", "HAFTA_INSTANCE=%i"]
    assert read("hafta-client@.service")["Service", "Environment"][:2] == instance


@pytest.mark.parametrize("name", [*SERVICES, INGEST])
def test_every_service_runs_warm_and_its_settings_may_make_it_cold(name):
    """The files of settings are read after Environment=, whatever the order of the lines."""
    unit = read(name)
    assert unit["Service", "Environment"][-1] == "HAFTA_WARM=1"
    assert (unit["Service", "KillMode"], unit["Service", "OOMPolicy"]) == (["mixed"], ["continue"])
    assert unit["Service", "ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert ("Service", "NotifyAccess") not in unit  # main: only the parent speaks for the unit
    assert Warm().grace < float(unit["Service", "TimeoutAbortSec"][0])
    assert Warm().stop < float(unit.get(("Service", "TimeoutStopSec"), ["90"])[0])


@pytest.mark.parametrize("name", [*SERVICES[1:], INGEST])
def test_the_next_start_of_a_durable_service_is_told_how_the_last_process_ended(name):
    unit = read(name)
    assert f"ExecStopPost={unit['Service', 'ExecStopPost'][0]}" in (UNITS.parent / "docs/warm.md").read_text()
    assert unit["Service", "ExecStopPost"][0].startswith("-/bin/ln ")  # a clean stop does not fail because of it
    assert unit["Service", "RuntimeDirectoryPreserve"] == ["restart"]


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
