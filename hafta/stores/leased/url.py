"""The store that a URL names: --store and HAFTA_STORE.

    etcd://HOST:PORT,HOST:PORT       etcds:// for TLS, with ?ca=FILE&cert=FILE&key=FILE
    postgresql://USER@HOST/DATABASE  as libpq reads it, with what it has for TLS and passwords (?sslmode=, ~/.pgpass)

An etcd user has ?user=NAME&password-file=FILE: a password in a URL could be seen in the list of processes.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from hafta.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.stores.leased.store import LeasedStore

_ETCD = {"etcd": "http", "etcds": "https"}
_POSTGRES = ("postgresql", "postgres")
_OPTIONS = ("ca", "cert", "key", "user", "password-file", "prefix")
PASSWORD_MAX = 4096  # bytes that are read of a password's file


def store_of(url: str, ttl: float) -> LeasedStore:
    """Return the store. Raises UsageError."""
    scheme = url.partition("://")[0]
    try:
        if scheme in _ETCD:
            return _etcd(url, ttl)
        if scheme in _POSTGRES:
            return _postgres(url, ttl)
    except ImportError as error:
        package = "python3-urllib3" if scheme in _ETCD else "python3-psycopg"
        problem = f"--store {scheme}://... needs the library {error.name or 'that speaks to it'}, which is missing"
        raise UsageError(problem, f"install it: apt install {package}") from error
    except ValueError as error:
        raise UsageError(f"--store: {error}", "see hafta(7) and docs/hosts.md for examples") from error
    hint = "use etcd://HOST:2379, etcds://HOST:2379 or postgresql://HOST/DATABASE; files need no --store, but --state"
    raise UsageError(f"--store: {scheme!r} is not a kind of store that hosts share", hint)


def _etcd(url: str, ttl: float) -> LeasedStore:
    from hafta.stores.leased.store import EtcdStore

    parts = urlsplit(url)
    given: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    if unknown := sorted(given.keys() - set(_OPTIONS)):
        raise ValueError(f"it has no option {unknown[0]!r}; it has {', '.join(_OPTIONS)}")
    if parts.path.strip("/"):
        raise ValueError(f"the path {parts.path!r} means nothing; ?prefix= names the keys")
    if path := given.pop("password-file", ""):
        given["password"] = _password(path)
    scheme = _ETCD[parts.scheme]
    return EtcdStore([f"{scheme}://{one}" for one in parts.netloc.split(",")], ttl=ttl, **given)


def _postgres(url: str, ttl: float) -> LeasedStore:
    from hafta.stores.leased.store import PostgresStore

    return PostgresStore(url, ttl=ttl)


def _password(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(PASSWORD_MAX).strip("\n")
    except OSError as error:
        raise ValueError(f"password-file {path}: {error.strerror}") from error
