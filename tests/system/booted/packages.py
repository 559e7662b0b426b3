"""The packages under test: built from the checkout as it stands, once for a whole test run."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]


def build_packages(output: Path) -> Path:
    """Build all packages into a directory, unless another worker has. Raises RuntimeError with the log."""
    fd = os.open(f"{output}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        if not output.exists():
            for script in ("build-deb", "build-rpm"):
                _build(script, output.with_name(f"{output.name}.building"))
            output.with_name(f"{output.name}.building").rename(output)
    finally:
        os.close(fd)
    return output


def _build(script: str, output: Path) -> None:
    command = [str(ROOT / "packaging" / script), "--worktree", str(output)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{script}: status {done.returncode}\n{done.stderr[-6000:]}")
