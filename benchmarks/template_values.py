"""Which templates stand inside sentences, and how many of them keep their value in the text?

    python benchmarks/template_values.py DUMP … [--language xx] [--list 40]

A use counts when it stands in running text: outside references, tables and other templates, on a line with at least four
words of its own. Citations, footnotes, maintenance tags and templates that only lay out a page or show a picture are set
aside, as they have no value to keep; the lists of their names are below. A use is kept when it leaves text behind.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict

from raywiki.dumps import read_range, read_siteinfo, split_dump
from raywiki.wikitext import clean_wikitext

COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
REFERENCE = re.compile(
    r"<ref(?=[\s/>])(?:[^<>]*+(?<=/)>|[^<>]*+>[^<]*+(?:<(?!/?ref\b)[^<]*+)*+</ref\s*+>)"
    r"|<nowiki>.*?</nowiki>|<math.*?</math>",
    re.I | re.S,
)
# Set aside: names that begin so, in English and in the languages of the dumps.
ASIDE = re.compile(
    r"(?:"
    r"cite|перехід|fact|citation|chú thích|sfn|harv(?!txt|nb)|rp\b|efn|refn?\b|ref\+|reftag|note\b|note label"
    r"|ref label|cref|cnote|fn\b|webarchive|wayback|dead link|liên kết hỏng|недоступне посилання|cần |citation needed"
    r"|fact\b|факт|джерело|без джерел|немає |значущість|значимість|πηγή|πηγές|παραπομπή|εκκρεμεί|χρειάζεται|ασαφές"
    r"|ουδετερότητα|dubious|clarify|clarification|when|who\b|which|where|by whom|according to whom|vague|page needed"
    r"|full|better source|verify|failed verification|unreliable|update|relevance|qualify|weasel|specify|expand|coord"
    r"|anchor|clear|main|see also|seealso|further|about|chính|xem thêm|bài chính|докладніше|κύριο|κύρια|legend"
    r"|легенда|color box|flagicon|flagdeco|biểu tượng|прапорець|multiple image|gallery|infobox|thông tin|hộp"
    r"|weather box|ribbon devices|quote box|portal|commons|wiktionary|use dmy|tham khảo|reflist|số trang|коли|ai nói"
    r"|khi nào|яка|ком|еіу|юридична енциклопедія|есу|фес|тес|мсіу|еу\b|уре|уме|урес|уле|мфе|гу\b|шл-|ум-|поле|h\b"
    r"|у планах|шрифти|іменини|refimprove|inflation-fn|pp\b|đoạn|khóa|1000 bài|thanh bên|sidebar|clade|tđbkvn"
    r"|значення|життєпис|wide image|редагування|κατάλογος|χάρτης|πόλη|γλωσσολογία|επιστήμη|αρχείο ερτ|#tag|#invoke"
    r"|qual|anonymous|section\b(?! link)|nhiều|các dân tộc|hình học|chính trị|quản trị|indochine|german federal|graph"
    r"|external media|listen|mpc|defaultsort|bots|short description|dts|spoken|video|location map|side box|chart"
    r"|flowchart|family tree|футер|пов'язані|div col|col-|colbegin|refbegin|tone|original research|undue|pov|peacock"
    r"|jargon|technical|contradict|not in|or\b|speculation|sync"
    r")",
    re.IGNORECASE,
)


def inline_uses(wikitext: str, *, list_items: bool = False) -> list[tuple[str, str]]:
    """(name, source) of each template in running text; with `list_items` those beside one word in a list item too."""
    text = REFERENCE.sub("", COMMENT.sub("", wikitext))
    spans, depth, start = [], 0, 0
    for match in re.finditer(r"\{\{|\}\}", text):
        if match[0] == "{{":
            start = start if depth else match.start()
            depth += 1
        elif depth:
            depth -= 1
            if not depth:
                spans.append((start, match.end()))
    masked, position = [], 0
    for begin, end in spans:
        masked += [text[position:begin], "\x02"]
        position = end
    lines = "".join([*masked, text[position:]]).split("\n")
    uses, remaining, in_table = [], iter(spans), 0
    for line in lines:
        content = line.lstrip(" :*#;")
        in_table += content.startswith("{|")
        least = 1 if list_items and line[:1] in ("*", "#", ":", ";") else 4
        prose = not in_table and content[:1] not in ("|", "!") and len(re.findall(r"\w+", line)) >= least
        in_table -= content.startswith("|}") and in_table > 0
        for _ in range(line.count("\x02")):
            begin, end = next(remaining)
            name = " ".join(re.split(r"[|]", text[begin + 2 : end - 2], maxsplit=1)[0].replace("_", " ").split())
            if prose:
                uses.append((name.partition(":")[0] + ":" if ":" in name else name, text[begin:end]))
    return uses


def pages(path: str) -> list[tuple[str, str]]:
    found = []
    for dump_range in split_dump(path):
        for batch in read_range(dump_range):
            for page in batch.select(["title", "namespace", "redirect", "model", "text"]).to_pylist():
                is_article = page["namespace"] == 0 and page["redirect"] is None and page["model"] in (None, "wikitext")
                if is_article and page["text"]:
                    found.append((page["title"], page["text"]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dumps", nargs="+")
    parser.add_argument("--list", type=int, default=25, help="how many of the templates that lose their value to show")
    args = parser.parse_args()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    lost: dict[str, Counter[str]] = defaultdict(Counter)
    examples: dict[tuple[str, str], str] = {}
    for path in args.dumps:
        language = read_siteinfo(path).language
        for title, wikitext in pages(path):
            for name, source in inline_uses(wikitext):
                if ASIDE.match(name):
                    counts[language]["aside"] += 1
                    continue
                kept = clean_wikitext(f"x{source}x", language=language, title=title).text != "xx"
                counts[language]["kept" if kept else "lost"] += 1
                if not kept:
                    lost[language][name.lower()] += 1
                    examples.setdefault((language, name.lower()), source[:90].replace("\n", " "))
    print(f"{'language':10}{'in sentences':>14}{'set aside':>12}{'with a value':>14}{'kept':>8}{'share':>9}")
    for language, count in counts.items():
        valued = count["kept"] + count["lost"]
        print(
            f"{language:10}{valued + count['aside']:14,}{count['aside']:12,}{valued:14,}{count['kept']:8,}"
            f"{count['kept'] / max(valued, 1):9.1%}"
        )
    for language, names in lost.items():
        print(f"\nvalue lost, {language}:")
        for name, number in names.most_common(args.list):
            print(f"{number:6}  {name:30} {examples[language, name]}")


if __name__ == "__main__":
    main()
