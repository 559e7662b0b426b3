"""`python3 -m hafta.overlord UNIT...`: `hafta run` on a bare Python, without click."""

from __future__ import annotations

from hafta.overlord import main

if __name__ == "__main__":
    raise SystemExit(main())
