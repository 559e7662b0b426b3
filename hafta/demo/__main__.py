"""`python3 -m hafta.demo`: `hafta demo` on a bare Python."""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback until it has its handlers

    from hafta.demo.program import main

    raise SystemExit(main())
