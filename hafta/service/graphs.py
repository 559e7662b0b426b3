"""How a sequence goes, as a file for those who look (`hafta diagram`): `NAME-SEQUENCE.graph` next to `NAME.hafta`.

It is made of the code of the functions, which takes a few milliseconds, and only for the first start of each version of
that code: a restart finds the file, and finds its fingerprint in it. JSON, replaced in one step, for everybody to read.
"""

from __future__ import annotations

import os
from binascii import crc32

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
    from hafta.engine.words import EXIT

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
        parts += [str(node), *(_code(getattr(one, "__code__", None), type(one).__name__) for one in functions)]
    return f"{crc32(chr(0).join(parts).encode(errors='replace')):08x}"


def _code(code: Any, otherwise: str) -> str:
    """Return what a function does as text; that of an object without code is its type."""
    if code is None:
        return otherwise
    inner = [_code(one, "") if hasattr(one, "co_code") else repr(one) for one in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {code.co_freevars} {inner}"


def _begins_with(path: str, head: bytes) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.read(fd, len(head)) == head
    finally:
        os.close(fd)
