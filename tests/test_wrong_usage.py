"""Wrong usage: what is typed, what is said in one sentence, the exit status; nothing is changed, and no Ray is started."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

import fsspec
import pytest
from dump_server import classic, write_copy
from verbs_here import without_ray

from raywiki.cli import main

# What is typed after `raywiki`, and fragments of the one sentence. Names in braces are places: see `places`.
SENTENCES = [
    # --- parts, download
    ("parts 'English Wikipedia' --mirror {dumps}", ["'English Wikipedia' is no name of a wiki", "enwiki"]),
    ("parts xwiki --mirror {dumps} --date yesterday", ["'yesterday' is no date of a dump", "20251101"]),
    ("parts xwiki --mirror {no}", ["there is no folder", "no: give the address of a mirror"]),
    ("parts xwiki --mirror ''", ["a mirror has no address", "https://dumps.wikimedia.org"]),
    ("parts xwiki --mirror http://", ["http:// is no address of a mirror"]),
    ("parts xwiki --mirror s4://bucket", ["no mirror can be at s4://bucket"]),
    ("parts xwiki --mirror {dumps}", ["there is no dump of xwiki at", "check the name"]),
    ("parts xwiki --mirror {mirror} --corpus {no}", ["no corpus at"]),
    ("parts xwiki --mirror {mirror} --date 20260102", ["no dump of xwiki of 20260102 at", "the newest are of 20260101"]),
    ("download xwiki --parts 0 --to {new} --mirror {mirror}", ["parts '0' cannot be understood", "1-3,7"]),
    ("download xwiki --parts 2-1 --to {new} --mirror {mirror}", ["parts '2-1' cannot be understood"]),
    ("download xwiki --parts 1-3 --to {new} --mirror {mirror}", ["of xwiki of 20260101 has one part, number 1, and no part 2"]),
    ("download xwiki --parts 1 --to '' --mirror {mirror}", ["the files have no place to go to"]),
    ("download xwiki --parts 1 --to {file} --mirror {mirror}", ["nothing can be written to", "is a file: choose another"]),
    ("download xwiki --parts 1 --to s4://bucket --mirror {mirror}", ["no file can be written to s4://bucket"]),
    ("download xwiki --parts 1 --to http://127.0.0.1/x --mirror {mirror}", ["nothing can be written to http://127.0.0.1/x"]),
    ("download xwiki --parts 1 --to {new} --mirror {dumps}", ["there is no dump of xwiki at"]),
    # --- plan
    ("plan {no} --parts 1", ["no corpus at"]),
    ("plan {file} --parts 1", ["is a file and no corpus"]),
    ("plan {hollow} --parts 1", ["has no part that tells its wiki", "--wiki enwiki"]),
    ("plan '' --parts 1", ["the corpus has no name"]),
    ("plan xwiki --parts 0 --mirror {mirror}", ["parts '0' cannot be understood"]),
    ("plan xwiki --parts 1-3 --mirror {mirror}", ["has one part, number 1, and no part 2"]),
    ("plan xwiki --parts 1 --mirror {dumps}", ["there is no dump of xwiki at"]),
    ("plan {corpus} --parts 1 --mirror {mirror}", ["there is no dump of viwiki of 20260101 at"]),
    ("plan xwiki --parts 1 --mirror {mirror} --size huge", ["there is no model size 'huge'", "nano"]),
    ("plan xwiki --parts 1 --mirror {mirror} --recipe moe", ["there is no recipe 'moe'", "classic"]),
    ("plan xwiki --parts 1 --mirror {mirror} --device gpu", ["there is no device 'gpu'", "cpu or cuda"]),
    ("plan xwiki --parts 1 --mirror {mirror} --device cuda", ["device cuda was asked for, but torch sees no GPU"]),
    ("plan xwiki --parts 1 --mirror {mirror} --encoding gpt9", ["unknown encoding 'gpt9'", "gpt2"]),
    ("plan xwiki --parts 1 --mirror {mirror} --encoding {no}.json", ["no vocabulary file", "no.json"]),
    ("plan xwiki --parts 1 --mirror {mirror} --to s4://bucket", ["no file can be written to s4://bucket"]),
    ("plan xwiki --parts 1 --mirror {mirror} --to {file}", ["nothing can be written to", "is a file: choose another"]),
    ("plan xwiki --parts 1 --mirror {mirror} --run r1", ["run r1 belongs to a corpus: give its folder or URL first", "--wiki"]),
    ("plan {corpus} --parts 1 --wiki 'x y'", ["'x y' is no name of a wiki"]),
    ("plan {corpus} --parts 1 --run nobody", ["there is no run nobody", "train one first"]),
    ("plan {corpus} --parts 1 --run ../r1", ["run='../r1' is no name of a run"]),
    # --- extract
    ("extract {corpus} {no}.xml.bz2", ["no.xml.bz2"]),
    ("extract {corpus} {dumps}", ["dumps"]),
    ("extract {corpus} {dump1} {unfinished}", ["cut.xml.bz2.partial is not whole: run its `raywiki download` again"]),
    ("extract {corpus} {text}", ["text.xml.bz2"]),
    ("extract {corpus} {empty}", ["empty.xml"]),
    ("extract {corpus} {dump1} {no}.xml", ["no.xml"]),
    ("extract {file} {dump1}", ["nothing can be written to", "is a file: choose another place"]),
    ("extract {file}/below {dump1}", ["nothing can be written to", "is a file: choose another place"]),
    ("extract {file} {no}.bz2", ["is a file: choose another place"]),
    ("extract {corpus} {no}.bz2 --language English", ["language='English' is no language code", "zh-min-nan"]),
    ("extract {corpus} {dump1} --language fr", ["language='vi'", "language='fr'", "--overwrite"]),
    ("extract {corpus} {no}.bz2 --cleaner perfect", ["'perfect'", "mwparserfromhell"]),
    ("extract {corpus} {dump3} --cleaner mwparserfromhell", ["cleaner='raywiki'", "'mwparserfromhell'", "--overwrite"]),
    ("extract {corpus} {dump3} --templates {no}.parquet", ["no file of templates at", "raywiki templates"]),
    ("extract {corpus} {dump3} --templates {text}", ["is no file of templates"]),
    ("extract {corpus} {dump1} --templates own", ["templates='none'", "templates='own'", "--overwrite"]),
    ("extract {corpus} {other}", ["is committed from another file than", "--overwrite"]),
    ("extract '' {dump1}", ["the corpus has no name"]),
    ("extract s4://bucket/corpus {dump1}", ["s4"]),
    # --- templates
    ("templates {dump1} --to ''", ["the file of templates has no name", "templates.parquet"]),
    ("templates {no}.bz2 --to {new}", ["no.bz2"]),
    ("templates {text} --to {new}", ["text.xml.bz2"]),
    # --- curate
    ("curate {no}", ["no corpus at", "raywiki extract"]),
    ("curate {file}", ["is a file and no corpus"]),
    ("curate {file}/below", ["no corpus at"]),
    ("curate {hollow}", ["has no article to curate", "raywiki extract"]),
    ("curate {corpus} --rules gopherr", ["no rule is called 'gopherr'", "gopher_quality"]),
    ("curate {corpus} --rules stub --rules stub", ["two rules are called 'stub'"]),
    ("curate {corpus} --threshold 5", ["threshold is 5.0, it must lie between 0.5 and 1"]),
    ("curate {corpus} --threshold nan", ["threshold is nan"]),
    ("curate {corpus} --fraction 0", ["fraction is 0.0, it must be above 0"]),
    ("curate {corpus} --min-chars -1", ["min_chars is -1, it must not be negative"]),
    ("curate {corpus} --min-words -1 --overwrite", ["min_words is -1, it must not be negative"]),
    ("curate {corpus} --min-chars 7", ["min_chars=100, not min_chars=7", "--overwrite"]),
    # --- tokenize, tokenizer train
    ("tokenize {no}", ["no corpus at", "raywiki extract"]),
    ("tokenize {hollow} --encoding {small}", ["has no curated part to tokenize", "raywiki curate"]),
    ("tokenize {corpus} --val-fraction 2", ["val_fraction is 2.0, it must be at least 0 and below 1"]),
    ("tokenize {corpus} --val-fraction 0.3", ["val_fraction=0.2, not val_fraction=0.3", "--overwrite"]),
    ("tokenize {corpus} --encoding {no}.json", ["no vocabulary file", "no.json", "raywiki tokenizer train"]),
    ("tokenize {corpus} --encoding gpt9", ["unknown encoding 'gpt9'", "gpt2"]),
    ("tokenize {corpus} --encoding gpt2", ["the vocabulary of 'gpt2' cannot be had here", "TIKTOKEN_CACHE_DIR"]),
    ("tokenize {corpus} --encoding {renamed}", ["is not the vocabulary that", "'small'", "--overwrite"]),
    ("tokenize {corpus} --encoding {listed}", ["list.json is neither a tokenizer.json nor a rank file"]),
    ("tokenizer train {no} --to {new}.json", ["no corpus at"]),
    ("tokenizer train {hollow} --to {new}.json", ["no text to train a vocabulary on", "extract and curate"]),
    ("tokenizer train {corpus} --to {new}.json --vocab-size 5", ["vocab_size=5 is too small", "257"]),
    ("tokenizer train {corpus} --to {new}.json --max-chars 0", ["max_chars is 0, it must be at least 1"]),
    ("tokenizer train {corpus} --to {dumps}", ["is a folder: give the name of a file"]),
    ("tokenizer train {corpus} --to ''", ["the vocabulary has no name"]),
    ("tokenizer train {corpus} --to {file}/new.json", ["is a file: choose another place"]),
    # --- train
    ("train {no} --run r1", ["no corpus at"]),
    ("train {hollow} --run r1", ["has no tokens yet", "raywiki tokenize"]),
    ("train {corpus} --run r1 --device gpu", ["there is no device 'gpu'", "cpu or cuda"]),
    ("train {corpus} --run r1 --precision fp8", ["there is no precision 'fp8'", "auto, fp32, bf16, fp16"]),
    ("train {corpus} --run r1 --num-workers 0", ["num_workers=0 makes no sense"]),
    ("train {corpus} --run r1 --batch-size 0", ["batch_size=0 makes no sense"]),
    ("train {corpus} --run r1 --eval-every 0", ["eval_every=0 makes no sense"]),
    ("train {corpus} --run r1 --checkpoint-every -5", ["checkpoint_every=-5 makes no sense"]),
    ("train {corpus} --run r1 --lr 3e4", ["lr=30000 is no learning rate"]),
    ("train {corpus} --run r1 --lr nan", ["lr=nan is no learning rate"]),
    ("train {corpus} --run r1 --steps 0", ["steps=0 is no number of steps"]),
    ("train {corpus} --run r1 --epochs 0", ["epochs=0.0 is no number of passes"]),
    ("train {corpus} --run r1 --steps 99999999999999999999", ["is no number of steps", "give 1 to 1,000,000,000,000"]),
    ("train {corpus} --run r2 --seed 99999999999999999999", ["is no seed"]),
    ("train {corpus} --run r1 --epochs inf", ["epochs=inf is no number of passes"]),
    ("train {corpus} --run r1 --steps 5 --epochs 2", ["steps and epochs both say how long to train"]),
    ("train {corpus} --run r1 --more-steps -1", ["more_steps=-1 is no number of steps"]),
    ("train {corpus} --run r1 --until-step 0", ["until_step=0 is no number of steps"]),
    ("train {corpus} --run r1 --warmup-steps -1", ["warmup_steps=-1 is no number of steps"]),
    ("train {corpus} --run r1 --replay 1", ["replay=1.0 is no share"]),
    ("train {corpus} --run r1 --schedule linear", ["'linear'", "cosine"]),
    ("train {corpus} --run r1 --unfinished forget", ["unfinished='forget' is unknown", "finish or cut"]),
    ("train {corpus} --run r1 --parts nothing", ["there is no part 'nothing' with tokens", "p100p199"]),
    ("train {corpus} --run r1 --size micro", ["run r1 has size=nano, not size=micro"]),
    ("train {corpus} --run r1 --seq-len 64 --more-steps 1", ["run r1 has seq_len=32, not seq_len=64"]),
    ("train {corpus} --run r1 --total-batch-size 33 --more-steps 1", ["total_batch_size=33 tokens is no multiple"]),
    ("train {corpus} --run r2 --size huge", ["there is no model size 'huge'", "nano"]),
    ("train {corpus} --run r2 --recipe moe", ["there is no recipe 'moe'", "classic"]),
    ("train {corpus} --run r2 --recipe modern,no_rop", ["modern has no piece 'no_rop'", "by no_ off, rope"]),
    ("train {corpus} --run r1 --recipe modern", ["run r1 has recipe=classic, not recipe=modern"]),
    ("train {corpus} --run r2 --seq-len 100000", ["too few for one sequence of 100000", "--seq-len"]),
    ("train {corpus} --run r2 --encoding gpt2", ["no tokens of encoding 'gpt2', only of small"]),
    ("train {corpus} --run r1 --from-scratch r1", ["run r1 cannot start over for itself"]),
    ("train {corpus} --run r2 --from-scratch nobody", ["there is no run nobody", "to start over for"]),
    ("train {corpus} --run r2 --from-scratch r1 --steps 9", ["steps comes from run r1", "leave it out"]),
    ("grow {corpus} {dump3} --run r1 --templates {no}.parquet", ["no file of templates at", "raywiki templates"]),
    ("grow {corpus} {no}.bz2 --run r2 --from-scratch r1", ["from_scratch starts a new one: use train"]),
    ("train {corpus} --run a/b", ["run='a/b' is no name of a run", "r1"]),
    ("train {corpus} --run ''", ["run='' is no name of a run"]),
    ("train {corpus} --run .x", ["run='.x' is no name of a run"]),
    ("train {corpus} --run r1 --init-from run:r1", ["run r1 has init_from=None, not init_from=run:r1"]),
    ("train {corpus} --run r2 --init-from gpt2", ["nothing is downloaded", "`hf download openai-community/gpt2 "]),
    ("train {corpus} --run r2 --init-from run:r9", ["there is no run r9 with a checkpoint"]),
    ("train {corpus} --run r2 --init-from {dumps}", ["dumps", "no config.json of a GPT-2 and no checkpoints of a run"]),
    ("train {corpus} --run r2 --init-from {small}", ["small.json is a file: give the folder"]),
    ("train {corpus} --run r2 --init-from run:r1 --size micro", ["run:r1 has size=nano, not size=micro"]),
    ("train {corpus} --run r2 --init-from run:r1 --seq-len 64", ["run:r1 has 32 positions, too few for seq_len=64"]),
    ("train memory://corpus --run r1", ["no corpus at memory://corpus"]),
    # --- grow: all of it before the dump is read, which need not be there
    ("grow {file} {no}.bz2 --run r1", ["is a file: choose another place"]),
    ("grow {corpus} {no}.bz2 --run r1 --encoding gpt9", ["unknown encoding 'gpt9'"]),
    ("grow {corpus} {no}.bz2 --run r1 --encoding {no}.json", ["no vocabulary file", "no.json"]),
    ("grow {new} {no}.bz2 --run r1", ["the vocabulary of 'gpt2' cannot be had here", "TIKTOKEN_CACHE_DIR"]),
    ("grow {corpus} {no}.bz2 --run r1 --encoding gpt2", ["the vocabulary of 'gpt2' cannot be had here"]),
    ("grow {corpus} {no}.bz2 --run r1 --encoding {second}", ["run r1 has encoding=small, not encoding=second"]),
    ("grow {corpus} {no}.bz2 --run r1 --size mini", ["run r1 has size=nano, not size=mini"]),
    ("grow {corpus} {no}.bz2 --run r1 --seed 4", ["run r1 has seed=0, not seed=4"]),
    ("grow {corpus} {no}.bz2 --run r1 --min-chars 7", ["min_chars=100, not min_chars=7", "--overwrite"]),
    ("grow {corpus} {no}.bz2 --run r1 --val-fraction 0.5", ["val_fraction=0.2, not val_fraction=0.5"]),
    ("grow {corpus} {no}.bz2 --run r1 --threshold 0", ["threshold is 0.0, it must lie between"]),
    ("grow {corpus} {no}.bz2 --run r1 --rules gopherr", ["no rule is called 'gopherr'"]),
    ("grow {corpus} {no}.bz2 --run r1 --language ENGLISH", ["language='ENGLISH' is no language code"]),
    ("grow {corpus} {no}.bz2 --run r1 --device tpu", ["there is no device 'tpu'"]),
    ("grow {corpus} {no}.bz2 --run r2 --init-from gpt2", ["nothing is downloaded"]),
    ("grow {corpus} {no}.bz2 --run ..", ["run='..' is no name of a run"]),
    ("grow {corpus} {no}.bz2 --run r1", ["no.bz2"]),
    ("grow {corpus} {text} --run r1", ["text.xml.bz2"]),
    ("grow {no} --run r1", ["no corpus at"]),
    ("grow {corpus} --run r1 --wiki xwiki", ["wiki=xwiki says of no part to add it", "such as xwiki:1-2"]),
    ("grow {corpus} --run r1 --wiki xwiki --parts 2-3", ["parts to add go behind the wiki's name", "--wiki xwiki:2-3"]),
    ("grow {corpus} --run r1 --wiki 'English:1'", ["'English' is no name of a wiki"]),
    ("grow {corpus} --run r1 --wiki xwiki:0", ["parts '0' cannot be understood"]),
    ("grow {corpus} --run r1 --date 20260101", ["date goes with parts of a wiki's dump", "--wiki enwiki:1-2"]),
    ("grow {corpus} {dump1} --run r1 --mirror {mirror}", ["mirror goes with parts of a wiki's dump"]),
    ("grow {corpus} --run r1 --wiki xwiki:1 --mirror {no}", ["there is no folder", "no: give the address of a mirror"]),
    ("grow {corpus} --run r1 --wiki xwiki:2 --mirror {mirror}", ["of xwiki of 20260101 has one part, number 1, and no part 2"]),
    ("grow {corpus} --run r1 --wiki xwiki:1 --mirror {mirror} --to {file}", ["nothing can be written to", "is a file"]),
    ("grow {corpus} --run r1 --wiki viwiki:1 --mirror {mirror}", ["there is no dump of viwiki of 20260101 at"]),
    ("grow {corpus} --run r1 --wiki xwiki:1 --mirror {mirror} --size mini", ["run r1 has size=nano, not size=mini"]),
    ("grow {corpus} --run r1 --order random", ["there is no order 'random'", "mixed or sequential"]),
    ("grow memory://corpus {dump1} --run r1", ["a store, or a folder that all workers see, not memory://corpus"]),
    # --- sample
    ("sample {no} --run r1", ["no corpus at"]),
    ("sample {corpus} --run ''", ["run='' is no name of a run"]),
    ("sample {corpus} --run ../r1", ["run='../r1' is no name of a run"]),
    ("sample {corpus} --run r1 --seed 99999999999999999999", ["is no seed"]),
    ("sample {corpus} --run nobody", ["there is no run nobody", "train one first"]),
    ("sample {corpus} --run r1 --temperature -1", ["temperature=-1.0", "at least 0"]),
    ("sample {corpus} --run r1 --temperature nan", ["temperature=nan", "at least 0"]),
    ("sample {corpus} --run r1 --top-k 0", ["top_k=0", "at least 1"]),
    ("sample {corpus} --run r1 --max-tokens -1", ["max_tokens=-1"]),
    ("sample {corpus} --run r1 --top-p 0", ["top_p=0.0 is no probability", "at most 1"]),
    ("sample {corpus} --run r1 --top-p 1.5", ["top_p=1.5 is no probability"]),
    ("sample {corpus} --run r1 --num-samples 0", ["num_samples=0 makes no sense"]),
    ("sample {corpus} --run r1 --prompt-file {no}.txt", ["the prompt file", "no.txt cannot be read: No such file"]),
    ("sample {corpus} --run r1 --prompt-file {dump1}", ["is no UTF-8 text"]),
    ("sample {corpus} --run r1 --device gpu", ["there is no device 'gpu'"]),
    ("sample {corpus} --run r1 --device cuda", ["device cuda was asked for, but torch sees no GPU"]),
    ("sample memory://there --run r1", ["there is no run r1 in memory://there"]),
    # --- export of a model
    ("export {corpus} --format hf --to {new} --run r9", ["there is no run r9", "train one first"]),
    ("export {corpus} --format text --to {new} --run r1", ["a run is exported as hf or nanogpt, not as text"]),
    ("export {corpus} --format hf --to {new} --run r1 --columns n_chars", ["columns says which articles"]),
    ("export {corpus} --format hf --to {new} --checkpoint 6", ["name the run too"]),
    ("export {corpus} --format hf --to {new} --run r1 --checkpoint 4", ["no checkpoint '4'", "the steps 5, 6"]),
    ("export {corpus} --format hf --to {file} --run r1", ["is a file"]),
    ("export memory://there --format hf --to {new} --run r1", ["there is no run r1 in memory://there"]),
    # --- eval
    ("eval {no} --run r1", ["no corpus at"]),
    ("eval {corpus} --run nobody", ["there is no run nobody", "train one first"]),
    ("eval {corpus} --run ../r1", ["run='../r1' is no name of a run"]),
    ("eval {corpus} --run r1 --parts nothing", ["there is no part 'nothing' with tokens", "p100p199"]),
    ("eval {corpus} --run r1 --checkpoint last", ["no checkpoint 'last'", "take latest, best"]),
    ("eval {corpus} --run r1 --checkpoint 99", ["no checkpoint '99'", "the steps 5, 6"]),
    ("eval {corpus} --run r1 --device gpu", ["there is no device 'gpu'"]),
    ("eval {corpus} --run r1 --device cuda", ["device cuda was asked for, but torch sees no GPU"]),
    ("eval {corpus} --run r1 --batch-size 0", ["batch_size=0 makes no sense"]),
    ("eval {corpus} --run r1 --max-val-windows 0", ["max_val_windows=0 makes no sense"]),
    ("eval memory://there --run r1", ["there is no run r1 in memory://there"]),
    # --- compare
    ("compare {no} r1 r2", ["no corpus at"]),
    ("compare {corpus} r1 r1", ["run r1 is both runs to compare", "two different ones"]),
    ("compare {corpus} r1 nobody", ["there is no run nobody", "train one first"]),
    ("compare {corpus} ../r1 r1", ["run='../r1' is no name of a run"]),
    ("compare memory://there r1 r2", ["there is no run r1 in memory://there"]),
    # --- report
    ("report {no}", ["no corpus at", "raywiki extract"]),
    ("report {file}", ["is a file and no corpus"]),
    ("report {corpus} --run nobody", ["there is no run nobody", "train one first"]),
    ("report {corpus} --run ../r1", ["run='../r1' is no name of a run"]),
    ("report {corpus} --max-tokens -1", ["max_tokens is -1, it must be a number of tokens of at least 0"]),
    ("report {corpus} --to {dumps}", ["is a folder: give the name of a file", "report.html"]),
    ("report {corpus} --to {file}/new.html", ["is a file: choose another place"]),
    ("report {corpus} --to ''", ["the report has no name", "--to report.html"]),
    ("report {corpus} --to s4://bucket/r.html", ["s4"]),
    ("report memory://there --run r1", ["there is no run r1 in memory://there"]),
    ("demo s3://bucket/demo", ["s3://bucket/demo is no folder of this machine", "the demo must lie in one"]),
    # --- status, inspect, gc, remove
    ("status {no}", ["no corpus at", "raywiki extract"]),
    ("status ''", ["the corpus has no name"]),
    ("status s4://bucket/corpus", ["no corpus can be at s4://bucket/corpus", "s3://bucket/corpus"]),
    ("status {file}", ["is a file and no corpus"]),
    ("status memory://nothing", ["no corpus at memory://nothing"]),
    ("inspect rejects {no}", ["no corpus at"]),
    ("inspect rejects {corpus} --reason ugly", ["no article was rejected for 'ugly'", "the reasons are"]),
    ("inspect rejects {corpus} -n -1", ["n is -1, it must be a number of articles of at least 0"]),
    ("inspect templates {file}", ["is a file and no corpus"]),
    ("inspect tokens {corpus} --page-id 7777", ["page 7777 has no", "curation does not keep it"]),
    ("inspect tokens {corpus} --encoding gpt9", ["no tokens of encoding 'gpt9', only of"]),
    ("inspect tokens {corpus} -n -1", ["n is -1, it must be a number of tokens of at least 0"]),
    ("inspect templates {corpus} -n -1", ["n is -1, it must be a number of templates of at least 0"]),
    ("gc {no}", ["no corpus at"]),
    ("gc {corpus} --min-age -1", ["min_age is -1.0, it must be a number of seconds of at least 0"]),
    ("gc {corpus} --min-age nan", ["min_age is nan"]),
    ("remove {corpus} nothing", ["has no part nothing: its parts are viwiki-20260101-p100p199"]),
    ("remove {corpus} viwiki-20260101-p100p199 nothing", ["has no part nothing"]),
    ("remove {corpus} ..", ["has no part .."]),
    ("remove {no} nothing", ["no corpus at"]),
    ("demo {file}", ["is a file"]),
]  # fmt: skip
USAGES = [
    ("nonsense", "No such command 'nonsense'"),
    ("parts", "Missing argument 'WIKI'"),
    ("download xwiki --to {new}", "Missing option '--parts'"),
    ("download xwiki --parts 1", "Missing option '--to'"),
    ("plan", "Missing argument 'CORPUS|WIKI'"),
    ("plan xwiki", "Missing option '--parts'"),
    ("extract", "Missing argument 'CORPUS'"),
    ("extract {corpus}", "Missing argument 'DUMP...'"),
    ("curate {corpus} --min-chars many", "Invalid value for '--min-chars'"),
    ("curate {corpus} --ruless stub", "No such option: --ruless"),
    ("tokenize {corpus} {small}", "unexpected extra argument"),
    ("tokenize {corpus} --val-fraction half", "Invalid value for '--val-fraction'"),
    ("tokenizer train {corpus}", "Missing option '--to'"),
    ("tokenizer", "Usage: raywiki tokenizer"),
    ("train {corpus}", "Missing option '--run'"),
    ("train {corpus} --run r1 --steps many", "Invalid value for '--steps'"),
    ("train {corpus} --run r1 --steps 1.5", "Invalid value for '--steps'"),
    ("grow {corpus} --wiki xwiki:1", "Missing option '--run'"),
    ("sample {corpus}", "Missing option '--run'"),
    ("eval {corpus}", "Missing option '--run'"),
    ("eval {corpus} --run r1 --batch-size many", "Invalid value for '--batch-size'"),
    ("compare {corpus}", "Missing argument 'RUN'"),
    ("compare {corpus} r1", "Missing argument 'RUN'"),
    ("report", "Missing argument 'CORPUS'"),
    ("report {corpus} --max-tokens few", "Invalid value for '--max-tokens'"),
    ("remove {corpus}", "Missing argument 'PART...'"),
    ("inspect rejects {corpus} -n few", "Invalid value for '-n'"),
    ("gc {corpus} --min-age old", "Invalid value for '--min-age'"),
]


@pytest.fixture(scope="module")
def places(little) -> dict[str, str]:
    """The names in braces: places that are there, and places that are not."""
    first, _, third = sorted((little / "dumps").glob("*.bz2"))
    home = little / "wrong"
    for folder in ("hollow", "a", "b", "dumps"):
        (home / folder).mkdir(parents=True)
    (home / "file").write_text("no corpus")
    (home / "text.xml.bz2").write_bytes(b"just some text\n" * 100)
    (home / "empty.xml").touch()
    (home / "cut.xml.bz2.partial").write_bytes(first.read_bytes()[:1000])
    (home / "a" / "small.json").write_text((little / "small.json").read_text() + "\n")
    (home / "second.json").write_text((little / "small.json").read_text())
    (home / "list.json").write_text("[1, 2]")
    (home / "b" / first.name).write_bytes(third.read_bytes())
    fsspec.filesystem("memory").pipe("/there/file", b"")
    write_copy(home / "mirror", classic("xwiki", "20260101", {"xwiki-20260101-pages-articles.xml.bz2": b"some bytes"}))
    names = {name: name for name in ("hollow", "file", "dumps", "no", "new", "mirror")}
    names |= {"text": "text.xml.bz2", "empty": "empty.xml", "unfinished": "cut.xml.bz2.partial", "renamed": "a/small.json"}
    names |= {"second": "second.json", "listed": "list.json", "other": f"b/{first.name}"}
    there = {"corpus": little / "corpus", "small": little / "small.json", "dump1": first, "dump3": third}
    return {name: str(path) for name, path in {**there, **{name: home / path for name, path in names.items()}}.items()}


@pytest.fixture
def offline(monkeypatch, tmp_path) -> None:
    """No Ray, and no vocabulary of tiktoken's, whatever this process has loaded."""
    import tiktoken

    without_ray(monkeypatch, tmp_path / "cache")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def typed(line: str, places: dict[str, str]) -> int:
    """The exit status of a command line."""
    with pytest.raises(SystemExit) as left:
        main(shlex.split(line.format(**places)))
    return left.value.code


def everything(folder: Path) -> dict[str, str]:
    """All that lies in a folder: of each file its digest."""
    paths = {path: path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*")}
    return {str(path.relative_to(folder)): digest for path, digest in paths.items()}


@pytest.mark.parametrize(("line", "fragments"), SENTENCES, ids=[line for line, _ in SENTENCES])
def test_a_mistake_is_one_sentence_and_changes_nothing(line, fragments, places, little, offline, capsys):
    before = everything(little)
    status = typed(line, places)
    printed = capsys.readouterr()
    assert (status, printed.out) == (1, "")
    sentences = printed.err.splitlines()
    assert len(sentences) == 1, printed.err
    assert sentences[0].startswith("raywiki: ")
    assert "unexpected" not in sentences[0]
    for fragment in fragments:
        assert fragment in sentences[0]
    assert everything(little) == before


@pytest.mark.parametrize(("line", "fragment"), USAGES, ids=[line for line, _ in USAGES])
def test_wrong_words_are_status_2_and_change_nothing(line, fragment, places, little, offline, capsys):
    before = everything(little)
    assert typed(line, places) == 2
    printed = capsys.readouterr()
    assert fragment in printed.err + printed.out
    assert everything(little) == before
