"""`hafta check` as a command: what it prints, its statuses, JSON and SARIF, and what it cannot see."""

import json
import os
import shutil
import stat

import pytest
from check_support import CLEAN, with_lines
from schema_support import problems, schema

from hafta import exits
from hafta.check import analyze, here, kept, units
from hafta.check.rules import BY_KIND, RULES
from hafta.cli.group import run_group
from hafta.errors import HaftaError
from hafta.version import VERSION


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory in which units are looked for by name, and nowhere else; without systemd's tools."""
    monkeypatch.setattr(analyze, "release", lambda: None)
    monkeypatch.setattr(units.Finder, "_folders", lambda _self: (str(tmp_path / "etc"), str(tmp_path / "lib")))
    monkeypatch.setattr(units, "ADMINISTRATOR", (str(tmp_path / "etc"),))
    monkeypatch.setattr(units.systemd, "BOOTED", str(tmp_path / "nowhere"))
    monkeypatch.setattr(units.published, "find", lambda _environ: [])
    monkeypatch.setattr(here, "machine", lambda deep: (None, []))
    monkeypatch.setattr(kept.records, "find_here", lambda _environ: ([], []))
    for name in ("etc", "lib"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def ask(capsys):
    """Run it; return status, output and what it said on stderr. Every JSON is held against the schema."""

    def run(*words):
        status = run_group(["check", *map(str, words)])
        out, err = capsys.readouterr()
        if "--json" in words:
            out = json.loads(out)
            assert problems(out, schema("check", "check")) == []
        return status, out, err

    return run


def put(folder, text, name="feed.service"):
    (folder / name).write_text(text)
    return folder / name


def test_a_clean_unit_is_found_by_name_by_file_and_without_a_name(place, ask):
    file = put(place / "etc", CLEAN)
    put(place / "lib", "[Service]\nExecStart=/usr/sbin/other\n", "other.service")
    for words in (["feed"], ["feed.service"], [file], []):
        status, out, err = ask("--strict", "--json", *words)
        assert (status, out["findings"]) == (exits.OK, [])
        assert out["checked"] == [{"kind": "unit", "name": "feed.service", "files": [str(file)]}]
        assert "looked at 1 unit" in err


def test_a_finding_is_one_line_with_its_place_and_its_cure_below(place, ask):
    text = with_lines("LogLevelMax=notice")
    file = put(place / "etc", text)
    line = text.splitlines().index("LogLevelMax=notice") + 1
    status, out, _ = ask("feed")
    assert status == exits.FAILED
    assert out.splitlines() == [
        f"{file}:{line}  HC021  error    LogLevelMax=notice hides systemd's start and stop entries",
        "    → set LogLevelMax=info, or leave it out",
    ]


def test_drop_ins_count_and_a_finding_names_the_drop_in(place, ask):
    put(place / "lib", CLEAN)
    (place / "etc/feed.service.d").mkdir()
    drop_in = put(place / "etc/feed.service.d", "[Service]\nNotifyAccess=all\n", "a.conf")
    status, out, _ = ask("feed", "--json", "--strict")
    [one] = out["findings"]
    assert (status, one["code"], one["file"], one["line"]) == (exits.FAILED, "HC002", str(drop_in), 2)
    assert out["checked"][0]["files"] == [str(place / "lib/feed.service"), str(drop_in)]


def test_warnings_are_errors_only_with_strict(place, ask):
    put(place / "etc", with_lines("Restart=on-failure"))
    assert [ask("feed", *more)[0] for more in ([], ["--strict"])] == [exits.OK, exits.FAILED]
    put(place / "etc", with_lines("RestartSec=100ms"))
    assert ask("feed", "--strict")[0] == exits.OK  # a note


@pytest.mark.parametrize(("release", "found"), [("252", {"HC003"}), ("253", set())])
def test_a_unit_is_judged_for_the_release_that_is_asked_for(place, ask, release, found):
    put(place / "etc", with_lines("Type=notify-reload"))
    _, out, _ = ask("feed", "--json", "--against", release)
    assert ({one["code"] for one in out["findings"]}, out["systemd"]) == (found, int(release))


def test_where_systemd_is_not_that_is_one_line(place, ask):
    put(place / "etc", CLEAN)
    _, out, err = ask("feed", "--json")
    assert (out["complete"], len(out["missing"]), out["systemd"]) == (False, 1, 252)
    assert out["missing"][0].startswith("systemd is not here")
    assert f"hafta: not seen: {out['missing'][0]}\n" in err


def test_what_systemd_says_is_a_finding_with_its_line(place, ask, monkeypatch):
    """A stand-in says what systemd 252 says, with the exit status that it has."""
    file = put(place / "etc", CLEAN)
    monkeypatch.setattr(analyze, "release", lambda: 252)
    said = {"verify": ("", f"{file}:3: Unknown key 'Foo' in section [Service], ignoring.\n"),
            "security": ("→ Overall exposure level for feed.service: 9.2 UNSAFE :-(\n", "")}  # fmt: skip
    asked = []

    def run(*words):
        asked.append(words)
        return type("Done", (), dict(zip(("stdout", "stderr"), said[words[1]], strict=True)))

    monkeypatch.setattr(analyze, "run", run)
    _, out, _ = ask("feed", "--json")
    assert [(one["code"], one["line"]) for one in out["findings"]] == [("HC038", 3), ("HC030", None)]
    assert out["complete"]
    assert [words[-1] for words in asked] == [str(file), str(file)]


@pytest.mark.parametrize("what", ["gone", "silent"])
def test_tools_that_do_not_answer_are_said(place, ask, monkeypatch, what):
    put(place / "etc", CLEAN)
    monkeypatch.setattr(analyze, "release", lambda: 252)

    def run(*_words):
        if what == "gone":
            raise HaftaError("systemd-analyze is not installed", "install systemd")
        return type("Done", (), {"stdout": "", "stderr": ""})

    monkeypatch.setattr(analyze, "run", run)
    status, out, _ = ask("feed", "--json")
    expected = {"gone": "systemd-analyze is not installed", "silent": "the exposure of feed.service"}[what]
    assert (status, out["missing"][0].startswith(expected)) == (exits.OK, True)


@pytest.mark.skipif(not shutil.which("systemd-analyze") and not os.environ.get("CI"), reason="systemd is not installed")
def test_systemd_itself_is_asked(tmp_path, ask):
    """The real tools, about a program that is there, and one that is not."""
    bad = put(tmp_path, with_lines("ExecStart=/nowhere/hafta-client\nFoo=1"))
    status, out, _ = ask(bad, "--json")
    texts = [one["text"] for one in out["findings"] if one["code"] == "HC038"]
    assert (status, out["complete"]) == (exits.FAILED, True)
    assert any("Foo" in text for text in texts)
    assert any("not executable" in text for text in texts)
    assert {one["line"] for one in out["findings"] if "Foo" in one["text"]} == {
        bad.read_text().splitlines().index("Foo=1") + 1
    }


def test_masks_and_copies_that_hide_a_packaged_unit_are_found(place, ask):
    put(place / "etc", CLEAN)
    put(place / "lib", CLEAN)
    (place / "etc/other.service").symlink_to("/dev/null")
    status, out, _ = ask("feed", "other", "--json", "--strict")
    assert [(one["code"], one["text"]) for one in out["findings"]] == [
        ("HC036", f"takes the place of {place}/lib/feed.service"), ("HC036", "masked: it cannot be started"),
    ]  # fmt: skip
    assert status == exits.FAILED


def test_a_stale_unit_is_found_where_systemd_runs(place, ask, monkeypatch):
    put(place / "etc", CLEAN)
    monkeypatch.setattr(units.systemd, "BOOTED", str(place))
    facts = [{"FragmentPath": str(place / "etc/feed.service"), "NeedDaemonReload": True}]

    class Show:
        def __init__(self, names, _environ, **_how):
            assert list(names) == ["feed.service"]

        def answer(self):
            return facts

    monkeypatch.setattr(units.systemd, "Show", Show)
    put(place / "etc", CLEAN, "feed@.service")  # of a template systemd knows nothing
    assert [one["code"] for one in ask("feed", "feed@", "--json")[1]["findings"]] == ["HC035"]

    class Silent(Show):
        def answer(self):
            raise units.systemd.Unanswered("it does not answer")

    monkeypatch.setattr(units.systemd, "Show", Silent)
    assert ask("feed", "--json")[1]["missing"][1] == "systemd: it does not answer"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nothing"], exits.NOT_FOUND, "there is no unit, file, sequence or record nothing"),
        (["own/disk.py"], exits.NOT_FOUND, "name the sequence in that program, from where it lies: disk:SEQUENCE"),
        (["./nowhere.service"], exits.NOT_FOUND, "there is no unit, file, sequence or record ./nowhere.service"),
        (["/dev/null"], exits.USAGE, "/dev/null is not a service, a socket or a target"),
        (["/"], exits.USAGE, "/ is a directory"),
        (["--against", "old"], exits.USAGE, "--against: 'old' is not a release of systemd"),
        (["--format", "xml"], exits.USAGE, "--format: 'xml' is not one of text, json, sarif"),
        (["--explain", "HC999"], exits.NOT_FOUND, "there is no code HC999"),
        (["--explain", ""], exits.USAGE, "a code such as HC009, or all"),
        (["x.timer"], exits.NOT_FOUND, "there is no unit, file, sequence or record x.timer"),
    ],
)
def test_what_cannot_be_meant_has_a_status_and_one_line(place, ask, words, status, said):
    found, out, err = ask(*words)
    assert (found, out) == (status, "")
    assert said in err


def test_where_nothing_is_to_be_seen_the_status_says_so(place, ask, monkeypatch):
    monkeypatch.setattr(analyze, "release", lambda: 252)
    assert ask()[::2] == (exits.OK, "hafta: there is nothing of HAFTA here; name a unit to check any\n")
    put(place / "etc", CLEAN)

    def closed(_name, _files, _specifiers):
        raise PermissionError(13, "Permission denied", "/etc/feed.service")

    monkeypatch.setattr(units, "merged", closed)
    status, _, err = ask("feed")
    assert (status, err) == (
        exits.PERMISSION,
        "hafta: not seen: /etc/feed.service: only its owner and root may read it\n",
    )


def test_the_units_of_a_user_are_looked_for_in_the_homes_directories(tmp_path, ask, monkeypatch):
    monkeypatch.setattr(analyze, "release", lambda: None)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "systemd/user").mkdir(parents=True)
    put(tmp_path / "systemd/user", with_lines("# no User="))
    monkeypatch.setattr(units.Finder, "_facts", lambda _self, _names: {})
    assert ask("feed", "--user", "--strict", "--json")[:1] == (exits.OK,)


def test_each_code_is_explained_with_its_reason_its_cure_and_examples(ask):
    _, everything, _ = ask("--explain", "all")
    for rule in RULES.values():
        status, out, _ = ask("--explain", rule.code.lower())
        words = out.split()
        assert status == exits.OK
        assert out in everything + "\n"
        assert out.startswith(f"{rule.code} {rule.severity}: {rule.title}\n")
        assert " ".join(rule.reason.split()) in " ".join(words)
        assert " ".join(rule.cure.split()) in " ".join(words)
        for line in (*rule.bad.splitlines(), *rule.good.splitlines()):
            assert f"    {line}" in out


def test_codes_are_in_their_order_and_each_is_there_once():
    codes = [rule.code for rules in BY_KIND.values() for rule in rules]
    assert codes == sorted(set(codes))
    assert all(rule.reason and rule.cure and rule.bad and rule.good and rule.title for rule in RULES.values())


def test_sarif_has_what_readers_of_it_need(place, ask):
    """Of the standard: what it requires, and that rules are found by id and by index."""
    file = put(place / "etc", with_lines("LogLevelMax=notice"), "a b.service")
    status, out, _ = ask("--format", "sarif", file)
    document = json.loads(out)
    assert (status, document["version"], len(document["runs"])) == (exits.FAILED, "2.1.0", 1)
    [run] = document["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("hafta check", VERSION)
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    assert {rule["defaultConfiguration"]["level"] for rule in driver["rules"]} <= {"error", "warning", "note"}
    assert all(rule[key]["text"] for rule in driver["rules"] for key in ("shortDescription", "fullDescription", "help"))
    [result] = run["results"]
    assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "HC021"
    assert result["message"]["text"].startswith("a b.service: LogLevelMax=notice hides")
    [location] = result["locations"]
    physical = location["physicalLocation"]
    assert physical["artifactLocation"] == {"uri": f"file://{place}/etc/a%20b.service"}
    assert physical["region"]["startLine"] >= 1
    [notice] = run["invocations"][0]["toolExecutionNotifications"]
    assert notice["message"]["text"].startswith("systemd is not here")


def test_a_unit_that_may_not_be_read_is_told_to_others_than_root(place, ask):
    file = put(place / "etc", CLEAN)
    file.chmod(0)
    expected = exits.OK if os.geteuid() == 0 else exits.PERMISSION
    assert ask("feed")[0] == expected
    assert stat.S_IMODE(file.stat().st_mode) == 0


def test_links_that_lead_in_a_circle_are_a_unit_that_cannot_be_read(place, ask):
    (place / "a.service").symlink_to("b.service")
    (place / "b.service").symlink_to("a.service")
    status, out, _ = ask("--json", place / "a.service")
    [found] = out["findings"]
    assert (status, found["code"], found["file"]) == (exits.FAILED, "HC037", str(place / "a.service"))
    assert found["text"] == "cannot be read: Too many levels of symbolic links"
