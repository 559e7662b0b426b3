"""Rules of records: HC060 to HC064."""

from __future__ import annotations

from hafta.check.rule import ERROR, WARNING, Spot, rule
from hafta.frozen import Frozen
from hafta.stores import holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.observe.sources.records import Entry

STALE = 86_400.0  # seconds
DAY = 86_400.0


class Program(Frozen):
    """What is known of a program that may resume a record. `nodes` None: only which sequences it has."""

    sequence: str
    version: str = ""
    nodes: tuple[str, ...] | None = None


class Kept(Frozen):
    """A record, and what there is around it."""

    entry: Entry
    now: float  # wall clock
    folder_owner: int = -1  # the user to whom its directory belongs
    programs: tuple[Program, ...] = ()  # that keep records in its directory; none: not known

    def spot(self, text: str) -> Spot:
        """Return a spot at its file."""
        return Spot(text, self.entry.snapshot.path)


@rule(
    "HC060", ERROR, "a record is damaged",
    reason="A call refuses a record that it cannot read, and the service ends. An older whole one in the same file is"
    " used, and what came after it is lost: the disk or another program wrote there.",
    cure="look at it (hafta checkpoints show) and at the disk; hafta checkpoints discard begins from the start",
    bad="A record with bytes that its checksum does not fit.", good="A record as it was written.",
)  # fmt: skip
def damaged(kept: Kept) -> Iterator[Spot]:
    """Give what is wrong with a record, but for its format."""
    found = [kept.entry.trouble, *kept.entry.snapshot.incidents]
    for one in dict.fromkeys(filter(None, found)):
        if one.kind != "format":
            yield kept.spot(one.text.removeprefix(f"{kept.entry.snapshot.path}: "))


@rule(
    "HC061", ERROR, "a record is of a newer release",
    reason="A release of HAFTA refuses records of a format that it does not know, and leaves them as they are. The"
    " service does not start.",
    cure="go back to the newer release, or let it finish what was begun first",
    bad="A record of a format that this release does not know.", good="A record of this release.",
)  # fmt: skip
def newer(kept: Kept) -> Iterator[Spot]:
    """Find another format."""
    trouble = kept.entry.trouble
    if trouble is not None and trouble.kind == "format":
        yield kept.spot(trouble.text.removeprefix(f"{kept.entry.snapshot.path}: "))


@rule(
    "HC062", ERROR, "a record is of another version of the program",
    reason="The call that finds it is refused (Orphaned), because the node that was interrupted, or its meaning, is no"
    " longer there.",
    cure="let the old version finish, or decide with @SEQUENCE.orphaned, or discard it: hafta checkpoints discard",
    bad="A record that stands in node copy, for a program without a node copy.",
    good="A record that stands in node copy, for a program that has it.",
)  # fmt: skip
def orphaned(kept: Kept) -> Iterator[Spot]:
    """Find a record that no program can resume."""
    position = kept.entry.position
    if position is None or kept.entry.status == "ended" or not kept.programs:
        return
    first = position.sequences[0]
    same = [one for one in kept.programs if one.sequence == first.sequence]
    if not same:
        has = ", ".join(sorted({one.sequence for one in kept.programs}))
        yield kept.spot(f"it is of sequence {first.sequence}, and the program there has {has}")
    for one in same:
        if one.nodes is None:
            continue
        gone = [name for name in dict.fromkeys((first.node, *(visit.node for visit in first.stack)))
                if name not in one.nodes]  # fmt: skip
        if gone:
            yield kept.spot(f"it stands in node {', '.join(gone)}, which sequence {one.sequence} does not have")
        elif one.version != first.version:
            what = f"it is of version {first.version or '(none)'}, the program of version {one.version or '(none)'}"
            yield kept.spot(what)


@rule(
    "HC063", ERROR, "somebody else has the record",
    reason="A record that belongs to another user than its directory, such as root, who ran the service once by hand,"
    " cannot be opened by the service. One that a process of another host holds is not free here.",
    cure="chown it to the user of its directory; run a service by hand as its own user: runuser -u USER",
    bad="A record of root in a directory of user feed.", good="A record of user feed in a directory of user feed.",
)  # fmt: skip
def foreign(kept: Kept) -> Iterator[Spot]:
    """Find other owners, and other hosts."""
    seen = kept.entry.snapshot
    if -1 not in {seen.owner, kept.folder_owner} and seen.owner != kept.folder_owner:
        yield kept.spot(f"it belongs to user {seen.owner}, and its directory to user {kept.folder_owner}")
    if seen.held and seen.holder is not None and seen.holder.host:
        yield kept.spot(f"it is held by {holder.describe(seen.holder)}")


@rule(
    "HC064", WARNING, "nobody resumes a record",
    reason="A sequence was interrupted, and nothing has gone on with it for a day: what it began is still half done.",
    cure="start its service; or, if it is not to go on, hafta checkpoints discard",
    bad="A record of a process that died last week.", good="A record of a process that died a minute ago.",
)  # fmt: skip
def stale(kept: Kept) -> Iterator[Spot]:
    """Find what was interrupted long ago."""
    age = kept.now - kept.entry.snapshot.written
    if kept.entry.status == "interrupted" and kept.entry.snapshot.written and age > STALE:
        node = kept.entry.position.sequences[-1].node if kept.entry.position else ""
        yield kept.spot(f"interrupted in node {node} {age / DAY:.0f} days ago, and not resumed")


RECORDS = (damaged, newer, orphaned, foreign, stale)
