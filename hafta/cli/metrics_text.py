"""Samples as the text that Prometheus reads, by its own library, and the file that node_exporter takes them from."""

from __future__ import annotations

import contextlib
import os

from hafta import exits
from hafta.causes import cause_of
from hafta.errors import HaftaError
from hafta.observe.metrics import FAMILIES, HISTOGRAM, Family, histogram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from hafta.observe.metrics import Sample


class _Found:
    """What the library asks for its families."""

    def __init__(self, samples: Iterable[Sample], histograms: Mapping[str, Mapping[tuple[str, ...], int]]) -> None:
        self._samples: dict[str, list[Sample]] = {}
        for sample in samples:
            self._samples.setdefault(sample[0], []).append(sample)
        self._histograms = histograms

    def collect(self) -> Iterator[Any]:
        """Give each family that has samples."""
        for family in FAMILIES:
            if family.name == HISTOGRAM and self._histograms:
                yield self._histogram(family)
            elif family.name in self._samples:
                yield _family(family, self._samples[family.name])

    def _histogram(self, family: Family) -> Any:
        from prometheus_client.core import HistogramMetricFamily

        made = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for unit, numbers in self._histograms.items():
            buckets, total = histogram(numbers)
            made.add_metric([unit], buckets, total)
        return made


def text_of(
    samples: Iterable[Sample], histograms: Mapping[str, Mapping[tuple[str, ...], int]], *, openmetrics: bool
) -> bytes:
    """Return the text. Raises HaftaError without prometheus-client."""
    try:
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.openmetrics import exposition
    except ImportError as error:
        hint = "install it: apt install python3-prometheus-client, or pip install prometheus-client"
        raise HaftaError(f"metrics need prometheus-client: {error}", hint, status=exits.SYSTEM) from error
    registry = CollectorRegistry(auto_describe=False)
    found: Any = _Found(samples, histograms)
    registry.register(found)
    made: bytes = (exposition.generate_latest if openmetrics else generate_latest)(registry)
    return made


def write(path: str, text: bytes) -> None:
    """Replace a file in one step, readable for everybody. Raises HaftaError.

    The new one is not called *.prom before it is whole: node_exporter reads whatever is.
    """
    directory, name = os.path.split(os.path.abspath(path))
    new = os.path.join(directory, f".{name}.{os.getpid()}.new")
    try:
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(text)
                file.flush()
                os.fchmod(fd, 0o644)  # it is read by another user, whatever the umask
            os.rename(new, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(new)
            raise
    except OSError as error:
        hint = "name a file in a directory that you may write to and node_exporter reads"
        raise HaftaError(f"cannot write {path}: {cause_of(error).words}", hint, status=exits.SYSTEM) from error


def _family(family: Family, samples: Iterable[Sample]) -> Any:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    made = kind(family.name, family.help, labels=family.labels)
    for _, labels, value in samples:
        made.add_metric(labels, value)
    return made
