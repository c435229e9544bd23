"""Read by Python when the emulator starts. With every message to a FIFO queue it goes through all deduplication ids of the
last five minutes, which makes sending n messages n² steps. They are in the order in which they expire, so that looking at
the first ones does the same."""

import time

try:
    from ministack.services import sqs
except ImportError:
    sqs = None


def prune(queue):
    known, now = queue["dedup_cache"], time.time()
    while known:
        oldest = next(iter(known))
        if known[oldest]["expire"] > now:
            break
        del known[oldest]


if hasattr(sqs, "_prune_dedup"):
    sqs._prune_dedup = prune
