"""docs/check.md has every rule, as the rules themselves say it."""

from pathlib import Path

from hafta.check.rules import BY_KIND

PAGE = Path(__file__).parents[3] / "docs" / "check.md"
ABOUT = {"unit": "Units", "machine": "The machine", "sequence": "Sequences", "record": "Records"}


def tables():
    """Return the part of the page that is made of the rules."""
    lines = []
    for kind, rules in BY_KIND.items():
        lines += [f"### {ABOUT[kind]}", "", "| code | | finds | what to do |", "|---|---|---|---|"]
        lines += [f"| {rule.code} | {rule.severity} | {rule.title} | {rule.cure} |" for rule in rules]
        lines.append("")
    return "\n".join(lines)


def test_the_page_ends_with_the_rules_as_they_are():
    assert PAGE.read_text().partition("## The rules\n\n")[2] == tables().rstrip("\n") + "\n"
