"""The examples of docs/sequences.md work, one after the other as they stand there."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "sequences.md"


def test_the_examples_in_the_docs_work():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    names = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["result"]
    assert len(blocks) == 4
