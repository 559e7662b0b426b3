"""Helpers that several rooms of the tests share: tests/unit/service/service_support.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "service"))
