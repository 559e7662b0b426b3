"""The classic server in C is a fixture of its own room's."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_SPEC = spec_from_file_location("client_c_conftest", Path(__file__).parents[1] / "client_c" / "conftest.py")
_ROOM = module_from_spec(_SPEC)
_SPEC.loader.exec_module(_ROOM)
build_classic_server = _ROOM.build_classic_server
