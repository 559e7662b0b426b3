"""Probes against real peers: what passes, what fails and why; and nothing that a peer does makes a probe wait."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
from guard_support import PYTHON, ask, ask_often, children
from processes import is_alive, wait_until

from hafta.guard.local import Fresh
from hafta.guard.steps import Refused


@contextlib.contextmanager
def peer(answer=None, family=socket.AF_INET, context=None):
    """Listen, give each connection to `answer` in a thread, and yield ADDRESS:PORT. Without it: listen and hang."""
    with socket.socket(family) as listener:
        listener.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        listener.listen()
        threads = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=talk, args=(listener.accept()[0],)))
                    threads[-1].start()

        def talk(connection):
            if context:  # a handshake that fails closes both
                with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as whole:
                    answer(whole)
            else:
                with contextlib.suppress(OSError), connection:
                    answer(connection)

        if answer:
            accepting = threading.Thread(target=serve)
            accepting.start()
        host, port = listener.getsockname()[:2]
        yield f"{host}:{port}" if family == socket.AF_INET else f"[{host}]:{port}"
        listener.shutdown(socket.SHUT_RDWR)
        if answer:
            accepting.join()
    for thread in threads:
        thread.join()


def says(text, seen=None):
    """Make an answer: read the request, send this."""

    def answer(connection):
        data = b""
        while b"\r\n\r\n" not in data and (piece := connection.recv(4096)):
            data += piece
        if seen is not None:
            seen.append(data.decode())
        connection.sendall(text)

    return answer


def drips(connection):
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"H")
            time.sleep(0.01)


def floods(connection):
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(65536 * b"x")


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_connection_passes_even_to_a_program_that_hangs_and_a_refusal_fails(family):
    with peer(family=family) as place:
        assert ask(f"tcp:{place}")[0] == ""
    assert ask(f"tcp:{place}")[0] == f"tcp:{place}: connection refused"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM])
@pytest.mark.parametrize("path", ["/sock", "@"])
def test_a_unix_socket_of_any_kind_passes_and_a_missing_or_deaf_one_fails(tmp_path, kind, path):
    path = f"{tmp_path}{path}" if path != "@" else f"@{tmp_path}"
    missing = "connection refused" if path.startswith("@") else "no such file or directory"
    assert ask(f"unix:{path}")[0] == f"unix:{path}: {missing}"
    with socket.socket(socket.AF_UNIX, kind) as listener:
        listener.bind(f"\0{path[1:]}" if path.startswith("@") else path)
        if kind != socket.SOCK_DGRAM:
            assert ask(f"unix:{path}")[0] == f"unix:{path}: connection refused"
            listener.listen(0)
        assert ask(f"unix:{path}")[0] == ""


def test_a_unix_socket_whose_queue_is_full_fails_at_once(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(f"{tmp_path}/s")
        listener.listen(0)
        waiting.connect(f"{tmp_path}/s")
        assert ask(f"unix:{tmp_path}/s")[0] == f"unix:{tmp_path}/s: its queue of connections is full"


#: What is asked, what a peer answers, and the reason; none for a pass.
ANSWERS = {
    "200": ("/", OK, ""),
    "a redirection": ("/x?y", b"HTTP/1.0 301\r\n\r\n", ""),
    "204, as expected": ("/#204", b"HTTP/1.1 204 No Content\r\n\r\n", ""),
    "a bare line feed": ("/", b"HTTP/1.1 200\n", ""),
    "200 instead of 204": ("/#204", OK, "answered with status 200"),
    "503": ("/", b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "answered with status 503"),
    "404 as expected": ("/nothing#404", b"HTTP/1.1 404 \r\n\r\n", ""),
    "something else": ("/", b"SSH-2.0-x\r\n", "did not answer with HTTP"),
    "no status": ("/", b"HTTP/1.1 abc\r\n", "did not answer with HTTP"),
    "nothing": ("/", b"", "closed the connection without an answer"),
    "half a line": ("/", b"HTTP/1.1 20", "closed the connection without an answer"),
    "a line without end": ("/", 4096 * b"x", "did not answer with HTTP"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_http_answer_passes_by_its_status(name):
    target, answer, reason = ANSWERS[name]
    seen = []
    with peer(says(answer, seen)) as place:
        probe = f"http://{place}{target}"
        assert ask(probe)[0] == (reason and f"{probe}: {reason}")
    first, *headers = seen[0].split("\r\n")
    assert first == f"GET {target.partition('#')[0]} HTTP/1.1"
    assert {f"Host: {place}", "Connection: close"} <= set(headers)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """A server's context with a certificate that nobody has signed."""
    tool = shutil.which("openssl")
    assert tool, "openssl is missing"
    place = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [tool, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x",
         "-keyout", f"{place}/key", "-out", f"{place}/certificate"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{place}/certificate", f"{place}/key")
    return context


def test_https_passes_whoever_signed_the_certificate_and_plain_http_is_no_tls(tls):
    with peer(says(OK), context=tls) as place:
        assert ask(f"https://{place}/", timeout=10)[0] == ""
    with peer(lambda connection: connection.sendall(OK)) as place:
        assert "wrong version number" in ask(f"https://{place}/", timeout=10)[0].lower().replace("_", " ")


@pytest.mark.parametrize("kind", ["http", "https"])
@pytest.mark.parametrize("behaviour", [None, lambda connection: connection.recv(1) and time.sleep(0.5), drips, floods])
def test_a_peer_that_hangs_drips_or_floods_costs_no_more_than_the_timeout(kind, behaviour):
    with peer(behaviour) as place:
        reason, seconds = ask(f"{kind}://{place}/", timeout=0.2)
    assert reason
    assert seconds < 10


def test_probes_are_tried_at_once_and_the_first_one_that_fails_is_the_reason():
    with peer() as place, peer(says(OK)) as fine:
        probes = [f"http://{fine}/", f"http://{place}/1", "tcp:127.0.0.1:1", f"http://{place}/2"]
        reason, seconds = ask(*probes, timeout=2)
    assert reason == f"http://{place}/1: no answer within 2.0 s"
    assert 2 <= seconds < 3.9, "not one after the other"


def test_a_file_is_fresh_as_long_as_it_changes(tmp_path):
    beat = tmp_path / "beat"
    assert ask(f"file:{beat}:5")[0] == f"file:{beat}:5: no such file or directory"
    beat.touch()
    assert ask(f"file:{beat}:5")[0] == ""
    os.utime(beat, (1, 1))
    assert "not changed for" in ask(f"file:{beat}:5")[0]


def test_setting_the_clock_makes_no_file_old_or_young(tmp_path):
    beat, clock = tmp_path / "beat", [100.0]
    fresh = Fresh(str(beat), 5.0, lambda: clock[0])
    beat.touch()
    assert list(fresh.steps()) == []
    clock[0] = 104.0
    os.utime(beat, (time.time() - 9e6, time.time() - 9e6))  # the clock was set back, and then it was touched
    assert list(fresh.steps()) == []
    clock[0] = 109.1
    with pytest.raises(Refused, match=r"not changed for 5\.1 s"):
        list(fresh.steps())
    os.utime(beat, (time.time() + 9e6, time.time() + 9e6))
    assert list(fresh.steps()) == []


def test_a_pipe_passes_if_there_is_something_to_read_and_nothing_is_taken(tmp_path):
    pipe = f"{tmp_path}/pipe"
    assert "there is no pipe at" in ask(f"pipe:{pipe}")[0]
    os.mkfifo(pipe)
    assert ask(f"pipe:{pipe}")[0] == f"pipe:{pipe}: no answer within 1.0 s"
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY)
    assert ask(f"pipe:{pipe}", timeout=0.1)[0] == f"pipe:{pipe}: no answer within 100 ms"
    threading.Timer(0.1, os.write, (writer, b"ABC")).start()
    answers = ask_often(
        f"pipe:{pipe}", times=3, timeout=5, between=lambda: os.read(reader, 99) and os.write(writer, b"D")
    )
    assert [reason for reason, _ in answers] == ["", "", ""]
    os.close(writer)
    os.read(reader, 99)
    os.close(reader)
    assert "not a pipe" in ask(f"pipe:{tmp_path}")[0]


def test_a_pipe_that_lost_its_writer_or_was_replaced_is_noticed(tmp_path):
    pipe = f"{tmp_path}/pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writers = [os.open(pipe, os.O_WRONLY)]

    def write():
        os.write(writers[0], b"A")

    def replace():
        os.close(writers.pop())
        os.rename(pipe, f"{pipe}.old")
        os.mkfifo(pipe)

    take = lambda: steps.pop(0)()  # noqa: PLW0108 - another one each time
    steps = [write, lambda: os.close(writers.pop()) or os.read(reader, 9), lambda: None]
    answers = ask_often(f"pipe:{pipe}", times=3, timeout=0.2, between=take)
    assert [reason.partition(": ")[2] for reason, _ in answers] == [
        "no answer within 200 ms", "", "nothing writes to it",
    ]  # fmt: skip
    writers.append(os.open(pipe, os.O_WRONLY))
    os.write(writers[0], b"A")
    steps = [replace, lambda: None]
    answers = ask_often(f"pipe:{pipe}", times=2, timeout=0.2, between=take)
    assert [bool(reason) for reason, _ in answers] == [False, True]
    os.close(reader)


def test_a_process_passes_unless_it_is_stopped_or_gone():
    with subprocess.Popen(["sleep", "100"]) as process:
        assert ask("process", pid=process.pid)[0] == ""
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        assert ask("process", pid=process.pid)[0] == f"process: process {process.pid} is stopped"
        process.kill()
        process.wait()
        assert ask("process", pid=process.pid)[0] == f"process: process {process.pid} is gone"


#: A command, and the reason without the probe's name.
COMMANDS = {
    "true": "",
    "sh -c 'exit 3'": "ended with status 3",
    "sh -c 'kill -9 $$'": "was killed by SIGKILL",
    "/nowhere/at-all": "ended with status 127",
    "/etc/passwd": "ended with status 126",
    'sh -c \'test "$WANTED" = "a b" && test -z "$NOTIFY_SOCKET" && echo much && ! read x\'': "",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_passes_with_status_0_and_needs_no_shell(command):
    with children() as starter:
        environ = {**os.environ, "WANTED": "a b"}
        assert (
            ask(f"command:{command}", children=starter, timeout=30, environ=environ)[0].partition(": ")[2]
            == COMMANDS[command]
        )


def test_a_command_that_takes_too_long_is_killed_with_what_it_started(tmp_path):
    script = f"sleep 100 & echo $! > {tmp_path}/pid; trap : TERM; wait"
    with children() as starter:
        reason, seconds = ask(f"command:sh -c '{script}'", children=starter, timeout=2)
        assert reason.endswith("no answer within 2.0 s")
        assert seconds < 20
        wait_until(lambda: not is_alive(int((tmp_path / "pid").read_text())))


def test_what_a_command_leaves_in_its_group_is_killed_when_it_has_ended(tmp_path):
    script = f"sleep 100 & echo $! > {tmp_path}/pid"
    with children() as starter:
        assert ask(f"command:sh -c '{script}'", children=starter, timeout=30)[0] == ""
        wait_until(lambda: starter.reap() or not is_alive(int((tmp_path / "pid").read_text())))


def test_a_command_that_writes_without_end_waits_for_nobody():
    with children() as starter:
        assert ask(f"command:{PYTHON} -c 'print(9**9**6)'", children=starter, timeout=0.3)[1] < 5
