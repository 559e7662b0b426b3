"""What systemd itself understands of a unit: `systemd-analyze verify` with its debug dump, many units in one call."""

import os
import re
import shutil
import subprocess

ANALYZE = shutil.which("systemd-analyze", path="/usr/bin:/bin")
VERSION = int(subprocess.check_output([ANALYZE, "--version"], text=True).split()[1]) if ANALYZE else 0
ENVIRONMENT_D = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"
_ESCAPES = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
#: What only says that a part of this machine is missing, or that systemd dislikes a value that it takes.
_TAKEN = re.compile(r"Ignoring unknown escape sequences|KillMode=none|references a path below legacy directory")


def run(words, folder, **environ):
    """Run a tool of systemd's; return its two outputs as text whose bytes come back by surrogateescape."""
    environ = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **environ}
    done = subprocess.run(words, cwd=folder, env=environ, check=False, capture_output=True)
    return tuple(data.decode("utf-8", "surrogateescape") for data in (done.stdout, done.stderr))


class Understood:
    """What systemd understood of one unit. `dump` is None if it refused it."""

    def __init__(self):
        self.dump = None
        self.complaints = []  # (line or 0, text)

    def values(self, name):
        """Return the values of a property, without the word on where a dependency comes from."""
        return [re.sub(r" \(origin-[^)]*\)$", "", value) for key, value in self.dump if key == name]

    @property
    def commands(self):
        """Return the command lines as lists of words."""
        return [_words(value) for value in self.values("Command Line")]


def verify(folder, units, recursive="no"):
    """Let systemd read units of a folder; return what it understood by name.

    Only with `recursive="one"` does it look at dependencies; that takes a time that grows with the square.
    """
    environ = {"SYSTEMD_UNIT_PATH": str(folder), "SYSTEMD_LOG_LEVEL": "debug", "SYSTEMD_LOG_TARGET": "console-prefixed"}
    words = [ANALYZE, "verify", "--man=no", "--generators=no", f"--recursive-errors={recursive}", *units]
    out, err = run(words, folder, **environ)
    found = {name: Understood() for name in units}
    for name, entries in _dumps(out):
        if name in found:
            found[name].dump = entries
    for level, text in re.findall(r"^<(\d+)>(.*(?:\n(?!<\d).*)*)", err, re.MULTILINE):
        if int(level) & 7 <= 4 and not _TAKEN.search(text):
            _complain(found, str(folder), text)
    return found


def _complain(found, folder, text):
    if match := re.match(rf"(?:{re.escape(folder)}/)?([^/:\s]+\.\w+)(?:\.d/[^:]*)?:(?:(\d+):)? ", text):
        name, line = match.groups()
        if name in found:
            found[name].complaints.append((int(line or 0), text[match.end() :]))


def _dumps(text):
    """Give each unit's name and its properties in their order."""
    for block in re.split(r"^\t(?:->|→) Unit ", text, flags=re.MULTILINE)[1:]:
        name, _, rest = block.partition(":\n")
        entries = []
        for line in rest.split("\n"):
            if match := re.match(r"\t\t+(?:(?:->|→) )?([\w ]+):(?: (.*))?$", line, re.DOTALL):
                entries.append([match[1], match[2] or ""])
            elif entries:
                entries[-1][1] += "\n" + line  # a value with a line feed in it
        yield name, entries


def _words(line):
    """Undo the quotes of a command line in the dump."""
    found, at = [], 0
    while at < len(line):
        quoted = line[at] == '"'
        at += quoted
        word = []
        while at < len(line) and line[at] != ('"' if quoted else " "):
            is_escape = line[at] == "\\"
            at += is_escape
            if not is_escape:
                word.append(line[at])
            elif line[at].isdigit():
                word.append(bytes((int(line[at : at + 3], 8),)).decode("utf-8", "surrogateescape"))
                at += 2
            else:
                word.append(_ESCAPES.get(line[at], line[at]))
            at += 1
        at += 1 + quoted
        found.append("".join(word).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape"))
    return found


def understood(folder, name, path):
    """Return the name, the file and the environment of the unit that a name means to systemd; None if there is none."""
    environ = {"SYSTEMD_UNIT_PATH": ":".join(map(str, path)), "SYSTEMD_LOG_LEVEL": "debug"}
    out, _ = run([ANALYZE, "verify", "--man=no", "--recursive-errors=one", name], folder, **environ)
    for own, entries in _dumps(out):
        if own.endswith(".service"):
            (file,) = (value for key, value in entries if key == "Fragment Path")
            return own, file, sorted(value for key, value in entries if key == "Environment")
    return None


def conditions(folder, lines):
    """Let systemd find out conditions, each with a | in front; return what it says of each, and how many it took."""
    words = [ANALYZE, "condition", *(f"Condition{kind}=|{value}" for kind, value in lines)]
    out, err = run(words, folder)
    unknown = r"Couldn't determine result for "
    pattern = rf"^test\.service: (?:{unknown})?Condition(\w+=.*?)(?: (succeeded|failed)\.|, assuming failed: .*)$"
    said = re.findall(pattern, out + err, re.MULTILINE)
    return {line: answer or "unknown" for line, answer in said}, len(said)


def environment_d(folder, texts):
    """Let systemd's reader of environment files read texts, each a file; return all variables that it understood."""
    place = os.path.join(folder, "environment.d")
    os.makedirs(place, exist_ok=True)
    for at, text in texts.items():
        with open(os.path.join(place, f"{at}.conf"), "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
    out, _ = run([ENVIRONMENT_D], folder, XDG_CONFIG_HOME=str(folder), HOME=str(folder))
    found = {}
    for line in out.splitlines():
        name, _, value = line.partition("=")
        (found[name],) = _words(value) or ("",)
    return found
