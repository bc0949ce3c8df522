"""All of prometheus-client in this house: what the event log and the dead letters add up to.

Labels stay few: endpoints, served entities and guardrails are bounded by configuration, the rest by the
code, and each label besides by `Bounded`, which calls what comes too late `other`. No label names a caller.

Counters start at 0 with each start of the process, as Prometheus expects of a counter, and a row is counted
after its offset has been committed: a restart can leave rows out (a batch at most), never count one twice.
"""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from contract import codec
from contract.records import RequestLogged
from sinks.bus import Lag
from sinks.letters import Letter
from sinks.record import Record

SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
OVERHEAD_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
OTHER = "other"
REASON = 100  # characters of a reason that make a label


class Bounded:
    """At most `most` different label values; later ones become `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        """`value` itself while there is room."""
        if value not in self._seen:
            if len(self._seen) >= self._most:
                return OTHER
            self._seen.add(value)
        return value


def added_ms(row: RequestLogged) -> int:
    """What the gateway added: `execution_duration_ms` is the last try's alone, but failed tries are not ours either."""
    providers_ms = max(row.execution_duration_ms, sum(attempt.duration_ms for attempt in row.attempts))
    return max(0, row.total_duration_ms - providers_ms)


class Metrics:
    """Every metric, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._endpoint, self._entity = Bounded(1_000), Bounded(5_000)
        self._word, self._reason = Bounded(200), Bounded(100)
        self._counts()
        self._times()
        about = "Records of a partition that a group has not committed yet."
        names = ("group", "topic", "partition")
        self.lag = Gauge("headgate_consumer_lag_records", about, names, registry=self.registry)

    def _counts(self) -> None:
        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"headgate_{name}", about, labels, registry=self.registry)

        self.requests = counter("requests", "Requests in the event log.", "endpoint", "status")
        self.input_tokens = counter("input_tokens", "Tokens sent to models.", "endpoint")
        self.output_tokens = counter("output_tokens", "Tokens models answered.", "endpoint")
        self.attempts = counter(
            "attempts", "Tries at served entities; status 0: no answer came.", "endpoint", "served_entity", "status"
        )
        self.fallbacks = counter("fallback_attempts", "Tries after a request's first one.", "endpoint")
        about = "Requests in which a guardrail saw something, by what it did."
        self.verdicts = counter("guardrail_verdicts", about, "endpoint", "guardrail", "side", "outcome")
        self.refusals = counter("refusals", "Requests Headgate refused, by its reason.", "endpoint", "refusal")
        self.limit_refusals = counter("limit_refusals", "Requests refused by a rate limit.", "endpoint")
        self.unreadable = counter("unreadable_log_rows", "Log rows that are no record.")
        self.dead_letters = counter("dead_letters", "Records laid aside.", "topic", "reason")

    def _times(self) -> None:
        def histogram(name: str, about: str, buckets: Sequence[float]) -> Histogram:
            return Histogram(f"headgate_{name}_seconds", about, ("endpoint",), registry=self.registry, buckets=buckets)

        self.duration = histogram("request_duration", "From a request's receipt to its settlement.", SECONDS)
        about = "From a streamed request's receipt to its first piece."
        self.first_token = histogram("time_to_first_token", about, SECONDS)
        about = "A request's duration without its providers' time; only requests that reached a provider."
        self.overhead = histogram("overhead", about, OVERHEAD_SECONDS)

    async def count_log(self, records: Sequence[Record]) -> None:
        """Count rows of `gateway.log`."""
        for record in records:
            match codec.read(RequestLogged, record.value):
                case RequestLogged() as row:
                    self.count(row)
                case _:
                    self.unreadable.inc()

    def count(self, row: RequestLogged) -> None:
        """Count one request."""
        endpoint = self._endpoint(row.endpoint_name)
        self.requests.labels(endpoint, str(row.status_code)).inc()
        self.input_tokens.labels(endpoint).inc(max(0, row.input_token_count))
        self.output_tokens.labels(endpoint).inc(max(0, row.output_token_count))
        self._time(endpoint, row)
        self._decisions(endpoint, row)

    def _time(self, endpoint: str, row: RequestLogged) -> None:
        self.duration.labels(endpoint).observe(max(0, row.total_duration_ms) / 1_000)
        if row.time_to_first_token_ms is not None:
            self.first_token.labels(endpoint).observe(row.time_to_first_token_ms / 1_000)
        if row.attempts:
            self.overhead.labels(endpoint).observe(added_ms(row) / 1_000)

    def _decisions(self, endpoint: str, row: RequestLogged) -> None:
        for attempt in row.attempts:
            self.attempts.labels(endpoint, self._entity(attempt.served_entity_name), str(attempt.status)).inc()
        self.fallbacks.labels(endpoint).inc(max(0, len(row.attempts) - 1))
        for guardrail, side, outcome in {(f.guardrail, f.side, f.outcome) for f in row.findings}:
            self.verdicts.labels(endpoint, self._word(guardrail), side, self._word(outcome)).inc()
        if row.refusal:
            self.refusals.labels(endpoint, self._word(row.refusal)).inc()
        if row.refusal == "rate_limited":
            self.limit_refusals.labels(endpoint).inc()

    def count_letters(self, letters: Sequence[Letter]) -> None:
        """Count dead letters."""
        for letter in letters:
            self.dead_letters.labels(self._word(letter.topic), self._reason(letter.reason[:REASON])).inc()

    def show_lag(self, lags: Sequence[Lag]) -> None:
        """Replace every lag by the present one; a partition nobody commits to any more goes away."""
        self.lag.clear()
        for lag in lags:
            self.lag.labels(lag.group, lag.topic, str(lag.partition)).set(lag.records)

    def text(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)
