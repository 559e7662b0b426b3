"""--store: what a URL says of a store that hosts share; a wrong one is said with what to do."""

import sys

import pytest

from hafta.errors import UsageError
from hafta.stores.leased.url import store_of

WRONG = {
    "sqlite:///x": "'sqlite' is not a kind of store that hosts share",
    "": "'' is not a kind of store that hosts share",
    "etcd://h:2379/path": "the path '/path' means nothing",
    "etcd://h:2379?colour=red": "it has no option 'colour'",
    "etcd://h:2379?prefix": "bad query field",
    "etcd://h:2379?user=u&password-file=/nowhere/p": "password-file /nowhere/p: No such file or directory",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_url_is_refused_in_words(url):
    with pytest.raises(UsageError, match=WRONG[url]) as raised:
        store_of(url, 5.0)
    assert raised.value.hint


@pytest.mark.parametrize(("url", "module", "package"), [
    ("etcd://h:2379", "urllib3", "python3-urllib3"), ("postgresql://h/d", "psycopg", "python3-psycopg"),
])  # fmt: skip
def test_a_library_that_is_missing_is_named_with_its_package(monkeypatch, url, module, package):
    for name in [name for name in sys.modules if name.startswith(("hafta.stores.leased.", f"{module}."))]:
        if not name.endswith(".url"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=f"needs the library {module}") as raised:
        store_of(url, 5.0)
    assert package in raised.value.hint


def test_several_members_and_their_options_are_understood():
    store = store_of("etcds://a:2379,b:2379?prefix=shop", 5.0)
    assert store.ttl == 5.0
    assert "a:2379" in store.where
