"""Tell how full the disk is, every five seconds."""

import os

import hafta.service
from hafta.policies import FOREVER, Attempts, Backoff

disk = hafta.Sequence("disk")


@disk.node(policy=Attempts(FOREVER) | Backoff(0.5, cap=60))
def look(run):
    run.say(f"{os.statvfs(os.environ.get('DISK', '/')).f_bavail:,} blocks are free")
    return hafta.EXIT


if __name__ == "__main__":
    raise SystemExit(hafta.service.run(disk, pause=5))
