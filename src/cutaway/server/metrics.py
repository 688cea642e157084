"""What the server counts, for Prometheus, under the names that vLLM's dashboards know."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from cutaway.server.served_model import ServedModel

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 250.0)


class Metrics:
    """Counters and histograms of requests, and the engines' own numbers read when somebody asks for them.

    Source: vLLM, `vllm/v1/metrics/loggers.py`, for the names.
    """

    def __init__(self, models: Callable[[], Iterable["tuple[ServedModel, int]"]]) -> None:
        self.registry = CollectorRegistry()
        self._models = models
        self._first = self._histogram("vllm:time_to_first_token_seconds", "From being asked to the first token.")
        self._between = self._histogram("vllm:inter_token_latency_seconds", "From one token of a sample to its next.")
        self._whole = self._histogram("vllm:e2e_request_latency_seconds", "From being asked to the last token.")
        self._success = Counter(
            "vllm:request_success",
            "Samples finished, by how they ended.",
            ["model_name", "finished_reason"],
            registry=self.registry,
        )
        self._refused = Counter(
            "cutaway:requests_refused",
            "Requests answered with an error, by status.",
            ["status"],
            registry=self.registry,
        )
        self.registry.register(self)

    def first_token(self, model: str, seconds: float) -> None:
        """A request's first token has come."""
        self._first.labels(model).observe(seconds)

    def next_token(self, model: str, seconds: float) -> None:
        """A sample's next token has come."""
        self._between.labels(model).observe(seconds)

    def finished(self, model: str, reason: str) -> None:
        """A sample has ended."""
        self._success.labels(model, reason).inc()

    def answered(self, model: str, seconds: float) -> None:
        """A request has ended."""
        self._whole.labels(model).observe(seconds)

    def refused(self, status: int) -> None:
        """A request has been answered with an error."""
        self._refused.labels(str(status)).inc()

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """The engines' numbers now, which Prometheus' library asks for."""
        running = GaugeMetricFamily("vllm:num_requests_running", "Samples being written.", labels=["model_name"])
        waiting = GaugeMetricFamily("vllm:num_requests_waiting", "Samples waiting their turn.", labels=["model_name"])
        held = GaugeMetricFamily("vllm:kv_cache_usage_perc", "Share of the cache in use.", labels=["model_name"])
        read = CounterMetricFamily("vllm:prompt_tokens", "Tokens read.", labels=["model_name"])
        made = CounterMetricFamily("vllm:generation_tokens", "Tokens written.", labels=["model_name"])
        reused = CounterMetricFamily("vllm:prefix_cache_hits", "Tokens taken over unread.", labels=["model_name"])
        for model, context in self._models():
            now = model.engine.statistics
            running.add_metric([model.name], now.running)
            waiting.add_metric([model.name], now.waiting)
            held.add_metric([model.name], now.held_tokens / (model.limits.slots * context))
            read.add_metric([model.name], now.tokens_read)
            made.add_metric([model.name], now.tokens_made)
            reused.add_metric([model.name], now.tokens_reused)
        yield from (running, waiting, held, read, made, reused)

    def _histogram(self, name: str, what: str) -> Histogram:
        return Histogram(name, what, ["model_name"], buckets=SECONDS, registry=self.registry)
