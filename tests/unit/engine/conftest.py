"""Hypothesis: 10,000 examples where CI is set, 500 elsewhere; new ones in every run."""

import os

from hypothesis import settings

# Hypothesis has a profile of its own for CI, which derandomizes: that would be a fixed seed.
EVERYWHERE = {"derandomize": False, "deadline": None, "print_blob": True, "database": None}
settings.register_profile("hafta", max_examples=500, **EVERYWHERE)
settings.register_profile("hafta-ci", max_examples=10_000, **EVERYWHERE)
settings.load_profile("hafta-ci" if os.environ.get("CI") else "hafta")
