"""How many of MediaWiki's own tests of parser functions and variables does the cleaner pass?

    python benchmarks/parser_functions.py FILE … [--list]

FILE is a test file of MediaWiki (tests/parser/*.txt) or of its extension ParserFunctions (tests/parser/*.txt), or that
extension's tests/phpunit/unit/ExpressionTest.php. Counted are the tests that call a function or variable; their HTML is
compared as text, without blank lines and list marks. Tests that need what no dump part tells (other pages, the wiki's
settings, an extension or a hook of the suite's own) are set aside, with the reason.
"""

from __future__ import annotations

import argparse
import html
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from raywiki.wikitext import clean_wikitext
from raywiki.wikitext.arithmetic import evaluate

NAMES = (
    "#[a-z]+|if|lc|uc|lcfirst|ucfirst|formatnum|plural|grammar|gender|padleft|padright|urlencode|anchorencode|ns|nse|bidi|int|"
    r"(?:full|base|sub|root|subject|talk|article)?pagenamee?|(?:subject|talk|article)?spacee?|namespace(?:e|number)?|"
    r"(?:current|local)[a-z0-9]+|#language|#dir|#tag|localurl|fullurl|canonicalurl|filepath|displaytitle|defaultsort"
)
CALL = re.compile(rf"\{{\{{\s*(?:{NAMES})\s*(?:[:|]|\}}\}})", re.IGNORECASE)
ASIDE = {
    "other pages, or whether there are any": re.compile(r"#ifexist|\{\{(?:template|:)", re.IGNORECASE),
    "addresses of the wiki, other settings": re.compile(
        r"(?:localurl|fullurl|canonicalurl|filepath|server|sitename|int:|wglocaltimezone|numberof|pagesin|revision|"
        r"protection|talkpagename|talkspace|#timef)",
        re.IGNORECASE,
    ),
    "pages of other namespaces than articles": re.compile(r"title=\[\[User|\{\{ns:|\bsubpage\b", re.IGNORECASE),
    "extensions and hooks of the suite": re.compile(r"#tag|showtitle|<(?:tag|aside|statictag|sealed)", re.IGNORECASE),
}
NOW = datetime(1970, 1, 1, 0, 2, 3, tzinfo=UTC)  # what MediaWiki's suite takes for now


def tests_in(path: str) -> list[dict[str, str]]:
    """The sections of each test by name: test, options, wikitext, html …"""
    found, section, test = [], "", {}
    for line in Path(path).read_text(encoding="utf-8").splitlines(keepends=True):
        mark = re.match(r"!!\s*(\S+)", line)
        if not mark:
            test[section] = test.get(section, "") + line
        elif mark[1] == "end":
            found.append(test)
            test, section = {}, ""
        else:
            section = mark[1]
            test.setdefault(section, "")
    return [test for test in found if "test" in test]


def as_text(source: str) -> str:
    text = re.sub(r"<(?:br|/p|/li|/h\d|/div|/tr)\b[^>]*>", "\n", source)
    text = html.unescape(re.sub(r"<[^>]+>", "", text))
    return "\n".join(" ".join(line.split()) for line in text.split("\n") if line.strip())


def ours(wikitext: str, options: str) -> str:
    language = re.search(r"language=(\S+)", options)
    title = re.search(r"title=\[\[([^\]]+)\]\]", options)
    text = clean_wikitext(
        wikitext,
        language=language[1] if language else "en",
        title=title[1] if title else "Parser test",
        timestamp=NOW,
        namespaces={},
    ).text
    return as_text(html.escape(re.sub(r"(?m)^(?:- |\d+\. )", "", text)))


def expressions(path: str, listed: bool) -> str:
    """The pairs of ExpressionTest.php, and those that must fail."""
    source = Path(path).read_text(encoding="utf-8")
    values, errors = source.split("function testExpressionThrows")[:2]
    passed = total = 0
    for expression, value in re.findall(r"\[ '([^']*)', '([^']*)' \]", values):
        number = evaluate(expression)
        shown = "" if number is None else f"{number + 0.0:.14g}"
        passed, total = passed + (shown == value), total + 1
        if listed and shown != value:
            print(f"  {expression!r}: {value} is {shown}")
    for expression in re.findall(r"=> \[ '([^']*)' \]", errors):
        failed = evaluate(expression) is None
        passed, total = passed + failed, total + 1
        if listed and not failed:
            print(f"  {expression!r} is no error")
    return f"{passed} of {total} expressions"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--list", action="store_true", help="show the tests that fail")
    args = parser.parse_args()
    for path in args.files:
        if path.endswith(".php"):
            print(f"{path.rpartition('/')[2]}: {expressions(path, args.list)}")
            continue
        count: Counter[str] = Counter()
        for test in tests_in(path):
            wikitext = test.get("wikitext") or test.get("input", "")
            expected = next((test[key] for key in ("html", "html/php", "html/*", "result") if key in test), None)
            options = test.get("options", "") + test.get("config", "")
            if expected is None or not CALL.search(wikitext) or re.search(r"\b(?:pst|msg|disabled|preload)\b", options):
                continue
            reason = next((why for why, pattern in ASIDE.items() if pattern.search(wikitext + options)), None)
            if reason:
                count[reason] += 1
                continue
            got, want = ours(wikitext.removesuffix("\n"), options), as_text(expected)
            count["pass" if got == want else "fail"] += 1
            if args.list and got != want:
                print(f"--- {test['test'].strip()}\n{wikitext}\n  MediaWiki: {want!r}\n  raywiki:   {got!r}")
        print(f"{path.rpartition('/')[2]}: " + ", ".join(f"{why} {number}" for why, number in count.most_common()))


if __name__ == "__main__":
    main()
