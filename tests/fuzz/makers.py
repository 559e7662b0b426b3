"""Random texts that look like what the overlord reads: half right, half wrong, with the bytes that hurt."""

from __future__ import annotations

import json
import struct
from random import Random

from hafta.units.directives import DIRECTIVES
from hafta.units.ignored import HARMLESS

#: Values that are near to right, and those that have hurt somebody.
VALUES = (
    *("yes", "no", "", "0", "1", "-1", "5s", "1min 30s", "infinity", "99999999999999999999", "1e309", "0x1F", "0b1"),
    *("8E", "50%", "/bin/true", "/bin/sh -c 'exit 0'", "-/bin/false", "+!/bin/true a b", "@/bin/true zero", "true"),
    *("/bin/true ; /bin/false", "a.service b.target", "x@y.service", "../../etc", "/a/../b", "a/b/c", "%i %n %% %t %q"),
    *("%", "$HOME ${X} $$", "${", "x" * 300, "A=b", "A=b 'C=d e' \"F=g\"", "A", "=", "'", '"', "\\", "a\\", "\\x00"),
    *("\\x41 \\u00e9 \\777", "SIGTERM", "SIGRTMIN+5", "64", "0644", "07777777", "-0", "nobody", "root:root", "~"),
    *("4294967295", "null", "tty", "file:/dev/null", "append:x", "notify", "oneshot", "forking", "dbus", "always"),
    *("on-failure", "mixed", "control-group", "main", "exec", "SIGKILL", "CAP_NET_BIND_SERVICE", "~CAP_SYS_ADMIN"),
    *("0-3,5", "127.0.0.1:80", "[::1]:80", "@abstract", "/run/x.sock", "vsock::1"),
)  # fmt: skip
SECTIONS = ("Unit", "Service", "Install", "Socket", "X-Mine", "service", "")
NOISE = (
    "\0",
    "\r",
    "\t",
    "\x1b[2J",
    "\ufeff",
    "\udc80",
    "\u2028",
    "\x85",
    "é",
    "\\\n",
    "#",
    ";",
    "=",
    "[",
    "]",
    "\n\n",
    " ",
)
NAMES = {section: (*table, *HARMLESS.get(section, {})) for section, table in DIRECTIVES.items()}
_VERBS = ("List", "Describe", "Start", "Restart", "Reload", "Kill", "Show", "ResetFailed", "Stop ", "")
METHODS = ("org.varlink.service.GetInfo", "x", "", 7, None, ["a"], *(f"hafta.Overlord.{verb}" for verb in _VERBS))
PARAMETERS = (
    *({}, [], None, {"units": ["talker.service", "x", 1]}, {"units": "a", "properties": {}}),
    *({"unit": "talker.service", "signal": -1}, {"properties": ["ActiveState"] * 500}),
)
LONGEST = 60_000  # bytes of a text


def unit_text(random: Random) -> str:
    """Return a unit file."""
    lines = ["[Service]", "ExecStart=/bin/true"] if random.random() < 0.7 else []
    for _ in range(random.choice((1, 3, 10, 40))):
        section = random.choice(SECTIONS)
        lines.append(f"[{section}]")
        for _ in range(random.randrange(6)):
            name = random.choice(NAMES.get(section) or NAMES["Service"])
            lines.append(f"{name}={value(random)}")
    return noisy(random, "\n".join(lines))


def value(random: Random) -> str:
    """Return a value of a directive."""
    words = random.choices(VALUES, k=random.choice((1, 1, 1, 2, 5)))
    return random.choice((" ", "", ":", ",")).join(words)


def environment_text(random: Random) -> str:
    """Return an environment file."""
    lines = [f"{random.choice(('A', 'B1', '_', 'é', '', '1'))}={value(random)}" for _ in range(random.randrange(30))]
    return noisy(random, "\n".join(lines))


def noisy(random: Random, text: str) -> str:
    """Return a text with some of it changed, repeated, or cut off."""
    for _ in range(random.choice((0, 0, 1, 5))):
        at = random.randrange(len(text) + 1)
        match random.randrange(4):
            case 0:
                text = text[:at] + random.choice(NOISE) + text[at:]
            case 1:
                text = text[:at] + text[at + random.randrange(1, 9) :]
            case 2:
                text = text[:at] + text[at : at + 40] * random.choice((2, 50, 1000)) + text[at:]
            case _:
                text = text[:at]
    return text[:LONGEST]


def raw(random: Random) -> bytes:
    """Return bytes of a length at which something begins or ends."""
    length = random.choice((0, 1, 7, 100, 4095, 4096, 8191, 8192, 8193, 65_536))
    alphabet = random.choice((b"a", b"\n", b"<3>x\n", b"\xff\xfe\n", b"\xc3\xa9", b"\x1b[31m\r\n\t", bytes(range(256))))
    return (alphabet * (length // len(alphabet) + 1))[:length]


def request(random: Random) -> bytes:
    """Return what a client of the control socket sends."""
    given = {
        "method": random.choice(METHODS),
        "parameters": random.choice(PARAMETERS),
        "more": random.choice((True, False, 1, None)),
        "oneway": random.choice((True, False, "yes")),
    }
    text = json.dumps(given).encode()
    match random.randrange(6):
        case 0:
            return raw(random) + b"\0"
        case 1:
            return text[: random.randrange(len(text))]
        case 2:
            return b"[" * 30_000 + b"\0"
        case 3:
            return (text + b"\0") * random.choice((2, 50))
        case _:
            return text + b"\0"


def damaged(random: Random, data: bytes) -> bytes:
    """Return a file with some bytes of it changed."""
    found = bytearray(data)
    for _ in range(random.choice((1, 1, 3, 20))):
        at = random.randrange(len(found))
        piece = random.choice(
            (b"\0", b"\xff" * 8, b"nan", struct.pack("<q", random.getrandbits(62)), bytes((found[at] ^ 1,)))
        )
        found[at : at + len(piece)] = piece
    return bytes(found[: random.randrange(len(found))] if random.random() < 0.1 else found)
