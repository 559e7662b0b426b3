"""`hafta report --html`, `--badge` and `--by`: pictures that need nothing, and texts of strangers that do nothing."""

import json
import re
import shutil
import sys
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from observe_journals import write
from observe_support import Story
from schema_support import problems, schema

from hafta import exits
from hafta.cli import badge, report_page
from hafta.cli.group import run_group

STORY = """
0 SG r1; 1 SD r1; 50 rolled-back r1 HAFTA_SEQUENCE=s HAFTA_NODE=n HAFTA_ATTEMPT=1 HAFTA_REPEATED=30
4000 EX r1 killed 9; 4000 UF r1 signal; 4001 RS r1 1; 4001 SG r2; 4010 SD r2
90000 EX r2 exited 24; 90000 UF r2 exit-code; 90000.1 RS r2 2; 90000.1 SG r3; 90100 SD r3
90200 rolled-back r3 HAFTA_SEQUENCE=s HAFTA_NODE=m HAFTA_ATTEMPT=1; 90300 sequence-succeeded r3 HAFTA_SEQUENCE=s
"""
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'&amp;{{ 7 * 7 }}\x1b[31m\u202e</title></style>"
VOID = {"meta"}


class Page(HTMLParser):
    """Elements with their attributes, and the texts; every element is closed in its order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def hafta(tmp_path, capsys):
    """A function that writes a journal with this story, and runs `hafta report` on it; returns stdout."""

    def run(*more, text=STORY, change=lambda raw: raw, status=exits.OK):
        raws = [change(raw.replace(boot="1" * 32)) for raw in Story(text).raws]
        shutil.rmtree(tmp_path / "j", ignore_errors=True)
        write(tmp_path / "j", raws)
        assert run_group(["report", "a", "--since", "7d", "--directory", str(tmp_path / "j"), *more]) == status
        return capsys.readouterr().out

    return run


@pytest.fixture
def page(hafta, tmp_path):
    def make(*more, **how):
        assert hafta("--html", str(tmp_path / "r.html"), *more, **how) == ""
        return Page((tmp_path / "r.html").read_text())

    return make


def test_the_page_loads_nothing_runs_nothing_and_allows_only_its_own_style(page):
    found = page("--slo", "99.9", status=exits.FAILED)
    assert found.open == []
    [policy] = [one["content"] for one in found.of("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    [style] = [text for text in found.texts if "--page" in text]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert {name for name, _ in found.elements} & {"script", "img", "link", "iframe", "a", "form", "object"} == set()
    keys = {key for _, attributes in found.elements for key in attributes}
    assert [key for key in keys if key.startswith("on") or key in {"src", "href", "style"}] == []
    assert "url(" not in style
    assert "@import" not in style


def test_the_page_has_a_strip_for_each_day_and_every_restoration_rollback_and_cause(page):
    found = page()
    assert len(found.of("circle")) == 2
    labels = [one["aria-label"] for one in found.of("svg") if "aria-label" in one]
    assert [label for label in labels if label.startswith("s ")] == ["s n: 30 rollbacks", "s m: 1 rollbacks"]
    assert {"killed SIGKILL: 1", "exit 24: 1", "2 restorations, the longest 1 min 40 s"} <= set(labels)
    days = [label for label in labels if re.match(r"\w{3} \d\d \w{3}: up ", label)]
    assert len(days) == 8
    assert sum("down 0 s" not in day for day in days) == 2
    assert {"10 s", "100 s"} <= set(found.texts)


def test_every_picture_has_a_label(page):
    for attributes in page().of("svg"):
        assert attributes.get("aria-hidden") == "true" or (attributes["role"] == "img" and attributes["aria-label"])


def test_a_thousand_outages_in_a_minute_are_not_a_thousand_shapes(page):
    text = "0 SG r0; 1 SD r0;" + "".join(
        f"{100 + n / 50} EX r{n} killed 9; {100 + n / 50} RS r{n} 1; {100.005 + n / 50} SG r{n + 1};"
        f"{100.01 + n / 50} SD r{n + 1};"
        for n in range(1000)
    )
    assert len(page(text=text).of("rect")) < 100


def hostile(raw):
    fields = {name: value.replace("HOSTILE", HOSTILE) for name, value in raw.fields.items()}
    return raw.replace(fields=fields)


def test_what_stands_in_the_journal_is_text_on_the_page(page):
    names = "HAFTA_SEQUENCE=HOSTILE HAFTA_NODE=HOSTILE HAFTA_ATTEMPT=1"
    text = f"0 SG r1; 1 SD r1; 5 rolled-back r1 {names}; 9 EX r1 killed HOSTILE"
    plain, found = page(text=text.replace("HOSTILE", "x")), page(text=text, change=hostile)
    assert [name for name, _ in found.elements] == [name for name, _ in plain.elements]
    assert [set(keys) for _, keys in found.elements] == [set(keys) for _, keys in plain.elements]
    whole = "".join(found.texts)
    assert "<script>alert(1)</script>" in whole
    assert "{{ 7 * 7 }}" in whole
    assert "\x1b" not in whole
    assert "\u202e" not in whole


def test_a_badge_is_a_small_picture_with_its_text_and_a_colour_for_the_promise(hafta, tmp_path):
    for more, status, tone in (
        ([], exits.OK, "plain"), (["--slo", "1"], exits.OK, "met"), (["--slo", "99.99"], exits.FAILED, "missed"),
    ):  # fmt: skip
        hafta("--badge", str(tmp_path / "b.svg"), "--since", "@1795000001", *more, status=status)
        root = ET.fromstring((tmp_path / "b.svg").read_bytes())
        text = (tmp_path / "b.svg").read_text()
        assert root.attrib["aria-label"] == "availability: 99.88 %"
        assert badge.GROUNDS[tone] in text
    assert b"unknown" in badge.badge([])


def test_by_day_node_and_cause_have_all_keys_and_add_up(hafta):
    for how in ("day", "node", "cause"):
        found = json.loads(hafta("--by", how, "--json"))
        assert problems(found, schema("report")) == []
        [unit] = found["units"]
        groups = unit["groups"]
        if how == "day":
            assert sum(row["down_seconds"] for row in groups) == pytest.approx(110)
            assert sum(row["up_seconds"] for row in groups) == pytest.approx(unit["seconds"]["up"])
            assert sum(row["rollbacks"] for row in groups) == 31
        elif how == "node":
            assert [(row["name"], row["rollbacks"]) for row in groups] == [("s n", 30), ("s m", 1)]
        else:
            assert {row["name"]: row["failures"] for row in groups} == {"killed SIGKILL": 1, "exit 24": 1}
    assert json.loads(hafta("--json"))["units"][0]["groups"] == []
    lines = hafta("--by", "cause").splitlines()
    assert lines[-2].split() == ["exit", "24", "1", "min", "40", "s", "1"]
    assert "AVAILABLE" in hafta("--by", "day")


def test_it_cannot_be_divided_by_anything_else(hafta):
    hafta("--by", "moon", status=exits.USAGE)


def test_without_jinja_it_says_what_to_install(hafta, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    hafta("--html", str(tmp_path / "r.html"), status=exits.SYSTEM)
    assert not (tmp_path / "r.html").exists()


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def palettes():
    style = report_page.FOLDER.joinpath("report.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    found = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks]
    return dict(zip(("light", "dark", "print"), found, strict=True))


@pytest.mark.parametrize("name", ["light", "dark", "print"])
def test_texts_have_a_contrast_of_4_5_and_shapes_of_3_by_the_style_itself(name):
    colours = palettes()[name]
    for ground in ("page", "panel"):
        for text in ("text", "quiet", "good", "bad"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        for shape in ("up", "down", "held", "stopped", "machine", "unknown", "mark"):
            assert contrast(colours[shape], colours[ground]) >= 3, (shape, ground)
    assert colours.keys() == palettes()["light"].keys()


@pytest.mark.parametrize("ground", [*badge.GROUNDS.values(), badge.LEFT])
def test_the_text_of_a_badge_has_that_contrast_too(ground):
    assert contrast(badge.TEXT, ground) >= 4.5
