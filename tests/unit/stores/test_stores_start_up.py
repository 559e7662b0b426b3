"""Start-up is recovery: a store brings nothing heavy with it."""

import subprocess
import sys

HEAVY = {"argparse", "asyncio", "click", "dataclasses", "inspect", "json", "logging", "pathlib", "pickle", "re",
         "subprocess", "tempfile", "threading", "typing", "hashlib", "random", "socket"}  # fmt: skip

PROGRAM = """
import sys
before = set(sys.modules)
from hafta.stores.files import FileStore
from hafta.stores import codec
with FileStore(sys.argv[1]).claim("s", durable=True) as claim:
    claim.enter(b"f")
    claim.write(codec.body(1, {"a": 1, "b": "x", "c": b"y", "d": [1.5]}, claim.capacity), sync=True)
print(*set(sys.modules) - before)
"""


def test_claiming_and_writing_imports_nothing_heavy(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        cwd=sys.path[0] or ".",
    )
    assert set(done.stdout.split()) & HEAVY == set()
    assert "hafta.stores.files" in done.stdout.split()
