from __future__ import annotations

import hashlib

from raywiki.dumps.checksums import listed_digest


def test_the_list_beside_a_dump_is_found(tmp_path):
    dump = tmp_path / "xxwiki-20260101-pages-articles1.xml-p1p9.bz2"
    dump.write_bytes(b"content")
    assert listed_digest(str(dump)) is None
    sha1 = hashlib.sha1(b"content").hexdigest()
    sums = tmp_path / "xxwiki-20260101-sha1sums.txt"
    sums.write_text(f"{'0' * 40}  other.bz2\n{sha1}  {dump.name}\n")
    assert listed_digest(str(dump)) == ("sha1", sha1, str(sums))
    sha256 = hashlib.sha256(b"content").hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{sha256} *{dump.name}\n")
    assert listed_digest(str(dump)) == ("sha256", sha256, str(tmp_path / "SHA256SUMS"))
