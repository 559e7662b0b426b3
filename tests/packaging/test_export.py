"""What is packaged: the last commit, or the checkout as it stands, and never what git ignores."""

import shutil
import subprocess
from pathlib import Path

import pytest

EXPORT = Path(__file__).parents[2] / "packaging" / "export"


@pytest.fixture
def checkout(tmp_path):
    """A repository with one commit, and beside it a change, a new file and an ignored one."""
    root = tmp_path / "checkout"
    (root / "packaging").mkdir(parents=True)
    shutil.copy(EXPORT, root / "packaging" / "export")
    (root / ".gitignore").write_text("ignored\n")
    (root / "file").write_text("committed\n")
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=first")):
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", str(root), *identity, *words], check=True)
    (root / "file").write_text("changed\n")
    (root / "new").write_text("new\n")
    (root / "ignored").write_text("ignored\n")
    return root


def export(checkout, *words):
    command = [str(checkout / "packaging" / "export"), *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=checkout.parent)


LEFT_OUT = "export: what is not committed is left out (--worktree takes it in)\n"


@pytest.mark.parametrize(
    ("options", "said", "files"),
    [([], LEFT_OUT, {"file": "committed\n"}), (["--worktree"], "", {"file": "changed\n", "new": "new\n"})],
)
def test_the_last_commit_is_exported_and_the_rest_named_or_on_demand_the_checkout_as_it_stands(
    checkout, tmp_path, options, said, files
):
    index = (checkout / ".git" / "index").read_bytes()
    done = export(checkout, *options, str(tmp_path / "out"))
    assert (done.returncode, done.stderr) == (0, said)
    assert {
        path.name: path.read_text() for path in (tmp_path / "out").iterdir() if path.name in {"file", "new"}
    } == files
    assert not (tmp_path / "out" / "ignored").exists()
    assert (checkout / ".git" / "index").read_bytes() == index


def test_a_clean_tree_is_exported_without_a_word(checkout, tmp_path):
    (checkout / "file").write_text("committed\n")
    (checkout / "new").unlink()
    assert export(checkout, str(tmp_path / "out")).stderr == ""


def test_it_says_how_it_is_used(checkout):
    done = export(checkout)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: packaging/export")
