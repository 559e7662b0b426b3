"""The version, as pyproject.toml has it (a test holds the two together)."""

#: The version of HAFTA, as text.
VERSION = "0.1.0"
