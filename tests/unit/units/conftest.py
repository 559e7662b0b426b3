"""What tests of hafta/units share."""

import pytest
from load_support import Files

from hafta.units import load


@pytest.fixture
def files(tmp_path, monkeypatch):
    files = Files(tmp_path)
    monkeypatch.setattr(load, "SYSTEM", (str(files.system),))
    return files
