"""What is said where a dump file cannot be read whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Damage:
    """A stretch of a file that could not be read."""

    path: str
    start: int  # bytes of the file, as it lies there (compressed, for .bz2)
    end: int
    what: str
    page_before: int | None = None  # id of the last page before it, of the first after it; None: none, or not known
    page_after: int | None = None

    def __str__(self) -> str:
        before = "no page" if self.page_before is None else f"page {self.page_before}"
        after = "no page" if self.page_after is None else f"page {self.page_after}"
        return (
            f"{self.path} is damaged at bytes {self.start:,} to {self.end:,}: {self.what} "
            f"({before} comes before, {after} after)"
        )


class DamagedDump(ValueError):
    """A dump file that cannot be read whole; `damage` lists where."""

    def __init__(self, damage: list[Damage]) -> None:
        self.damage = damage
        more = f", and at {len(damage) - 1} more places" if len(damage) > 1 else ""
        super().__init__(f"{damage[0]}{more}; download the file again, or allow damaged files to read the rest")

    def __reduce__(self) -> tuple[type[DamagedDump], tuple[list[Damage]]]:
        return DamagedDump, (self.damage,)
