"""The helper that tells whole records from torn ones is itself to be trusted."""

import pytest
from server_streams import whole_records

from hafta.server.source import BAD, GOOD


def test_whole_records_are_counted():
    assert whole_records(b"") == (0, 0)
    assert whole_records(GOOD + BAD + BAD + GOOD * 3) == (6, 2)


@pytest.mark.parametrize(
    "stream", [GOOD[:-1], GOOD + GOOD[1:], GOOD[:3] + BAD + GOOD[3:], BAD[:26], BAD[:26] + GOOD + BAD[26:], GOOD + b"x"]
)
def test_torn_records_are_found(stream: bytes):
    with pytest.raises(AssertionError, match="torn"):
        whole_records(stream)
