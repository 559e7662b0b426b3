"""Run hafta-server: python -m hafta.server."""

import sys

from hafta.server import main

sys.exit(main())
