"""The examples of the pages work, one after the other as they stand there."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(("page", "number"), [("sequences.md", 4), ("typing.md", 1), ("classes.md", 3)])
def test_the_examples_in_the_docs_work(page, number):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL)
    names = {"__name__": __name__}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    assert len(blocks) == number
