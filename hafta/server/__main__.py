"""Run hafta-server: python -m hafta.server."""

import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback until the service has its handlers

from hafta.server.program import main  # noqa: E402

sys.exit(main())
