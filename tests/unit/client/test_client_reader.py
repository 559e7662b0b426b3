"""The reading end: how the bytes are cut never shows, and every byte of a record counts."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafta.reader import BATCH, RECORD, SIZE, BadData, Reader, ServerGone, good_records
from hafta.server.source import BAD, GOOD


class Feed:
    """A run whose waits deliver the next piece; without one left, the writer goes."""

    def __init__(self, path: str, pieces: list[bytes]) -> None:
        self.writer: int | None = None
        self.path = path
        self.left = list(pieces)
        self.statuses: list[str] = []

    def wait(self, fd: int, timeout: float | None = None) -> bool:
        if self.writer is None:
            self.writer = os.open(self.path, os.O_WRONLY)
        if self.left:
            os.write(self.writer, self.left.pop(0))
        else:
            os.close(self.writer)
            self.writer = None
        return True

    def status(self, text: str) -> None:
        self.statuses.append(text)


def read_all(path: str, pieces: list[bytes]) -> list[object]:
    """Return what the reader made of the pieces: numbers of good records, and bad ones."""
    feed, reader, found = Feed(path, pieces), Reader(path), []
    reader.open(feed)

    def read() -> None:
        while True:
            reader.receive(feed)
            try:
                found.append(reader.take(10**6))
            except BadData as bad:
                found.append(str(bad))

    with pytest.raises(ServerGone, match=f"^the server has closed {path}$"):
        read()
    reader.close()
    assert feed.writer is None
    assert feed.statuses == [f"waiting for a server on {path}"]
    return found


def merged(found: list[object]) -> list[object]:
    """Add up neighbouring numbers."""
    result: list[object] = []
    for item in found:
        if isinstance(item, int) and result and isinstance(result[-1], int):
            result[-1] += item
        else:
            result.append(item)
    return result


@pytest.fixture(scope="module")
def pipe(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("pipe") / "pipe")
    os.mkfifo(path, 0o600)
    return path


@given(
    records=st.lists(st.sampled_from([GOOD, GOOD, GOOD, BAD]), max_size=30),
    cuts=st.lists(st.integers(0, 30 * len(BAD)), max_size=40),
    rest=st.integers(0, SIZE - 1),
)
def test_a_stream_reads_the_same_however_it_is_cut(pipe: str, records: list[bytes], cuts: list[int], rest: int):
    stream = b"".join(records) + GOOD[:rest]
    ends = [*sorted({cut for cut in cuts if 0 < cut < len(stream)}), len(stream)]
    pieces = [stream[start:end] for start, end in zip([0, *ends], ends, strict=False) if start < end]
    expected: list[object] = []
    for record in records:
        expected += [1] if record is GOOD else [BAD[:SIZE].decode(), BAD[SIZE:].decode()]
    assert merged(read_all(pipe, pieces)) == merged(expected)


@given(
    whole=st.integers(0, 2600),
    rest=st.binary(max_size=SIZE - 1),
    wrong=st.lists(st.tuples(st.integers(0, 2600 * SIZE), st.integers(1, 255)), max_size=3),
)
def test_good_records_are_counted_up_to_the_first_byte_that_differs(whole, rest, wrong):
    data = bytearray(GOOD * whole)
    for place, change in wrong:
        if data:
            data[place % len(data)] ^= change
    data += rest
    naive = next((n for n in range(len(data) // SIZE) if data[n * SIZE : (n + 1) * SIZE] != GOOD), len(data) // SIZE)
    assert good_records(data) == min(naive, len(BATCH) // SIZE)


def test_an_open_pipe_is_not_opened_again_and_no_more_are_taken_than_asked(pipe: str):
    feed, reader = Feed(pipe, [GOOD * 30]), Reader(pipe)
    reader.open(feed)
    reader.open(feed)
    assert len(feed.statuses) == 1
    reader.receive(feed)
    assert [reader.take(25), reader.take(25)] == [25, 5]
    os.close(feed.writer)
    reader.close()


@pytest.mark.parametrize(
    ("data", "byte", "text"),
    [
        *((GOOD[:n] + b"!" * (SIZE - n), "!", GOOD[:n].decode() + "!" * (SIZE - n)) for n in range(SIZE)),
        (b"\x00" * SIZE, "\0", "\0" * SIZE),
        (b"\xff" * SIZE, None, "\\xff" * SIZE),  # no text
    ],
)
def test_bad_data_tells_its_first_wrong_character(data: bytes, byte: str | None, text: str):
    assert RECORD == GOOD, "a record is what the server writes"
    assert byte in {None, BadData(data).byte}
    assert str(BadData(data)) == text


def test_closing_forgets_half_a_record(pipe: str):
    reader = Reader(pipe)
    for piece in (GOOD[:20], GOOD):
        feed = Feed(pipe, [piece, piece])
        reader.open(feed)
        if piece is GOOD:
            reader.receive(feed)
            assert reader.take(9) == 1
        else:
            feed.left.pop()
            with pytest.raises(ServerGone):
                reader.receive(feed)
        reader.close()
        reader.close()
        if feed.writer is not None:
            os.close(feed.writer)
