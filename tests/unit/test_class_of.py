"""The class of a reason: what failures are counted by."""

import enum
import errno

import pytest

from hafta import errors
from hafta.errors import KNOWN, StoreError, class_of
from hafta.result import Result


class BadData(ValueError):
    pass


class HttpError(OSError):
    pass


class Reason(enum.Enum):
    LATE = 1


class Strange(OSError):
    @property
    def errno(self):
        raise RuntimeError("no")


def result(reason: object) -> Result:
    return Result("inner", ok=False, node="n", reason=reason)


def deep(times: int) -> object:
    return result(deep(times - 1)) if times else BadData()


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        (BadData("T"), "BadData"),
        ("bad data: 'T'", "str"),
        (None, "NoneType"),
        (Reason.LATE, "Reason.LATE"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "OSError 111"),
        (OSError(errno.ENOSPC, "full"), "OSError 28"),
        (OSError("timed out"), "OSError"),
        (HttpError(404, "gone"), "HttpError 404"),
        (Strange(), "Strange"),
        (StoreError("x: full", "free some space", kind="full"), "StoreError"),
        (ExceptionGroup("two", [BadData(), KeyError()]), "ExceptionGroup of BadData"),
        (ExceptionGroup("one", [OSError(2, "no"), BadData()]), "ExceptionGroup of OSError 2"),
        (result(BadData("T")), "BadData"),
        (result(result(OSError(2, "no"))), "OSError 2"),
        (deep(9), "Result"),
    ],
)  # fmt: skip
def test_a_reason_has_a_class_without_its_data(reason: object, name: str):
    assert class_of(reason) == class_of(reason) == name


def test_classes_without_end_do_not_fill_the_memory():
    for number in range(2 * KNOWN):
        assert class_of(type(f"Error{number}", (Exception,), {})()) == f"Error{number}"
    assert len(errors.PLAIN) <= KNOWN
