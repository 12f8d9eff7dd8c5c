"""Can every node of a cluster do our tasks? It needs this raywiki, and the folders and files that the tasks read and write.

A node answers for itself: with what it can import and see, in a task that needs neither raywiki nor any folder. A path that
is there on two machines need not be the same place: so a folder is known again by a little file that is written into it.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from fsspec.implementations.local import LocalFileSystem

import raywiki
from raywiki.files import absolute, nearest_folder

SEE_WITHIN = 3.0  # seconds: a folder of a network may show a new file later on other machines
ASKED_WITHIN = 60.0  # seconds: a node that is busy answers late, one that is dying not at all


def hindrance(sizes: Mapping[str, int], version: str = raywiki.__version__) -> Callable[[], str]:
    """A function that says, on the node where it is called, what keeps it from our tasks; "" when nothing does.

    It is pickled by value and refers to nothing of raywiki's, which may not be there.

    Args:
        sizes: bytes of each file that must be there, by its path.
        version: of raywiki.

    >>> hindrance({})(), hindrance({"/no/such": 7})(), hindrance({}, "0.0")().partition(",")[2]
    ('', 'does not see /no/such', ' not 0.0')
    """

    def say() -> str:
        import os

        try:
            import raywiki
        except ImportError as error:
            return f"has no raywiki ({error})"
        there = getattr(raywiki, "__version__", "of no version")
        if there != version:
            return f"has raywiki {there}, not {version}"
        for path, size in sizes.items():
            if not os.path.exists(path):
                return f"does not see {path}"
            if os.path.getsize(path) != size:
                return f"sees another file at {path} than we do"
        return ""

    return say


def what_to_do(node: str, problem: str, seen: Mapping[str, str], version: str = raywiki.__version__) -> str:
    """The sentence for a user about a node that cannot do our tasks; `seen` are the places behind the files' paths.

    >>> print(what_to_do("10.0.0.7", "has no raywiki", {}, "0.1"))
    node 10.0.0.7 of the Ray cluster has no raywiki: install raywiki 0.1 on every node
    >>> print(what_to_do("10.0.0.7", "does not see /c/.seen-1", {"/c/.seen-1": "/c"}))
    node 10.0.0.7 of the Ray cluster does not see /c: put it where all nodes see it, into a shared folder or a store (s3://…)
    """
    for path, place in seen.items():
        problem = problem.replace(path, place)
    is_place = problem.startswith(("does not see", "sees another"))
    there = "put it where all nodes see it, into a shared folder or a store (s3://…)"
    return f"node {node} of the Ray cluster {problem}: {there if is_place else f'install raywiki {version} on every node'}"


@contextmanager
def signs(places: Sequence[str]) -> Iterator[dict[str, str]]:
    """Files by which other nodes can tell that they see these places, each with the place; those that are made go at the end.

    A file is its own sign; a folder, or the nearest one above it that is there, gets one. What lies at a URL needs none.
    """
    found: dict[str, str] = {}
    made: list[str] = []
    try:
        for place in dict.fromkeys(map(absolute, places)):
            if "://" in place:
                continue
            if os.path.isfile(place):
                found[place] = place
                continue
            sign = f"{nearest_folder(place).rstrip('/')}/.seen-{uuid.uuid4().hex[:8]}"
            LocalFileSystem().pipe_file(sign, b"seen\n")
            made.append(sign)
            found[sign] = place
        yield found
    finally:
        for sign in made:
            with suppress(OSError):
                os.remove(sign)


def require_alike(places: Sequence[str]) -> None:
    """Nothing when the nodes that may get our tasks have this raywiki and see these places.

    Each node with a CPU is asked by a task of its own, all at once, unless it is ours alone. One that joins later is asked by
    its first task.

    Args:
        places: paths and URLs that the tasks read or write.

    Raises:
        ValueError: a node has no raywiki, or another version, or does not see a place.
    """
    import ray
    from ray.exceptions import GetTimeoutError, RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = {each["NodeID"]: each for each in ray.nodes() if each["Alive"] and each["Resources"].get("CPU")}
    if nodes.keys() <= {ray.get_runtime_context().get_node_id()}:
        return
    with signs(places) as seen:
        say = hindrance({path: os.path.getsize(path) for path in seen})

        def ask() -> str:
            import time

            until = time.monotonic() + SEE_WITHIN
            while (problem := say()).startswith("does not see") and time.monotonic() < until:
                time.sleep(0.2)
            return problem

        task = ray.remote(ask)
        asked = {
            node: task.options(
                name="raywiki: ask the node", num_cpus=0, max_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            ).remote()
            for node in nodes
        }  # fmt: skip
        for node, answer in asked.items():
            try:
                problem = ray.get(answer, timeout=ASKED_WITHIN)
            except (RayError, GetTimeoutError):
                continue  # it is dying, or too busy: its first task will tell
            if problem:
                raise ValueError(what_to_do(nodes[node]["NodeManagerAddress"], problem, seen))
