"""What systemd and we understand of the directories of a unit: generated values, and what is compared."""

from oracle_pieces import MODES, PATHS, TEXT

_KINDS = {"Runtime": "runtime", "State": "state", "Cache": "cache", "Logs": "logs", "Configuration": "configuration"}
#: directive -> pieces of its values
FOLDERS = {
    **{f"{kind}Directory": TEXT if kind == "Runtime" else (*PATHS, "b", ":", ":") for kind in _KINDS},
    **{f"{kind}DirectoryMode": MODES for kind in _KINDS},
}


def _names_and_links(kind, field):
    """Compare names in their order, and links."""

    def pair(dump, unit):
        ours = getattr(unit.directories, field)
        links = sorted(f"{name}:{link}" for name, link in ours.links)
        theirs = (dump.values(f"{kind}Directory"), sorted(dump.values(f"{kind}DirectorySymlink")))
        return theirs, (list(ours.names), links)

    return pair


def _mode(kind, field):
    return lambda dump, unit: (dump.values(f"{kind}DirectoryMode"), [f"{getattr(unit.directories, field).mode:04o}"])


#: directive -> (understood, unit) -> two values that must be equal
COMPARED_FOLDERS = {
    **{f"{kind}Directory": _names_and_links(kind, field) for kind, field in _KINDS.items()},
    **{f"{kind}DirectoryMode": _mode(kind, field) for kind, field in _KINDS.items()},
}
