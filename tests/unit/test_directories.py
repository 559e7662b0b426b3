"""The first of the directories that a service is given."""

from pathlib import Path

from hafta import directories


def test_the_first_of_several_directories_is_taken_and_one_with_a_colon_in_its_name_is_one(tmp_path: Path):
    """An instance may be called HOST:PORT: systemd-escape leaves a colon as it is."""
    (tmp_path / "hafta-client@host:7").mkdir()
    first = {f"{tmp_path}:/run/b": str(tmp_path), "/missing/a:/missing/b": "/missing/a", "": ""}
    first[f"{tmp_path}/hafta-client@host:7"] = f"{tmp_path}/hafta-client@host:7"
    assert {given: directories.first(given) for given in first} == first
