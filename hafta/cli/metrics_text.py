"""Samples as the text that Prometheus reads, by its own library."""

from __future__ import annotations

from hafta import exits
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


def _family(family: Family, samples: Iterable[Sample]) -> Any:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    made = kind(family.name, family.help, labels=family.labels)
    for _, labels, value in samples:
        made.add_metric(labels, value)
    return made
