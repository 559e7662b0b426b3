"""What systemd and we understand of the standard streams of a service: generated values, and what is compared."""

from oracle_pieces import NUMBERS, PATHS, WORDS, pieces

_STREAMS = pieces("null|socket|file:/a|file:/|append:/a/|truncate:/|file:|inherit|journal|kmsg|x")
_LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
#: directive -> pieces of its values
STREAMS = {
    **dict.fromkeys(("StandardInput", "StandardOutput", "StandardError"), (*_STREAMS, "", *PATHS)),
    **dict.fromkeys(("SyslogLevel", "LogLevelMax"), (*_LEVELS, *NUMBERS[:9])),
    **dict.fromkeys(("SyslogLevelPrefix", "NonBlocking"), WORDS),
    "FileDescriptorStoreMax": NUMBERS,
}
_FILES = {"file": "File", "append": "FileToAppend", "truncate": "FileToTruncate"}


def _stream(kind, field):
    """Compare where a stream leads, and to which file."""

    def pair(dump, unit):
        stream = getattr(unit.standard, field)
        shown = {"journal": ("journal", "kmsg", "journal+console", "kmsg+console")}.get(stream.kind, (stream.kind,))
        theirs = dump.values(f"Standard{kind}")
        files = dump.values(f"Standard{kind}{_FILES[stream.kind]}") if stream.kind in _FILES else []
        return (theirs[0] in shown, files), (True, [stream.path] if stream.path else [])

    return pair


#: directive -> (understood, unit) -> two values that must be equal
COMPARED_STREAMS = {
    **{f"Standard{kind}": _stream(kind, kind.lower()) for kind in ("Input", "Output", "Error")},
    "NonBlocking": lambda d, u: (d.values("NonBlocking"), ["yes" if u.non_blocking else "no"]),
    "LogLevelMax": lambda d, u: (d.values("LogLevelMax") or ["debug"], [_LEVELS[u.standard.most]]),
}
