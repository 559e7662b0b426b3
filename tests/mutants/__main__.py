"""Mutation testing: which small mistakes in hafta/ does no test notice?

    python tests/mutants [--count 400|all] [--seed 1] [--root DIRECTORY] [room ...]

A line that tests run is judged by those tests, any other one by all tests of its room; after the first that fails the
mutant is killed. What is known already (build/mutants.jsonl) is not run again unless the module has changed, or, for
survivors, a test. The table is printed; the survivors are listed in build/mutants.txt.
"""

import argparse
import ast
import hashlib
import json
import random
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from operators import mutate, sites
from running import KILLED, SURVIVED, TIMEOUT, judge, measure, unchanged

#: Room: the rooms of tests/unit that judge it.
ROOMS = {
    "engine": ("engine", "sequence", "drivers", "durable"),
    "drivers": ("drivers", "sequence", "durable", "testing"),
    "durable": ("durable", "drivers"),
    "policies": ("policies",),
    "stores": ("stores", "leased", "durable"),
}
LONGEST = 45.0  # seconds of tests that a mutant is given, the quick ones first
SLOW = 5.0  # seconds from which a test judges nothing: one that counts memory, under coverage
STARTING = 2.0  # seconds that a test may take which starts processes, where lines are run that nobody sees


class Project:
    """A source tree, its mutants, and what is known of its tests."""

    def __init__(self, root, rooms, patience):
        self.root = root
        self.patience = patience
        self.rooms = [room for room in rooms if (root / "hafta" / room).is_dir()]
        self.sources = {
            str(file.relative_to(root)): file.read_text()
            for room in self.rooms
            for file in sorted((root / "hafta" / room).rglob("*.py"))
        }
        self.build = root / "build"
        self.build.mkdir(exist_ok=True)

    def mutants(self):
        """Return the keys of all mutants: file, line, operator, number."""
        found = []
        for name, source in self.sources.items():
            each = enumerate(sites(ast.parse(source)))
            found += [(name, line, operator, number) for number, (line, operator, _) in each]
        return found

    def tests_of(self, name):
        """Return the directories of the tests that judge this file."""
        wanted = [f"tests/unit/{room}" for room in ROOMS[name.split("/")[1]]]
        return [one for one in wanted if (self.root / one).is_dir()]

    def learn(self):
        """Run all tests once, if any has changed."""
        wanted = sorted({one for name in self.sources for one in self.tests_of(name)})
        digest = _digest(
            *(file.read_bytes() for one in wanted for file in sorted((self.root / one).rglob("*.py"))),
            *(source.encode() for source in self.sources.values()),
        )
        result = self.build / "mutants-tests.json"
        known = json.loads(result.read_text()) if result.exists() else {}
        if known.get("digest") != digest:
            print("running the tests as they are, to learn which line is run by which ...", flush=True)
            measure(self.root, wanted, result)
            known = {**json.loads(result.read_text()), "digest": digest}
            able = {test: took for test, took in known["times"].items() if test not in known["failed"]}
            assert judge(self.root, unchanged(self.root), able) == SURVIVED, (
                "in this order the tests fail by themselves"
            )
            result.write_text(json.dumps(known))
        self.known = known
        if known["failed"]:
            print(f"{len(known['failed'])} tests fail without any mutant, and judge nothing: {known['failed'][:5]} ...")

    def judges(self, name, line):
        """Return the tests of a line with their times, as many as there is time for."""
        known, directories = self.known, tuple(self.tests_of(name))
        able = {
            test: took for test, took in known["times"].items()
            if test not in known["failed"] and test.startswith(directories) and took < SLOW
        }  # fmt: skip
        lines = known["lines"].get(str(self.root / name), {})
        tests = list(known["times"])
        running = {tests[at] for at in lines.get(str(line), ())} & set(able)
        if running:
            running |= {test for test in known["starting"] if able.get(test, STARTING) < STARTING}
        left, chosen = LONGEST, {}
        for test in sorted(running or able, key=lambda test: able[test]):
            left -= able[test]
            if left < 0 and chosen:
                break
            chosen[test] = able[test]
        return chosen

    def run(self, mutants):
        """Judge each mutant, or remember how it was judged; yield the outcomes."""
        record = self.build / "mutants.jsonl"
        lines = map(json.loads, record.read_text().splitlines()) if record.exists() else ()
        known = {tuple(one["mutant"]): one for one in lines}
        with record.open("a") as out:
            for mutant in mutants:
                name, line, _, number = mutant
                source, tests = _digest(self.sources[name].encode()), self.known["digest"]
                found = known.get(mutant, {})
                if found.get("source") != source or (found["outcome"] == SURVIVED and found["tests"] != tests):
                    compile(mutate(self.sources[name], number)[0], name, "exec")  # or its failure would be a kill
                    module = ".".join(Path(name).with_suffix("").parts).removesuffix(".__init__")
                    outcome = judge(
                        self.root, f"{module}|{self.root / name}|{number}", self.judges(name, line), self.patience
                    )
                    found = {"mutant": mutant, "outcome": outcome, "source": source, "tests": tests}
                    print(json.dumps(found), file=out, flush=True)
                yield mutant, found["outcome"]


def _digest(*parts):
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def table(outcomes):
    """Return the table of outcomes by module, with a line for each room and one for all."""
    counts = {}
    for (name, *_), outcome in outcomes:
        for row in (name, f"{name.split('/')[1]}/", "all"):
            counts.setdefault(row, Counter())[outcome] += 1
    lines = [f"{'module':40} mutants  killed  timeouts  survived  score"]
    for row in sorted(counts, key=lambda row: (row == "all", not row.startswith("hafta"), row)):
        one = counts[row]
        total, caught = one.total(), one[KILLED] + one[TIMEOUT]
        lines.append(
            f"{row:40} {total:7} {one[KILLED]:7} {one[TIMEOUT]:9} {one[SURVIVED]:9} {100 * caught / total:5.1f}%"
        )
    return "\n".join(lines)


def survivors(project, outcomes):
    """Return the mutants that no test noticed, as differences."""
    shown = []
    for (name, line, _, number), outcome in outcomes:
        if outcome == SURVIVED:
            _, _, operator, before, after = mutate(project.sources[name], number)
            changed = [f"-    {one}" for one in before.splitlines()] + [f"+    {one}" for one in after.splitlines()]
            shown.append("\n".join([f"{name}:{line} {operator} (number {number})", *changed]))
    return "\n\n".join(shown)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", default="400", help="how many mutants, chosen by chance; or all")
    parser.add_argument("--seed", type=int, default=1, help="of that chance")
    parser.add_argument(
        "--patience", type=float, default=5.0, help="seconds that a test may work, besides 3 times its own"
    )
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[2], help="the source tree")
    parser.add_argument("rooms", nargs="*", metavar="room", help=f"of hafta/: {', '.join(ROOMS)}")
    given = parser.parse_args()
    project = Project(given.root.resolve(), given.rooms or ROOMS, given.patience)
    mutants = project.mutants()
    print(f"{len(mutants)} mutants in {len(project.sources)} files", flush=True)
    if given.count != "all":
        mutants = sorted(random.Random(given.seed).sample(mutants, min(int(given.count), len(mutants))))
    project.learn()
    outcomes = []
    for done, outcome in enumerate(project.run(mutants), 1):
        outcomes.append(outcome)
        print(f"\r{done} of {len(mutants)}", end="", flush=True)
    text = survivors(project, outcomes)
    (project.build / "mutants.txt").write_text(f"{table(outcomes)}\n\n{text}\n")
    print(f"\r{table(outcomes)}\nsurvivors: {project.build / 'mutants.txt'}")


if __name__ == "__main__":
    main()
