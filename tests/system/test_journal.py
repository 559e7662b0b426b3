"""What we write to the journal, held against what its own library reads: python-systemd, systemd.journal.Reader."""

import json
import textwrap
import uuid
from enum import IntEnum

import pytest

from hafta.journal import events
from hafta.journal.entry import printable
from hafta.journal.wire import VALUE_MAX


class CP(IntEnum):
    """Checkpoints with names."""

    RECEIVED = 1


CODE = ("client.py", 12, "get_work")
BIG = "\U0001f9ed" * VALUE_MAX  # 128 KiB; a datagram takes 208 KiB
REASONS = {
    "plain": "no answer",
    "empty": "",
    "with what ends a name": "a=b=c",
    "lines": "one\n\ttwo\n\n",
    "forged fields": "one\nHAFTA_NODE=forged\nMESSAGE=forged",
    "unicode": "größer, 試験, e\u0301, \U0001f9ed, \u202e",
    "control characters": "\x1b[31mred\x00\x07\x9b",
    "not unicode": "caf\udce9",
    "above a page": "x" * 5_000,
    "as long as may be": "ü" * VALUE_MAX,
}
EVENTS = {
    **{name: events.RolledBack("journal", name, CP.RECEIVED, reason, 3, code=CODE) for name, reason in REASONS.items()},
    "every field": events.RolledBack(
        "journal", "n", CP.RECEIVED, "r", 0, to_node="m", duration_usec=12, unwinding=True, code=CODE
    ),
    "above a datagram": events.RolledBack("journal", "n", CP.RECEIVED, BIG, 1, code=(f"{BIG[1:]}\n", 12, BIG)),
    "another priority": events.SequenceFailed("journal", "n", "r", 5),
}

#: Sends each event as a service does, and ends.
SEND = textwrap.dedent(
    """\
    import json, os, time
    from enum import IntEnum
    from hafta.journal import events
    from hafta.journal.choose import choose_sink
    from hafta.journal.reporter import Reporter

    CP = IntEnum("CP", "RECEIVED")
    reporter = Reporter(choose_sink(os.environ, "probe"), time.monotonic)
    with open("/srv/events.json") as file:
        for kind, values in json.load(file):
            checkpoint = {"checkpoint": CP(1)} if "checkpoint" in values else {}
            reporter.report(getattr(events, kind)(**{**values, **checkpoint}))
    reporter.close()
    assert not reporter.dropped
    """
)

#: Prints what systemd.journal.Reader finds of them: for each entry field -> (type, text).
READ = textwrap.dedent(
    """\
    import json
    from systemd import journal

    reader = journal.Reader()
    reader.data_threshold = 0  # else long values are cut, by the library
    reader.add_match(SYSLOG_IDENTIFIER="probe", _SYSTEMD_UNIT="probe.service")
    print(json.dumps([{name: (type(value).__name__, str(value)) for name, value in one.items()} for one in reader]))
    """
)


def values_of(event):
    return {name: value for name in event._fields if (value := getattr(event, name)) is not None}


@pytest.fixture(scope="module")
def entries(installed):
    """The entries as they are read, by the name of what was sent."""
    installed.write("/srv/events.json", json.dumps([(type(one).__name__, values_of(one)) for one in EVENTS.values()]))
    installed.write("/srv/send.py", SEND)
    installed.run("systemd-run", "--wait", "--unit=probe", "/usr/bin/python3", "-I", "/srv/send.py")
    installed.wait_for_entry("SYSLOG_IDENTIFIER=probe", f"HAFTA_NUMBER={len(EVENTS)}")
    found = json.loads(installed.run("/usr/bin/python3", "-I", "-c", READ).stdout)
    return dict(zip(EVENTS, found, strict=True))


@pytest.mark.parametrize("name", EVENTS)
def test_every_value_is_read_as_it_was_sent_with_the_type_that_readers_expect(entries, name):
    """Text is text and never bytes; what systemd knows as a number or an id is one."""
    event = EVENTS[name]
    types, read = ({field: pair[place] for field, pair in entries[name].items()} for place in (0, 1))
    sent = {field: printable(text) for field, text in event.fields().items()}
    own = {field for field in read if field.startswith("HAFTA_")}
    assert {field: read[field] for field in own} == {
        **{field: text for field, text in sent.items() if field.startswith("HAFTA_")},
        "HAFTA_EVENT": event.NAME,
        "HAFTA_NUMBER": str([*EVENTS].index(name) + 1),
        "HAFTA_INVOCATION": read["_SYSTEMD_INVOCATION_ID"].replace("-", ""),
    }
    assert read["MESSAGE"] == printable(event.message())
    assert {field: read.get(field) for field in sent} == sent
    assert {types[field] for field in (*own, "MESSAGE")} == {"str"}
    assert (types["PRIORITY"], types["MESSAGE_ID"], types.get("CODE_LINE", "int")) == ("int", "UUID", "int")
    assert (uuid.UUID(read["MESSAGE_ID"]).hex, int(read["PRIORITY"])) == (event.MESSAGE_ID, event.PRIORITY)
