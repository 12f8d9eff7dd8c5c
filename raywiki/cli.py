"""The `raywiki` command: the verbs of the library under the same names.

Exit status 0: done; 1: failed, with one sentence on standard error; 2: wrong usage; 3: stopped before the end, what was done
is saved; 130 and 143: ended by Ctrl-C or SIGTERM. Nothing heavy is imported before a command runs, so that `--help` answers
at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Annotated, Any

import typer

from raywiki.command import run_verb
from raywiki.curation.names import ARTICLE_RULE_NAMES, RULE_SET_NAMES
from raywiki.training.config import SIZES
from raywiki.training.options import TrainOptions, option_help

app = typer.Typer(
    name="raywiki",
    help="Grow a language model on Wikipedia, one dump part at a time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
tokenizer_app = typer.Typer(no_args_is_help=True, help="Vocabularies.")
app.add_typer(tokenizer_app, name="tokenizer")
inspect_app = typer.Typer(no_args_is_help=True, help="Single rows: what was rejected, what was dropped; and tokens.")
app.add_typer(inspect_app, name="inspect")


def _version(asked: bool) -> None:
    if asked:
        import raywiki as rw

        print(f"raywiki {rw.__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


CorpusArg = Annotated[str, typer.Argument(metavar="CORPUS", help="Folder or URL of the corpus.")]
DumpsArg = Annotated[list[str], typer.Argument(metavar="DUMP...", help="Dump parts, or other text: files or URLs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, remove nothing.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Redo parts that are committed with other settings.")]

WikiArg = Annotated[str, typer.Argument(metavar="WIKI", help="Name of the wiki: enwiki, simplewiki …")]
DumpDate = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="20251101, or 2025-11-01 for a content export; the newest complete dump by default."),
]
DumpNumbers = Annotated[str, typer.Option(help="Numbers, as `raywiki parts` shows them: 2, 1-3 or 1-3,7.")]
MirrorOpt = Annotated[
    list[str] | None,
    typer.Option(help="Address of a mirror, or a folder like one, tried in turn; the main site by default."),
]

Language = Annotated[str | None, typer.Option(help="Language code; from the dump by default.")]
Cleaner = Annotated[str | None, typer.Option(help="raywiki, or mwparserfromhell to compare; as the corpus is by default.")]
Templates = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="What `raywiki templates` wrote, own, or none; by default as the corpus, else own for a whole wiki.",
    ),
]
TextFormat = Annotated[
    str | None,
    typer.Option("--format", help="dump, c4, jsonl, parquet, text or blocks; by name and first bytes by default."),
]
SourceOpt = Annotated[str | None, typer.Option(help="A word for what the text is from, for --mix; wiki for dumps by default.")]
AllowDamaged = Annotated[bool, typer.Option("--allow-damaged", help="Commit what a damaged dump still holds.")]

MinChars = Annotated[int | None, typer.Option(help="Drop articles with fewer characters; 500 by default.")]
MinWords = Annotated[int | None, typer.Option(help="Drop articles with fewer words; 0 by default.")]
Rules = Annotated[
    list[str] | None,
    typer.Option(
        help=f"Quality rule, once for each: {', '.join((*ARTICLE_RULE_NAMES, *RULE_SET_NAMES))}, or one rule of a set, such as"
        " dup_line_frac; none by default."
    ),
]
Fraction = Annotated[
    float | None, typer.Option(help="Keep this share of articles, by a hash of the page id; 1 (all) by default.")
]
KeepErrors = Annotated[
    bool | None,
    typer.Option("--keep-errors/--drop-errors", help="Keep articles whose page could not be cleaned; dropped by default."),
]
Threshold = Annotated[float | None, typer.Option(help="Jaccard similarity of near-duplicates; 0.8 by default.")]

EncodingOpt = Annotated[
    str | None,
    typer.Option(
        metavar="NAME_OR_FILE", help="gpt2, cl100k_base or another of tiktoken's, or a vocabulary file; gpt2 by default."
    ),
]
ValFraction = Annotated[float | None, typer.Option(help="Share of pages kept for validation; 0.005 by default.")]
Title = Annotated[
    bool | None, typer.Option("--title/--no-title", help="Begin each document with its title and a blank line; no by default.")
]

Run = Annotated[str, typer.Option(help="Name of the training run.")]
Device = Annotated[str | None, typer.Option(help="cpu or cuda; CUDA where there is a GPU, by default.")]


def takes_train_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of training, which stand in one place for the library and the command.

    They arrive in its `options`, those that were given.
    """

    @wraps(command)
    def run(**given: Any) -> None:
        own = {name: value for name, value in given.items() if name not in asked}
        options = {name: given[name] for name in asked if given[name] is not None}
        command(**own, options=options)

    asked = option_help(TrainOptions)
    signature = inspect.signature(command, eval_str=True)
    named = [parameter for parameter in signature.parameters.values() if parameter.name != "options"]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in named]
    added = [_option(name, kind, text) for name, (kind, text) in asked.items() if name not in signature.parameters]
    # Those of the command's own that everything has (--json, --debug) come last.
    parameters = [*own[:-2], *added, *own[-2:]]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _option(name: str, kind: Any, text: str) -> inspect.Parameter:
    kind = list[str] | None if name == "parts" else kind
    flag = f"--{name.replace('_', '-')}"
    option = typer.Option(f"{flag}/--no-compile" if name == "compile" else flag, help=text)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


@app.command()
def parts(
    wiki: WikiArg, date: DumpDate = None, mirror: MirrorOpt = None,
    corpus: Annotated[str | None, typer.Option(help="Folder or URL of a corpus: show which parts it has.")] = None,
    json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """The parts of a wiki's dump: number, page ids, size, checksum."""
    import raywiki as rw

    show(lambda: rw.parts(wiki, date=date, mirrors=mirror or None, corpus=corpus), json, debug)


@app.command()
def download(
    wiki: WikiArg,
    parts: DumpNumbers,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Folder or URL that the files go to.")],
    date: DumpDate = None, mirror: MirrorOpt = None, json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Fetch parts of a wiki's dump, check them, and go on where an earlier call stopped."""
    import raywiki as rw

    show(lambda: rw.download(wiki, parts, to=to, date=date, mirrors=mirror or None), json, debug)


@app.command()
def plan(
    corpus: Annotated[str, typer.Argument(metavar="CORPUS|WIKI", help="Corpus, or name of a wiki when there is none yet.")],
    parts: DumpNumbers,
    wiki: Annotated[str | None, typer.Option(help="Name of the wiki; that of the corpus's parts by default.")] = None,
    size: Annotated[str | None, typer.Option(help=f"{', '.join(SIZES)}; the run's, or nano, by default.")] = None,
    recipe: Annotated[str | None, typer.Option(help="classic or modern; the run's, or classic, by default.")] = None,
    encoding: EncodingOpt = None, date: DumpDate = None, mirror: MirrorOpt = None,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Folder or URL that the dumps would go to.")] = "dumps",
    run: Annotated[str | None, typer.Option(help="Run whose speed and curve count; the corpus's last by default.")] = None,
    device: Device = None, json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """What parts of a dump would cost, and whether they are worth it; nothing is fetched."""
    import raywiki as rw

    chosen: dict[str, Any] = dict(wiki=wiki, size=size, recipe=recipe, encoding=encoding, date=date, mirrors=mirror or None)
    show(lambda: rw.plan(corpus, parts, **chosen, to=to, run=run, device=device), json, debug)


@app.command()
def extract(
    corpus: CorpusArg, dumps: DumpsArg, language: Language = None, cleaner: Cleaner = None, templates: Templates = None,
    format: TextFormat = None, source: SourceOpt = None, allow_damaged: AllowDamaged = False, overwrite: Overwrite = False,
    json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Dump parts, or other text, to the articles table."""
    import raywiki as rw

    settings: dict[str, Any] = dict(language=language, cleaner=cleaner, templates=templates, format=format, source=source)
    show(lambda: rw.extract(corpus, dumps, **settings, allow_damaged=allow_damaged, overwrite=overwrite), json, debug)


@app.command()
def templates(
    dumps: DumpsArg,
    to: Annotated[str, typer.Option("--to", metavar="FILE", help="File or URL of the Parquet file to write.")],
    language: Language = None,
    allow_damaged: Annotated[bool, typer.Option("--allow-damaged", help="Take what a damaged dump still holds.")] = False,
    json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Collect a wiki's templates from all parts of its dump, for `extract --templates`."""
    import raywiki as rw

    show(lambda: rw.collect_templates(dumps, to=to, language=language, allow_damaged=allow_damaged), json, debug)


@app.command()
def curate(
    corpus: CorpusArg, min_chars: MinChars = None, min_words: MinWords = None, rules: Rules = None,
    fraction: Fraction = None, keep_errors: KeepErrors = None, threshold: Threshold = None, overwrite: Overwrite = False,
    json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Filter and deduplicate: articles to the decisions table."""
    import raywiki as rw

    settings: dict[str, Any] = dict(min_chars=min_chars, min_words=min_words, rules=rules or None, fraction=fraction)
    settings |= dict(keep_errors=keep_errors)
    show(lambda: rw.curate(corpus, **settings, threshold=threshold, overwrite=overwrite), json, debug)


@app.command()
def tokenize(
    corpus: CorpusArg, encoding: EncodingOpt = None, val_fraction: ValFraction = None, title: Title = None,
    overwrite: Overwrite = False, json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Kept articles to token shards."""
    import raywiki as rw

    show(lambda: rw.tokenize(corpus, encoding, val_fraction=val_fraction, title=title, overwrite=overwrite), json, debug)


@tokenizer_app.command("train")
def tokenizer_train(
    corpus: CorpusArg,
    to: Annotated[str, typer.Option("--to", metavar="FILE", help="Where to write the tokenizer.json.")],
    vocab_size: Annotated[int, typer.Option(help="Ids in the vocabulary.")] = 32_768,
    max_chars: Annotated[int, typer.Option(help="Characters to learn from: of more text, a sample.")] = 200_000_000,
    debug: Debug = False,
) -> None:
    """Train a byte-level BPE vocabulary on the kept articles."""
    import raywiki as rw

    wrote = partial(rw.train_tokenizer, corpus, to=to, vocab_size=vocab_size, max_chars=max_chars)
    show(lambda: f"wrote {wrote()}", False, debug)


@app.command()
@takes_train_options
def train(corpus: CorpusArg, run: Run, options: dict[str, Any], json: AsJson = False, debug: Debug = False) -> None:
    """Train a GPT on the token shards, or go on where the run stands."""
    import raywiki as rw

    show(lambda: rw.train(corpus, run, **options), json, debug)


@app.command()
@takes_train_options
def grow(
    corpus: CorpusArg, run: Run, options: dict[str, Any],
    dumps: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DUMP...]", help="Dump parts: files or URLs. Without any it goes on with what the corpus has."),
    ] = None,
    wiki: Annotated[
        str | None, typer.Option(metavar="WIKI:NUMBERS", help="Parts of a wiki's dump to add, fetched if missing: enwiki:2-3.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="URL", help="Folder or URL of its files; dumps by default.")] = None,
    date: Annotated[
        str | None, typer.Option(metavar="DATE", help="Of that dump; the one that the corpus has parts of, else the newest.")
    ] = None,
    mirror: MirrorOpt = None, language: Language = None, templates: Templates = None, format: TextFormat = None,
    source: SourceOpt = None,
    allow_damaged: AllowDamaged = False, min_chars: MinChars = None, min_words: MinWords = None, rules: Rules = None,
    fraction: Fraction = None, keep_errors: KeepErrors = None, threshold: Threshold = None,
    val_fraction: ValFraction = None, title: Title = None, overwrite: Overwrite = False, json: AsJson = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Add dump parts: download, extract, curate, tokenize what is new, and go on training."""
    import raywiki as rw

    settings: dict[str, Any] = dict(
        wiki=wiki, to=to, date=date, mirrors=mirror or None, language=language, templates=templates, format=format,
        source=source, allow_damaged=allow_damaged, min_chars=min_chars, min_words=min_words, rules=rules or None,
        fraction=fraction, keep_errors=keep_errors, threshold=threshold, val_fraction=val_fraction, title=title,
        overwrite=overwrite, **options,
    )  # fmt: skip
    show(lambda: rw.grow(corpus, dumps or (), run, **settings), json, debug)


@app.command()
def sample(
    corpus: CorpusArg, run: Run,
    prompt: Annotated[list[str] | None, typer.Option(help="Text to go on from; may be given several times.")] = None,
    prompt_file: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="File with such a text, - for standard input; also several times.")
    ] = None,
    num_samples: Annotated[int, typer.Option(help="Texts after each prompt.")] = 1,
    max_tokens: Annotated[int, typer.Option(help="Tokens to write.")] = 200,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token.")] = 0.8,
    top_k: Annotated[int | None, typer.Option(help="Draw among the k likeliest tokens.")] = 200,
    top_p: Annotated[
        float | None, typer.Option(help="Draw among the fewest likeliest that have this probability together; all by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the first text's draw; the second's is one more, and so on.")] = 0,
    device: Device = None, json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Write text with a trained run."""
    from raywiki.local.sample import Written, read_prompts, samples

    options: dict[str, Any] = dict(num_samples=num_samples, max_tokens=max_tokens, temperature=temperature, top_k=top_k)
    options |= dict(top_p=top_p, seed=seed, device=device)

    def write() -> Any:
        prompts = [*(prompt or []), *read_prompts(prompt_file or [])] or [""]
        written = Written(samples(corpus, run, prompts, **options), len(prompts) * num_samples)
        return written if json else written.print()

    show(write, json, debug)


@app.command("eval")
def evaluate(
    corpus: CorpusArg, run: Run,
    parts: Annotated[list[str] | None, typer.Option(help="Part to evaluate on, once for each; all by default.")] = None,
    checkpoint: Annotated[str, typer.Option(metavar="STEP", help="Step of the checkpoint, or latest.")] = "latest",
    device: Device = None,
    batch_size: Annotated[int | None, typer.Option(help="Windows at once; what fits 8,192 tokens by default.")] = None,
    max_val_windows: Annotated[int, typer.Option(help="Windows of a part at most; training evaluates 256.")] = 256,
    json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Validation loss, perplexity and bits per byte of a run, part by part."""
    import raywiki as rw

    chosen: dict[str, Any] = dict(parts=parts or None, checkpoint=checkpoint, device=device, batch_size=batch_size)
    show(lambda: rw.evaluate(corpus, run, **chosen, max_val_windows=max_val_windows), json, debug)


@app.command()
def compare(
    corpus: CorpusArg, run: Annotated[str, typer.Argument(metavar="RUN", help="First run, such as the one that grew.")],
    other: Annotated[str, typer.Argument(metavar="RUN", help="Second run, such as one of --from-scratch.")],
    json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Which of two runs learned more, part by part, and whether that is more than noise."""
    import raywiki as rw

    show(lambda: rw.compare(corpus, run, other), json, debug)


@app.command()
def export(
    corpus: CorpusArg,
    format: Annotated[str, typer.Option(help="nanogpt, llmc, hf, jsonl, parquet or text.")],
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Folder or URL to write to: new, or of an earlier export.")],
    parts: Annotated[list[str] | None, typer.Option(help="Part to export, once for each; all by default.")] = None,
    encoding: Annotated[str | None, typer.Option(help="nanogpt, llmc: which tokens; the corpus's own by default.")] = None,
    columns: Annotated[list[str] | None, typer.Option(help="hf, jsonl: a column of articles to add, once for each.")] = None,
    compression: Annotated[str | None, typer.Option(help="jsonl, text: gz or zst; none by default.")] = None,
    separator: Annotated[str | None, typer.Option(help="text: doc for <doc …> … </doc>, or blank for a blank line.")] = None,
    shard_tokens: Annotated[int | None, typer.Option(help="llmc: ids in a file; 100 million by default.")] = None,
    run: Annotated[str | None, typer.Option(help="hf, nanogpt: write the model of this run.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Of the run: its step, latest or best; latest by default.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an export with other settings or parts.")] = False,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Kept articles, their tokens or a run's model as files for other tools."""
    import raywiki as rw

    chosen: dict[str, Any] = dict(parts=parts or None, encoding=encoding, columns=columns or None, compression=compression)
    chosen |= dict(separator=separator, shard_tokens=shard_tokens, run=run, checkpoint=checkpoint, overwrite=overwrite)
    show(lambda: rw.export(corpus, to, format=format, **chosen), json, debug)


@app.command()
def status(
    corpus: CorpusArg, verify: Annotated[bool, typer.Option("--verify", help="Read every shard and check its digest.")] = False,
    dumps: Annotated[str | None, typer.Option(metavar="URL", help="A folder of dumps: which of them the corpus lacks.")] = None,
    json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """What a corpus holds, part by part, what is stale, and what is next."""
    import raywiki as rw

    show(lambda: rw.status(corpus, verify=verify, dumps=dumps), json, debug)


@app.command()
def report(
    corpus: CorpusArg,
    to: Annotated[
        str | None, typer.Option("--to", metavar="FILE", help="File or URL to write; report.html in the corpus by default.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="Tell of this run alone; of all by default.")] = None,
    prompt: Annotated[
        list[str] | None, typer.Option(help="Text for samples to go on from; also several times. From validation by default.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(help="Tokens of a sample; 0 writes none.")] = 48,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """One HTML file of what a corpus holds, what its runs learned and forgot, and what that cost."""
    import raywiki as rw

    show(lambda: rw.report(corpus, to, run, prompts=prompt or None, max_tokens=max_tokens), json, debug)


@inspect_app.command("rejects")
def inspect_rejects(
    corpus: CorpusArg,
    reason: Annotated[str | None, typer.Option(help="Only this reason; dup for exact and near duplicates.")] = None,
    n: Annotated[int, typer.Option("-n", help="Articles to show.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 0, json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Rejected articles, beside the article they duplicate."""
    import raywiki as rw

    show(lambda: rw.inspect_rejects(corpus, reason=reason, n=n, seed=seed), json, debug)


@inspect_app.command("templates")
def inspect_templates(
    corpus: CorpusArg, n: Annotated[int, typer.Option("-n", help="Templates to show.")] = 30, json: AsJson = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Templates whose content the cleaner left out, by how often."""
    import raywiki as rw

    show(lambda: rw.inspect_templates(corpus, n=n), json, debug)


@inspect_app.command("tokens")
def inspect_tokens(
    corpus: CorpusArg,
    encoding: Annotated[str | None, typer.Option(metavar="NAME_OR_FILE", help="The only one of the corpus by default.")] = None,
    page_id: Annotated[int | None, typer.Option(help="Show the document of this page.")] = None,
    n: Annotated[int, typer.Option("-n", help="Most frequent tokens to show.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the draw of a document.")] = 0, json: AsJson = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """How an encoding fits the text, the ids it uses, and a document cut into its tokens."""
    import raywiki as rw

    show(lambda: rw.inspect_tokens(corpus, encoding, page_id=page_id, n=n, seed=seed), json, debug)


@app.command()
def gc(
    corpus: CorpusArg,
    min_age: Annotated[float, typer.Option(help="Seconds a file must have been left alone.")] = 3600.0,
    cache: Annotated[bool, typer.Option("--cache", help="This machine's decoded tokens too, but for those in use.")] = False,
    dry_run: DryRun = False, json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Remove what crashes left behind: files that no manifest names."""
    import raywiki as rw

    show(lambda: rw.gc(corpus, min_age=min_age, cache=cache, dry_run=dry_run), json, debug)


@app.command()
def remove(
    corpus: CorpusArg, parts: Annotated[list[str], typer.Argument(metavar="PART...", help="Ids, as `status` shows them.")],
    dry_run: DryRun = False, json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Take parts out of all tables; says which runs learned from them."""
    import raywiki as rw

    show(lambda: rw.remove(corpus, parts, dry_run=dry_run), json, debug)


@app.command()
def demo(
    folder: Annotated[str, typer.Argument(help="Where the demo's dump parts and corpus go.")] = "demo",
    debug: Debug = False,
) -> None:
    """The whole path on a small built-in wiki, offline, in about three minutes."""
    from raywiki.report.demo import demo as run_demo

    show(lambda: run_demo(folder), False, debug)


def show(action: Callable[[], Any], json: bool, debug: bool) -> None:
    """Run a verb, print what it returns and leave with its exit status; see `command.run_verb`."""
    if status := run_verb(action, json, debug):
        raise typer.Exit(status)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the command and of the scripts in `jobs/`."""
    app(args=arguments, prog_name="raywiki")


if __name__ == "__main__":
    main()
