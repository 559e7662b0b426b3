"""`python3 -m hafta.guard -- PROGRAM`: `hafta guard` on a bare Python."""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback until it has its handlers

    from hafta.guard import main

    raise SystemExit(main())
