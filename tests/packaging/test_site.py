"""The documentation site: built without a warning, whole, and it loads nothing from anywhere else."""

import html
import importlib
import os
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import library
import programs
import pytest
import roff
import tables
import tree

import hafta
from hafta import exits

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs" / "site"
MADE_WITH = re.search(r"(?m)^DOCS := (.*)$", (ROOT / "Makefile").read_text())[1].split()
#: What a browser fetches by itself.
LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}


class Page(HTMLParser):
    """What can be linked to, what is linked, what is loaded."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loaded = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if found.get(LOADED.get(tag)) and found.get("rel") not in {"next", "prev", "index", "search", "canonical"}:
            self.loaded.append(found[LOADED[tag]])
        if "style" in found:
            self.loaded += styled(found["style"])


def styled(text):
    """Return what a style loads; a picture that stands in it (data:) is not loaded."""
    found = re.findall(r"""(?:@import\s+(?:url\()?|url\()\s*["']?([^"')\s;]+)""", text)
    return [one for one in found if not one.startswith("data:")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site. What it is made with is installed, where we may."""
    needed = subprocess.run([ROOT / "packaging/need", *MADE_WITH], check=False, capture_output=True, text=True)
    if needed.returncode:
        pytest.fail(needed.stderr) if os.environ.get("CI") else pytest.skip(needed.stderr)
    output = tmp_path_factory.mktemp("site") / "html"
    done = subprocess.run(["/usr/bin/python3", "-B", SITE, output], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return output


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path.read_text()) for path in sorted(site.rglob("*.html"))}


def test_it_is_built_without_a_warning_and_every_page_of_the_project_is_on_it(site):
    ours = [page for pattern in tree.PAGES for page in ROOT.glob(pattern)]
    assert len(ours) > 25
    assert [page for page in ours if not (site / page.relative_to(ROOT)).with_suffix(".html").exists()] == []


def test_every_link_and_anchor_leads_somewhere(site, pages):
    def leads_somewhere(path, link):
        there = urlsplit(urljoin(path.as_uri(), link))
        if there.scheme != "file":
            return there.scheme in {"https", "http"}
        target = Path(unquote(there.path))
        if not target.is_file():
            return False
        return not there.fragment or target.suffix != ".html" or unquote(there.fragment) in pages[target].ids

    links = [(path, link) for path, page in pages.items() for link in page.links]
    assert len(links) > 1000
    assert [(path.name, link) for path, link in links if not leads_somewhere(path, link)] == []


def test_nothing_is_loaded_from_another_host_and_all_that_is_loaded_is_there(site, pages):
    loaded = [(path, one) for path, page in pages.items() for one in page.loaded]
    styles = list(site.rglob("*.css"))
    assert len(styles) >= 3
    loaded += [(path, one) for path in styles for one in styled(path.read_text())]
    assert len(loaded) > len(pages)
    gone = []
    for path, one in loaded:
        there = urlsplit(urljoin(path.as_uri(), one))
        if there.scheme != "file" or there.netloc or not Path(unquote(there.path)).is_file():
            gone.append((path.name, one))
    assert gone == []


def test_the_search_knows_the_words_of_the_pages_without_a_server(site, pages):
    """The index is a script, which a page of file:// may load, too."""
    index = (site / "searchindex.js").read_text()
    assert index.startswith("Search.setIndex(")
    assert "rollback" in index
    assert "searchindex.js" in pages[site / "search.html"].loaded


def text_of(path):
    """Return what a page shows, without its tags."""
    return html.unescape(re.sub(r"<[^>]+>", "", path.read_text()))


def test_every_public_name_has_words_on_the_site_and_an_anchor(pages, site):
    missing = []
    for module in library.MODULES:
        page = pages[site / f"reference/{module}.html"]
        names = importlib.import_module(module).__all__
        missing += [name for name in names if f"{module}.{name}" not in page.ids]
    assert missing == []
    assert "Raises ValueError" in text_of(site / "reference/hafta.policies.html")


def test_a_public_name_without_words_ends_the_build():
    class Silent:
        pass

    with pytest.raises(library.SilentError, match=r"hafta\.Silent has no docstring"):
        library.entry("hafta", "Silent", Silent, library.Examples(ROOT))


def test_every_command_and_every_unit_has_its_page_with_every_option(site):
    commands = dict(programs.walk())
    assert len(commands) > 15
    for name, command in commands.items():
        page = text_of(site / f"reference/man/{name.replace(' ', '-')}.1.html")
        program = programs.described(command)
        settings = program.settings if program else ()
        assert [one.option for one in settings if one.option not in page] == [], name
    units = [path.name for path in (ROOT / "units").iterdir() if path.suffix in {".service", ".target", ".timer"}]
    assert len(units) > 4
    assert [name for name in units if not (site / f"reference/man/{name}.8.html").exists()] == []


def test_every_setting_event_and_exit_status_is_there(site, pages):
    settings = text_of(site / "reference/settings.html")
    words = {
        word for program in tables.all_programs(ROOT) for one in program.settings for word in (one.option, one.variable)
    }
    assert len(words) > 100
    assert [word for word in words if word not in settings] == []
    events = text_of(site / "reference/events.html")
    assert len(tables.kinds()) > 25
    assert [kind.NAME for kind in tables.kinds() if kind.MESSAGE_ID not in events] == []
    assert {kind.NAME for kind in tables.kinds()} <= pages[site / "reference/events.html"].ids
    statuses = pages[site / "reference/statuses.html"].ids
    assert [number for number in exits.MEANING if f"status-{number}" not in statuses] == []


def test_a_word_of_roff_that_is_not_known_ends_the_build():
    with pytest.raises(roff.RoffError, match=r"\.IP is a word of roff that"):
        roff.markdown(".SH NAME\n.IP x\n", {})
    assert roff.markdown(".SH NAME\n.BR hafta (7),\n.BR cat (1)\n", {"hafta.7"}) == (
        "## Name\n\n[hafta(7)](hafta.7.md),\n<b>cat</b>(1)\n"
    )


MODULE = r"(?m)^(import|export)\b"


def test_no_script_is_a_module_which_a_page_of_a_file_may_not_load(site, pages):
    """The script of Debian 12's theme is one, and cannot run: the switch between light and dark would do nothing."""
    scripts = {urljoin(path.as_uri(), one) for path, page in pages.items() for one in page.loaded if ".js" in one}
    texts = {one: Path(unquote(urlsplit(one).path)).read_text() for one in scripts}
    assert len(texts) >= 6
    assert [one for one, text in texts.items() if re.search(MODULE, text)] == []
    assert all("color-background-primary: #131416" in path.read_text() for path in pages), (
        "a dark page has dark colours"
    )


def test_a_link_that_leads_nowhere_ends_the_build(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("[gone](docs/gone.md)\n")
    with pytest.raises(tree.TreeError, match=r"README\.md: nothing stands at docs/gone\.md"):
        tree.linked(tmp_path, page, page.read_text(), tmp_path / "out")


def test_a_page_that_nobody_has_listed_is_in_the_contents_too(tmp_path):
    (tmp_path / "docs").mkdir()
    for name in ("listed", "new"):
        (tmp_path / f"docs/{name}.md").touch()
    more = tree.unlisted(tmp_path, "docs/listed\n")
    assert "docs/new\n" in more
    assert "docs/listed\n" not in more
    assert tree.unlisted(tmp_path, "docs/listed\ndocs/new\n") == ""


def test_what_stands_in_code_is_not_a_link(tmp_path):
    text = "`[a](b)`\n\n```python\nx[1](gone)\n```\n"
    assert tree.linked(tmp_path, tmp_path / "README.md", text, tmp_path / "out") == text


def test_a_diagram_becomes_a_picture_with_words_for_those_who_do_not_see_it(tmp_path):
    sequence = hafta.Sequence("s")
    sequence.node(name="one")(lambda run: hafta.EXIT)
    text = tree.blocks(f"```mermaid\n{sequence.diagram()}\n```\n", tmp_path / "page.md")
    assert re.fullmatch(r"!\[A sequence of the nodes one\. one to .*\]\(page-1\.svg\)\n", text)
    assert ">one</text>" in (tmp_path / "page-1.svg").read_text()
