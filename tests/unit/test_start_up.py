"""Start-up is recovery (docs/architecture.md, section 2): what starts, and a store, bring nothing heavy with them."""

from pathlib import Path

import pytest
from processes import body, run_python

HEAVY = "argparse asyncio click dataclasses inspect json logging pathlib pickle re subprocess tempfile threading typing"
CLIENT = "import hafta.client; print(*sys.modules)"
SERVER = """
from hafta.server.program import main
from hafta.service import Service

def ready(self, status=""):
    print(*sys.modules, flush=True)
    os._exit(0)

Service.ready = ready
main(["--pipe", sys.argv[1] + "/pipe"])
"""
STORE = """
from hafta.stores.file.files import FileStore
from hafta.durable import codec
with FileStore(sys.argv[1]).claim("s", power=True) as claim:
    claim.enter(b"f")
    claim.write(codec.body(1, {"a": 1, "b": "x", "c": b"y", "d": [1.5]}, claim.capacity), sync=True)
print(*sys.modules)
"""
#: A program that prints what it has imported, what is among it, and what more is not.
PROGRAMS = {
    "a service without a sequence": (body("print(*sys.modules)"), {"hafta.service.main"}, {"hafta.engine.machine"}),
    "hafta-client": (CLIENT, {"hafta.client"}, set()),
    "hafta-server": (SERVER, {"hafta.server", "hafta.fifo"}, {"contextlib", "random"}),
    "a record that is claimed and written": (STORE, {"hafta.stores.file.files"}, {"hashlib", "random", "socket"}),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_starts_without_the_heavy_modules(program: str, tmp_path: Path):
    code, light, more = PROGRAMS[program]
    before = run_python("import sys; print(*sys.modules)").stdout.split()
    done = run_python(f"import os, sys\n{code}\n", str(tmp_path) if "argv" in code else "--debug=no")
    loaded = set(done.stdout.split()) - set(before)
    assert (light & loaded, ({*HEAVY.split(), "systemd"} | more) & loaded, done.stderr) == (light, set(), "")
