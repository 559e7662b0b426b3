"""--store: what a URL says of a store that hosts share; a wrong one is said with what to do."""

import sys

import pytest
from psycopg.conninfo import conninfo_to_dict

from hafta.errors import UsageError
from hafta.stores.leased.connection import ways
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


@pytest.mark.parametrize(("url", "hosts", "wanted"), [
    ("postgresql://h/d", ["h"], None),
    ("postgresql://h/d?target_session_attrs=any", ["h"], "any"),
    ("postgresql://a,b/d", ["a,b", "b,a"], "read-write"),
    ("postgresql://a,b/d?target_session_attrs=any", ["a,b", "b,a"], "any"),
    ("host=a,b,c dbname=d", ["a,b,c", "b,c,a", "c,a,b"], "read-write"),
])  # fmt: skip
def test_of_several_postgresql_servers_the_one_that_can_be_written_to_is_wanted(url, hosts, wanted):
    found = [conninfo_to_dict(way.decode()) for way in ways(url, 1.0)]
    assert [way["host"] for way in found] == hosts
    assert {way.get("target_session_attrs") for way in found} == {wanted}


def test_a_port_stays_with_its_host():
    found = [conninfo_to_dict(way.decode()) for way in ways("postgresql://a:1,b:2/d", 1.0)]
    assert [(way["host"], way["port"]) for way in found] == [("a,b", "1,2"), ("b,a", "2,1")]
    found = [conninfo_to_dict(way.decode()) for way in ways("host=a,b port=7", 1.0)]
    assert [(way["host"], way["port"]) for way in found] == [("a,b", "7"), ("b,a", "7")]
    found = [conninfo_to_dict(way.decode()) for way in ways("hostaddr=10.0.0.1,10.0.0.2 host=a,b", 1.0)]
    assert [(way["hostaddr"], way["host"]) for way in found][1] == ("10.0.0.2,10.0.0.1", "b,a")
