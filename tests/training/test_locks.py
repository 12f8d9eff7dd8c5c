from __future__ import annotations

import errno
import fcntl
import os

import pytest

from raywiki.training.locks import hold_lock


def test_whoever_comes_second_learns_who_holds_the_lock(tmp_path):
    with (
        hold_lock(tmp_path / "lock") as lease,
        pytest.raises(ValueError, match=rf"^the run is busy \(it is process {os.getpid()} on \S+ since "),
        hold_lock(tmp_path / "lock", 0.0, "the run is busy"),
    ):
        pass
    assert lease == ""
    with hold_lock(tmp_path / "lock", 0.0):
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_there_are_no_locks_a_lease_stands_in_and_says_so(tmp_path, monkeypatch, number):
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with hold_lock(tmp_path / "lock") as lease:
        assert "stands in for a lock" in lease or number == errno.ENOSYS  # which filelock knows by itself
        with pytest.raises(ValueError, match="the run is busy"), hold_lock(tmp_path / "lock", 0.0, "the run is busy"):
            pass
    with hold_lock(tmp_path / "lock", 0.0):
        pass
