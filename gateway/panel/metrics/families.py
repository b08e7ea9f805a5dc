"""Numbers as Prometheus names them. Labels are words of the configuration and of the code, nothing else."""

from collections.abc import Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

Family = GaugeMetricFamily | CounterMetricFamily
Labelled = Mapping[tuple[str], float] | Mapping[tuple[str, str], float]  # the values of the labels: the number


def gauge(name: str, help_: str, values: Labelled | float, labels: tuple[str, ...] = ()) -> Family:
    """Return what goes up and down. `name` has no prefix, and its unit at its end."""
    return _filled(GaugeMetricFamily(f"scopegate_{name}", help_, labels=labels), values)


def counter(name: str, help_: str, values: Labelled | float, labels: tuple[str, ...] = ()) -> Family:
    """Return what only rises, until its process starts anew; `_total` is put behind its name."""
    return _filled(CounterMetricFamily(f"scopegate_{name}", help_, labels=labels), values)


def _filled(family: Family, values: Labelled | float) -> Family:
    if not isinstance(values, Mapping):
        family.add_metric([], float(values))
        return family
    for labels, value in values.items():
        family.add_metric(list(labels), float(value))
    return family
