"""The built-in sample wiki: real dump parts, made on the spot from the documentation of the Python that is running.

For a first run without network: real prose, a few megabytes of it, with everything that a wiki's dump holds (sections,
links, lists, tables, templates, redirects, stubs, disambiguations, duplicates, other namespaces, an empty page and a
deleted text), and nothing to ship or to download. The same Python writes the same bytes.

The parts differ in subject, so that a model trained on the first sees something new in the others: 1 is the language
and its data types, 2 is networks and concurrency, 3 is tools and graphical interfaces.
"""

from __future__ import annotations

import bz2
import os
from pathlib import Path

from raywiki.files import local_folder, put
from raywiki.samplewiki import articles, extras
from raywiki.samplewiki.articles import Subject
from raywiki.samplewiki.docs import Doc, read_idle_help, read_library, read_topics, read_zen
from raywiki.samplewiki.dump import Page, dump_xml

WIKI, DATE = "pydocwiki", "20260101"
PARTS = (
    """builtins collections _collections_abc abc array base64 binascii bisect bz2 calendar cmath codecs colorsys copy copyreg
    csv dataclasses datetime decimal difflib enum errno fractions fnmatch functools genericpath glob graphlib gzip
    hashlib heapq hmac html io itertools json keyword linecache locale lzma marshal math numbers operator os pathlib pickle
    plistlib posixpath pprint quopri random re reprlib secrets shelve shutil sqlite3 stat statistics string stringprep struct
    tarfile tempfile textwrap time token tokenize tomllib types typing unicodedata uuid weakref zipfile zlib zoneinfo gettext
    dbm fileinput filecmp contextlib contextvars warnings sys gc __future__ _strptime configparser""",
    """asyncio asynchat asyncore cgi concurrent email ftplib http imaplib ipaddress logging mailbox mailcap mimetypes
    multiprocessing netrc nntplib nturl2path poplib queue _pyio sched select selectors signal smtpd smtplib socket socketserver
    ssl subprocess telnetlib threading _threading_local urllib webbrowser wsgiref xdrlib xml xmlrpc fcntl mmap resource
    termios pty tty getpass pwd grp _thread uu crypt posix platform _aix_support""",
    """argparse ast bdb cProfile cmd code codeop compileall ctypes curses dis distutils doctest ensurepip faulthandler getopt
    idlelib imp importlib inspect lib2to3 modulefinder ntpath optparse pdb pickletools pipes pkgutil profile pstats
    py_compile pyclbr pydoc _pydecimal _pydatetime rlcompleter runpy shlex site symtable sysconfig tabnanny timeit tkinter
    trace traceback tracemalloc turtle turtledemo unittest venv zipapp zipimport aifc chunk wave sunau sndhdr imghdr
    cgitb atexit _osx_support""",
)
# Modules written in C that document what a part's modules offer. Importing any of them does nothing else.
NATIVE_NAMES = """_thread array atexit binascii builtins cmath errno faulthandler fcntl gc grp itertools marshal math mmap
    posix pwd resource select sys termios time unicodedata zlib _asyncio _bisect _bz2 _codecs _collections _csv _ctypes
    _curses _datetime _decimal _functools _hashlib _heapq _imp _io _json _lzma _multiprocessing _operator _pickle _queue
    _random _signal _socket _sqlite3 _ssl _struct _tracemalloc _zoneinfo"""
NATIVE = {name: name if name == "_thread" else name.removeprefix("_") for name in NATIVE_NAMES.split()}
PART_OF = {name: number for number, names in enumerate(PARTS) for name in names.split()}


def write_sample_wiki(folder: str | os.PathLike[str], *, seed: int = 0) -> list[Path]:
    """Write the three dump parts of the sample wiki into `folder` (made if missing); return their paths in order.

    `seed` chooses the order of pages, their authors and times, and which articles are repeated. Files of the same name
    are replaced, each at once. Takes a few seconds. Raises ValueError when `folder` is a URL of another place.
    """
    folder = Path(local_folder(folder, "the sample wiki"))
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    first_id = 1
    for number, pages in enumerate(sample_pages(seed), start=1):
        pages = extras.number_pages(pages, first_id, seed)
        last_id = pages[-1].page_id
        path = folder / f"{WIKI}-{DATE}-pages-articles{number}.xml-p{first_id}p{last_id}.bz2"
        xml = dump_xml(pages, "Pydoc Wiki", WIKI, "https://pydoc.example.org/wiki/Main_Page")
        put(path, bz2.compress(xml.encode()))
        paths.append(path)
        first_id = last_id + 1
    return paths


def sample_pages(seed: int) -> list[list[Page]]:
    """The pages of every part, not yet numbered."""
    modules = read_library([name for part in PARTS for name in part.split()], NATIVE)
    subjects = find_subjects(modules)
    titles = {subject.doc.name: subject.title for subject in subjects}
    aliases = extras.find_aliases(modules, titles)
    titles = {**{alias: titles[name] for alias, name in aliases.items()}, **titles}
    targets = {**articles.section_links(modules), **titles}
    groups = articles.related_titles(subjects)
    pages: list[list[Page]] = [[] for _ in PARTS]
    for subject in subjects:
        pages[subject.part].append(Page(subject.title, articles.article(subject, titles, targets, groups[subject.title])))
    copies = extras.copies(pages, aliases, titles, part_of, seed)
    taken = {page.title for part in (*pages, *copies) for page in part}
    names = extras.name_pages(subjects, aliases, titles, part_of, taken)
    return [[*part, *copies[number], *names[number], *extras.extra_pages(number, pages)] for number, part in enumerate(pages)]


def part_of(name: str) -> int:
    """The part that the articles of a module are in; `name` is the module's or that of something in it.

    >>> part_of("json.encoder.JSONEncoder"), part_of("asyncio"), part_of("tkinter.ttk")
    (0, 1, 2)
    """
    return PART_OF[name.partition(".")[0]]


def find_subjects(modules: list[Doc]) -> list[Subject]:
    """Everything that gets an article, each title once."""
    subjects: dict[str, Subject] = {}
    for module in modules:
        for doc in (module, *(member for member in module.members if articles.has_page(member))):
            title = articles.title_of(doc)
            if doc.text or doc.members:
                subjects.setdefault(title, Subject(doc, module, part_of(module.name), title))
    for part, topics in ((0, [*read_topics(), *read_zen()]), (2, read_idle_help())):
        for topic in topics:
            title = articles.title_of(topic)
            title = f"{title} ({topic.name.partition(':')[2]})" if title in subjects else title
            subjects[title] = Subject(topic, topic, part, title)
    return list(subjects.values())
