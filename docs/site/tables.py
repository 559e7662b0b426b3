"""The reference of programs: their man pages, every setting, journal event, exit status and unit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import docstrings
import manpages
import programs
import roff

if TYPE_CHECKING:
    from pathlib import Path

    from hafta.journal.event import Event
    from hafta.settings import Program, Setting

PRIORITIES = {0: "emergency", 2: "critical", 3: "error", 4: "warning", 5: "notice", 6: "informational", 7: "debug"}


def pages(root: Path) -> dict[str, str]:
    """Return reference/NAME.md -> text."""
    texts = {name.removeprefix("man/"): text for name, text in manpages.files(root).items()}
    found = {f"reference/man/{name}.md": manual(name, texts) for name in texts}
    found["reference/commands.md"] = contents("Commands and their pages", [name for name in texts if name[-1] != "8"])
    found["reference/settings.md"] = settings(root)
    found["reference/events.md"] = events(root)
    found["reference/statuses.md"] = statuses(root)
    found["reference/units.md"] = units(root, [name for name in texts if name[-1] == "8"])
    return found


def manual(name: str, texts: dict[str, str]) -> str:
    """Return a man page. One that only names another (.so) is that one."""
    text = texts[name]
    if link := re.fullmatch(r"\.so man\d/(.*)\n", text):
        text = texts[link[1]]
    return f"# {name[:-2]}({name[-1]})\n\n{roff.markdown(text, texts)}"


def contents(title: str, names: list[str], before: str = "") -> str:
    """Return a page that leads to man pages."""
    return (
        "\n".join(
            [f"# {title}", "", before, "```{toctree}", ":maxdepth: 1", "", *(f"man/{one}" for one in names), "```"]
        )
        + "\n"
    )


def all_programs(root: Path) -> list[Program]:
    """Return the record of every program and command that has settings."""
    described = [programs.described(node) for _, node in programs.walk()]
    return [*programs.services(root), *filter(None, described)]


def settings(root: Path) -> str:
    """Return every option of every program, with its variable, what it takes, and what holds without it."""
    parts = ["# Settings", "An option wins over its environment variable, and that over the default."]
    for program in all_programs(root):
        parts += [f"## {program.name}", docstrings.escape(program.summary)]
        parts += [setting(one) for one in program.settings]
    return "\n\n".join(parts) + "\n"


def setting(one: Setting) -> str:
    """Return one setting as an item."""
    from hafta.settings import help_default

    head = ", ".join(f"`{option}`" for option in one.options) + (f" `{one.metavar}`" if one.metavar else "")
    variable = f", or `{one.variable}=`" if one.variable else ""
    words = one.help[:1].upper() + one.help[1:] + help_default(one)
    return f"{head}{variable}\n: {docstrings.escape(words)}."


def kinds() -> list[type[Event]]:
    """Return every kind of event, as the modules list them."""
    from hafta.journal import durable_events, events, guard_events, overlord_events, warm_events
    from hafta.journal.event import Event

    modules = (events, durable_events, warm_events, guard_events, overlord_events)
    values = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    return [kind for kind in dict.fromkeys(values) if issubclass(kind, Event) and kind.MESSAGE_ID]


def events(root: Path) -> str:
    """Return every event of the journal: what it means, what to do, its fields."""
    _, *parts = re.split(r"^-- ([0-9a-f]{32})\n", (root / "units/hafta.catalog").read_text(), flags=re.MULTILINE)
    explained = dict(zip(parts[::2], parts[1::2], strict=True))
    out = [
        "# Events of the journal",
        "What `journalctl -x` says of each, and its fields; `@NAME@` stands for the field's value.",
    ]
    for kind in kinds():
        header, _, prose = explained[kind.MESSAGE_ID].partition("\n\n")
        subject = header.partition("\n")[0].removeprefix("Subject: ")
        names = [
            f"`HAFTA_{name.upper()}`" if name != "code" else "`CODE_FILE`, `CODE_LINE`, `CODE_FUNC`"
            for name in kind._fields
        ]
        facts = [
            f"- `HAFTA_EVENT={kind.NAME}`",
            f"- `MESSAGE_ID={kind.MESSAGE_ID}`",
            f"- priority {kind.PRIORITY}, {PRIORITIES[kind.PRIORITY]}",
            f"- fields: {', '.join(names) or 'only those that every entry has'}",
        ]
        out += [
            f"## {kind.NAME}",
            f"**{docstrings.escape(subject)}**",
            docstrings.escape(prose.strip()),
            "\n".join(facts),
        ]
    return "\n\n".join(out) + "\n"


def statuses(root: Path) -> str:
    """Return every exit status, with the programs that have it."""
    from hafta import exits

    names = {value: name for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    out = [
        "# Exit statuses",
        "As `hafta.exits` has them. Where a program means something else by one, that stands behind its name.",
        "",
    ]
    users = all_programs(root)
    for number, words in exits.MEANING.items():
        mine = [f"{program.name}{own(program, number)}" for program in users if number in program.statuses]
        known = f"\n\n  {docstrings.escape(', '.join(mine))}" if mine else ""
        out.append(f"(status-{number})=\n## {number}: {names[number]}\n\n{words[:1].upper()}{words[1:]}.{known}")
    others = sorted({number for program in users for number in program.statuses} - exits.MEANING.keys())
    for number in others:
        mine = [f"- {program.name}{own(program, number)}" for program in users if number in program.statuses]
        out.append(f"(status-{number})=\n## {number}\n\n" + docstrings.escape("\n".join(mine)))
    return "\n\n".join(out) + "\n"


def own(program: Program, number: int) -> str:
    """Return what a program itself means by a status, where it does."""
    return f" ({program.meanings[number]})" if number in program.meanings else ""


def units(root: Path, names: list[str]) -> str:
    """Return the units that the packages bring, as they are, and their pages."""
    files = sorted(path for path in (root / "units").iterdir() if path.suffix in {".service", ".target", ".timer"})
    shown = [f"## {path.name}\n\n```ini\n{path.read_text()}```" for path in files]
    return contents("Units", names) + "\n" + "\n\n".join(shown) + "\n"
