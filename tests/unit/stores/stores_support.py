"""What the tests of stores share: a system call that fails, a record that is damaged."""

import os

from hafta.stores.file import layout

NAME = "hafta-s.checkpoint"


def failing(code, real=None, only=None):
    """Return a system call that fails with this errno: always, or where `only` is true of its arguments."""

    def call(*arguments, **options):
        if only is None or only(*arguments, **options):
            raise OSError(code, os.strerror(code))
        return real(*arguments, **options)

    return call


def is_directory(fd):
    return os.path.isdir(f"/proc/self/fd/{fd}")


def damage(path):
    """Change a byte of the newest record; return the image of the file as it was."""
    with open(path, "r+b") as file:
        data = file.read()
        image = layout.read(data, "")
        at = image.geometry.offset(image.newest) + 45
        file.seek(at)
        file.write(bytes([data[at] ^ 1]))
    return image
