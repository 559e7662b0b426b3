"""`python3 -m hafta.control VERB [UNIT]...`: `hafta ctl` on a bare Python, without click."""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback

    from hafta.control.program import main

    raise SystemExit(main())
