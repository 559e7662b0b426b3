"""`python3 -m hafta.service MODULE:SEQUENCE`: a sequence as a service, without a program around it."""

import os

import pytest
from processes import Child

from hafta import exits

MODULE = """
import hafta

feed = hafta.Sequence("feed")

class Data:
    def __init__(self, values):
        self.count = 0

@feed.node
def work(run):
    run.checkpoint(1)
    run.say(f"data {type(run.data).__name__}")
    return hafta.EXIT

class Counter(hafta.Steps):
    def __init__(self):
        self.count = 0

    @hafta.node
    def step(self, run):
        self.count += 1
        run.say(f"count {self.count}")
        return hafta.EXIT

other = 3
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "feed.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("import no_such_module\n")

    def run(*words):
        place = {"PYTHONPATH": str(tmp_path), "STATE_DIRECTORY": str(tmp_path / "state")}
        place |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}  # nothing stops it
        with Child(["-m", "hafta.service", *words], **place) as child:
            return child.finish()

    return run


#: What is run, and what it prints.
RUNS = {
    "a sequence": (["feed:feed"], "data NoneType"),
    "with its userdata": (["feed:feed", "--data=Data"], "data Data"),
    "durable": (["feed:feed", "--durable", "--pause=5"], "data NoneType"),
    "a class": (["feed:Counter"], "count 1"),
}


@pytest.mark.parametrize("name", RUNS)
def test_it_runs_as_a_service(run, name):
    words, printed = RUNS[name]
    status, out, _ = run(*words, "--", "--once")
    assert (status, out.splitlines()[0]) == (0, printed)


#: What is wrong, the status, and what is said.
WRONG = {
    "": (exits.USAGE, "'' is not MODULE:SEQUENCE"),
    "feed": (exits.USAGE, "'feed' is not MODULE:SEQUENCE"),
    "nowhere:x": (exits.NOT_FOUND, "there is no module nowhere"),
    "feed:other": (exits.USAGE, "feed:other is not a sequence"),
    "feed:nothing": (exits.USAGE, "feed:nothing is not a sequence"),
    "feed:feed --data=other": (exits.USAGE, "feed:other is not a function"),
    "feed:feed --pause=x": (exits.USAGE, "--pause: 'x' is not a number"),
}


@pytest.mark.parametrize("line", WRONG)
def test_what_cannot_be_run_is_two_lines_and_a_status(run, line):
    status, out, err = run(*line.split())
    assert (status, out, err.count("\n")) == (WRONG[line][0], "", 2)
    assert f"hafta-service: error: {WRONG[line][1]}" in err


def test_a_mistake_of_the_module_is_shown_where_it_is(run):
    assert "import no_such_module" in run("broken:x")[2]
