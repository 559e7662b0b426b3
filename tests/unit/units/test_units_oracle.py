"""We read units and environment files as systemd does: thousands of generated lines, held against its own reader.

A line that systemd skips with a warning is an error here. `EXCEPTIONS` are the differences that stay; docs/overlord.md
lists them with their reasons, under the same words.
"""

import os
import random
import re
import signal
from pathlib import Path

import oracle
import pytest
from oracle_attributes import ATTRIBUTES, COMPARED_ATTRIBUTES
from oracle_folders import COMPARED_FOLDERS, FOLDERS
from oracle_pieces import IDENTITIES, MODES, NUMBERS, PATHS, SIGNALS, SIZES, SPANS, STATUSES, TEXT, UNITS, WORDS, pieces
from oracle_relations import COMPARED_RELATIONS, FLAGS, OTHER_NAMES, RELATED
from oracle_streams import COMPARED_STREAMS, STREAMS

from hafta.errors import UsageError
from hafta.units import amounts
from hafta.units.directives import CONDITIONS, DIRECTIVES, commands
from hafta.units.envfile import parse_file
from hafta.units.load import Loader
from hafta.units.read import read_unit
from hafta.units.roots import Roots
from hafta.units.specifiers import Specifiers
from hafta.units.unitfile import UnitError, parse

ROOTS = Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
HEAD = "[Unit]\nDefaultDependencies=no\n{unit}\n[Service]\nExecStart=/bin/true\n{service}\n"
ROUNDS = 120  # lines for each directive
FILES = 1500
LAYOUTS = 60

pytestmark = pytest.mark.skipif(
    not oracle.ANALYZE and not os.environ.get("CI"), reason="systemd-analyze is missing: install systemd"
)

#: directive -> pieces of its values
SERVICE = {
    **dict.fromkeys(("ExecStart", "Environment", "PassEnvironment", "UnsetEnvironment"), TEXT),
    **dict.fromkeys(("RestartSec", "TimeoutStartSec", "TimeoutStopSec", "TimeoutAbortSec", "WatchdogSec"), SPANS),
    **dict.fromkeys(("TimeoutSec", "StartLimitInterval"), SPANS),
    **dict.fromkeys(("LimitCPU", "LimitRTTIME"), (*SPANS, ":")),
    **dict.fromkeys(("LimitCORE", "LimitAS", "LimitNOFILE", "LimitNPROC", "LimitNICE"), SIZES),
    **dict.fromkeys(("LimitDATA", "LimitFSIZE", "LimitMEMLOCK", "LimitMSGQUEUE", "LimitRSS", "LimitSTACK"), SIZES),
    **dict.fromkeys(("LimitLOCKS", "LimitRTPRIO", "LimitSIGPENDING"), SIZES),
    **dict.fromkeys(("User", "Group"), IDENTITIES),
    **dict.fromkeys(("KillSignal", "WatchdogSignal"), SIGNALS),
    **dict.fromkeys(("ExecCondition", "ExecStartPre", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"), TEXT),
    **dict.fromkeys(("SuccessExitStatus", "RestartPreventExitStatus", "RestartForceExitStatus"), STATUSES),
    **dict.fromkeys(("RemainAfterExit", "SendSIGKILL", "Restart", "Type", "KillMode", "NotifyAccess"), WORDS),
    **dict.fromkeys(("IgnoreSIGPIPE", "RuntimeDirectoryPreserve", "DynamicUser"), WORDS),
    **dict.fromkeys(("GuessMainPID", "PermissionsStartOnly"), WORDS),
    "UMask": MODES,
    "StartLimitBurst": NUMBERS,
    **dict.fromkeys(("WorkingDirectory", "EnvironmentFile", "PIDFile"), PATHS),
    **ATTRIBUTES,
    **FOLDERS,
    **STREAMS,
}
NEWER, APART = {"ReloadSignal", "Sockets"}, {*CONDITIONS, *OTHER_NAMES}  # not in 252, or in tests of their own
UNIT = {
    **dict.fromkeys(RELATED, UNITS),
    **dict.fromkeys(("StartLimitIntervalSec", "StartLimitInterval"), SPANS),
    "StartLimitBurst": NUMBERS,
    **dict.fromkeys(("DefaultDependencies", *FLAGS), WORDS),
}
#: What we write in front of a value, so that more of them are right.
_COMMANDS = ("/bin/a ", "/bin/a ", "-/bin/a ", "@a ", "@/bin/a ", "a ", "!!/bin/a ", "+!", ":/a ", "/a/../b ", "/a%n ")
PREFIXES = {"ExecStart": _COMMANDS}
PREFIXES |= dict.fromkeys(("Environment", "UnsetEnvironment"), ("A=", "A=", "", '"A='))
PREFIXES |= {name: PREFIXES["ExecStart"] for name in SERVICE if name.startswith("Exec")}
PREFIXES |= dict.fromkeys(UNIT, ("", "", "a.service ")) | {
    "EnvironmentFile": ("/", "-/", ""),
    "WorkingDirectory": ("/", "-/", ""),
}

#: The differences that stay: name, what our error says, directives. See "Differences in reading" in docs/overlord.md.
CAPABILITY_LINES = ("AmbientCapabilities", "CapabilityBoundingSet", "SecureBits")
EXCEPTIONS = (
    ("RestartSec=infinity", r"a time span that ends", ("RestartSec",)),
    (
        "paths above the root",
        r"=-?/+\.\..*: expected an absolute path",
        ("WorkingDirectory", "EnvironmentFile", "PIDFile"),
    ),
    ("numbers with a sign and a prefix", r"[+-]0[bo].*: expected", tuple(SERVICE)),
    (
        "open quotes and unknown names of capabilities",
        r"expected (capabilities|one or more of noroot|a closing|something after)",
        CAPABILITY_LINES,
    ),
    ("numbers of scheduling policies", r"expected one of (other|none), ", ("CPUSchedulingPolicy", "IOSchedulingClass")),
    ("CPUs that are not numbers", r"expected numbers of CPUs", ("CPUAffinity",)),
    ("types", r"expected one of simple, exec, notify", ("Type",)),
    ("StandardInput=tty", r"the overlord has no terminal", ("StandardInput",)),
)


def test_every_directive_that_is_honoured_is_generated():
    assert (set(DIRECTIVES["Service"]) - NEWER, set(DIRECTIVES["Unit"]) - APART) == (set(SERVICE), set(UNIT))


def test_the_differences_that_stay_are_in_the_docs():
    docs = (Path(__file__).parents[3] / "docs/overlord.md").read_text()
    table = docs.partition("### Differences in reading")[2]
    names = [name for name, _, _ in EXCEPTIONS] + [
        "comments after a byte order mark",
        "comments that end in a backslash",
    ]
    assert [name for name in names if f"| {name}" not in table] == []


def lines(directives, seed):
    """Give (directive, value), always the same ones."""
    chosen = random.Random(seed)
    for name, parts in directives.items():
        prefixes = PREFIXES.get(name, ("",))
        for _ in range(ROUNDS):
            count = chosen.choice((0, 1, 1, 1, 2, 2, 3, 4, 6, 9))
            value = chosen.choice(prefixes) + "".join(chosen.choices(parts, k=count))
            if name not in {"ExecStart", "Type"} and chosen.random() < 0.15:  # two lines; an empty one may take back
                value += f"\n{name}=" + chosen.choice(("", chosen.choice(prefixes) + chosen.choice(parts)))
            if "\\\n" not in f"{value}\n":
                yield name, value


def shown(number):
    """Return a limit as the dump shows it."""
    return str(number % (1 << 64))


def limit_of(unit):
    """Return (hard, soft) of the only limit."""
    return [] if not unit.limits else [shown(unit.limits[0][2]), shown(unit.limits[0][1])]


def duration(text):
    """Return the microseconds of a time span of the dump."""
    return amounts.microseconds(text)


def exact(seconds):
    """Return microseconds, INFINITY for ever."""
    return amounts.INFINITY if seconds == float("inf") else round(seconds * 1_000_000)


def is_near(shown_span, seconds):
    """Tell whether a span of the dump is ours: it leaves out what is small beside the rest."""
    theirs, ours = duration(shown_span), exact(seconds)
    return theirs == ours or abs(ours - theirs) < 1_000_000 or (theirs == amounts.INFINITY and ours == 0)


def signal_of(text):
    """Return the number of a signal of the dump."""
    name, _, offset = text.removeprefix("SIG").partition("+")
    return int(name) if name.isdigit() else int(signal.Signals[f"SIG{name}"]) + int(offset or 0)


def yes(value):
    """Return a boolean as the dump shows it."""
    return "yes" if value else "no"


#: directive -> (understood, unit) -> two values that must be equal
COMPARED = {
    "Environment": lambda d, u: (
        sorted(d.values("Environment")),
        sorted(f"{k}={v}" for k, v in dict(u.environment).items()),
    ),
    "PassEnvironment": lambda d, u: (d.values("PassEnvironment"), list(u.pass_environment)),
    "UnsetEnvironment": lambda d, u: (d.values("UnsetEnvironment"), list(dict.fromkeys(u.unset_environment))),
    "EnvironmentFile": lambda d, u: (
        d.values("EnvironmentFile"),
        [("-" if o else "") + p for p, o in u.environment_files],
    ),
    "WorkingDirectory": lambda d, u: (
        d.values("WorkingDirectory"),
        ["/" if u.working_directory[0] == "~" else u.working_directory[0]],
    ),
    "User": lambda d, u: (d.values("User"), [u.account.user] if u.account.user else []),
    "Group": lambda d, u: (d.values("Group"), [u.account.group] if u.account.group else []),
    "KillSignal": lambda d, u: ([signal_of(each) for each in d.values("KillSignal")], [u.kill_signal]),
    "DefaultDependencies": lambda d, u: (d.values("DefaultDependencies"), [yes(u.default_dependencies)]),
    "TimeoutSec": lambda d, u: (is_near(d.values("TimeoutStopSec")[0], u.timeout_stop), True),
    "RestartSec": lambda d, u: (is_near(d.values("RestartSec")[0], u.restart_sec), True),
    "TimeoutStartSec": lambda d, u: (is_near(d.values("TimeoutStartSec")[0], u.timeout_start), True),
    "TimeoutStopSec": lambda d, u: (is_near(d.values("TimeoutStopSec")[0], u.timeout_stop), True),
    "WatchdogSec": lambda d, u: (is_near(d.values("WatchdogSec")[0], u.watchdog_sec), True),
    "RemainAfterExit": lambda d, u: (d.values("RemainAfterExit"), [yes(u.policy.remain)]),
    "SendSIGKILL": lambda d, u: (d.values("SendSIGKILL"), [yes(u.send_sigkill)]),
    "IgnoreSIGPIPE": lambda d, u: (d.values("IgnoreSIGPIPE"), [yes(u.ignore_sigpipe)]),
    "DynamicUser": lambda d, u: (d.values("DynamicUser"), [yes(u.account.dynamic)]),
    "Restart": lambda d, u: (d.values("Restart"), [u.policy.restart]),
    "Type": lambda d, u: (d.values("Type")[0] in {u.policy.type, "idle", "dbus"}, True),
    "UMask": lambda d, u: (d.values("UMask"), [f"{u.umask:04o}"]),
    "RuntimeDirectoryPreserve": lambda d, u: (d.values("RuntimeDirectoryPreserve"), [u.runtime_preserve]),
    "After": lambda d, u: (
        set(d.values("After")) - {"system.slice", "-.mount", "systemd-journald.socket"},
        set(u.needs.after) - {u.name},
    ),
}
COMPARED |= COMPARED_ATTRIBUTES | COMPARED_FOLDERS | COMPARED_STREAMS | COMPARED_RELATIONS
for _name in (*(name for name in SERVICE if name.startswith("Limit")),):
    COMPARED[_name] = lambda d, u, name=_name: ([*d.values(name), *d.values(f"{name}Soft")], limit_of(u))


def ours(name, value, text, file):
    """Return our unit, or the list of command lines of ExecStart=; raise UnitError."""
    specifiers = specifiers_of(file)
    entries = parse(text, file)
    if name != "ExecStart":
        return read_unit(entries, specifiers)
    try:
        found = [each.argv for entry in entries if entry.name == name for each in commands(entry.value, specifiers)]
    except ValueError as error:
        raise UnitError(f"expected {error}") from None
    if value.strip() == "":
        raise UnitError("no ExecStart=")
    return found


def judge(name, value, text, file, understood):
    """Return what differs, empty if nothing does."""
    theirs = [words for line, words in understood.complaints if line or understood.dump is None]
    try:
        unit = ours(name, value, text, file)
    except UnitError as error:
        excused = any(re.search(pattern, error.message) and name in names for _, pattern, names in EXCEPTIONS)
        return "" if theirs or excused else f"only we refuse: {error.message.rpartition('expected')[2]}"
    if theirs:
        return f"only systemd refuses: {theirs}"
    if name == "ExecStart":
        pair = (understood.commands, [["/bin/true"], *map(list, unit[1:])])
    else:
        pair = COMPARED[name](understood, unit) if name in COMPARED else (0, 0)
    return "" if pair[0] == pair[1] else f"systemd: {pair[0]!r}  we: {pair[1]!r}"


def differences(folder, cases, judged, recursive="no"):
    """Let systemd read all units of a folder at once; return what is judged to differ."""
    found = oracle.verify(folder, list(cases), recursive)
    return {key: why for unit, (key, *rest) in cases.items() if (why := judged(*rest, found[unit]))}


@pytest.mark.parametrize(
    ("section", "directives", "recursive", "least"), [("service", SERVICE, "no", 5000), ("unit", UNIT, "one", 1000)]
)
def test_generated_lines_mean_what_they_mean_to_systemd(tmp_path, section, directives, recursive, least):
    cases = {}
    for name, value in lines(directives, seed=section):
        text = HEAD.format(**{"unit": "", "service": "", section: f"{name}={value}"})
        if name == "ExecStart":
            text = text.replace("ExecStart=/bin/true\n", "Type=oneshot\nExecStart=/bin/true\n")
        unit = f"u{len(cases)}.service"
        (tmp_path / unit).write_bytes(text.encode("utf-8", "surrogateescape"))
        cases[unit] = (f"{name}={value}", name, value, text, str(tmp_path / unit))
    assert differences(tmp_path, cases, judge, recursive) == {}
    assert len(cases) > least


FILE = (
    *pieces("Environment=A=1\n|Environment=B=2 \\\n| C=3\n|\t| |\n|\\\n|\\|# c\n|; c \\\n| #|\r|\r\n"),
    *pieces("[Service]\n|[Unit]\n|[X-a]\n| [Service] \n|[bad\n|word\n|=x\n|Environment = D=4 \n|Environment=\n"),
    *('Environment="E=5\\\n6"\n', "é", "UMask", "=", "\ufeff", "\udcff", "# \udcff\n", "Environment=F=7\\\\\n"),
)


#: A comment after a byte order mark is none to systemd, and a warning.
MARKED_COMMENT = re.compile(r"\ufeff[ \t]*[#;]")


def judge_file(text, file, understood):
    """Return how the environments differ that a file means to systemd and to us."""
    if MARKED_COMMENT.search(text):
        return ""
    # What is only unknown is named when the overlord starts; it is not an error.
    theirs = [words for line, words in understood.complaints if line and not words.startswith("Unknown ")]
    try:
        ours = sorted(
            f"{k}={v}" for k, v in dict(read_unit(parse(text, file), specifiers_of(file)).environment).items()
        )
    except UnitError as error:
        return "" if theirs else f"only we refuse: {error.message}"
    if theirs:
        return f"only systemd refuses: {theirs}"
    expected = sorted(understood.values("Environment"))
    return "" if expected == ours else f"systemd: {expected}  we: {ours}"


def specifiers_of(file):
    """Return the specifiers of a unit file."""
    return Specifiers(os.path.basename(file), file, ROOTS)


def test_generated_files_have_the_lines_that_systemd_sees(tmp_path):
    chosen, cases = random.Random("files"), {}
    for at in range(FILES):
        body = "".join(chosen.choices(FILE, k=chosen.randint(1, 8)))
        text = f"[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/true\n{body}"
        unit = tmp_path / f"f{at}.service"
        unit.write_bytes(text.encode("utf-8", "surrogateescape"))
        cases[unit.name] = (body, text, str(unit))
    assert differences(tmp_path, cases, judge_file) == {}


ENVIRONMENT = (
    *pieces("a|b c| |\t|\n|\n|\r|'|\"|'x y'|\"x y\"|\\|\\\n|\\a|\\\\|\\\"|\\'|#|;"),
    *pieces("# c\n|[s]\n|export |é|`|\x7f|\x01|V1_=|V2_=|V3_=| V4_ = |1V_=|V-=|V =|:|{|}"),
)


#: Since 254 a backslash at the end of a comment means nothing; before, the next line belonged to the comment.
COMMENT_THAT_GOES_ON = re.compile(r"(?m)(?:^|[\n\r])[ \t]*[#;].*\\$")


def test_generated_environment_files_mean_what_they_mean_to_systemd(tmp_path):
    """All files in one call: the names of their variables tell them apart, and no quote goes on in another file."""
    chosen, texts = random.Random("environment"), {}
    for at in range(FILES):
        body = "V1_=" * chosen.randint(0, 1) + "".join(chosen.choices(ENVIRONMENT, k=chosen.randint(1, 14)))
        texts[at] = re.sub(r"(V\d_|V -|V )", rf"\g<1>{at}_", body)
    found = oracle.environment_d(tmp_path, texts)
    wrong = {}
    for at, text in texts.items():
        if COMMENT_THAT_GOES_ON.search(text) and oracle.VERSION < 254:
            continue
        ours = {name: value for name, value in parse_file(text) if name.endswith(f"_{at}_")}
        theirs = {name: value for name, value in found.items() if name.endswith(f"_{at}_")}
        if {name: value for name, value in ours.items() if value} != theirs and "" not in ours.values():
            wrong[text] = f"systemd: {theirs}  we: {ours}"
    assert wrong == {}


LAYOUT_FILES = pieces("foo-bar.service|foo-bar@.service|foo-bar@x.service|al-ias.service|al@.service|a-b-.service")
LAYOUT_NAMES = pieces("foo-bar.service|foo-bar@x.service|foo-bar@y-z.service|al-ias.service|al@x.service|a-b-.service")
LAYOUT_DROP_INS = (*LAYOUT_FILES, *pieces("foo-.service|foo-@.service|foo-@x.service|al-.service|a-.service|service"))
SERVICE_TEXT = "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/true\n"


def make_layout(base, chosen):
    """Fill two directories with files, links and drop-ins at random; return them."""
    folders = [base / "etc", base / "lib"]
    for folder in (*folders, base / "else"):
        folder.mkdir(parents=True)
    for folder in folders:
        for name in LAYOUT_FILES:
            (base / "else" / name).write_text(SERVICE_TEXT)
            kind = chosen.random()
            if kind < 0.35:
                (folder / name).write_text(SERVICE_TEXT)
            elif kind < 0.6:
                targets = [
                    each for each in LAYOUT_FILES if not ("@x" in name and "@." in each and each[:2] != name[:2])
                ]
                targets += ["/dev/null", f"{base}/else/{name}", str(folders[1] / chosen.choice(targets))]
                (folder / name).symlink_to(chosen.choice(targets))
    for name in chosen.sample(LAYOUT_DROP_INS, 6):
        place = chosen.choice(folders) / f"{name}.d"
        place.mkdir(exist_ok=True)
        for number in chosen.sample((10, 20, 30), 2):
            (place / f"{number}.conf").write_text(f"[Service]\nEnvironment=V{number}={place}\n")
    return folders


@pytest.mark.parametrize("seed", range(LAYOUTS))
def test_a_name_means_the_unit_and_the_drop_ins_that_it_means_to_systemd(tmp_path, seed):
    chosen = random.Random(seed)
    folders = make_layout(tmp_path, chosen)
    name = chosen.choice(LAYOUT_NAMES)
    theirs = oracle.understood(tmp_path, name, folders)
    try:
        (unit,) = Loader(list(map(str, folders)), ROOTS).load([name]).values()
        ours = (unit.name, unit.file, sorted(f"{k}={v}" for k, v in unit.environment))
    except UsageError:
        ours = None
    assert ours == theirs
