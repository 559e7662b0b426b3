"""What happens when the store fails: docs/durable.md, section 5; and state that cannot be recorded."""

import errno
import os
import re
import resource
import signal
import subprocess
import sys

import pytest
from durable_support import Lives, Program, at

import hafta
from hafta.errors import StoreError
from hafta.service.held import HeldStore
from hafta.stores import FileStore, MemoryStore
from hafta.stores.protocol import Incident

FULL = StoreError("/somewhere: no space is left", "free some", kind="full")


class Flaky:
    """A store whose writes fail while `broken`; and whose claims do while `closed`."""

    def __init__(self, store, error=FULL):
        self.store, self.error = store, error
        self.broken, self.closed, self.failed = False, False, 0

    def claim(self, *args, **options):
        if self.closed:
            raise self.error
        return FlakyClaim(self.store.claim(*args, **options), self)

    def peek(self, *args):
        return self.store.peek(*args)


class FlakyClaim:
    def __init__(self, claim, store):
        self.claim, self.store = claim, store
        self.last, self.capacity, self.incidents = claim.last, claim.capacity, claim.incidents
        self.path = "/somewhere"

    def enter(self, frame):
        self.claim.enter(frame)

    def write(self, body, sync=False):
        if self.store.broken:
            self.store.failed += 1
            raise self.store.error
        self.claim.write(body, sync)

    def clear(self, sync=False):
        self.enter(b"")
        self.write(b"", sync)

    def close(self):
        self.claim.close()


@pytest.fixture
def flaky(lives):
    return Flaky(lives.store)


def breaking(flaky, *, mend=False):
    """An action: from here on (or: no more) the store fails."""

    def act(run):
        flaky.broken = not mend

    return act


def test_by_default_the_call_raises_and_what_was_acknowledged_stands(lives, flaky):
    program = Program(lives, "work")
    program.say("work", lambda run: (run.checkpoint(1, n=1), breaking(flaky)(run), run.checkpoint(2, n=2))[0])
    with pytest.raises(StoreError) as caught:
        lives.run(program.sequence, store=flaky)
    assert caught.value is FULL
    assert (lives.record("steps")[0].checkpoint, lives.record("steps")[0].state) == (1, {"n": 1})
    assert lives.said == [("work", 0)]
    assert lives.run(program.sequence)
    assert lives.said[1] == ("undo work", 1, {"n": 1})


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

    program = Program(lives, "work").say("work", work)
    with pytest.raises(StoreError) as caught:
        lives.run(program.sequence, store=flaky)
    assert caught.value is FULL
    assert lives.said == [("work", 0)]


@pytest.mark.parametrize("when", ["transition", "rollback", "end"])
def test_a_write_that_fails_anywhere_raises(lives, flaky, when):
    program = Program(lives, "first", "second")
    if when == "transition":
        program.say("first", breaking(flaky))
    else:
        program.say("second", lambda run: breaking(flaky)(run) or (run.fail("no") if when == "rollback" else None))
    with pytest.raises(StoreError):
        lives.run(program.sequence, store=flaky)
    assert len(lives.said) == (1 if when == "transition" else 2)
    flaky.broken = False
    assert lives.run(program.sequence, store=flaky)


def test_go_on_reports_the_trouble_once_until_it_works_again(lives, flaky):
    program = Program(lives, "first", "second", "third")
    program.say("first", lambda run: (breaking(flaky)(run), run.checkpoint(1), run.checkpoint(2))[0])
    program.say("second", lambda run: (run.checkpoint(3), breaking(flaky, mend=True)(run), run.checkpoint(4))[0])
    assert lives.run(program.sequence, store=flaky, on_store_error="go on")
    assert flaky.failed == 5
    assert [(event.reason, event.action, event.path) for event in lives.events("store-trouble")] == [
        (
            "/somewhere: no space is left",
            "the sequence goes on without; a crash resumes at an older record",
            "/somewhere",
        ),
        ("the store works again", "what is recorded now is current", "/somewhere"),
    ]
    assert lives.record("steps") == ()


def test_while_it_lasts_a_crash_resumes_at_the_last_record_that_was_written(lives, flaky):
    program = Program(lives, "first", "second").say("first", at(1))
    program.say("second", lambda run: (run.checkpoint(2, n=2), breaking(flaky)(run), at(3, "die", n=3)(run))[0])
    lives.die(program.sequence, store=flaky, on_store_error="go on")
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said[:2] == [("first", 0), ("undo second", 2, {"n": 2})]


def test_a_function_is_given_the_error_and_decides(lives, flaky):
    program = Program(lives, "work").say("work", lambda run: (breaking(flaky)(run), run.checkpoint(1))[0])
    asked = []

    def twice(error):
        asked.append(error)
        return len(asked) <= 1

    with pytest.raises(StoreError):
        lives.run(program.sequence, store=flaky, on_store_error=twice)
    assert asked == [FULL, FULL]


def test_a_record_that_cannot_be_claimed_fails_the_call(lives, flaky):
    flaky.closed = True
    program = Program(lives, "work")
    with pytest.raises(StoreError) as caught:
        lives.run(program.sequence, store=flaky)
    assert caught.value is FULL
    assert lives.said == []


def test_go_on_goes_on_without_a_record_from_the_beginning(lives, flaky):
    flaky.closed = True
    program = Program(lives, "work").say("work", at(1, n=1))
    assert lives.run(program.sequence, store=flaky, on_store_error="go on")
    (event,) = lives.events("store-trouble")
    assert (event.reason, event.action) == (
        "/somewhere: no space is left", "the sequence goes on without, from its beginning",
    )  # fmt: skip
    assert lives.said == [("work", 0)]


def test_nobody_goes_on_past_another_holder(lives):
    program = Program(lives, "work")
    with lives.store.claim("steps"), pytest.raises(StoreError) as caught:
        lives.run(program.sequence, on_store_error="go on")
    assert caught.value.kind == "held"
    assert lives.said == []


def test_a_record_that_cannot_be_understood_is_refused_or_left_alone(lives):
    with lives.store.claim("steps") as claim:
        claim.enter(b"something")
        claim.write(b"else")
    program = Program(lives, "work")
    with pytest.raises(StoreError, match="cannot be understood") as caught:
        lives.run(program.sequence)
    assert caught.value.kind == "damaged"
    assert lives.run(program.sequence, on_store_error="go on")
    assert lives.store.peek("steps").saved.frame == b"something"


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"handle": object()}, "handle: a object cannot be recorded"),
        ({"deep": {"inside": {1, 2}}}, "deep.inside: a set cannot be recorded"),
        ({"many": {1: 2}}, "1: a key is a str"),
    ],
)
def test_state_that_cannot_be_recorded_names_the_key_and_is_no_failure_of_the_node(lives, state, message):
    program = Program(lives, "work").say("work", at(1, **state))
    with pytest.raises(StoreError) as caught:
        lives.run(program.sequence, on_store_error="go on")
    assert (caught.value.kind, caught.value.message) == ("value", message)
    assert lives.said == [("work", 0)]


def test_state_that_is_too_large_names_the_largest_key(lives):
    program = Program(lives, "work").say("work", at(1, small=1, contents="x" * 5000))
    with pytest.raises(StoreError) as caught:
        lives.run(program.sequence, on_store_error="go on")
    assert caught.value.kind == "too-large"
    assert "the largest is 'contents' with 5005" in caught.value.message


def test_a_state_for_which_visited_nodes_leave_no_room_says_so(lives):
    nodes = [f"node{n}" for n in range(20)]
    program = Program(lives, *nodes, name="many")
    for node in nodes:
        program.say(node, at(1, path=node * 60))
    with pytest.raises(StoreError) as caught:
        lives.run(program.sequence)
    assert caught.value.kind == "too-large"
    assert "the largest is 'path' with" in caught.value.message
    assert "where the sequence stands takes" in caught.value.message
    assert "record less" in caught.value.hint


def test_states_that_are_too_large_together_name_the_largest_of_all_nodes(lives):
    """The largest state that fits while its node runs does not fit beside the name of its node, once that is left."""
    for size in range(4000, 3000, -5):
        program = Program(lives, "first", "second", name="s").say("first", at(1, n=1, path="x" * size))
        with pytest.raises(StoreError) as caught:
            lives.run(program.sequence, on_store_error="go on")
        assert caught.value.kind == "too-large"
        lives.store.discard("s")
        if "all visited nodes" in caught.value.message:
            break
    assert f"most is for the state 'path' of node first: {size + 5}" in caught.value.message
    assert "record less" in caught.value.hint


def test_a_sequence_of_very_many_nodes_can_be_recorded_and_too_many_are_told(lives):
    many = Program(lives, *[f"a_node_{n:03}" for n in range(150)], name="many")
    assert lives.run(many.sequence)
    too_many = Program(lives, *[f"a_node_{n:03}" for n in range(300)], name="too-many")
    with pytest.raises(StoreError) as caught:
        lives.run(too_many.sequence)
    assert caught.value.kind == "too-large"
    assert "most is for the names of the 300 nodes of sequence too-many: 4505" in caught.value.message


@pytest.mark.parametrize("held", [False, True], ids=["claimed", "held"])
@pytest.mark.parametrize("state", [{}, {"contents": "x" * 3000}], ids=["position", "state"])
def test_a_hint_says_how_this_very_store_has_more_room(lives, held, state):
    store = HeldStore(lives.store) if held else lives.store
    program = Program(lives, *[f"a_node_{n:03}" for n in range(300 if not state else 100)])
    program.say("a_node_000", at(1, **state))
    with pytest.raises(StoreError) as caught:
        lives.run(program.sequence, store=store)
    files = "discard the record, whose size stays as it was made, and make the store with a larger slot_size"
    memory = "or make the store with a larger capacity"
    assert caught.value.hint.endswith(files if isinstance(lives.store, FileStore) else memory)


def test_a_kept_value_that_cannot_be_recorded_is_named_as_the_caller_knows_it(lives):
    program = Program(lives, "work")
    with pytest.raises(StoreError) as caught:
        lives.run(program.sequence, keep={"records": "x" * 5000})
    assert "the largest is 'records' with" in caught.value.message


def test_a_checkpoint_beyond_64_bits_is_a_mistake(lives):
    program = Program(lives, "work").say("work", at(2**70))
    with pytest.raises(StoreError, match=f"checkpoint {2**70} does not fit into 64 bits") as caught:
        lives.run(program.sequence)
    assert caught.value.kind == "value"


def test_every_value_that_can_be_recorded_comes_back(lives):
    state = {
        "none": None, "yes": True, "no": False, "int": -5, "large": 2**100, "float": 0.1, "text": "ä\0\ud800",
        "bytes": bytes(range(256)), "list": [1, [2, "x"]], "dict": {"a": {"b": [None]}}, "": 1,
    }  # fmt: skip
    program = Program(lives, "work").say("work", at(1, "die", **state))
    lives.die(program.sequence)
    assert lives.run(program.sequence)
    assert lives.said[1] == ("undo work", 1, state)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"level": "disk"}, 'the level of a durable call is "process" or "power", not \'disk\''),
        ({"on_store_error": "ignore"}, 'on_store_error is "fail", "go on" or a function, not \'ignore\''),
    ],
)
def test_a_setting_that_is_none_is_a_mistake(lives, given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        lives.run(Program(lives, "work").sequence, **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"store": "dir"}, "such as hafta.stores.FileStore(), not 'dir'"),
        ({"store": FileStore}, "such as hafta.stores.FileStore(), not <class 'hafta.stores.files.FileStore'>"),
        ({"instance": 5}, "instance is a name (a str), not 5"),
        ({"keep": {1: 2}}, "keep is a dict of values by their names (each a str), not {1: 2}"),
        ({"keep": ["n"]}, "keep is a dict of values by their names (each a str), not ['n']"),
    ],
)
def test_what_is_of_no_use_is_named_before_anything_runs(lives, given, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        lives.run(Program(lives, "work").sequence, **given)
    assert lives.said == []


def test_what_the_store_mended_is_reported(tmp_path):
    lives = Lives(FileStore(str(tmp_path)), asynchronous=False)
    program = Program(lives, "work").say("work", at(1, "die"))
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


def in_child(work):
    """Run this in a process of its own: what it returns, as text. Its limits do not outlive the work."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            os.write(writing, str(work()).encode())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    return told


def test_a_store_that_cannot_be_opened_because_no_descriptor_is_left_is_gone_on_from(tmp_path):
    script = f"""
import os, resource, hafta
from hafta.stores import FileStore
sequence, store, held = hafta.Sequence("greedy"), FileStore({str(tmp_path)!r}), []

@sequence.node
def work(run):
    run.checkpoint(1)
    return hafta.EXIT

assert sequence.call(store=store)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True: held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    print(sequence.call(store=store, on_store_error="go on"), flush=True)
os._exit(0)
"""
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (child.returncode, child.stdout) == (0, "greedy succeeded\n")
    assert child.stderr.startswith(f"Store {tmp_path} of sequence greedy: ")
    assert child.stderr.endswith("; the sequence goes on without, from its beginning\n")


def test_a_disk_that_is_really_full_fails_the_call_or_is_gone_on_from(tmp_path):
    """RLIMIT_FSIZE stands for the disk: the file cannot be made as large as it has to be."""

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        lives = Lives(FileStore(str(tmp_path / "full")), asynchronous=False)
        program = Program(lives, "work")
        try:
            lives.run(program.sequence)
        except StoreError as error:
            kind, number = error.kind, error.__cause__.errno
        result = lives.run(program.sequence, on_store_error="go on")
        return kind, number == errno.EFBIG, bool(result), len(lives.events("store-trouble"))

    assert in_child(work) == "('system', True, True, 1)"


def test_a_disk_that_fills_up_in_the_middle_leaves_a_record_to_resume(tmp_path):
    """Writes beyond the limit fail as on a full disk; the record before still stands."""
    lives = Lives(FileStore(str(tmp_path)), asynchronous=False)
    program = Program(lives, "work")

    def fill(run):
        run.checkpoint(1, n=1)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        run.checkpoint(2, n=2)

    def work():
        program.say("work", fill)
        try:
            lives.run(program.sequence)
        except StoreError as error:
            return error.kind
        return "nothing raised"

    assert in_child(work) == "system"
    assert (lives.record("steps")[0].checkpoint, lives.record("steps")[0].state) == (1, {"n": 1})
    assert lives.run(program.sequence)
    assert lives.said == [("undo work", 1, {"n": 1}), ("work", 1)]


def test_a_directory_that_others_can_write_to_is_refused(tmp_path):
    (tmp_path / "open").mkdir()
    os.chmod(tmp_path / "open", 0o777)
    lives = Lives(FileStore(str(tmp_path / "open")), asynchronous=False)
    with pytest.raises(StoreError) as caught:
        lives.run(Program(lives, "work").sequence)
    assert caught.value.kind == "shared"


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


def test_memory_has_no_path_to_tell(lives):
    lives = Lives(MemoryStore(), asynchronous=lives.asynchronous)
    flaky = Flaky(lives.store)
    flaky.closed = True
    lives.run(Program(lives, "work").sequence, store=flaky, on_store_error="go on")
    assert lives.events("store-trouble")[0].path == "of the memory"


def test_what_the_store_mends_in_the_middle_is_reported_at_the_next_transition(lives, flaky):
    claims = []
    real = flaky.claim
    flaky.claim = lambda *args, **options: claims.append(real(*args, **options)) or claims[-1]

    def mended(run):
        claims[-1].incidents.append(Incident("retried", "/somewhere: written again"))

    program = Program(lives, "first", "second").say("first", mended)
    assert lives.run(program.sequence, store=flaky)
    (event,) = lives.events("store-trouble")
    assert (event.reason, event.action) == ("retried: /somewhere: written again", "it went on")


@pytest.mark.parametrize("held", [False, True], ids=["claimed", "held"])
def test_a_write_that_the_file_repeated_is_reported_while_its_node_still_runs(tmp_path, monkeypatch, held):
    lives = Lives(FileStore(str(tmp_path)), asynchronous=False)
    store = HeldStore(lives.store) if held else lives.store
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
    assert lives.run(Program(lives, "work").say("work", work).sequence, store=store)
    assert lives.said == [("work", 0), (f"{tmp_path}/hafta-steps.checkpoint", "retried", "it went on")]


def test_a_sandbox_that_hides_the_boot_id_does_not_matter(lives, monkeypatch):
    def hidden(path, *args, **options):
        raise FileNotFoundError(path)

    monkeypatch.setattr("hafta.drivers.book.open", hidden, raising=False)
    program = Program(lives, "work").say("work", at(1, "die"))
    lives.die(program.sequence)
    assert lives.run(program.sequence)
    (event,) = lives.events("resumed")
    assert 0 <= event.age_usec < 60_000_000


@pytest.mark.parametrize("held", [False, True], ids=["claimed again", "held"])
def test_a_call_that_ended_while_its_store_failed_is_not_resumed_in_the_same_process(lives, flaky, held):
    store = HeldStore(flaky) if held else flaky
    program, keep = Program(lives, "first", "second", durable=("first",)), {"n": 0}

    def job(run):
        keep["n"] += 1
        run.checkpoint(1, n=keep["n"])

    program.say("first", job, job, job, job).say("second", at(2), breaking(flaky), at(2), "die")
    for _ in range(3):
        assert lives.run(program.sequence, store=store, on_store_error="go on", keep=keep)
    assert lives.said == [("first", 0), ("second", 0)] * 3
    assert keep == {"n": 3}
    flaky.broken = False
    lives.die(program.sequence, store=store, on_store_error="go on", keep=keep)
    lives.said.clear()
    assert lives.run(program.sequence, store=store, keep=keep)
    assert lives.said[0] == ("undo second", 0, {})
    assert keep == {"n": 4}


def test_a_record_of_another_process_is_resumed_all_the_same(lives, flaky):
    program = Program(lives, "work").say("work", lambda run: (run.checkpoint(1), breaking(flaky)(run))[0], at(5, "die"))
    assert lives.run(program.sequence, store=flaky, on_store_error="go on")
    flaky.broken = False
    lives.die(program.sequence)
    assert lives.run(program.sequence, store=flaky, on_store_error="go on")
    assert lives.said[-2:] == [("undo work", 5, {}), ("work", 2)]


@pytest.mark.parametrize("kind", ["forked", "closed"])
def test_nobody_goes_on_without_a_claim_of_its_own(lives, flaky, kind):
    flaky.error = StoreError("the claim belongs to the parent process", kind=kind)
    program = Program(lives, "work", "again").say("work", breaking(flaky))
    with pytest.raises(StoreError) as caught:
        lives.run(program.sequence, store=flaky, on_store_error="go on")
    assert caught.value is flaky.error
    assert lives.said == [("work", 0)]
