"""A real etcd, a real PostgreSQL, and a relay in between that can break the way to them. All on loopback."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from processes import free_port

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
PATIENCE = 120  # seconds for a server to answer


def start(words, log, **how):
    with log.open("ab") as out:
        return subprocess.Popen(words, stdout=out, stderr=out, stdin=subprocess.DEVNULL, **how)


def end(process):
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def wait_for(is_so, what, log):
    limit = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < limit, f"{what} does not come up: {log.read_text()[-2000:]}"
        time.sleep(0.05)


class Etcd:
    """One member."""

    def __init__(self, folder, *more, scheme="http"):
        self.folder, self.port, peer = folder, free_port(), free_port()
        self.address = f"{scheme}://127.0.0.1:{self.port}"
        self.log = folder / "etcd.log"
        self.words = [
            *("etcd", "--name", "a", "--data-dir", str(folder / "etcd"), "--initial-cluster-state", "new"),
            *("--listen-client-urls", self.address, "--advertise-client-urls", self.address),
            *("--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-cluster", f"a=http://127.0.0.1:{peer}"),
            *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--logger=zap"),
            *more,
        ]
        self.process = None
        self.start()

    def start(self):
        self.process = start(self.words, self.log, env={**os.environ, "ETCD_UNSUPPORTED_ARCH": "arm64"})
        wait_for(lambda: answers(self.port), "etcd", self.log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        end(self.process)


class Postgres:
    """One server, with the user postgres and no password. It refuses to run as root, so it does not."""

    def __init__(self, folder, fsync="off"):
        self.port, self.log = free_port(), folder / "postgres.log"
        nobody = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
        self.who = {} if os.geteuid() else nobody
        home = self.home = Path(tempfile.mkdtemp())  # pytest's own directories are closed to others
        if self.who:
            shutil.chown(home, "nobody")
        init = [str(POSTGRES[0] / "initdb"), "-D", str(home), "-A", "trust", "-U", "postgres", "--no-sync"]
        subprocess.run(init, check=True, capture_output=True, **self.who)
        self.words = [
            *(str(POSTGRES[0] / "postgres"), "-D", str(home), "-p", str(self.port), "-h", "127.0.0.1"),
            *("-k", "", "-c", f"fsync={fsync}", "-c", "max_connections=60"),
        ]
        self.address = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.process = None
        self.start()

    def start(self):
        self.process = start(self.words, self.log, start_new_session=True, **self.who)
        wait_for(self.is_up, "PostgreSQL", self.log)

    def is_up(self):
        ready = [str(POSTGRES[0] / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def kill(self):
        """Kill it and its children, as when its machine dies."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self):
        self.process.send_signal(signal.SIGINT)  # at once, without waiting for clients
        self.process.wait(20)
        shutil.rmtree(self.home)


class Relay:
    """Passes connections on. `cut`: answers nothing and passes nothing; `mute`: passes questions, drops the answers."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.to = self.listener.getsockname()[1], port
        self.cut = self.mute = False
        self.questions = 0  # bytes that went to the server
        self._over = False
        self.sockets = [self.listener]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while not self._over:
            try:
                self.sockets.append(client := self.listener.accept()[0])
                self.sockets.append(server := socket.create_connection(("127.0.0.1", self.to), 5))
            except OSError:
                hang_up(self.sockets[-1])
                continue
            for source, sink, is_answer in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass, args=(source, sink, is_answer), daemon=True).start()

    def _pass(self, source, sink, is_answer):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while self.cut and not self._over:
                    time.sleep(0.01)
                if is_answer and self.mute:
                    continue
                self.questions += 0 if is_answer else len(data)
                sink.sendall(data)
        hang_up(source, sink)

    def end(self):
        self._over = True
        hang_up(*self.sockets)
        self.thread.join()
        for one in self.sockets:
            one.close()


def hang_up(*sockets):
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
