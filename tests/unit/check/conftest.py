"""For the tests of `hafta check`: the validator of schemas, which those of hafta/observe/ have, too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "observe"))
