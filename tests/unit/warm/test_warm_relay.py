"""What a worker says, and what of that reaches the overlord; what a death means; how a death is described."""

import signal

import pytest

from hafta.death import HANG, OOM, RULE, TIMEOUT, Death, from_bytes, of, remember
from hafta.service.holdoff import Row
from hafta.service.warm.ladder import rung
from hafta.service.warm.relay import Said, said, status
from hafta.service.warm.table import Event

DATAGRAMS = {
    b"READY=1\nSTATUS=up": Said(ready=True, status="up"),
    b"STATUS=": Said(status=""),
    b"STATUS=a=b": Said(status="a=b"),
    b"STATUS=first\nSTATUS=second": Said(status="second"),
    b"EXTEND_TIMEOUT_USEC=1500000": Said(extend=1.5),
    b"EXTEND_TIMEOUT_USEC=-1\nSTOPPING=1": Said(stopping=True),
    b"EXTEND_TIMEOUT_USEC=" + b"9" * 30: Said(),
    b"READY=0\nSTOPPING=yes": Said(),
    b"WATCHDOG=1\nMAINPID=1\nBARRIER=1": Said(),
    b"FDSTORE=1": Said(store="stored"),
    b"FDSTORE=1\nFDNAME=log\nFDPOLL=0": Said(store="log", watch=False),
    b"FDSTORE=1\nFDNAME=a:b": Said(store="stored"),
    b"FDSTOREREMOVE=1\nFDNAME=log": Said(drop="log"),
    b"\xff\xfe\0READY": Said(),
    b"": Said(),
}


@pytest.mark.parametrize("datagram", DATAGRAMS)
def test_a_datagram_is_read(datagram):
    assert said(datagram) == DATAGRAMS[datagram]


def test_the_status_says_which_worker_it_is_and_what_became_of_the_others():
    assert status("3 read", 12, 0, "") == "3 read [worker 12]"
    assert status("", 12, 0, "") == "[worker 12]"
    assert (
        status("x", 12, 2, "was killed by SIGKILL") == "x [worker 12, 2 replaced, the last one was killed by SIGKILL]"
    )
    assert status("held back", 0, 1, "hung") == "held back [no worker, 1 replaced, the last one hung]"


KILLED = {"signal": int(signal.SIGKILL)}
#: How it died, crashes in a row with this one, and what follows.
RUNGS = [
    ({"status": 0}, 0, {}, Event.END),
    ({"status": 2}, 0, {}, Event.END),
    ({"status": 0}, 0, {"retiring": True}, Event.REPLACE),
    ({"status": 1}, 1, {}, Event.REPLACE),
    (KILLED, 5, {}, Event.REPLACE),
    (KILLED, 6, {}, Event.HOLD),
    (KILLED, 10, {}, Event.HOLD),
    (KILLED, 11, {}, Event.END),
    (KILLED, 12, {}, Event.HOLD),
    (KILLED, 21, {}, Event.HOLD),
    (KILLED, 22, {}, Event.END),
    (KILLED, 3, {"ladder": 2}, Event.END),
    (KILLED, 1, {"ladder": 0}, Event.END),
    (KILLED, 1, {"ready": False}, Event.END),
    ({"status": 1}, 1, {"ready": False}, Event.END),
    (KILLED, 1, {"retiring": True}, Event.REPLACE),
    ({"status": 0, "why": HANG}, 1, {}, Event.REPLACE),
]


@pytest.mark.parametrize(("death", "crashes", "case", "event"), RUNGS)
def test_a_death_leads_to_its_rung(death, crashes, case, event):
    given = {"ready": True, "retiring": False, "ladder": 10, **case}
    assert rung(Death(1, **death), Row(crashes, 0.0), **given) is event


SENTENCES = {
    "was killed by SIGKILL": {"signal": 9},
    "was killed by signal 60 in work": {"signal": 60, "node": "work"},
    "ended with status 20 in work": {"status": 20, "node": "work"},
    "hung in work: no progress": {"why": HANG, "node": "work", "detail": "no progress", "signal": 6},
    "took too long in work: longer than its 2 s": {"why": TIMEOUT, "node": "work", "detail": "longer than its 2 s"},
    "broke a rule: memory": {"why": RULE, "detail": "memory"},
    "was killed by the kernel in work: out of memory": {"why": OOM, "node": "work", "signal": 9},
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_death_is_described(sentence):
    assert str(Death(1, **SENTENCES[sentence])) == sentence


def test_a_death_is_remembered_by_its_pid_until_the_next_one():
    death = Death(7, signal=9)
    try:
        remember(death)
        assert (of(7), of(8)) == (death, None)
        remember(None)
        assert of(7) is None
    finally:
        remember(None)


def test_a_death_survives_the_gate():
    death = Death(7, 9, 0, HANG, "feed", "work", "no progress", "a", 3)
    assert from_bytes(death.as_bytes()) == death
    assert from_bytes(Death(7, detail="a\0b\nc").as_bytes()) == Death(7, detail="ab\nc")
