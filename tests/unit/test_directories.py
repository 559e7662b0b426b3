"""The first of the directories that a service is given."""

from pathlib import Path

from hafta import directories


def test_the_first_of_several_directories_is_taken(tmp_path: Path):
    assert directories.first(f"{tmp_path}:/run/b") == str(tmp_path)
    assert directories.first("/nonexistent/a:/nonexistent/b") == "/nonexistent/a"
    assert directories.first("") == ""


def test_a_directory_with_a_colon_in_its_name_is_one(tmp_path: Path):
    """An instance may be called HOST:PORT: systemd-escape leaves a colon as it is."""
    directory = tmp_path / "hafta-client@host:7"
    directory.mkdir()
    assert directories.first(str(directory)) == str(directory)
