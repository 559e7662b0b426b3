"""A server for trying things out: it has a document with an ETag, and sometimes no time (503, with Retry-After)."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SILENCE = (0, {}, b"")


class Flaky(ThreadingHTTPServer):
    """Gives its answers in order, the last one for ever: (status, headers, body), or SILENCE.

    An answer with the ETag that the client knows already becomes a 304.
    """

    daemon_threads = True

    def __init__(self, answers, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.answers = list(answers)
        self.over = threading.Event()  # what ends every silence
        self.asked = []  # the ETag of each request, or None


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers.get("If-None-Match")
        self.server.asked.append(known)
        answers = self.server.answers
        status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
        if not status:
            self.server.over.wait()
            return
        if known and headers.get("ETag") == known:
            status, body = 304, b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304 and "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    busy = (503, {"Retry-After": "2"}, b"")
    prices = (200, {"ETag": '"v1"'}, b"bolts 3\nnuts 2\n")
    Flaky([busy, prices], int(sys.argv[1])).serve_forever()
