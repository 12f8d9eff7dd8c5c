"""A run's weights as other tools read them: the same logits in transformers, nanoGPT's names and shapes, and the way back."""

from __future__ import annotations

import json
import math
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from verbs_here import without_ray

import raywiki as rw
from raywiki.corpus import Corpus
from raywiki.local import export_model
from raywiki.tokens import find_vocabulary, load_encoding
from raywiki.training import generate, load_model
from raywiki.training.checkpoint import find_checkpoint
from raywiki.training.metrics import read_metrics
from raywiki.training.runs import read_run
from raywiki.training.weights import read_tensors

HF = ["README.md", "_export.json", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"]


@pytest.fixture(scope="module")
def exported(little, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hf") / "r1"
    rw.export(little / "corpus", folder, format="hf", run="r1")
    return folder


@pytest.fixture
def transformers():
    return pytest.importorskip("transformers", reason="transformers is not installed")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_transformers_computes_the_same(little, exported, transformers):
    model, config, _ = load_model(little / "corpus/runs/r1", "cpu")
    theirs, loading = transformers.AutoModelForCausalLM.from_pretrained(exported, output_loading_info=True)
    assert not any(loading.values()), loading
    ids = torch.randint(config.vocab_size, (3, config.seq_len), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = theirs.eval()(ids).logits
        torch.testing.assert_close(found, model(ids)[..., : config.vocab_size], rtol=0, atol=1e-4)
    prompt = ids[0, :8].tolist()
    end_of_text = theirs.generation_config.eos_token_id
    greedy = list(generate(model, prompt, max_tokens=20, temperature=0, stop=end_of_text))
    [written] = theirs.generate(torch.tensor([prompt]), max_new_tokens=20, do_sample=False).tolist()
    assert [token for token in written[len(prompt) :] if token != end_of_text] == greedy
    assert len(greedy) > 5


def test_transformers_encodes_the_same(little, exported, transformers):
    tokenizer = transformers.AutoTokenizer.from_pretrained(exported)
    encoding = load_encoding(*find_vocabulary(Corpus(little / "corpus").tables(), "small"))
    texts = ["Aa bc, d'ê!\n\n  two  spaces", "đèn 🦡 12345", " leading", ""]
    for text, ids in zip(texts, encoding.encode(texts), strict=True):
        assert tokenizer(text)["input_ids"] == ids.tolist()
        assert tokenizer.decode(ids.tolist()) == text
    assert tokenizer.eos_token_id == encoding.end_of_text
    assert tokenizer.model_max_length == 32


def test_the_folder_says_what_it_is(little, exported):
    assert set(content(exported)) == {*HF, "tokenizer_config.json"}
    run, card = read_run(little / "corpus/runs/r1"), (exported / "README.md").read_text()
    for needed in (
        "language:\n- vi\n",
        "library_name: transformers",
        "trained it for\n6 steps",
        "under [CC BY-SA 4.0]",
        "also under the GFDL",
        "(SHA-256 ",
    ):
        assert needed in card
    losses = read_metrics(little / "corpus/runs/r1/metrics.jsonl")[-1]["val_loss"]
    for name, part in run.known.items():
        assert f"| {name} | {part.train_tokens:,} |" in card
        assert f"| {losses[name]:.4f} |" in card
        assert f"- viwiki, part {name}, from the dump file" in card
    read = [float(line.split("|")[3].replace(",", "")) for line in card.splitlines() if line.startswith("| viwiki")]
    assert sum(read) == pytest.approx(6 * 64, abs=2)


def test_nanogpt_names_and_shapes(little, tmp_path):
    done = rw.export(little / "corpus", tmp_path / "wiki", format="nanogpt", run="r1")
    assert sorted(content(tmp_path / "wiki")) == ["_export.json", "ckpt.pt", "meta.pkl"]
    assert "--out_dir=wiki" in str(done)
    saved = torch.load(tmp_path / "wiki/ckpt.pt", weights_only=True)
    assert saved["model_args"] == {
        "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 32, "bias": True, "vocab_size": 300, "dropout": 0.0,
    }  # fmt: skip
    assert saved["config"] == {"dataset": "../wiki"}
    inner = {
        "ln_1.weight": (16,), "ln_1.bias": (16,), "attn.c_attn.weight": (48, 16), "attn.c_attn.bias": (48,),
        "attn.c_proj.weight": (16, 16), "attn.c_proj.bias": (16,), "ln_2.weight": (16,), "ln_2.bias": (16,),
        "mlp.c_fc.weight": (64, 16), "mlp.c_fc.bias": (64,), "mlp.c_proj.weight": (16, 64), "mlp.c_proj.bias": (16,),
    }  # fmt: skip
    expected = {f"transformer.h.0.{name}": shape for name, shape in inner.items()}
    expected |= {"transformer.wte.weight": (300, 16), "transformer.wpe.weight": (32, 16), "lm_head.weight": (300, 16)}
    expected |= {"transformer.ln_f.weight": (16,), "transformer.ln_f.bias": (16,)}
    assert {name: tuple(tensor.shape) for name, tensor in saved["model"].items()} == expected
    own = read_tensors(find_checkpoint(little / "corpus/runs/r1/checkpoints").folder / "model.safetensors")
    assert torch.equal(saved["model"]["transformer.h.0.mlp.c_fc.weight"], own["blocks.0.up.weight"])
    assert torch.equal(saved["model"]["lm_head.weight"], own["tokens.weight"][:300])
    assert (tmp_path / "wiki/ckpt.pt").stat().st_size < 1.5 * sum(tensor.nbytes for tensor in own.values())
    assert pickle.loads((tmp_path / "wiki/meta.pkl").read_bytes())["vocab_size"] == 300


def test_there_and_back_again_the_loss_is_the_same(little, exported, tmp_path, monkeypatch):
    without_ray(monkeypatch, tmp_path / "cache")
    corpus = shutil.copytree(little / "corpus", tmp_path / "corpus")
    asked = dict(init_from=str(exported), steps=2, total_batch_size=64, device="cpu")
    summary = rw.train(corpus, "r2", **asked)
    assert read_run(corpus / "runs/r2").config.n_embd == 16
    [segment] = summary.segments
    last = read_metrics(corpus / "runs/r1/metrics.jsonl")[-1]["val_loss"]
    padding = math.log(384 / 300)  # whose weights begin anew, at most
    for part, loss in segment["before"].items():
        assert abs(loss - last[part]) < padding / 5
    assert rw.train(corpus, "r2", **asked).state == "unchanged"
    other = rw.train(corpus, "r3", init_from="run:r1", steps=2, total_batch_size=64, device="cpu")
    assert other.segments[0]["before"] == last
    card = rw.export(corpus, tmp_path / "again", format="hf", run="r3") and (tmp_path / "again/README.md").read_text()
    assert "It began with the weights of run:r1 (SHA-256 " in card


def test_again_only_what_is_missing_and_another_checkpoint_in_the_same_place(little, exported, tmp_path):
    corpus, to = little / "corpus", tmp_path / "to"
    rw.export(corpus, to, format="hf", run="r1", checkpoint=5)
    first = content(to)
    assert rw.export(corpus, to, format="hf", run="r1", checkpoint="5").written == ()
    (to / "model.safetensors").unlink()
    assert rw.export(corpus, to, format="hf", run="r1", checkpoint=5).written == ("model.safetensors",)
    assert content(to) == first
    assert set(rw.export(corpus, to, format="hf", run="r1").written) == {"model.safetensors", "README.md"}
    assert content(to) == content(exported)
    means = {step: sum(loss.values()) / len(loss) for step, loss in evaluated(corpus).items() if step in (3, 6)}
    best = rw.export(corpus, to, format="hf", run="r1", checkpoint="best")
    assert best.notes[0].endswith(f"after {min(means, key=means.get)} steps")


def evaluated(corpus: Path) -> dict[int, dict[str, float]]:
    lines = read_metrics(corpus / "runs/r1/metrics.jsonl")
    return {line["step"]: line["val_loss"] for line in lines if "val_loss" in line}


@pytest.mark.parametrize("format", ["hf", "nanogpt"])
def test_interrupted_in_any_file_nothing_is_half_and_the_rerun_completes(little, tmp_path, monkeypatch, format):
    corpus, to = little / "corpus", tmp_path / "undisturbed" / "wiki"
    files = rw.export(corpus, to, format=format, run="r1").written
    for number in range(len(files)):
        other = tmp_path / f"{number}" / "wiki"
        with monkeypatch.context() as patch:
            patch.setattr(export_model, "PlannedFile", failing_at(number))
            with pytest.raises(OSError, match="the disk is gone"):
                rw.export(corpus, other, format=format, run="r1")
        assert sorted(name for name in content(other) if not name.startswith(".")) == sorted(files[:number])
        assert rw.export(corpus, other, format=format, run="r1").written == files[number:]
        assert content(other) == content(to)


def failing_at(number: int):
    """`PlannedFile`, of which that one writes a half and fails."""
    from raywiki.local.export_target import PlannedFile

    made = []

    def planned(name, key, write, amount=0.0):
        def half(sink, advance):
            sink.write(b"half of it")
            raise OSError("the disk is gone")

        made.append(name)
        return PlannedFile(name, key, half if len(made) - 1 == number else write, amount)

    return planned


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"format": "jsonl"}, "a run is exported as hf or nanogpt, not as jsonl"),
        ({"format": "hf", "columns": ["n_chars"]}, "columns says which articles or tokens, and a run's weights have none"),
        ({"format": "nanogpt", "encoding": "small"}, "encoding says which articles or tokens"),
        ({"format": "hf", "parts": ["p1"]}, "parts says which articles or tokens"),
        ({"format": "hf", "run": None, "checkpoint": 3}, "checkpoint says which weights of a run: name the run too"),
        ({"format": "hf", "run": "r9"}, "there is no run r9 in"),
        ({"format": "hf", "run": "../r1"}, "is no name of a run"),
        ({"format": "hf", "checkpoint": 4}, "run r1 has no checkpoint '4': take latest, best, or one of the steps 5, 6"),
        ({"format": "hf", "checkpoint": "newest"}, "run r1 has no checkpoint 'newest'"),
    ],
)
def test_what_does_not_fit_is_one_sentence(little, tmp_path, given, said):
    with pytest.raises(ValueError, match=said):
        rw.export(little / "corpus", tmp_path / "to", **{"run": "r1", **given})
    assert not (tmp_path / "to").exists()


def test_another_recipe_vocabulary_or_target_is_refused(little, tmp_path):
    corpus = shutil.copytree(little / "corpus", tmp_path / "corpus")
    segments = corpus / "runs/r1/segments.json"
    good = segments.read_text()
    segments.write_text(good.replace('"recipe": "classic"', '"recipe": "modern"'))
    with pytest.raises(ValueError, match="run r1 has recipe=modern, which neither transformers' GPT-2 nor nanoGPT's"):
        rw.export(corpus, tmp_path / "to", format="hf", run="r1")
    segments.write_text(good.replace('"vocabulary": "', '"vocabulary": "0'))
    with pytest.raises(ValueError, match="run r1 was trained with another vocabulary than"):
        rw.export(corpus, tmp_path / "to", format="hf", run="r1")
    segments.write_text(good)
    rw.export(corpus, tmp_path / "to", format="hf")
    with pytest.raises(ValueError, match="holds an export with format='hf', not format='hf model'"):
        rw.export(corpus, tmp_path / "to", format="hf", run="r1")


def test_the_command(little, tmp_path, capsys):
    from raywiki.cli import main

    arguments = ["export", str(little / "corpus"), "--run", "r1", "--format", "hf", "--to", str(tmp_path / "to")]
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--checkpoint", "5", "--json"])
    assert left.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["format"], printed["files"]) == ("hf model", 6)
