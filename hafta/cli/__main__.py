"""`python3 -m hafta.cli` is `hafta`."""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback

    from hafta.cli import main

    raise SystemExit(main())
