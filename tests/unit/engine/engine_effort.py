"""How hard the random tests of the engine try: 10,000 new examples in a run with HAFTA_EXAMPLES=many, else 500.

Given to each test, not loaded as a profile: that would be everybody's. Each value is given, because where CI is set
Hypothesis has defaults of its own, of which one is to derandomize: that would be a fixed seed.
"""

import os

from hypothesis import settings

MANY = os.environ.get("HAFTA_EXAMPLES") == "many"
EXAMPLES = 10_000 if MANY else 500
OPTIONS = {
    "derandomize": False, "deadline": None, "print_blob": True, "database": None, "suppress_health_check": (),
}  # fmt: skip

RULES = settings(max_examples=EXAMPLES, **OPTIONS)
MOVES = settings(max_examples=EXAMPLES // 4, **OPTIONS)  # single moves; the whole rules are tried with RULES
