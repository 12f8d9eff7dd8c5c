"""Progress as gauges of Ray's, which its nodes export to Prometheus; for a cluster, where nobody may look at the lines."""

from __future__ import annotations

from collections.abc import Callable

TAGS = ("work", "unit")


def gauges() -> Callable[[str, str, float, float], None]:
    """What `progress.counted_by` takes: it sets `ray_raywiki_done` and `ray_raywiki_total`, with the tags `work` and `unit`.

    `work` is the title of the progress, verb and part; `unit` what is counted ("MB of dump", "articles", "steps"). A total that
    is not known is not set. Ray must be running; once it no longer does, nothing is set.
    """
    import ray
    from ray.util.metrics import Gauge

    done = Gauge("raywiki_done", "What a verb has done so far, by the unit that it counts in.", TAGS)
    total = Gauge("raywiki_total", "What it will have done in the end.", TAGS)

    def tell(title: str, unit: str, amount: float, of: float) -> None:
        if not ray.is_initialized():
            return
        tags = {"work": title, "unit": unit}
        done.set(amount, tags)
        if of:
            total.set(of, tags)

    return tell
