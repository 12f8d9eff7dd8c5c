"""The tokens of a part as flat files: decoded from Parquet once, then read by every process.

A random window straight from Parquet costs the decoding of a row group; from a flat file it costs one read.

    <folder>/<key>/train.bin val.bin cache.json      documents in order, ids as little-endian u16 or u32

The key stands for the digests of the shards, so other tokens never meet an old cache; a cache can be deleted at any time.
Whoever uses one holds a shared lock on its cache.json, so that `clean_cache` knows.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from raywiki.files import sha256_of
from raywiki.progress import say
from raywiki.training.locks import hold_lock

_FORMAT = 1
_ABOUT = "cache.json"
OpenFile = Callable[[str], io.BufferedIOBase]


class TokenFile:
    """Token ids in a file, of which slices are read as arrays. Pages that are read do not stay in the memory of the process.

    Those of a memory map do, with what lies around them: after some hundred random windows the process is said to hold most
    of the file, and whoever limits its memory ends it.
    """

    def __init__(self, path: Path, dtype: np.dtype) -> None:
        self._file, self._dtype = open(path, "rb", buffering=0), dtype  # noqa: SIM115 closed with the last reference to it
        self._number = self._file.fileno()
        self._length = os.fstat(self._number).st_size // dtype.itemsize

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, window: slice) -> np.ndarray:
        """The ids of a slice without a step; any number of threads may read at once."""
        start, stop, _ = window.indices(self._length)
        size = self._dtype.itemsize
        return np.frombuffer(os.pread(self._number, max(0, stop - start) * size, start * size), self._dtype)


Ids = np.ndarray | TokenFile  # of which slices are taken


@dataclass(frozen=True)
class TokenCache:
    """Token ids of one part, `train_tokens` and `val_tokens` of them, read-only; `max_id` is -1 when there are none.

    `held` is an open file: as long as it is, `clean_cache` leaves the cache alone.
    """

    train: Ids
    val: np.ndarray
    max_id: int
    held: BinaryIO | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class CacheEntry:
    """A folder in a folder of caches: its name, the part whose tokens it holds ("" for what is not whole), and its bytes."""

    key: str
    part: str
    bytes: int


def shards_digest(digests: Sequence[str]) -> str:
    """One SHA-256 (hex) for the digests of a part's shards, in order: the identity of its tokens."""
    return hashlib.sha256(json.dumps([_FORMAT, *digests]).encode()).hexdigest()


def cache_folder() -> Path:
    """Where decoded tokens lie on a node: $RAYWIKI_CACHE_DIR, else raywiki's folder in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("RAYWIKI_CACHE_DIR") or Path(home) / "raywiki")


def cache_key(digest: str) -> str:
    """The name of the folder of tokens with this digest, see `shards_digest`."""
    return digest[:32]


def is_cached(folder: str | os.PathLike[str], digest: str) -> bool:
    """Whether tokens with this digest lie decoded in a folder of caches."""
    return (Path(folder) / cache_key(digest) / _ABOUT).exists()


def cache_entries(folder: str | os.PathLike[str]) -> list[CacheEntry]:
    """All that lies in a folder of caches, what killed processes left half-made among it; nothing when it is not there."""
    found = []
    for path in sorted(Path(folder).glob("*/")):
        with suppress(FileNotFoundError):  # cleaned or finished meanwhile
            size = sum(each.stat().st_size for each in path.iterdir())
            about = json.loads((path / _ABOUT).read_bytes()) if not path.name.startswith(".") else {}
            found.append(CacheEntry(path.name, about.get("part", ""), size))
    return found


def clean_cache(folder: str | os.PathLike[str], dry_run: bool = False) -> tuple[list[CacheEntry], list[CacheEntry]]:
    """Remove what nobody makes or uses just now, of any corpus. Returns what was (or would be) removed, and what was left."""
    removed, left = [], []
    for entry in cache_entries(folder):
        path, key = Path(folder) / entry.key, entry.key.removeprefix(".").partition(".")[0]
        try:
            with hold_lock(path.with_name(f".{key}.lock"), 0, "busy"), _alone(path):
                if not dry_run:
                    trash = path.with_name(f".{key}.{uuid.uuid4().hex[:8]}.tmp")
                    os.rename(path, trash)  # nobody sees half of it
                    shutil.rmtree(trash)
        except FileNotFoundError:
            continue
        except (ValueError, OSError):
            left.append(entry)
        else:
            removed.append(entry)
    return removed, left


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While the block runs nobody begins to use a cache. Raises OSError when somebody does, or nobody can tell."""
    if folder.name.startswith("."):
        yield
        return
    with open(folder / _ABOUT, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def open_cache(
    folder: str | os.PathLike[str], part: str, shards: Sequence[tuple[str, str]], open_file: OpenFile | None = None
) -> TokenCache:
    """The cache of a part's tokens, made when it is not there yet.

    Any number of processes may ask at once: one makes it, the others wait. It appears whole or not at all.

    Args:
        folder: where caches lie; made when missing.
        part: the part's id, for error messages.
        shards: path and SHA-256 (hex) of each shard, in order.
        open_file: opens a path for reading; `open(path, "rb")` when None. A corpus elsewhere passes its file system's.

    Raises:
        ValueError: a shard is missing or damaged, is not what its digest says, or is no shard of tokens.
    """
    target = Path(folder) / cache_key(shards_digest([digest for _, digest in shards]))
    found = _read(target)
    if found is not None:
        return found
    with hold_lock(target.with_name(f".{target.name}.lock")):
        found = _read(target)
        if found is None:
            _build(target, part, shards, open_file or _open_local)
            found = _read(target)
    assert found is not None, target
    return found


def check_caches(caches: Mapping[str, TokenCache], expected: Mapping[str, int], vocab_size: int) -> None:
    """Raise ValueError unless each part's cache holds the planned number of tokens, all of them within the vocabulary."""
    for name, n_tokens in expected.items():
        assert name in caches, f"no cache for part {name}"
        if len(caches[name].train) != n_tokens:
            raise ValueError(
                f"part {name} has {len(caches[name].train)} training tokens in its shards, its manifest says {n_tokens}: "
                "remove that manifest and run `raywiki tokenize` again"
            )
        if caches[name].max_id >= vocab_size:
            raise ValueError(
                f"part {name} holds token id {caches[name].max_id}, the vocabulary has only {vocab_size} ids: "
                "tokenize it again with the encoding of the run"
            )


def _read(folder: Path) -> TokenCache | None:
    """The cache in a folder, or None unless it is whole."""
    try:
        held = _hold(folder / _ABOUT)
        about = json.loads(held.read())
        dtype = np.dtype(about["dtype"])
        sizes = {split: about[f"{split}_tokens"] for split in ("train", "val")}
        if any((folder / f"{split}.bin").stat().st_size != n * dtype.itemsize for split, n in sizes.items()):
            return None
    except (OSError, ValueError, KeyError):
        return None
    val = _map(folder / "val.bin", dtype) if sizes["val"] else np.empty(0, dtype)
    return TokenCache(TokenFile(folder / "train.bin", dtype), val, about["max_id"], held)


def _hold(path: Path) -> BinaryIO:
    """The file, opened, with a lock that any number of processes share until it is closed. Raises OSError when it is gone."""
    file = open(path, "rb")  # noqa: SIM115 its owner keeps it open
    with suppress(OSError):  # where there are no locks, nobody can clean either
        fcntl.flock(file, fcntl.LOCK_SH)
    if not os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
        raise FileNotFoundError(path)  # it was cleaned, and perhaps made again, while this waited
    return file


def _map(path: Path, dtype: np.dtype) -> np.ndarray:
    """The file as an array, as a plain one: a slice of a `memmap` costs several times more to make."""
    return np.memmap(path, dtype, "r").view(np.ndarray)


def _build(target: Path, part: str, shards: Sequence[tuple[str, str]], open_file: OpenFile) -> None:
    for left in target.parent.glob(f".{target.name}.*.tmp"):  # by a process that was killed: this one holds the lock
        shutil.rmtree(left, ignore_errors=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    temporary.mkdir()
    say(f"reading the tokens of {part} into the cache")
    try:
        about = _write(temporary, part, shards, open_file)
        (temporary / _ABOUT).write_text(json.dumps(about) + "\n")
        shutil.rmtree(target, ignore_errors=True)  # only ever the remains of a broken one: `_read` refused it
        try:
            os.rename(temporary, target)
        except OSError:
            if _read(target) is None:  # else a process that the lock did not reach was first, with the same content
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(folder: Path, part: str, shards: Sequence[tuple[str, str]], open_file: OpenFile) -> dict[str, Any]:
    counts, max_id, dtype = {"train": 0, "val": 0}, -1, None
    with open(folder / "train.bin", "wb") as train, open(folder / "val.bin", "wb") as val:
        files = {"train": train, "val": val}
        for path, digest in shards:
            for split, ids in _read_shard(path, digest, open_file):
                if dtype not in (None, ids.dtype):
                    raise ValueError(f"the shards of part {part} mix {dtype} and {ids.dtype} ids: tokenize it again")
                dtype = ids.dtype
                files[split].write(ids.astype(dtype.newbyteorder("<"), copy=False).tobytes())
                counts[split] += len(ids)
                max_id = max(max_id, int(ids.max(initial=0)))
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    return {
        "part": part,
        "dtype": np.dtype(dtype or np.uint16).newbyteorder("<").str,
        "train_tokens": counts["train"],
        "val_tokens": counts["val"],
        "max_id": max_id,
    }


def _read_shard(path: str, digest: str, open_file: OpenFile) -> Iterator[tuple[str, np.ndarray]]:
    """Pairs of split and ids, whole documents in order, a bounded number at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    advice = "remove it and run `raywiki tokenize` again"
    try:
        with open_file(path) as file:
            if sha256_of(file) != digest:
                raise ValueError(f"{path} is not the file that was committed (its SHA-256 is not {digest[:12]}…): {advice}")
            file.seek(0)
            for batch in pq.ParquetFile(file).iter_batches(batch_size=256, columns=["split", "tokens"]):
                for split in ("train", "val"):
                    chosen = batch.column("tokens").filter(pc.equal(batch.column("split"), split))
                    if len(chosen):
                        yield split, chosen.flatten().to_numpy()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ValueError(f"{path} cannot be read as a shard of tokens ({error}): {advice}") from error


def _open_local(path: str) -> io.BufferedIOBase:
    return open(path, "rb")
