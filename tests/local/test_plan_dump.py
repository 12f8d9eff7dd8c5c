"""plan: its kernel on parts that are made up, and the verb over a corpus of manifests and a folder like a mirror."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from dump_server import classic, content, write_copy
from made_corpus import ENCODING, make_corpus
from made_run import Stretch, write

import raywiki as rw
from raywiki.corpus import Manifest
from raywiki.local import plan as plan_module
from raywiki.local.plan_advice import (
    Learner,
    Source,
    advice,
    effective_tokens,
    expected_loss,
    passes_worth,
    worth_of_pass,
)
from raywiki.local.plan_run import last_half_fall, run_to_ask, runs_of, speed_of
from raywiki.local.plan_steps import Place, cumulative, part_cost, shortage
from raywiki.ratios import BUNDLED, Ratio, bundled_ratios
from raywiki.training.config import SIZES, GPTConfig
from raywiki.training.flops import Rate
from raywiki.training.plan import default_epochs
from raywiki.training.runs import RunConfig, read_run

GB = 10**9
RATIOS = bundled_ratios("enwiki")
GPT2 = RunConfig("gpt2", "classic", "gpt2", "", 50257, 1024, 12, 12, 768, 0.0, 0)
ROOM = {name: Place("/", 1, 10**15) for name in ("dumps", "corpus", "token cache")}
SOURCE = Source("corpus", "enwiki", "20251101")
SOON = 1e6  # tokens a second
SLOW = 1e3


def new(number: int, size: int = GB, missing: int | None = None):
    return part_cost(number, size, size if missing is None else missing, {}, RATIOS, 2, False)


def manifest(table: str, **counts: int) -> Manifest:
    return Manifest(table, "enwiki-20251101-p1p9", {}, (), counts)


def committed(number: int | None, tokens: int, size: int = GB):
    made = {"articles": manifest("articles", articles=7), "decisions": manifest("decisions")}
    made["tokens"] = manifest("tokens/encoding=gpt2", tokens=tokens, train_tokens=tokens)
    return part_cost(number, size, size, made, RATIOS, 2, is_cached=True)


def learner(size: str = "gpt2", **fields) -> Learner:
    sizes = {
        name: GPTConfig(50257, each.seq_len, each.n_layer, each.n_head, each.n_embd).n_scaling_params
        for name, each in SIZES.items()
    }
    return Learner(size, "classic", sizes[size], sizes, "r1", **fields)


# --- steps


def test_a_part_that_nobody_has_costs_all_of_it():
    cost = new(2, missing=GB // 4)
    assert cost.download == GB // 4
    assert cost.corpus == round(GB * sum(BUNDLED["en"][f"{name}_bytes"] for name in ("articles", "curation", "tokens")))
    assert cost.cache == 2 * cost.tokens == 2 * round(0.382 * GB)
    assert cost.core_seconds == pytest.approx(GB * sum(BUNDLED["en"][f"{verb}_seconds"] for verb in plan_verbs()))


def plan_verbs() -> tuple[str, ...]:
    return ("extract", "curate", "tokenize")


def test_what_is_committed_costs_nothing_and_is_counted_exactly():
    cost = committed(1, tokens=123)
    assert (cost.download, cost.corpus, cost.cache, cost.core_seconds) == (0, 0, 0, 0)
    assert (cost.articles, cost.tokens, cost.train_tokens, cost.is_new) == (7, 123, 123, False)


def test_an_extracted_part_needs_no_dump_but_the_other_verbs():
    cost = part_cost(1, GB, GB, {"articles": manifest("articles", articles=7)}, RATIOS, 2, False)
    assert (cost.download, cost.articles, cost.is_new) == (0, 7, True)
    assert cost.core_seconds == pytest.approx(GB * (2.64e-7 + 1.33e-7))
    assert cost.corpus == round(GB * (0.0542 + 0.6))


def test_steps_add_up():
    costs = [committed(None, tokens=10**6), new(1), new(2, 2 * GB), new(4)]
    steps = cumulative(costs, GPT2, SOON, 4, ROOM)
    assert [step.parts for step in steps] == ["now", "1", "1-2", "1-2,4"]
    assert [step.add for step in steps] == [(), (1,), (1, 2), (1, 2, 4)]
    assert [step.download for step in steps] == [0, GB, 3 * GB, 4 * GB]
    assert steps[-1].tokens == sum(cost.tokens for cost in costs)
    assert steps[-1].prepare_seconds == pytest.approx(sum(cost.core_seconds for cost in costs) / 4)
    last = steps[-1]
    assert last.passes == default_epochs(GPT2, last.train_tokens) == 2
    assert last.train_seconds == pytest.approx(2 * last.train_tokens / SOON)
    assert last.feeds == pytest.approx(last.train_tokens * 4 / 20, abs=1)
    assert last.disk["run"] == 5 * 12 * GPT2.model.n_params


def test_without_a_corpus_there_is_no_step_of_what_is_there():
    assert [step.parts for step in cumulative([new(3), new(5)], GPT2, SOON, 1, ROOM)] == ["3", "3,5"]


def test_what_shares_a_file_system_shares_its_room():
    disk = {"dumps": 60, "corpus": 30, "token cache": 20, "run": 5}
    apart = {"dumps": Place("/d", 1, 60), "corpus": Place("/c", 2, 35), "token cache": Place("/t", 3, 20)}
    assert shortage(disk, apart) is None
    together = {**apart, "token cache": Place("/t", 1, 60)}
    assert shortage({**disk, "token cache": 0}, together) is None
    said = shortage({**disk, "dumps": 60_000_000, "token cache": 2_000_000}, {**together, "corpus": Place("/c", 2, None)})
    assert said == "62 MB are needed on the file system of /d (dumps 60 MB, token cache 2.0 MB), and 0.00 MB are free"
    assert shortage({**disk, "corpus": 31}, apart)  # with the run's checkpoints one byte too many


def test_a_step_that_does_not_fit_is_marked():
    places = {**ROOM, "dumps": Place("/d", 2, GB)}
    steps = cumulative([new(1), new(2)], GPT2, SOON, 1, places)
    assert [bool(step.short) for step in steps] == [False, True]
    _told, commands = advice(learner(), SOURCE, steps)
    assert commands == ["raywiki grow corpus --wiki enwiki:1 --date 20251101 --run r1 --size gpt2"]
    none, commands = advice(learner(), SOURCE, cumulative([new(1, 9 * GB)], GPT2, SOON, 1, places))
    assert commands == []
    assert "none of these parts fits" in none[-1][1]


# --- what text is worth


def test_the_papers_formula():
    assert effective_tokens(100, 0.5) == 50
    assert effective_tokens(100, 1) == 100
    step = 1e-4  # the worth of a pass is what another bit of it adds
    for passes in (1, 3, 7.5):
        slope = (effective_tokens(1, passes + step) - effective_tokens(1, passes)) / step
        assert slope == pytest.approx(worth_of_pass(passes), rel=1e-3)
    assert effective_tokens(100, 1e9) == pytest.approx(100 * (1 + 15.387756))
    assert expected_loss(1e20, 1e20, 1) == pytest.approx(1.87, abs=0.01)
    balanced = expected_loss(0.051 * 1e9, 1e9, 1)
    assert balanced == pytest.approx(1.87 + 521 / (0.051e9**0.353) + 1488 / (1e9**0.353))


def test_text_that_is_dear_to_prepare_makes_more_passes_worth_it():
    assert passes_worth(100, 1) == 4
    assert 4 < passes_worth(100, 50) < passes_worth(100, 100) < 16
    assert passes_worth(1, 1e9) == 16 == passes_worth(0, 1)


# --- advice


def about(told: list[tuple[str, str]], kind: str) -> str:
    return dict(told)[kind]


def test_one_part_starves_a_gpt2():
    steps = cumulative([new(1, 291_000_000)], GPT2, SLOW, 2, ROOM)
    told, commands = advice(learner(), SOURCE, steps)
    assert "111 M training tokens with part 1, which feed 22 M weights" in about(told, "model")
    assert "starves on them: it needs 622 M tokens, 5.6 times as many" in about(told, "model")
    assert "the largest size that they feed is micro" in about(told, "model")
    assert commands == ["raywiki grow corpus --wiki enwiki:1 --date 20251101 --run r1 --size gpt2"]


def test_the_first_step_that_feeds_the_model_is_taken():
    steps = cumulative([new(number) for number in range(1, 6)], GPT2, SLOW, 2, ROOM)
    told, commands = advice(learner(), SOURCE, steps)
    assert "with parts 1-2, enough for gpt2" in about(told, "model")
    assert "--wiki enwiki:1-2 " in commands[0]


def test_a_run_that_has_not_read_enough_reads_more_first():
    steps = cumulative([committed(1, tokens=500_000_000), new(2), new(3)], GPT2, SLOW, 2, ROOM)
    once = learner(run="r1", seen=500_000_000, fell=0.25)
    told, commands = advice(once, SOURCE, steps)
    assert "run r1 has made 1.0 over what is there" in about(told, "passes")
    assert "fell by 0.25" in about(told, "passes")
    assert "94% of what as much new text would, so 3.0 more" in about(told, "passes")
    assert commands == [
        "raywiki train corpus --run r1 --epochs 4",
        "raywiki grow corpus --wiki enwiki:2 --date 20251101 --run r1",
    ]
    four = learner(run="r1", seen=2_000_000_000)
    told, commands = advice(four, SOURCE, steps)
    assert "new text is worth more than another one" in about(told, "passes")
    assert len(commands) == 1


def test_growing_costs_the_new_tokens_and_starting_over_all():
    config = GPT2
    steps = cumulative([committed(1, tokens=3_000_000_000), new(2)], config, SLOW, 2, ROOM)
    told, commands = advice(learner(run="r1", seen=12 * 10**9), SOURCE, steps)
    hours = 380e6 / 0.75 / SLOW / 86400
    assert f"{hours:.0f} days; starting over" in about(told, "grow or start over")
    assert "39 days (1 pass)" in about(told, "grow or start over")
    assert "the loss falls by" in about(told, "grow or start over")
    assert about(told, "grow or start over").endswith("start over with gpt2-medium if a better model is worth it, else grow")
    assert commands[-1].endswith("--wiki enwiki:2 --date 20251101 --run r1")


def test_where_nearly_all_is_new_starting_over_is_cheaper():
    steps = cumulative([committed(1, tokens=1_000_000), new(2)], GPT2, SLOW, 2, ROOM)
    told, commands = advice(learner(run="old", seen=1), SOURCE, steps)
    assert about(told, "grow or start over").endswith("Start over: nearly all of it is new")
    assert "the loss falls" not in about(told, "grow or start over")  # far below what the formula was fitted to
    assert commands == ["raywiki grow corpus --wiki enwiki:2 --date 20251101 --run r1 --size gpt2"]


def test_a_corpus_that_has_all_of_it_is_told():
    told, commands = advice(learner(), SOURCE, cumulative([committed(1, tokens=10**6)], GPT2, SLOW, 2, ROOM))
    assert "has all of these parts" in about(told, "grow or start over")
    assert commands == []


# --- what runs tell


def test_the_speed_of_a_run_is_scaled_for_another_model(tmp_path):
    run = write(
        tmp_path / "corpus" / "runs" / "r1", [Stretch(20, None, between={5: {"p1": 3.0}}, tok_per_sec=1000.0, parts=["p1"])]
    )
    same = speed_of(run, run.config.model)
    assert (same.tok_per_sec, same.here) == (1000.0, True)
    larger = GPTConfig(257, 16, 4, 2, 32)
    scaled = speed_of(run, larger)
    assert scaled.tok_per_sec == pytest.approx(1000 * run.config.model.model_flops_per_token / larger.model_flops_per_token)
    assert "scaled" in scaled.source


def test_the_curve_is_that_of_the_way_to_the_last_step():
    def line(step: int, loss: float) -> dict:
        return {"step": step, "tokens": 100 * step, "val_loss": {"p1": loss, "p2": None}}

    aside = [line(3, 1.0), line(4, 0.5)]  # of a decay that the next segment leaves aside
    assert last_half_fall([line(1, 9.0), line(2, 7.0), *aside, line(3, 6.0), line(4, 5.0)]) == 2.0
    assert last_half_fall([line(1, 9.0), {"step": 2, "tokens": 200}]) is None


# --- the verb


@pytest.fixture
def mirror(tmp_path) -> Path:
    """A dump whose first three parts are those of `make_corpus`, of one byte, and two more of a thousand."""
    names = [f"xwiki-20260101-pages-articles{n}.xml-p{n}p{n}9.bz2" for n in range(1, 6)]
    bodies = {name: b"x" if number < 3 else b"x" * 1000 for number, name in enumerate(names)}
    return write_copy(tmp_path / "mirror", classic("xwiki", "20260101", bodies))


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path) -> None:
    """A device that need not be measured, and folders of its own."""
    monkeypatch.setattr(plan_module, "expected_rate", lambda device: Rate("cpu", "fp32", 1e11, 0.5))
    monkeypatch.setenv("RAYWIKI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def all_files(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


def test_a_corpus_tells_its_wiki_its_date_and_its_figures(tmp_path, mirror):
    make_corpus(tmp_path / "corpus")
    before = all_files(tmp_path)
    found = rw.plan(tmp_path / "corpus", "2-5", mirrors=mirror)
    assert all_files(tmp_path) == before
    assert (found.wiki, found.date, found.encoding) == ("xwiki", "20260101", ENCODING)
    assert [step["parts"] for step in found.steps] == ["now", "2", "2-3", "2-4", "2-5"]
    assert [step["download"] for step in found.steps] == [0, 0, 0, 1000, 2000]
    assert [step["articles"] for step in found.steps] == [10, 20, 30, 30 + 10_000, 30 + 20_000]
    assert [step["tokens"] for step in found.steps] == [100, 200, 300, 300 + 100_000, 300 + 200_000]
    assert found.steps[0]["disk"]["token cache"] == 200  # no training has decoded it
    assert found.steps[-1]["add"] == (4, 5)
    assert {ratio["here"] for ratio in found.ratios.values()} == {True}
    assert found.commands[-1] == (f"raywiki grow {tmp_path / 'corpus'} --wiki xwiki:4-5 --date 20260101 --run r1 --size nano")


def test_what_lies_in_the_folder_is_not_fetched(tmp_path, mirror):
    dumps = tmp_path / "my dumps"
    dumps.mkdir()
    (dumps / "xwiki-20260101-pages-articles4.xml-p4p49.bz2").write_bytes(b"x" * 1000)
    (dumps / "xwiki-20260101-pages-articles5.xml-p5p59.bz2.partial").write_bytes(b"x" * 400)
    found = rw.plan("xwiki", "4-5", mirrors=mirror, to=dumps)
    assert [step["download"] for step in found.steps] == [0, 600]
    assert f"--to '{dumps}' " in found.commands[0]


def test_the_name_of_a_wiki_needs_no_corpus(tmp_path, mirror):
    found = rw.plan("xwiki", [1, 2], mirrors=mirror, size="gpt2", recipe="modern", encoding="cl100k_base")
    assert (found.size, found.recipe, found.encoding) == ("gpt2", "modern", "cl100k_base")
    assert not any(ratio["here"] for ratio in found.ratios.values())
    assert found.speed["tok_per_sec"] == pytest.approx(
        5e10 / GPTConfig(100_277, 1024, 12, 12, 768, recipe="modern").model_flops_per_token
    )
    assert found.steps[-1]["disk"]["token cache"] == 4 * found.steps[-1]["tokens"]
    assert any("gpt2's vocabulary" in note for note in found.notes)
    assert found.commands == (
        "raywiki grow corpus --wiki xwiki:1-2 --date 20260101 --encoding cl100k_base --run r1 --size gpt2 --recipe modern",
    )


def test_the_runs_own_size_speed_and_curve_count(tmp_path, mirror):
    corpus = make_corpus(tmp_path / "corpus")
    parts = [f"xwiki-20260101-p{n}p{n}9" for n in (1, 2, 3)]
    between = {10: dict.fromkeys(parts, 4.0), 20: dict.fromkeys(parts, 3.5)}
    write(
        tmp_path / "corpus" / "runs" / "r1",
        [Stretch(20, None, between=between, tok_per_sec=123.0, parts=parts)],
        encoding=ENCODING,
    )
    found = rw.plan(corpus, "4", mirrors=mirror)
    assert (found.size, found.speed["tok_per_sec"]) == ("nano", 123.0)
    assert "run r1" in dict(found.advice)["passes"]
    assert "fell by 0.50" in dict(found.advice)["passes"]
    other = rw.plan(corpus, "4", mirrors=mirror, size="micro")
    assert 0 < other.speed["tok_per_sec"] < 123
    assert other.speed["here"]
    assert "--run r2 --size micro" in other.commands[-1]
    assert not rw.plan(corpus, "4", mirrors=mirror, device="cpu").speed["here"]
    assert rw.plan(corpus, "4", mirrors=mirror, device="cpu", run="r1").speed["here"]


def test_a_disk_that_is_too_small_is_told_with_both_numbers(tmp_path, mirror, monkeypatch):
    monkeypatch.setattr(plan_module.shutil, "disk_usage", lambda folder: SimpleNamespace(free=5_000_000))
    found = rw.plan("xwiki", "4-5", mirrors=mirror)
    assert len(found.warnings) == 1
    assert "the disk is too small for part 4 and for more: " in found.warnings[0]
    assert "5.0 MB are free" in found.warnings[0]
    assert {row["fits"] for row in found.rows} == {"no"}


def test_another_date_is_another_numbering_and_is_told(tmp_path, mirror):
    make_corpus(tmp_path / "corpus")
    body = {"xwiki-20260201-pages-articles.xml.bz2": b"x" * 500}
    write_copy(mirror, classic("xwiki", "20260201", body))
    found = rw.plan(tmp_path / "corpus", 1, mirrors=mirror)
    assert found.date == "20260101"  # as the corpus's parts, though there is a newer one
    found = rw.plan(tmp_path / "corpus", 1, mirrors=mirror, date="20260201")
    assert any("of the dump of 20260101, these are of 20260201" in note for note in found.notes)


def test_a_content_export_is_told_to_hold_more(tmp_path):
    files = {"xwiki-2026-03-01-p1p99.xml.bz2": b"x" * 100}
    mirror = write_copy(tmp_path / "content", content("xwiki", "2026-03-01", files))
    found = rw.plan("xwiki", 1, mirrors=mirror)
    assert found.steps[0]["download"] == 100
    assert any("all namespaces" in note for note in found.notes)


def test_a_whole_english_dump_from_its_listing_alone(tmp_path):
    files = {
        f"enwiki-20251101-pages-articles{n}.xml-p{n * 1000}p{n * 1000 + 999}.bz2": {"size": n * 10**8, "sha1": f"{n:040x}"}
        for n in range(1, 28)
    }
    jobs = {"jobs": {"articlesdump": {"status": "done", "files": files}}}
    write_copy(tmp_path / "mirror", {"enwiki/20251101/dumpstatus.json": json.dumps(jobs).encode()})
    found = rw.plan("enwiki", "1-27", mirrors=tmp_path / "mirror", size="gpt2")
    assert len(found.steps) == 27
    assert found.steps[-1]["download"] == sum(range(1, 28)) * 10**8
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(line.split()[0] in ("1", *(f"1-{n}" for n in range(2, 28))) for line in lines if line.strip()) == 27
    again = json.loads(json.dumps(found.to_dict()))
    assert again["steps"][26]["parts"] == "1-27"
    assert "rows" not in again


def test_the_last_run_of_the_size_is_asked(tmp_path):
    corpus = make_corpus(tmp_path / "corpus")
    for name, size in (("a", "nano"), ("b", "micro")):
        write(tmp_path / "corpus" / "runs" / name, [Stretch(5, None, between={5: {"p": 1.0}}, parts=["p"])], size=size)
    runs = runs_of(corpus)
    assert run_to_ask(runs, "micro", None).name == "b"
    assert run_to_ask(runs, "nano", "classic").name == "a"
    assert run_to_ask(runs, "gpt2", None) is not None  # for its speed
    assert run_to_ask([], None, None) is None
    assert read_run(tmp_path / "corpus" / "runs" / "a").config.size == "nano"


def test_what_each_part_takes_comes_on_top():
    starting = RATIOS | {"extract_seconds": Ratio(4e-7, "here", here=True, each=60.0)}
    with_it, without = (part_cost(1, GB, 0, {}, each, 2, False).core_seconds for each in (starting, RATIOS))
    assert with_it - without == pytest.approx(60 - 0.014e-6 * GB)
