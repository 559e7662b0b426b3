"""`python3 -m hafta.overlord UNIT...`: `hafta run` on a bare Python, without click."""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback until it has its handlers

    from hafta.overlord import main
    from hafta.overlord.program import use_utf8

    use_utf8()
    raise SystemExit(main())
