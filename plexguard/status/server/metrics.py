"""The metrics, in the text format of Prometheus, by its conventions: base units, `_total` for what only grows.

What cannot be told is absent, never 0: `plexguard_plex_up` of a Plex that nobody has looked at does not exist, and an alert asks
for that too. Counters begin with the index and go on over restarts of this service.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from plexguard import __version__
from plexguard.core.published import SpeedLine
from plexguard.status.overview import Overview, State
from plexguard.status.server.conceal import conceal_text
from plexguard.status.server.health import SERVING
from plexguard.status.server.index import REPAIRED

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BREAKER_STATES = ("closed", "open", "half-open", "unknown")
_RESTARTING = "plex.restarting"
_MOST_LABEL = 200
# There are five; whoever writes the state may name more.
_MOST_LEVELS = 16
# Of plexguard-rclone-watchdog(8), and last what is said of a mount that nobody watches.
_VERDICTS = ("proven", "slow", "degraded", "refusing", "hung", "stale", "absent", "empty", "foreign", "unknown", "stopped")
_NOT_FRESH = frozenset({"unknown", "stopped"})
_UP = {State.WELL: 1, State.WARNING: 1, State.PROBLEM: 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the metrics are made of. overview: None when it could not be taken. counts: of the index; None when it cannot be read.
    events: the names and severities of all that can be told. speed: the newest test with a result. failed_units: whether each
    has failed; empty when the service manager does not tell."""

    overview: Overview | None
    counts: Mapping[str, int] | None
    events: Mapping[str, str]
    speed: SpeedLine | None = None
    failed_units: Mapping[str, bool] = field(default_factory=dict)


def render_metrics(measured: Measured) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(measured))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def collect(self) -> Iterable[Metric]:
        """Leave out what has no values: a type alone says nothing."""
        return (metric for metric in self._collect() if metric.samples)

    def _collect(self) -> Iterator[Metric]:
        measured = self._measured
        yield _gauge("plexguard_build_info", "The version of plexguard.", ("version",), [((__version__,), 1)])
        yield _gauge(
            "plexguard_overview_up",
            "Whether the state of what is guarded could be read.",
            (),
            [((), measured.overview is not None)],
        )
        if measured.overview is not None:
            yield from _of_overview(measured.overview)
        if measured.counts is not None:
            yield from _of_counts(measured.counts, measured.events)
        if measured.speed is not None:
            yield from _of_speed(measured.speed)
        failed = sorted(measured.failed_units.items())
        yield _gauge("plexguard_unit_failed", "Whether a unit of plexguard has failed.", ("unit",), [((n,), f) for n, f in failed])


def _of_overview(overview: Overview) -> Iterator[Metric]:
    yield _gauge("plexguard_healthy", "Whether all that is guarded is well, and known to be.", (), [((), overview.healthy)])
    states = [((thing.name, thing.title, state.value), thing.state is state) for thing in overview.things for state in State]
    yield _gauge(
        "plexguard_thing_state", "The state of a guarded thing: 1 for the one that it is in.", ("thing", "title", "state"), states
    )
    yield from _of_plex(overview)
    yield from _of_proxy(overview)
    yield from _of_budgets(overview)
    yield from _of_mounts(overview)
    yield from _of_hold(overview)
    yield from _of_trash(overview)
    yield from _of_backups(overview)
    yield from _of_cloud_runs(overview)
    yield from _of_channels(overview)
    yield from _of_timers(overview)


def _of_budgets(overview: Overview) -> Iterator[Metric]:
    yield _gauge(
        "plexguard_budget_limit",
        "How often something may be done.",
        ("budget", "period"),
        [((b.name, b.period), b.limit) for b in overview.budgets],
    )
    yield _gauge(
        "plexguard_budget_left",
        "How often it may still be done.",
        ("budget", "period"),
        [((b.name, b.period), b.left) for b in overview.budgets],
    )


def _of_mounts(overview: Overview) -> Iterator[Metric]:
    mounts = overview.mounts
    fresh = [mount for mount in mounts if mount.verdict not in _NOT_FRESH]
    yield _gauge(
        "plexguard_mount_up",
        "Whether a mount is proven to give bytes of files.",
        ("mount",),
        [((m.name,), _UP[m.state]) for m in mounts if m.state in _UP],
    )
    yield _gauge(
        "plexguard_mount_state",
        "What a mount was found to be: 1 for that.",
        ("mount", "verdict"),
        [((m.name, verdict), m.verdict == verdict) for m in mounts for verdict in _VERDICTS],
    )
    for name, meaning, times in (
        ("checked", "When a mount was looked at last.", [(m.name, m.checked) for m in mounts]),
        ("proven", "When bytes of a file of it were read last.", [(m.name, m.proven) for m in mounts]),
    ):
        yield _gauge(
            f"plexguard_mount_{name}_timestamp_seconds", meaning, ("mount",), [((n,), at.timestamp()) for n, at in times if at]
        )
    yield _gauge(
        "plexguard_mount_latency_seconds",
        "How long the newest bytes of it took.",
        ("mount",),
        [((m.name,), m.latency_s) for m in fresh if m.latency_s is not None],
    )
    yield _gauge(
        "plexguard_mount_cache_bytes",
        "What rclone keeps of it on disk.",
        ("mount",),
        [((m.name,), m.cache_bytes) for m in fresh if m.cache_bytes is not None],
    )
    yield _gauge(
        "plexguard_mount_cache_limit_bytes",
        "How much that may be.",
        ("mount",),
        [((m.name,), m.cache_limit_bytes) for m in fresh if m.cache_limit_bytes is not None],
    )
    yield _gauge(
        "plexguard_mount_waiting_requests",
        "Requests of the kernel that nobody has answered.",
        ("mount",),
        [((m.name,), m.waiting) for m in fresh if m.waiting is not None],
    )
    yield _counter(
        "plexguard_mount_remounts",
        "How often it was mounted anew, over a fault.",
        ("mount",),
        [((m.name,), m.remounts_total) for m in mounts if m.remounts_total is not None],
    )
    yield _counter(
        "plexguard_mount_probes",
        "What was asked to prove it.",
        ("mount", "probe"),
        [((m.name, probe), number) for m in mounts for probe, number in sorted(m.probes.items())[:_MOST_LEVELS]],
    )


def _of_hold(overview: Overview) -> Iterator[Metric]:
    hold = overview.hold
    if hold is None or hold.held is None:
        return
    yield _gauge(
        "plexguard_plex_held",
        "Whether scans and the emptying of trash are switched off in Plex for the sake of a mount.",
        (),
        [((), hold.held)],
    )
    yield _gauge("plexguard_plex_hold_failed", "Whether that is wanted, and could not be done yet.", (), [((), bool(hold.failed))])
    yield _gauge("plexguard_mount_holds_plex", "The mounts that ask for it.", ("mount",), [((name,), 1) for name in hold.mounts])


def _of_trash(overview: Overview) -> Iterator[Metric]:
    labels = ("library", "title")
    known = [one for one in overview.trash if one.missing is not None]
    yield _gauge(
        "plexguard_trash_items",
        "Items of a library that are in Plex's trash.",
        labels,
        [((one.library, one.title), one.missing or 0) for one in known],
    )
    yield _gauge(
        "plexguard_trash_limit_items",
        "The most that is emptied.",
        labels,
        [((one.library, one.title), one.limit) for one in known],
    )
    yield _gauge(
        "plexguard_trash_kept",
        "Whether it was kept.",
        labels,
        [((one.library, one.title), bool(one.kept)) for one in overview.trash],
    )
    yield _gauge(
        "plexguard_trash_kept_since_timestamp_seconds",
        "Since when it is kept.",
        labels,
        [((one.library, one.title), one.kept_since.timestamp()) for one in overview.trash if one.kept_since is not None],
    )
    yield _counter(
        "plexguard_trash_emptied_items",
        "How many items were emptied.",
        labels,
        [((one.library, one.title), one.emptied_total) for one in overview.trash],
    )


def _of_backups(overview: Overview) -> Iterator[Metric]:
    made = [backup for backup in overview.backups if backup.made is not None]
    yield _gauge(
        "plexguard_backup_made_timestamp_seconds",
        "When the newest backup that is verified was made.",
        ("backup",),
        [((b.name,), b.made.timestamp()) for b in made if b.made],
    )
    yield _gauge("plexguard_backup_size_bytes", "How large it is.", ("backup",), [((b.name,), b.size_bytes) for b in made])


def _of_cloud_runs(overview: Overview) -> Iterator[Metric]:
    yield _gauge(
        "plexguard_cloud_run_cost_euros",
        "What a run on a rented machine has cost so far.",
        ("run",),
        [((r.name,), r.cost_euros) for r in overview.cloud_runs],
    )
    yield _gauge(
        "plexguard_cloud_run_began_timestamp_seconds",
        "When it began.",
        ("run",),
        [((r.name,), r.began.timestamp()) for r in overview.cloud_runs],
    )
    yield _gauge(
        "plexguard_cloud_run_progress_ratio",
        "How much of its phase is done.",
        ("run", "phase"),
        [((r.name, r.phase), min(1.0, r.done / r.total)) for r in overview.cloud_runs if r.total > 0],
    )


def _of_channels(overview: Overview) -> Iterator[Metric]:
    yield _gauge(
        "plexguard_notify_waiting",
        "Messages that are not delivered yet.",
        ("channel",),
        [((c.name,), c.waiting) for c in overview.channels],
    )
    yield _gauge(
        "plexguard_notify_oldest_timestamp_seconds",
        "When the oldest of them was told.",
        ("channel",),
        [((c.name,), c.oldest.timestamp()) for c in overview.channels if c.oldest],
    )
    yield _counter(
        "plexguard_notify_dropped",
        "Messages that were lost for want of room.",
        ("channel",),
        [((c.name,), c.dropped) for c in overview.channels],
    )


def _of_timers(overview: Overview) -> Iterator[Metric]:
    yield _gauge(
        "plexguard_timer_last_timestamp_seconds",
        "When a timer fired last.",
        ("timer",),
        [((t.unit,), t.last.timestamp()) for t in overview.timers if t.last],
    )


def _of_plex(overview: Overview) -> Iterator[Metric]:
    plex = overview.plex
    is_known = (
        any(thing.name == "plex" and thing.state is not State.UNKNOWN for thing in overview.things) and plex.verdict != "unknown"
    )
    yield _gauge("plexguard_plex_known", "Whether it is known how Plex is.", (), [((), is_known)])
    if is_known:
        yield _gauge("plexguard_plex_up", "Whether Plex serves, quickly or slowly.", (), [((), plex.verdict in SERVING)])
        yield _gauge(
            "plexguard_plex_info", "What the last check found.", ("verdict", "version"), [((plex.verdict, plex.version), 1)]
        )
        yield _gauge(
            "plexguard_plex_response_seconds",
            "How long Plex took to answer, by the depth of the question.",
            ("level",),
            [((level,), seconds) for level, seconds in sorted(plex.latencies.items())[:_MOST_LEVELS]],
        )
        yield _gauge(
            "plexguard_plex_consecutive_failures",
            "How many checks in a row have found Plex not well.",
            (),
            [((), plex.consecutive_failures)],
        )
        if plex.viewers is not None:
            yield _gauge("plexguard_plex_viewers", "Players at which somebody watches.", (), [((), plex.viewers)])
    if plex.checked is not None:
        yield _gauge(
            "plexguard_plex_checked_timestamp_seconds", "When Plex was looked at last.", (), [((), plex.checked.timestamp())]
        )


def _of_proxy(overview: Overview) -> Iterator[Metric]:
    breaker = overview.plex.breaker
    if breaker is None:
        return
    yield _gauge(
        "plexguard_proxy_breaker_state",
        "Whether the front door lets requests through to Plex (closed): 1 for the state that its breaker is in.",
        ("state",),
        [((state,), breaker.state == state) for state in _BREAKER_STATES],
    )
    yield _counter("plexguard_proxy_opened", "How often it has begun to turn callers away.", (), [((), breaker.opens)])
    yield _counter("plexguard_proxy_open_seconds", "For how long it has turned them away.", (), [((), breaker.open_s)])
    if breaker.checked is not None:
        yield _gauge(
            "plexguard_proxy_checked_timestamp_seconds",
            "When the breaker looked at it last.",
            (),
            [((), breaker.checked.timestamp())],
        )
    if breaker.since is None:
        return
    yield _gauge("plexguard_proxy_since_timestamp_seconds", "Since when it is so.", (), [((), breaker.since.timestamp())])
    yield _gauge(
        "plexguard_proxy_consecutive_failures",
        "How many requests in a row have failed, and how many checks.",
        ("of",),
        [(("requests",), breaker.failures), (("checks",), breaker.failed_checks)],
    )
    if breaker.opened is not None:
        yield _gauge(
            "plexguard_proxy_open_info",
            "Why callers are turned away.",
            ("trigger", "reason"),
            [((breaker.trigger, breaker.reason), 1)],
        )


def _of_counts(counts: Mapping[str, int], events: Mapping[str, str]) -> Iterator[Metric]:
    yield _counter("plexguard_restarts", "Restarts of Plex that plexguard has begun.", (), [((), counts.get(_RESTARTING, 0))])
    yield _counter("plexguard_perms_repaired", "Files and folders whose modes were repaired.", (), [((), counts.get(REPAIRED, 0))])
    told = [((name, severity), counts.get(name, 0)) for name, severity in events.items()]
    yield _counter("plexguard_events", "What plexguard has told, by event.", ("event", "severity"), told)


def _of_speed(speed: SpeedLine) -> Iterator[Metric]:
    if speed.result is None:
        return
    yield _gauge(
        "plexguard_speed_download_bytes_per_second",
        "What came in at the last speed test.",
        (),
        [((), speed.result.download_bit_per_s / 8)],
    )
    # 0: only the download was measured.
    if speed.result.upload_bit_per_s:
        yield _gauge(
            "plexguard_speed_upload_bytes_per_second", "What went out at it.", (), [((), speed.result.upload_bit_per_s / 8)]
        )
    yield _gauge("plexguard_speed_ping_seconds", "How long an answer took at it.", (), [((), speed.result.ping_ms / 1000)])
    yield _gauge("plexguard_speed_tested_timestamp_seconds", "When it was made.", (), [((), speed.time.timestamp())])


_Rows = Iterable[tuple[tuple[str, ...], float]]


def _gauge(name: str, help: str, labels: tuple[str, ...], rows: _Rows) -> Metric:
    return _fill(GaugeMetricFamily(name, help, labels=labels), rows)


def _counter(name: str, help: str, labels: tuple[str, ...], rows: _Rows) -> Metric:
    return _fill(CounterMetricFamily(name, help, labels=labels), rows)


def _label(text: str) -> str:
    """Return a text that anybody may have chosen, a folder's name say, as all readers of metrics can take it."""
    return conceal_text(text.encode("utf-8", "replace").decode("utf-8"))[:_MOST_LABEL]


def _fill(family: GaugeMetricFamily | CounterMetricFamily, rows: _Rows) -> Metric:
    for values, number in rows:
        family.add_metric([_label(value) for value in values], float(number))
    return family
