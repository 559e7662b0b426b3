"""What happens when the store fails: docs/durable-rules.md, section 5."""

import errno
import os
import resource
import signal
import subprocess
import sys

import pytest
from durable_support import Lives, Program, at, claimed_or_held
from processes import in_child

import hafta
from hafta.errors import StoreError
from hafta.stores import FileStore
from hafta.stores.protocol import Incident
from hafta.stores.wrapping import WrappingClaim, WrappingStore

FULL = StoreError("/somewhere: no space is left", "free some", kind="full")


class Flaky(WrappingStore):
    """A store whose writes fail while `broken`; and whose claims do while `closed`."""

    def __init__(self, store, error=FULL):
        super().__init__(store)
        self.error = error
        self.broken, self.closed, self.failed = False, False, 0

    def claim(self, *args, **options):
        if self.closed:
            raise self.error
        return FlakyClaim(self.store.claim(*args, **options), self)


class FlakyClaim(WrappingClaim):
    where = "/somewhere"

    def __init__(self, claim, store):
        super().__init__(claim)
        self.store = store

    def write(self, body, sync=False):
        if self.store.broken:
            self.store.failed += 1
            raise self.store.error
        self.claim.write(body, sync)


@pytest.fixture
def flaky(lives):
    return Flaky(lives.store)


def breaking(flaky, *, mend=False):
    """An action: from here on (or: no more) the store fails."""

    def act(run):
        flaky.broken = not mend

    return act


def test_by_default_the_call_raises_and_what_was_acknowledged_stands(lives, flaky):
    program = Program(lives, "work", does={"work": (at(1, n=1), breaking(flaky), at(2, n=2))})
    assert lives.refused(program, store=flaky) is FULL
    assert (lives.record("steps")[0].checkpoint, lives.record("steps")[0].state) == (1, {"n": 1})
    assert lives.told == "work 0"
    assert lives.run(program.sequence)
    assert lives.told.startswith("work 0, undo work 1 n=1, ")


@pytest.mark.parametrize("how", ["return", "fail", "raise"])
def test_a_store_error_that_a_node_swallows_is_raised_all_the_same(lives, flaky, how):
    def work(run):
        flaky.broken = True
        try:
            run.checkpoint(1)
        except StoreError as error:
            flaky.broken = False
            if how == "raise":
                raise ValueError("something else") from error
            return run.fail("something else") if how == "fail" else hafta.EXIT

    assert lives.refused(Program(lives, "work", does={"work": work}), store=flaky) is FULL
    assert lives.told == "work 0"


@pytest.mark.parametrize(
    ("when", "then", "told"),
    [("first", None, "first 0"), ("second", "fail", "first 0, second 0"), ("second", None, "first 0, second 0")],
    ids=["transition", "rollback", "end"],
)
def test_a_write_that_fails_anywhere_raises(lives, flaky, when, then, told):
    program = Program(lives, "first", "second", does={when: (breaking(flaky), then)})
    assert lives.refused(program, store=flaky) is FULL
    assert lives.told == told
    flaky.broken = False
    assert lives.run(program.sequence, store=flaky)


def test_go_on_reports_the_trouble_once_until_it_works_again(lives, flaky):
    program = Program(lives, "first", "second", "third")
    program.say("first", (breaking(flaky), at(1), at(2)))
    program.say("second", (at(3), breaking(flaky, mend=True), at(4)))
    assert lives.run(program.sequence, store=flaky, on_error="go on")
    assert flaky.failed == 4
    assert [(event.reason, event.action, event.path) for event in lives.events("store-trouble")] == [
        (
            "/somewhere: no space is left",
            "continuing without checkpoints: a crash now would resume from an older one",
            "/somewhere",
        ),
        ("the store works again", "what is recorded now is current", "/somewhere"),
    ]
    assert lives.record("steps") == ()


def test_while_it_lasts_a_crash_resumes_at_the_last_record_that_was_written(lives, flaky):
    does = {"first": at(1), "second": (at(2, n=2), breaking(flaky), at(3, "die", n=3))}
    program = Program(lives, "first", "second", does=does)
    lives.die(program.sequence, store=flaky, on_error="go on")
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.told.startswith("first 0, undo second 2 n=2, ")


def test_a_function_is_given_the_error_and_decides(lives, flaky):
    asked = []

    def once(error):
        asked.append(error)
        return len(asked) <= 1

    assert lives.refused(Program(lives, "work", does={"work": (breaking(flaky), at(1))}), store=flaky, on_error=once)
    assert asked == [FULL, FULL]


def test_a_record_that_cannot_be_claimed_fails_the_call_or_goes_on_from_the_beginning_without_one(lives, flaky):
    flaky.closed = True
    program = Program(lives, "work", does={"work": at(1, n=1)})
    assert lives.refused(program, store=flaky) is FULL
    assert lives.said == []
    assert lives.run(program.sequence, store=flaky, on_error="go on")
    (event,) = lives.events("store-trouble")
    assert (event.reason, event.action, event.path) == (
        "/somewhere: no space is left", "continuing without checkpoints, from the beginning", lives.store.where,
    )  # fmt: skip
    assert lives.told == "work 0"


def test_nobody_goes_on_past_another_holder(lives):
    with lives.store.claim("steps"):
        assert lives.refused(Program(lives, "work"), on_error="go on").kind == "held"
    assert lives.said == []


def test_a_record_that_cannot_be_understood_is_refused_or_left_alone(lives):
    with lives.store.claim("steps") as claim:
        claim.enter(b"something")
        claim.write(b"else")
    program = Program(lives, "work")
    error = lives.refused(program)
    assert (error.kind, "cannot be understood" in error.message) == ("damaged", True)
    assert lives.run(program.sequence, on_error="go on")
    assert lives.store.peek("steps").saved.frame == b"something"


def test_what_the_store_mended_is_reported(tmp_path):
    lives = Lives(FileStore(str(tmp_path)), asynchronous=False)
    program = Program(lives, "work", does={"work": at(1, "die")})
    lives.die(program.sequence)
    path = tmp_path / "hafta-steps.checkpoint"
    data = bytearray(path.read_bytes())
    newest = lives.store.peek("steps").saved.number % 3
    for slot in range(3):
        if slot != (newest + 2) % 3:
            data[4096 * (slot + 1) + 60] ^= 1
            break
    path.write_bytes(bytes(data))
    assert lives.run(program.sequence)
    (event,) = lives.events("store-trouble")
    assert event.path == str(path)
    assert "damaged" in event.reason
    assert event.action == "it went on"


def test_a_store_that_cannot_be_opened_because_no_descriptor_is_left_is_gone_on_from(tmp_path):
    script = f"""
import os, resource, hafta
from hafta.stores import FileStore
sequence, store, held = hafta.Sequence("greedy"), FileStore({str(tmp_path)!r}), []

@sequence.node
def work(run):
    run.checkpoint(1)
    return hafta.EXIT

assert sequence.call(checkpoints=hafta.Checkpoints(store))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True: held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    print(sequence.call(checkpoints=hafta.Checkpoints(store, on_error="go on")), flush=True)
os._exit(0)
"""
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (child.returncode, child.stdout) == (0, "greedy succeeded\n")
    assert child.stderr.startswith(f"Store {tmp_path} of sequence greedy: ")
    assert child.stderr.endswith("; continuing without checkpoints, from the beginning\n")


def limit_files(size):
    """RLIMIT_FSIZE stands for a full disk: files cannot be made larger."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def test_a_disk_that_is_really_full_fails_the_call_or_is_gone_on_from(tmp_path):
    def work():
        limit_files(8192)
        lives = Lives(FileStore(str(tmp_path / "full")), asynchronous=False)
        program = Program(lives, "work")
        error = lives.refused(program)
        result = lives.run(program.sequence, on_error="go on")
        return error.kind, error.__cause__.errno == errno.EFBIG, bool(result), len(lives.events("store-trouble"))

    assert in_child(work) == "('system', True, True, 1)"


def test_a_disk_that_fills_up_in_the_middle_leaves_a_record_to_resume(tmp_path):
    """Writes beyond the limit fail as on a full disk; the record before still stands."""
    lives = Lives(FileStore(str(tmp_path)), asynchronous=False)
    full = Program(lives, "work", does={"work": (at(1, n=1), lambda _run: limit_files(1), at(2, n=2))})
    assert in_child(lambda: lives.refused(full).kind) == "system"
    assert (lives.record("steps")[0].checkpoint, lives.record("steps")[0].state) == (1, {"n": 1})
    assert lives.run(Program(lives, "work").sequence)
    assert lives.told == "undo work 1 n=1, work 1"


def test_a_directory_that_others_can_write_to_is_refused(tmp_path):
    (tmp_path / "open").mkdir()
    os.chmod(tmp_path / "open", 0o777)
    lives = Lives(FileStore(str(tmp_path / "open")), asynchronous=False)
    assert lives.refused(Program(lives, "work")).kind == "shared"


def test_a_child_that_was_forked_in_the_middle_cannot_write_its_parents_record(lives):
    def fork(run):
        def child():
            try:
                run.checkpoint(2)
            except StoreError as error:
                return error.kind
            return "written"

        lives.said.append(in_child(child))
        run.checkpoint(3, parent=True)

    program = Program(lives, "work").say("work", fork, at(4))
    assert lives.run(program.sequence)
    assert lives.said == [("work", 0), "forked"]


def test_what_the_store_repairs_in_the_middle_is_reported_at_once(lives, flaky):
    claims = []
    real = flaky.claim
    flaky.claim = lambda *args, **options: claims.append(real(*args, **options)) or claims[-1]

    def mended(run):
        claims[-1].on_incident(Incident("retried", "/somewhere: written again"))
        assert len(lives.events("store-trouble")) == 1

    program = Program(lives, "first", "second").say("first", mended)
    assert lives.run(program.sequence, store=flaky)
    (event,) = lives.events("store-trouble")
    assert (event.reason, event.action) == ("retried: /somewhere: written again", "it went on")


@pytest.mark.parametrize("held", [False, True], ids=["claimed", "held"])
def test_a_write_that_the_file_repeated_is_reported_while_its_node_still_runs(tmp_path, monkeypatch, held):
    lives = Lives(FileStore(str(tmp_path)), asynchronous=False)
    real, failing = os.pwrite, []

    def pwrite(fd, data, offset):
        if failing:
            raise OSError(failing.pop(), "the disk is old")
        return real(fd, data, offset)

    def work(run):
        failing.append(errno.EIO)
        run.checkpoint(1)
        (event,) = lives.events("store-trouble")
        lives.said.append((event.path, event.reason.partition(":")[0], event.action))

    monkeypatch.setattr(os, "pwrite", pwrite)
    with claimed_or_held(lives.store, held) as store:
        assert lives.run(Program(lives, "work", does={"work": work}).sequence, store=store)
    assert lives.said == [("work", 0), (f"{tmp_path}/hafta-steps.checkpoint", "retried", "it went on")]


def test_a_sandbox_that_hides_the_boot_id_does_not_matter(lives, monkeypatch):
    def hidden(path, *args, **options):
        raise FileNotFoundError(path)

    monkeypatch.setattr("hafta.boot.open", hidden, raising=False)
    program = Program(lives, "work", does={"work": at(1, "die")})
    lives.die(program.sequence)
    assert lives.run(program.sequence)
    (event,) = lives.events("resumed")
    assert 0 <= event.age_usec < 60_000_000


@pytest.mark.parametrize("held", [False, True], ids=["claimed again", "held"])
def test_a_call_that_ended_while_its_store_failed_is_not_resumed_in_the_same_process(lives, flaky, held):
    keep = {"n": 0}

    def job(run):
        keep["n"] += 1
        run.checkpoint(1, n=keep["n"])

    does = {"first": [job] * 4, "second": [at(2), breaking(flaky), at(2), "die"]}
    program = Program(lives, "first*", "second", does=does)
    with claimed_or_held(flaky, held) as store:
        how = {"store": store, "on_error": "go on", "keep": keep}
        for _ in range(3):
            assert lives.run(program.sequence, **how)
        assert lives.said == [("first", 0), ("second", 0)] * 3
        assert keep == {"n": 3}
        flaky.broken = False
        lives.die(program.sequence, **how)
        lives.said.clear()
        assert lives.run(program.sequence, store=store, keep=keep)
        assert lives.said[0] == ("undo second", 0, {})
        assert keep == {"n": 4}


def test_the_end_of_a_call_says_nothing_of_other_records_in_the_same_place(lives, flaky):
    other = Program(lives, "work", name="other", does={"work": at(5, "die")})
    lives.die(other.sequence, store=flaky)
    assert lives.run(Program(lives, "fine", does={"fine": breaking(flaky)}).sequence, store=flaky, on_error="go on")
    flaky.broken = False
    lives.said.clear()
    assert lives.run(other.sequence, store=flaky)
    assert lives.told == "undo work 5 {}, work 1"


def test_a_record_of_another_process_is_resumed_all_the_same(lives, flaky):
    program = Program(lives, "work").say("work", (at(1), breaking(flaky)), at(5, "die"))
    assert lives.run(program.sequence, store=flaky, on_error="go on")
    flaky.broken = False
    lives.die(program.sequence)
    assert lives.run(program.sequence, store=flaky, on_error="go on")
    assert lives.said[-2:] == [("undo work", 5, {}), ("work", 2)]


@pytest.mark.parametrize("kind", ["forked", "closed"])
def test_nobody_goes_on_without_a_claim_of_its_own(lives, flaky, kind):
    flaky.error = StoreError("the claim belongs to the parent process", kind=kind)
    program = Program(lives, "work", "again", does={"work": breaking(flaky)})
    assert lives.refused(program, store=flaky, on_error="go on") is flaky.error
    assert lives.told == "work 0"
