"""Users, passwords and certificates: who may use the store, and what is said to those who may not."""

import subprocess

import pytest
from servers import Etcd

from hafta.stores import EtcdStore, PostgresStore
from hafta.stores.leased.gateway import Gateway, b64
from hafta.stores.leased.url import store_of
from hafta.testing.stores import refused


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """An etcd that asks for a user: `service` may use what is below hafta/."""
    etcd = Etcd(tmp_path_factory.mktemp("guarded"))
    ask = Gateway((etcd.address,), 5, user="", password="").ask
    ask("auth/user/add", name="root", password="secret")
    ask("auth/user/grant", user="root", role="root")
    ask("auth/role/add", name="hafta")
    whole = {"permType": "READWRITE", "key": b64(b"hafta/"), "range_end": b64(b"hafta0")}
    ask("auth/role/grant", name="hafta", perm=whole)
    ask("auth/user/add", name="service", password="pass:word/1")
    ask("auth/user/grant", user="service", role="hafta")
    ask("auth/enable")
    yield etcd
    etcd.end()


def test_a_user_with_the_right_password_works_also_when_its_session_has_ended(guarded, tmp_path):
    (tmp_path / "password").write_text("pass:word/1\n")
    address = guarded.address.replace("http", "etcd")
    store = store_of(f"{address}?user=service&password-file={tmp_path / 'password'}", 5.0)
    with store.claim("s") as claim:
        claim.write(b"1")
        store._backend._gateway._token = "an old one"
        claim.write(b"2")
    assert store.peek("s").saved.body == b"2"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "user name is empty"),
        ({"user": "service", "password": "wrong"}, "authentication failed"),
        ({"user": "nobody", "password": "x"}, "authentication failed"),
        ({"user": "service", "password": "pass:word/1", "prefix": "other/"}, "permission denied"),
    ],
)
def test_who_may_not_is_told_so_at_once_and_without_the_password(guarded, more, says):
    error = refused("permission", lambda: EtcdStore(guarded.address, **more).claim("s"))
    assert says in error.message
    assert "pass:word" not in error.message + error.hint
    assert "look at the user, the password and the role" in error.hint


def test_postgres_says_who_may_not(servers):
    server = servers("postgres")
    there = f"127.0.0.1:{server.port}"
    for dsn, says in (
        (f"postgresql://nobody:secret@{there}/postgres", 'role "nobody" does not exist'),
        (f"postgresql://postgres:secret@{there}/nowhere", 'database "nowhere" does not exist'),
    ):
        store = PostgresStore(dsn)
        error = refused("permission", lambda: store.claim("s"))  # noqa: B023
        assert says in error.message
        assert "secret" not in error.message + error.hint + store.where


def test_a_user_who_may_not_make_tables_uses_those_that_are_there(servers):
    server = servers("postgres")
    ask = PostgresStore(server.address)._backend._writing.ask
    PostgresStore(server.address).claim("made").close()
    ask("DROP ROLE IF EXISTS plain")
    ask("CREATE ROLE plain LOGIN")
    plain = PostgresStore(server.address.replace("postgres@", "plain@"))
    assert "permission denied" in refused("permission", lambda: plain.claim("s")).message
    ask("GRANT SELECT, INSERT, UPDATE, DELETE ON hafta_records TO plain")
    ask("GRANT USAGE ON hafta_tokens TO plain")
    with plain.claim("s") as claim:
        claim.write(b"b")
    ask("DROP OWNED BY plain")
    ask("DROP ROLE plain")


def test_etcd_over_tls_with_client_certificates(tmp_path):
    """A client without our authority, or without a certificate, is not talked to."""
    certify(tmp_path)
    ca, cert, key = (str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem"))
    tls = ["--cert-file", cert, "--key-file", key, "--client-cert-auth", "--trusted-ca-file", ca]
    etcd = Etcd(tmp_path, *tls, scheme="https")
    try:
        address = etcd.address.replace("https", "etcds")
        store = store_of(f"{address}?ca={ca}&cert={cert}&key={key}", 5.0)
        with store.claim("s") as claim:
            claim.write(b"b")
        assert store.where.startswith("https://")
        for lacking in (f"cert={cert}&key={key}", f"ca={ca}"):
            error = refused("unreachable", lambda: store_of(f"{address}?{lacking}", 1.0).claim("s"))  # noqa: B023
            assert "ssl" in error.message.lower()
    finally:
        etcd.end()


def certify(folder):
    """Make an authority, and a certificate for 127.0.0.1 that serves on both sides."""
    (folder / "more").write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
    openssl = lambda *words: subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    new = ("req", "-newkey", "rsa:2048", "-nodes")
    openssl(*new, "-x509", "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(*new, "-subj", "/CN=127.0.0.1", "-keyout", "key.pem", "-out", "request")
    sign = ("x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    openssl(*sign, "-days", "2", "-extfile", "more", "-out", "cert.pem")
