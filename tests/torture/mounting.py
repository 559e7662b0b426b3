"""Mounting images while others do the same: the kernel's loop devices are shared by all who test."""

from __future__ import annotations

import subprocess
import time

PATIENCE = 120.0  # seconds


def mount_image(image: str, point: str, options: str = "defaults") -> None:
    """Mount an image by a loop device; another process may snatch the free one that mount has found."""
    deadline = time.monotonic() + PATIENCE
    while True:
        command = ["mount", "-o", f"loop,{options}", image, point]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode == 0:
            return
        assert "loop device" in done.stderr, f"cannot mount {image}: {done.stderr}"
        assert time.monotonic() < deadline, f"no loop device: {done.stderr}"
        time.sleep(0.01)


def unmount(point: str) -> None:
    """Unmount; a process that looks at every mount (a blkid, a scanner) may be at it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = subprocess.run(["umount", point], check=False, capture_output=True, text=True)
        if done.returncode == 0:
            return
        assert "busy" in done.stderr, f"cannot unmount {point}: {done.stderr}"
        assert time.monotonic() < deadline, f"{point} stays busy"
        time.sleep(0.01)
