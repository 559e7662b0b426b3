"""Asks a daemon something, inside of its machine: `python3 ask.py KIND [WORDS]` prints the answer, or fails.

Only what a bare Python has. Each asks once, and waits at most ten seconds: whether a daemon answers as soon as it is
said to be ready is what the tests want to know.
"""

import imaplib
import smtplib
import socket
import struct
import sys
import urllib.request

PATIENCE = 60.0  # seconds


def http(port, path="/"):
    """Return the status, the name of the server, and the page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as page:
        return f"{page.status} {page.headers['Server']} {page.read().decode(errors='replace').strip()}"


def banner(port, end="QUIT"):
    """Return the first line that a server sends."""
    with _connect(port) as server:
        line = server.makefile("rb").readline().decode().strip()
        server.sendall(f"{end}\r\n".encode())
        return line


def redis(port):
    """Return the answer to PING."""
    with _connect(port) as server:
        server.sendall(b"PING\r\n")
        return server.makefile("rb").readline().decode().strip()


def mqtt(port):
    """Connect as a client of MQTT 3.1.1; return the reason code of the answer."""
    payload = struct.pack("!H4sBBH", 4, b"MQTT", 4, 2, 60) + struct.pack("!H3s", 3, b"ask")
    with _connect(port) as server:
        server.sendall(bytes((0x10, len(payload))) + payload)
        kind, _, _, code = server.makefile("rb").read(4)
        return f"{kind:#x} {code}"


def dns(name):
    """Return the address that the server at port 53 has for a name."""
    words = b"".join(bytes((len(part),)) + part.encode() for part in name.split("."))
    query = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + words + b"\0" + struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.settimeout(PATIENCE)
        server.connect(("127.0.0.1", 53))
        server.send(query)
        answer = server.recv(512)
    status, count = answer[3] & 15, struct.unpack("!H", answer[6:8])[0]
    return socket.inet_ntoa(answer[-4:]) if count else f"status {status}"


def fastcgi(place, script):
    """Have a FastCGI server run a script; return what it printed."""
    family = socket.AF_UNIX if place.startswith("/") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.settimeout(PATIENCE)
        server.connect(place if family == socket.AF_UNIX else ("127.0.0.1", int(place)))
        given = {"SCRIPT_FILENAME": script, "REQUEST_METHOD": "GET", "SCRIPT_NAME": script}
        pairs = b"".join(bytes((len(name), len(value))) + f"{name}{value}".encode() for name, value in given.items())
        server.sendall(_record(1, struct.pack("!HB5x", 1, 0)) + _record(4, pairs) + _record(4, b"") + _record(5, b""))
        return _fastcgi_output(server.makefile("rb")).partition("\r\n\r\n")[2].strip()


def _record(kind, data):
    return struct.pack("!BBHHBx", 1, kind, 1, len(data), 0) + data


def _fastcgi_output(stream):
    found = b""
    while header := stream.read(8):
        _, kind, _, length, padding = struct.unpack("!BBHHBx", header)
        data = stream.read(length + padding)[:length]
        if kind == 6:
            found += data
        if kind == 3:
            break
    return found.decode()


def send(sender, receiver, text):
    """Send a mail by the server at port 25."""
    with smtplib.SMTP("127.0.0.1", 25, timeout=PATIENCE) as server:
        server.sendmail(sender, [receiver], f"From: {sender}\r\nTo: {receiver}\r\nSubject: {text}\r\n\r\n{text}\r\n")
    return "sent"


def read(user, password):
    """Return the subjects of all mails of a user, by the server at port 143."""
    server = imaplib.IMAP4("127.0.0.1", 143, timeout=PATIENCE)
    server.login(user, password)
    server.select("INBOX", readonly=True)
    found = server.search(None, "ALL")[1][0].split()
    subjects = [server.fetch(number, "(BODY[HEADER.FIELDS (SUBJECT)])")[1][0][1].decode() for number in found]
    server.logout()
    return " ".join(line.partition(": ")[2].strip() for line in subjects)


def _connect(port):
    return socket.create_connection(("127.0.0.1", int(port)), timeout=PATIENCE)


KINDS = {
    "http": http,
    "banner": banner,
    "redis": redis,
    "mqtt": mqtt,
    "dns": dns,
    "fastcgi": fastcgi,
    "send": send,
    "read": read,
}

if __name__ == "__main__":
    print(KINDS[sys.argv[1]](*sys.argv[2:]), flush=True)
