"""Training a GPT on token shards, one segment after another. Knows torch and no cluster.

    shards → cache.open_cache   → the tokens of a part as one flat array
    options.TrainOptions        → what a user asks
    plan.plan_segment           → what to train next, a function of run, parts and request
    loop.train_segment          → publishes the plan (runs/<run>/segments.json) and trains it, on one process or several
    order, schedule             → data order and learning rate, pure functions of (segment, step)
    init_from.find_source       → weights to begin with: another run's, or a GPT-2's from a folder
    evaluate, evals             → the loss of each validation window, and the table that keeps it
    sampling.load_model, sampling.generate → text from a checkpoint

    update, batches, readback   → a step: read ahead, made again where memory runs out, its figures read late

What plans imports no torch: `options`, `config`, `plan`, `order`, `schedule`, `runs`, `cache`, `describe`, `publish`.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # the names stand in __init__.pyi
