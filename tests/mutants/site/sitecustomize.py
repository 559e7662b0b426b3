"""Python imports this at its start, if this directory is on its path: see finder.py."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
import finder

finder.install()
