"""How a sequence goes, as a file for those who look (`hafta diagram`): `NAME-SEQUENCE.graph` next to `NAME.hafta`.

It is made of the code of the functions, which takes a few milliseconds, and only for the first start of each version of
that code: a restart finds the file, and finds its fingerprint in it. JSON, replaced in one step, for everybody to read.
"""

from __future__ import annotations

import os
from binascii import crc32

from hafta.engine.node import innermost
from hafta.engine.words import EXIT, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.engine.shape import Shape

SUFFIX = ".graph"
LONGEST = 100  # characters of a sequence's name that is part of the file's


def publish(path: str, shape: Shape[Any], put: Callable[[str, str, bytes], None]) -> None:
    """Write the graph of a sequence, unless it is there. Raises OSError.

    `path`: that of the service, without what follows its name. `put` replaces a file: its new name, its name, bytes.
    """
    if "/" in shape.name or "\0" in shape.name or len(shape.name) > LONGEST:
        return
    file = f"{path}-{shape.name}{SUFFIX}"
    mark = fingerprint(shape)
    head = f'{{"version": 1, "fingerprint": "{mark}", '
    if _begins_with(file, head.encode()):
        return
    import json

    from hafta.diagram import edges

    facts = {
        "sequence": shape.name,
        "sequence_version": shape.version,
        "nodes": [str(node) for node in shape.nodes.values()],
        "edges": [[str(start), None if to is EXIT else str(to), label] for start, to, label in edges(shape)],
    }
    new = f"{file}.{os.getpid()}.new"
    try:
        put(new, file, f"{head}{json.dumps(facts)[1:]}\n".encode())
    except OSError:
        os.unlink(new)
        raise


def fingerprint(shape: Shape[Any]) -> str:
    """Return eight digits that change with the names of the nodes and the code of their functions."""
    parts = [shape.name, shape.version]
    for node in shape.nodes.values():
        functions = node.normal_function, node.rollback_function, node.policy_function
        parts += [str(node), *map(_said, functions)]
    return f"{crc32(chr(0).join(parts).encode(errors='replace')):08x}"


def _said(function: Any) -> str:
    """Return where a function, or an object that is a policy, may lead, as text: the same in each process."""
    if isinstance(function, Verdict):
        return f"{function.act.name} {function.to}"
    if isinstance(function, tuple) or hasattr(function, "refine"):
        parts = function if isinstance(function, tuple) else vars(function).values()
        return f"{type(function).__name__} {[*map(_said, parts)]}"
    code = getattr(innermost(function)[0], "__code__", None)
    return type(function).__name__ if code is None else _code(code)


def _code(code: Any) -> str:
    return f"{code.co_code.hex()} {code.co_names} {code.co_freevars} {[*map(_constant, code.co_consts)]}"


def _constant(value: Any) -> str:
    if hasattr(value, "co_code"):
        return _code(value)
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)  # its order is that of hashes


def _begins_with(path: str, head: bytes) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.read(fd, len(head)) == head
    finally:
        os.close(fd)
