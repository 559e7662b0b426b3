"""Writing a file for others to read, in one step: what is there is the old one or the new one, never half of it.

A rename takes the place of whatever has the name. So what is not a regular file is refused: /dev/null and /dev/stdout
would be files from then on, for everybody.
"""

from __future__ import annotations

import contextlib
import os
import stat

from hafta import exits
from hafta.causes import cause_of
from hafta.errors import HaftaError


def replace(path: str, data: bytes, hint: str) -> None:
    """Replace a file; it is readable for everybody, whatever the umask. Raises HaftaError with this hint.

    Until it is whole it has another name, which does not end as that of the file.
    """
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        raise HaftaError(f"cannot write {path}: it is not a regular file", hint, status=exits.SYSTEM)
    directory, name = os.path.split(os.path.abspath(path))
    new = os.path.join(directory, f".{name}.{os.getpid()}.new")
    try:
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(fd, 0o644)
            os.rename(new, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(new)
            raise
    except OSError as error:
        raise HaftaError(f"cannot write {path}: {cause_of(error).words}", hint, status=exits.SYSTEM) from error
