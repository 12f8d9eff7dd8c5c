"""What a cluster's nodes can hold: pure functions over the resources of each node, so that no task waits for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Resources = Mapping[str, float]  # such as {"CPU": 8.0, "GPU": 1.0}


def fits(nodes: Sequence[Resources], bundle: Resources, count: int = 1) -> str | None:
    """None when `count` such bundles fit on the nodes at once; else a sentence that names what is asked for and what is there.

    A bundle lies on one node: what counts is not the cluster's sum.

    >>> fits([{"CPU": 8.0}] * 3, {"CPU": 8}, 3)
    >>> fits([{"CPU": 8.0}] * 3, {"CPU": 24})
    'no node of the Ray cluster has 24 CPUs: the biggest of its 3 nodes has 8 CPUs'
    """
    room = sum(_places(node, bundle, count) for node in nodes)
    if room >= count:
        return None
    if not nodes:
        return "the Ray cluster has no node"
    scarce_first = sorted(bundle, reverse=True)  # a node with a GPU is bigger than one with more CPUs
    biggest = max(nodes, key=lambda node: [node.get(name, 0) for name in scarce_first])
    has = _words({name: biggest.get(name, 0) for name in bundle})
    there = f"the biggest of its {len(nodes)} nodes has {has}" if len(nodes) > 1 else f"its node has {has}"
    if not room:
        return f"no node of the Ray cluster has {_words(bundle)}: {there}"
    return f"the Ray cluster has room for {room} times {_words(bundle)}, not for {count}: {there}"


def cpus_for_worker(nodes: Sequence[Resources], workers: int, gpus: float = 0) -> int:
    """The most CPUs that each of so many workers, with so many GPUs each, can have at once; 0 when they cannot be placed.

    >>> cpus_for_worker([{"CPU": 8.0}] * 3, 1), cpus_for_worker([{"CPU": 8.0}] * 3, 4)
    (8, 4)
    >>> cpus_for_worker([{"CPU": 16.0, "GPU": 2.0}], 2, gpus=1)
    8
    """
    most = int(max((node.get("CPU", 0) for node in nodes), default=0))
    return next((cpus for cpus in range(most, 0, -1) if fits(nodes, {"CPU": cpus, "GPU": gpus}, workers) is None), 0)


def _places(node: Resources, bundle: Resources, count: int) -> int:
    """How many such bundles a node holds, at most `count`."""
    return int(min([node.get(name, 0) // amount for name, amount in bundle.items() if amount > 0], default=count))


def _words(bundle: Resources) -> str:
    """Resources as a user names them.

    >>> _words({"CPU": 1, "GPU": 2.0})
    '1 CPU and 2 GPUs'
    """
    return " and ".join(f"{amount:g} {name}{'s' * (amount != 1)}" for name, amount in bundle.items())
