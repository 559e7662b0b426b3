"""Units that `hafta unit` writes: read as they were meant, shut in, and opened only by what is named."""

import itertools
import os
import re
import subprocess

import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafta.errors import UsageError
from hafta.guard.arithmetic import watchdog_for
from hafta.service import holdoff
from hafta.units.load import Loader
from hafta.units.roots import roots
from hafta.units.sandbox import SANDBOX, Needs, sandbox
from hafta.units.specifiers import Specifiers
from hafta.units.words import is_utf8
from hafta.units.write import Around, Guarding, Wanted, command_line, quoted, unit_text

GUARDING = Guarding(("/bin/true", "guard", "--interval=0.5"), 8, 4.0, 30.0, 10.0)
GUARDED = Wanted("gateway", "A gateway", ("/bin/true", "--flag"), GUARDING)
BARE = Wanted("gateway", "A gateway", ("/bin/true", "--flag"), watchdog=20.0)
SEQUENCE = Wanted(
    "feed", "A feed", ("/bin/true", "-m"), is_sequence=True, watchdog=10.0, around=Around(directory="/usr")
)
KINDS = {
    "guarded": GUARDED,
    "notify": BARE,
    "sequence": SEQUENCE,
    "of a user": GUARDED.replace(around=Around(of_user=True)),
}

SPECIFIERS = Specifiers("x.service", "", roots({}, "/r", "/s"))

#: A need, what it takes out of the sandbox, and what it puts in.
OPENED = {
    "network": (
        Needs(network=True),
        {("IPAddressDeny", "any"), ("PrivateNetwork", "yes"), ("RestrictAddressFamilies", "AF_UNIX")},
        {("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK")},
    ),
    "jit": (Needs(jit=True), {("MemoryDenyWriteExecute", "yes")}, set()),
    "proc": (Needs(proc=True), {("ProcSubset", "pid")}, set()),
    "write": (Needs(writes=("/srv/x",)), set(), {("ReadWritePaths", "/srv/x")}),
    "write in a home": (
        Needs(writes=("/home/joe/x",)),
        {("ProtectHome", "yes")},
        {("ProtectHome", "read-only"), ("ReadWritePaths", "/home/joe/x")},
    ),
    "write in /tmp": (Needs(writes=("/tmp/x",)), {("PrivateTmp", "yes")}, {("ReadWritePaths", "/tmp/x")}),
    "a program in a home": (Needs(reads=("/root/x",)), {("ProtectHome", "yes")}, {("ProtectHome", "read-only")}),
    "beside a home": (Needs(reads=("/homes/x", "/tmpfs")), set(), set()),
    "device": (Needs(devices=("/dev/ttyS0",)), {("PrivateDevices", "yes")}, {("DeviceAllow", "/dev/ttyS0 rw")}),
    "capability": (
        Needs(capabilities=("CAP_NET_BIND_SERVICE",)),
        {("AmbientCapabilities", ""), ("CapabilityBoundingSet", ""), ("PrivateUsers", "yes")},
        {("AmbientCapabilities", "CAP_NET_BIND_SERVICE"), ("CapabilityBoundingSet", "CAP_NET_BIND_SERVICE")},
    ),
}


@pytest.mark.parametrize("name", OPENED)
def test_a_need_opens_the_sandbox_by_this_and_nothing_else(name):
    needs, taken, put = OPENED[name]
    assert set(SANDBOX) - set(sandbox(needs)) == taken
    assert set(sandbox(needs)) - set(SANDBOX) == put


def test_all_needs_together_open_what_each_opens():
    parts = [needs for needs, _, _ in OPENED.values()]
    every = Needs(*(
        any(values) if isinstance(values[0], bool) else tuple(itertools.chain(*values))
        for values in zip(*(each.values() for each in parts), strict=True)
    ))  # fmt: skip
    assert set(SANDBOX) - set(sandbox(every)) == set().union(*(taken for _, taken, _ in OPENED.values()))


@pytest.fixture
def analyze(tmp_path):
    """Put a unit somewhere and ask systemd-analyze about it."""
    if not oracle.ANALYZE:
        text = "systemd-analyze is missing: install systemd (it need not run)"
        pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)

    def ask(wanted, *words):
        file = tmp_path / f"{wanted.name}.service"
        file.write_text(unit_text(wanted))
        environ = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
        return subprocess.run([oracle.ANALYZE, *words, file], env=environ, check=False, capture_output=True, text=True)

    return ask


@pytest.mark.parametrize("kind", KINDS)
def test_systemd_understands_every_word_of_it_and_it_is_hardly_exposed(analyze, kind):
    done = analyze(KINDS[kind], "verify", "--man=no")
    assert (done.stderr, done.returncode) == ("", 0)
    if kind != "of a user":  # its user is not in the unit
        done = analyze(KINDS[kind], "security", "--offline=yes", "--threshold=10", "--no-pager")
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", OPENED)
def test_systemd_understands_what_each_need_adds(analyze, name):
    done = analyze(GUARDED.replace(needs=OPENED[name][0], around=Around("daemon", ("tty",))), "verify", "--man=no")
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("kind", KINDS)
def test_our_own_overlord_misses_nothing_but_the_sandbox(tmp_path, kind):
    wanted = KINDS[kind]
    (tmp_path / f"{wanted.name}.service").write_text(unit_text(wanted))
    loader = Loader((str(tmp_path),), roots({}, "/r", "/s"))
    unit = loader.load([wanted.name])[f"{wanted.name}.service"]
    assert [each.directive for each in unit.unheeded] == []
    assert unit.policy.restart == "always"
    assert unit.watchdog_sec == {"notify": 20.0, "sequence": 10.0}.get(kind, 8.0)


WORDS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))), max_size=6)


@given(WORDS)
def test_every_argument_reaches_the_program_as_it_is(words):
    line = command_line(("/bin/true", *words))
    assert "\n" not in line
    [argv] = commands_of(line)
    assert [resolved(word) for word in argv] == ["/bin/true", *words]


def commands_of(line):
    from hafta.units.directives import commands

    return [each.argv for each in commands(line, SPECIFIERS)]


def resolved(word):
    """What is left to do when it is started: `$$` is `$`."""
    assert not re.search(r"(?<!\$)(\$\$)*\$(?!\$)", word), "a variable"
    return word.replace("$$", "$")


TRICKY = [
    "a b",
    'q"uo\\te',
    "$HOME",
    "${x}",
    "100%n",
    "%%",
    "",
    ";",
    "\\;",
    "é\u2028x",
    "\t",
    "line\nfeed",
    "'",
    "#",
    "-",
]


def test_systemd_hands_over_the_same_words(tmp_path):
    if not oracle.ANALYZE:
        pytest.skip("there is no systemd-analyze") if not os.environ.get("CI") else pytest.fail("no systemd-analyze")
    (tmp_path / "t.service").write_text(f"[Service]\nExecStart={command_line(('/bin/true', *TRICKY))}\n")
    found = oracle.verify(tmp_path, ["t.service"])["t.service"]
    assert found.complaints == []
    assert [[word.replace("$$", "$") for word in argv] for argv in found.commands] == [["/bin/true", *TRICKY]]


NO_CHARACTER = tuple(char for char in map(chr, (*range(0xD800), *range(0xE000, 0x110000))) if not is_utf8(char))


@given(st.text(st.characters(exclude_characters=("\0", *NO_CHARACTER), exclude_categories=("Cs",))))
def test_a_variable_reaches_the_program_as_it_is(value):
    from hafta.units.values import assignments

    line = quoted(f"NAME={value}", is_command=False)
    assert assignments(line, SPECIFIERS) == (("NAME", value),)


@pytest.mark.parametrize("char", ["\ufdd0", "\uffff", "\U0001fffe", "\udcff"])
def test_what_no_reader_takes_is_not_written(char):
    around = Around(environment=(("GOOD", "é"), ("BAD", f"x{char}")))
    with pytest.raises(UsageError, match=r"BAD: 'x.*' cannot stand in a unit"):
        unit_text(BARE.replace(around=around))
    with pytest.raises(UsageError, match="cannot stand in a unit"):
        unit_text(BARE.replace(description=f"A {char}"))


def test_nobody_reads_what_is_plain_in_quotes():
    line = "/usr/bin/java -jar shop.jar --port=80 http://127.0.0.1/x?y=1"
    assert command_line(line.split()) == line


def comments(text):
    return " ".join(line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#"))


def test_the_arithmetic_in_the_comments_is_that_of_the_code():
    text = comments(unit_text(GUARDED, "Exposure 0.3 of 10, says somebody."))
    assert "crash n in a row waits 0 s for n <= 5, then 0.1 s doubling up to 5 s" in text
    assert (holdoff.FREE, holdoff.FIRST, holdoff.CAP, holdoff.STABLE) == (5, 0.1, 5.0, 10.0)
    assert "started 13 times in the first 10 s" in text  # as test_units_arithmetic.py has it for the same numbers
    assert "A hang is answered within 4 s" in text
    assert "2 * (failures + 1) * max(interval, timeout)" in text
    assert watchdog_for(1, 1, 3) == 2 * (3 + 1) * max(1, 1) == 8
    assert "The sandbox. Exposure 0.3 of 10, says somebody." in text
    assert all(len(line) <= 120 for line in unit_text(GUARDED).splitlines() if line.startswith("#"))


def test_the_sandbox_says_what_it_was_opened_for():
    needs = Needs(network=True, jit=True, proc=True, writes=("/home/x",), devices=("/dev/x",), capabilities=("CAP_X",))
    said = "The sandbox, loosened for: the network, executable memory, all of /proc, reading homes, CAP_X, /dev/x,"
    assert f"{said} writing to /home/x." in comments(unit_text(GUARDED.replace(needs=needs)))
