"""Real journal files with any contents: systemd-journal-remote writes them from the export format."""

import struct
import subprocess

REMOTE = "/usr/lib/systemd/systemd-journal-remote"


def export(raws):
    """Return entries in the export format; what is more than a line of ASCII is sent with its length."""
    blocks = []
    for raw in raws:
        head = {"__REALTIME_TIMESTAMP": raw.wall, "__MONOTONIC_TIMESTAMP": raw.monotonic, "_BOOT_ID": raw.boot}
        lines = [f"{name}={value}\n".encode() for name, value in head.items()]
        for name, value in raw.fields.items():
            data = value if isinstance(value, bytes) else value.encode(errors="surrogateescape")
            if b"\n" in data or not data.isascii():
                lines.append(name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
            else:
                lines.append(name.encode() + b"=" + data + b"\n")
        blocks.append(b"".join(lines) + b"\n")
    return b"".join(blocks)


def write(directory, raws, name="a.journal"):
    """Write a journal file; return its directory."""
    directory.mkdir(exist_ok=True)
    source = directory / "entries.export"
    source.write_bytes(export(raws))
    command = [REMOTE, f"--output={directory / name}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    source.unlink()
    return directory
