"""What a dump says about its wiki before its first page, and whether a file is a dump at all."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from raywiki.dumps.blocks import walk_blocks
from raywiki.dumps.damage import Damage, DamagedDump
from raywiki.dumps.forms import WANTED, find_form, is_decode_error, open_decoded
from raywiki.dumps.integrity import RangeReport
from raywiki.dumps.ranges import DumpRange
from raywiki.dumps.source import Source

HEAD_LIMIT = 8 << 20  # bytes of XML within which a dump's <siteinfo> must end; real ones take 3 to 30 kB
HEAD_PIECE = 1 << 14
HEAD_FILE_PIECE = 1 << 18  # about one bzip2 block
_ROOT = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)mediawiki[\s>]")
_HEAD_END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?siteinfo>|<(?:[A-Za-z_][\w.-]*:)?page[\s>]")
_FIRST_PAGE = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*)?<((?:[A-Za-z_][\w.-]*:)?)page[\s>]")  # an export without a root
_PROJECTS = "wiki|wiktionary|wikibooks|wikinews|wikiquote|wikisource|wikivoyage|wikiversity"
_WIKI_NAME = re.compile(rf"([a-z][a-z0-9_]*?)({_PROJECTS})(?=[-.])")
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# What MediaWiki leaves as it is when it makes a page's address (wfUrlencode), beside letters, digits and "-_.".
_URL_SAFE = ";@$!*(),/~:"


@dataclass(frozen=True)
class SiteInfo:
    """A wiki as its dump describes it.

    >>> site = SiteInfo("enwiki", "Wikipedia", "https://en.wikipedia.org/wiki/Main_Page", "en", "", "first-letter", "0.11")
    >>> site.url("C++ (Sprache)/Übersicht: 100 %")
    'https://en.wikipedia.org/wiki/C%2B%2B_(Sprache)/%C3%9Cbersicht:_100_%25'
    """

    wiki: str  # the database's name, "enwiki"
    sitename: str
    base: str  # address of the main page
    language: str
    generator: str
    case: str  # "first-letter": titles begin with a capital; "case-sensitive"
    version: str  # of the export format, "0.10" or "0.11"
    namespaces: dict[int, str] = field(default_factory=dict)  # key → local name; key 0 → ""
    prefix: str = ""  # of the XML namespace with its colon; empty in all of Wikimedia's dumps
    is_guessed: bool = False  # from the file's name or by the caller, as the dump does not tell

    def url(self, title: str) -> str:
        """The address of a page, quoted as MediaWiki does."""
        base = urlsplit(self.base)
        return f"{base.scheme}://{base.netloc}/wiki/" + quote(title.replace(" ", "_"), safe=_URL_SAFE)


def read_siteinfo(path: str, language: str | None = None) -> SiteInfo:
    """Read a dump's `<siteinfo>`; only the file's head is read, so damage further on does not matter.

    Args:
        path: of the file, or its URL.
        language: of a dump without `<siteinfo>`, as cut exports and other projects' test files are; when None, and the file's
            name begins with that of a wiki (`enwikinews-…`), the language is the one there.

    Raises:
        ValueError: the file is no MediaWiki dump, or nobody says which wiki it is of; the sentence says what to do instead.
        FileNotFoundError: there is no such file.
    """
    path = str(path)
    with Source(path) as source:
        head = _read_head(path, find_form(path, source), source)
    root = _ROOT.search(head)
    if root is None and (page := _FIRST_PAGE.match(head)):
        return _guess(path, head, language, page[1].decode())
    if root is None:
        raise ValueError(f"{path} is no MediaWiki dump, it begins with {_show(head)}: {WANTED}")
    prefix = root[1].decode()
    end_tag = f"</{prefix}siteinfo>".encode()
    end = head.find(end_tag)
    if end < 0 and not re.search(rb"<%ssiteinfo[\s>]" % root[1], head) and re.search(rb"<%spage[\s>]" % root[1], head):
        return _guess(path, head, language, prefix)
    if end < 0:
        raise ValueError(f"{path} has no whole <siteinfo> before its first page: download it again, or {WANTED}")
    xml = head[root.start() : end + len(end_tag)] + f"</{prefix}mediawiki>".encode()
    try:
        return _to_siteinfo(ET.fromstring(xml), prefix)
    except ET.ParseError as error:
        raise ValueError(f"the <siteinfo> of {path} is not well-formed ({error}): download the file again") from None


def _read_head(path: str, form: str, source: Source) -> bytes:
    """XML up to the end of <siteinfo>, or as much as there is before something else comes."""
    head = b""
    if form == "bz2":
        return _read_first_blocks(path, source)
    try:
        decoded = open_decoded(source, form)
        while not _is_enough(head):
            piece = decoded.read1(HEAD_PIECE)  # what comes before an error is kept
            head += piece
            if not piece:
                break
    except Exception as error:
        if not is_decode_error(error):
            raise
        if not head:
            raise DamagedDump([Damage(path, 0, source.furthest, f"its beginning cannot be decoded ({error})")]) from error
    return head


def _is_enough(head: bytes) -> bool:
    """Whether <siteinfo> is whole, or it is plain that none comes."""
    return len(head) > HEAD_LIMIT or bool(_HEAD_END.search(head)) or (len(head) > 4096 and not _ROOT.search(head))


def _read_first_blocks(path: str, source: Source) -> bytes:
    """The same for .bz2, whose blocks are checked one by one: of a damaged one libbz2 may decode nonsense at first."""
    head, size = b"", source.size()
    first = DumpRange(path, 0, 0, size, size, "bz2")
    for chunk in walk_blocks(first, source, RangeReport(first), piece_bytes=HEAD_FILE_PIECE):
        if chunk.damage is not None and chunk.gap:
            raise DamagedDump([chunk.damage])
        head += chunk.data
        if _is_enough(head):
            break
    return head


def _guess(path: str, head: bytes, language: str | None, prefix: str) -> SiteInfo:
    """The wiki of a dump that does not tell, from its file's name or from the language."""
    name = path.rsplit("/", 1)[-1]
    named = _WIKI_NAME.match(name)
    if language is None and (lang := re.search(rb"<(?:[\w.-]+:)?mediawiki[^>]*\sxml:lang=[\"']([a-z-]+)", head)):
        language = lang[1].decode()
    if named is None and language is None:
        raise ValueError(
            f"{path} has no <siteinfo>, and its name does not begin with that of a wiki, such as enwiki-: say its language "
            "(--language en), or download the dump again if it should have one"
        )
    code, project = (named[1], named[2]) if named else (str(language).replace("-", "_"), "wiki")
    host = f"{code.replace('_', '-')}.{'wikipedia' if project == 'wiki' else project}.org"
    return SiteInfo(
        wiki=f"{code}{project}", sitename="", base=f"https://{host}/wiki/Main_Page",
        language=language or _guess_language(f"{code}{project}", ""), generator="", case="", version="", prefix=prefix,
        is_guessed=True,
    )  # fmt: skip


def _to_siteinfo(root: ET.Element, prefix: str) -> SiteInfo:
    site = next((child for child in root if _local(child) == "siteinfo"), root)
    values = {_local(child): (child.text or "").strip() for child in site}
    namespaces = {
        int(element.attrib["key"]): (element.text or "").strip()
        for element in site.iter()
        if _local(element) == "namespace" and "key" in element.attrib
    }
    wiki, base = values.get("dbname", ""), values.get("base", "")
    return SiteInfo(
        wiki=wiki or urlsplit(base).netloc,
        sitename=values.get("sitename", ""),
        base=base,
        language=root.attrib.get(_XML_LANG) or _guess_language(wiki, base),
        generator=values.get("generator", ""),
        case=values.get("case", ""),
        version=root.attrib.get("version", ""),
        namespaces=namespaces,
        prefix=prefix,
    )


def _guess_language(wiki: str, base: str) -> str:
    """The language in a database's name (`be_x_oldwiki`) or a host's (`uk.wikipedia.org`)."""
    name = re.fullmatch(rf"([a-z][a-z_]*?)({_PROJECTS})", wiki)
    if name:
        return "en" if name[1] == "simple" else name[1].replace("_", "-")
    host = urlsplit(base).netloc.split(".")
    return host[0] if len(host) > 2 and host[0] != "www" else "en"


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _show(head: bytes) -> str:
    return repr(head[:40].decode("utf-8", "replace")) if head else "nothing"
