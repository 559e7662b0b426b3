"""What this machine's own overlords have kept is not looked at in these tests."""

import pytest


@pytest.fixture(autouse=True)
def _no_event_log_of_this_machine(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("HAFTA_STATE_DIR", str(tmp_path_factory.getbasetemp() / "no-state"))
