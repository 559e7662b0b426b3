"""Fetch a document over HTTP again and again, and keep the newest one in a file: whole, and politely.

    fetch ── 200 ──> store ──> done          only what has changed is sent: If-None-Match, with the ETag that is kept
      └───── 304 ────────────> done

The ETag is kept when the document is in its file, not before: with an ETag for what was never stored, the server would
answer 304 for ever. `fetch` is process-local: what it has is in memory, and a new process asks for it again.
"""

import http.client
import os
import re
import sys
import time
from contextlib import closing
from enum import IntEnum
from urllib.parse import urlsplit

import hafta.service
from hafta import settings
from hafta.policies import FOREVER, Attempts, Backoff, RetryAfter
from hafta.stores import FileStore

LARGEST = 10_000_000  # bytes of a document
URL = re.compile(r"https?://([\w.-]+|\[[\da-fA-F:]+\])(:\d{1,5})?/\S*", re.ASCII)


class CP(IntEnum):
    NOTHING_DONE = 0
    WRITING = 1


def url(text):
    if not URL.fullmatch(text):
        raise ValueError("a URL, such as https://example.org/prices")
    return urlsplit(text)


SETTINGS = [
    settings.Setting("url", url, url("http://127.0.0.1:8080/prices"), "what to fetch", "URL"),
    settings.Setting("every", settings.number, 60.0, "how often to ask", "SECONDS"),
    settings.Setting("timeout", settings.positive, 10, "how long a connection may be silent", "SECONDS"),
]


class Refused(Exception):
    """An answer that is not the document; a redirect, too. RetryAfter() looks for `retry_after`."""

    def __init__(self, answer):
        super().__init__(f"{answer.status} {answer.reason}")
        self.retry_after = answer.headers.get("Retry-After")


class Data:
    def __init__(self, values):
        self.url = values.url
        self.timeout = values.timeout
        self.file = os.path.join(FileStore(values.state).directory, "document")
        self.kept = {"etag": "", "changes": 0}
        self.document = self.etag = None


poller = hafta.Sequence("poller", version="1")


@poller.node(policy=Attempts(FOREVER) | Backoff(1, cap=300) | RetryAfter(cap=3600))
def fetch(run):
    data = run.data
    run.status(f"asks {data.url.netloc}; {data.kept['changes']} changes so far")
    connect = http.client.HTTPSConnection if data.url.scheme == "https" else http.client.HTTPConnection
    path = data.url._replace(scheme="", netloc="", fragment="").geturl()
    with closing(connect(data.url.netloc, timeout=data.timeout)) as connection:
        connection.request("GET", path, headers={"If-None-Match": data.kept["etag"]} if data.kept["etag"] else {})
        with connection.getresponse() as answer:
            if answer.status not in {200, 304}:
                raise Refused(answer)
            data.document = body(run, answer) if answer.status == 200 else None
            data.etag = answer.headers.get("ETag", "")
    return store if data.document is not None else hafta.EXIT


def body(run, answer):
    """Return the document, whole. Raises for one that is too long, comes too slowly, or ends too early."""
    size, found, end = answer.length, b"", time.monotonic() + 10 * run.data.timeout
    while len(found) != size and (piece := answer.read1(1 << 16)):
        found += piece
        run.progress()
        if len(found) > LARGEST or time.monotonic() > end:
            raise TimeoutError(f"the document is endless: {len(found)} bytes so far")
    if size is not None and len(found) < size:
        raise ConnectionError(f"the document ends after {len(found)} of {size} bytes")
    return found


@poller.node(durable=True, policy=Attempts(FOREVER) | Backoff(0.5, cap=60))
def store(run):
    data = run.data
    run.checkpoint(CP.WRITING)
    with open(f"{data.file}.part", "wb") as part:
        part.write(data.document)
    run.progress()
    os.replace(f"{data.file}.part", data.file)
    run.progress()
    data.kept.update(etag=data.etag, changes=data.kept["changes"] + 1)
    run.say(f"{len(data.document)} bytes, ETag {data.etag or 'missing'}")
    return hafta.EXIT


@store.rollback
def ask_for_all(run, checkpoint):
    if checkpoint == CP.WRITING:  # the file may be the old one or the new one: no ETag is right
        run.data.kept["etag"] = ""
    return store if run.data.document is not None else fetch  # a new process may have been told 304


if __name__ == "__main__":
    recorded = hafta.service.state_checkpoints(keep=lambda data: data.kept)
    sys.exit(
        hafta.service.run(poller, Data, settings=SETTINGS, pause=lambda values: values.every, checkpoints=recorded)
    )
