"""`python3 -m hafta.cli` is `hafta`."""

from __future__ import annotations

from hafta.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
