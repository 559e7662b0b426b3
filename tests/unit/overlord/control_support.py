"""Asking an overlord's control socket, message by message."""

import glob
import json
import socket

from overlord_harness import DEADLINE, wait_until


def path_of(place):
    """Return the control socket of the one overlord in a place, once it is there."""
    return wait_until(lambda: glob.glob(f"{place.runtime}/hafta-overlord/*/control"))[0]


class Asking:
    """A connection to a control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(path)
        self._data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, method, *, more=False, **parameters):
        """Send a request."""
        message = {"method": method if "." in method else f"hafta.Overlord.{method}", "parameters": parameters}
        self.socket.sendall(json.dumps({**message, "more": more}).encode() + b"\0")

    def receive(self):
        """Return the next message; None at the end."""
        while b"\0" not in self._data:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._data += data
        message, _, self._data = self._data.partition(b"\0")
        return json.loads(message)

    def ask(self, method, **parameters):
        """Return the parameters of the one reply."""
        self.send(method, **parameters)
        reply = self.receive()
        assert "error" not in reply, reply
        return reply["parameters"]

    def each(self, method, **parameters):
        """Return the parameters of all replies."""
        self.send(method, more=True, **parameters)
        found = [self.receive()]
        while found[-1].get("continues"):
            found.append(self.receive())
        return [reply["parameters"] for reply in found]

    def refused(self, method, **parameters):
        """Return name and parameters of the error."""
        self.send(method, **parameters)
        reply = self.receive()
        return reply["error"], reply["parameters"]


def ask(place, method, **parameters):
    """Ask the one overlord of a place one thing."""
    with Asking(path_of(place)) as asking:
        return asking.ask(method, **parameters)


def show(place, name, *wanted):
    """Return properties of a unit."""
    return ask(place, "List", units=[name], **({"properties": list(wanted)} if wanted else {}))["properties"]
