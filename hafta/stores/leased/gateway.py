"""etcd's JSON gateway by urllib3: endpoints tried in turn, each request in bounded time."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from weakref import finalize

import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError

from hafta.errors import StoreError
from hafta.stores.leased.backend import Unreachable
from hafta.stores.leased.lease import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from urllib3.response import HTTPResponse

UNAUTHENTICATED, DENIED = 16, 7  # gRPC's codes
NEVER = float("inf")
AT_MOST = 2  # timeouts that a question may take: 0.4 of a lease; a watchdog may have half of one
_FULL = "database space exceeded"
_NOBODY = ("authentication failed", "user name is empty")
_LOST = ("invalid auth token", "user name is empty", "revision of auth store is old")


class Gateway:
    """The way to a cluster. `timeout`: seconds that one endpoint may take to answer."""

    def __init__(self, endpoints: tuple[str, ...], timeout: float, *, user: str, password: str, **tls: Any) -> None:
        self.endpoints = endpoints
        self.timeout = timeout
        self._user, self._password, self._token = user, password, ""
        limit = urllib3.Timeout(connect=timeout, read=timeout)
        self._pool = urllib3.PoolManager(timeout=limit, retries=False, maxsize=4, **tls)
        finalize(self, self._pool.clear)  # when nothing uses it any more, its sockets are closed
        self._turn = 0  # which endpoint answered last

    def ask(self, path: str, end: float = NEVER, /, **question: Any) -> dict[str, Any]:
        """Return the answer of the first endpoint that gives one, before `end`. Raises Unreachable or StoreError.

        It takes no longer than two silent endpoints: in between the caller feeds a watchdog. The next question goes on
        with the third.
        """
        trouble, end = "no time is left", min(end, now() + AT_MOST * self.timeout)
        for _ in self.endpoints:
            timeout = min(self.timeout, end - now())
            if timeout <= 0:
                break
            endpoint = self.endpoints[self._turn % len(self.endpoints)]
            try:
                return self._ask(endpoint, path, question, urllib3.Timeout(total=timeout))
            except (HTTPError, OSError, Unreachable) as error:
                trouble = f"{endpoint}: {_words(error)}"
                self._turn += 1
        raise Unreachable(trouble)

    def watch(self, key: str, revision: int, seconds: float) -> bool:
        """Wait until a key has gone since a revision, at most so long. False: it has not. Raises Unreachable."""
        endpoint = self.endpoints[self._turn % len(self.endpoints)]
        question = {"create_request": {"key": key, "start_revision": revision, "filters": ["NOPUT"]}}
        limit = urllib3.Timeout(connect=self.timeout, read=seconds)
        try:
            answer = self._post(endpoint, "watch", question, timeout=limit, preload_content=False)
        except (HTTPError, OSError) as error:
            self._turn += 1
            raise Unreachable(f"{endpoint}: {_words(error)}") from error
        try:
            return any("events" in json.loads(line).get("result", {}) for line in answer)
        except ReadTimeoutError:
            return False
        except (HTTPError, OSError, ValueError) as error:
            raise Unreachable(f"{endpoint}: {_words(error)}") from error
        finally:
            answer.close()

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _ask(self, endpoint: str, path: str, question: dict[str, Any], timeout: urllib3.Timeout) -> dict[str, Any]:
        for again in (True, False):
            if self._user and not self._token:
                self._authenticate(endpoint)
            answer = self._post(endpoint, path, question, timeout=timeout)
            told = _read(answer)
            if answer.status == 200:
                return told
            text = str(told.get("message") or told.get("error") or f"HTTP status {answer.status}")
            if again and self._user and (told.get("code") == UNAUTHENTICATED or any(lost in text for lost in _LOST)):
                self._token = ""
                continue
            raise _refused(endpoint, text, told.get("code"))
        raise AssertionError  # the second time raises

    def _authenticate(self, endpoint: str) -> None:
        answer = self._post(endpoint, "auth/authenticate", {"name": self._user, "password": self._password})
        told = _read(answer)
        if answer.status != 200:
            text = str(told.get("message") or told.get("error") or f"HTTP status {answer.status}")
            raise _refused(endpoint, f"user {self._user}: {text}", told.get("code"))
        self._token = str(told.get("token", ""))

    def _post(self, endpoint: str, path: str, question: dict[str, Any], **how: Any) -> HTTPResponse:
        headers = {"Authorization": self._token} if self._token else {}
        body = json.dumps(question).encode()
        return self._pool.request("POST", f"{endpoint}/v3/{path}", body=body, headers=headers, **how)


def b64(raw: bytes) -> str:
    """Return bytes as the gateway wants them."""
    return b64encode(raw).decode()


def raw(text: object) -> bytes:
    """Return bytes that the gateway gave."""
    return b64decode(str(text)) if text else b""


def _read(answer: HTTPResponse) -> dict[str, Any]:
    try:
        told = json.loads(answer.data)
    except ValueError as error:
        raise Unreachable(f"HTTP status {answer.status}, and no JSON") from error
    return told if isinstance(told, dict) else {}


def _refused(endpoint: str, text: str, code: object) -> Exception:
    """Return the error for a refusal: one that passes, or one for a person."""
    if code in {DENIED, UNAUTHENTICATED} or any(words in text for words in _NOBODY):
        hint = "look at the user, the password and the role: it needs to read and write the keys below hafta/"
        return StoreError(f"{endpoint}: {text}", hint, kind="permission")
    if _FULL in text:
        return StoreError(f"{endpoint}: {text}", "compact and defragment it, then: etcdctl alarm disarm", kind="full")
    return Unreachable(text)


def _words(error: BaseException) -> str:
    """Describe why an endpoint gave no answer, without the address of an object."""
    reason = getattr(error, "reason", None) or error
    text = str(reason)
    return text.split(": ", 1)[-1] if text.startswith("<") else text
