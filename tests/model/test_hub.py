"""Backbones as the hub really serves them, by the real download code against a stand-in of the hub."""

import hashlib
import io
import json
import logging
import os
import random
import subprocess
import sys
import threading

import pytest
import sentencepiece
import torch
from huggingface_hub import constants
from safetensors.torch import load

from relex.errors import InvalidConfig, ModelNotFound, RelexError, ServiceUnreachable
from relex.model import pickled
from relex.model.classifier import RelationClassifier, backbone_tokenizer
from relex.model.config import ModelConfig
from relex.model.hub import backbone_folder, weights_folder
from relex.model.sentencepiece import sentencepiece_tokenizer
from relex.training.building import build_classifier
from relex.training.config import load_config
from relex.training.recipes import shipped_names
from tests.hub import Pull, Repository, commit_of, serving
from tests.making import example
from tests.model import layouts
from tests.processes import ROOT
from tests.security.payloads import Trap

NAME = "klue/roberta-tiny"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub's, and a folder without anything that has a backbone's name."""
    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_ASSETS_CACHE", str(tmp_path / "assets"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1_000)
    return tmp_path


@pytest.fixture
def hub(cache, monkeypatch):
    with serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub


@pytest.fixture
def impatient(monkeypatch):
    """Waits between two tries of the hub's library take no time."""

    class Clock:
        sleep = staticmethod(lambda _: None)

    monkeypatch.setattr("huggingface_hub.file_download.time", Clock)
    monkeypatch.setattr("huggingface_hub.utils._http.time", Clock)


def opened(name=NAME):
    tokenizer = backbone_tokenizer(name)
    return RelationClassifier.from_backbone(name, ModelConfig(), tokenizer), tokenizer


def safe():
    return layouts.klue(0.1, "model.safetensors")


def weight(name=NAME):
    """A number by which the weights of a layout are known."""
    return round(next(iter(opened(name)[0].backbone.parameters())).flatten()[0].item(), 3)


def test_the_layout_of_every_recipes_own_backbone_is_known(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert {load_config(recipe).backbone.name for recipe in shipped_names()} == {None, *layouts.LAYOUTS}
    assert load_config("large_focal.yaml").backbone.name == "klue/roberta-large"


@pytest.mark.parametrize("name", sorted(layouts.LAYOUTS))
def test_every_recipes_own_backbone_can_be_had_in_one_command(hub, cache, monkeypatch, name):
    monkeypatch.chdir(ROOT)
    config = load_config("base", {"backbone.name": name})
    monkeypatch.chdir(cache)
    files = layouts.LAYOUTS[name]()
    if name == "pretrained/backbone":  # a folder
        (cache / name).mkdir(parents=True)
        for file, content in files.items():
            (cache / name / file).write_bytes(content)
    else:
        pulls = [Pull({"model.safetensors": layouts.klue(kind="model.safetensors")["model.safetensors"]})]
        hub.repositories[name] = Repository(files, pulls if name == "klue/roberta-large" else [])
    examples = [example(number, "no_relation") for number in range(4)]
    model, tokenizer = build_classifier(config, examples)
    encoded = model.encoder(tokenizer).encode(examples)
    words = tokenizer.convert_ids_to_tokens(encoded[0].input_ids)
    assert words[0] == "[CLS]"
    assert words[-1] == "[SEP]"
    assert "[UNK]" not in words
    assert tokenizer.decode(encoded[0].input_ids[slice(*encoded[0].object)]).replace(" ", "") == "김0"
    read = {name for name, _ in model.backbone.named_parameters()}
    assert "encoder.layer.0.output.dense.weight" in read
    pretrained = next(content for file, content in files.items() if file.endswith((".bin", ".safetensors")))
    assert digest_of(model.backbone.encoder.layer[0].output.dense.weight) in digests_of(pretrained)


def digest_of(tensor):
    return hashlib.sha256(tensor.detach().contiguous().numpy().tobytes()).hexdigest()


def digests_of(content):
    state = torch.load(io.BytesIO(content), weights_only=True) if content[:2] == b"PK" else load(content)
    return {digest_of(tensor) for tensor in state.values()}


def test_a_process_finds_the_hub_by_its_variables(hub, cache):
    hub.repositories[NAME] = Repository(safe())
    code = f"from relex.model.hub import weights_folder; print(weights_folder({NAME!r}))"
    variables = {"HF_ENDPOINT": hub.url, "HF_HOME": str(cache / "home"), "PYTHONPATH": str(ROOT)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True, timeout=60, check=True
    )
    assert said.stdout.strip().endswith(commit_of(safe()))
    assert said.stdout.startswith(str(cache / "home"))


def test_safetensors_of_the_main_revision_come_first(hub):
    files = safe() | {"pytorch_model.bin": b"never fetched"}
    hub.repositories[NAME] = Repository(files, [Pull({"model.safetensors": b"never fetched"})])
    assert weight() == 0.1
    assert hub.downloads()["pytorch_model.bin"] == hub.asked("/discussions") == 0


def conversion(filled, **fields):
    return Pull({"model.safetensors": layouts.klue(filled, "model.safetensors")["model.safetensors"]}, **fields)


def test_the_hubs_own_conversion_comes_before_the_pickle(hub):
    hub.repositories[NAME] = Repository(layouts.klue(0.1), [conversion(0.2, author="somebody"), conversion(0.3)])
    assert weight() == 0.3
    assert hub.downloads()["pytorch_model.bin"] == 0
    assert weight() == 0.3
    assert hub.downloads()["model.safetensors"] == hub.asked("/discussions") == 1


@pytest.mark.parametrize(
    "pulls",
    [[conversion(0.2, author="somebody")], [conversion(0.2, parent="0" * 40)], None],
    ids=["of anybody", "of another commit", "of a mirror that knows none"],
)
def test_a_conversion_that_is_not_the_hubs_own_of_this_commit_does_not_count(hub, cache, monkeypatch, pulls):
    hub.repositories[NAME] = Repository(layouts.klue(), pulls or [])
    if pulls is None:
        monkeypatch.setattr("tests.hub._discussions", lambda *_: {"error": "not found"})
    converted = []
    monkeypatch.setattr(pickled, "convert", lambda *parts: converted.append(parts) or cache)
    assert weights_folder(NAME) == cache
    [(_, [file], _)] = converted
    assert file.name == "pytorch_model.bin"
    assert hub.downloads()["model.safetensors"] == 0


def test_weights_in_several_pickles_are_one(hub):
    files = layouts.klue(0.1)
    weights = torch.load(io.BytesIO(files.pop("pytorch_model.bin")), weights_only=True)
    for number in range(2):
        part = dict(list(weights.items())[number::2])
        files[f"pytorch_model-0000{number + 1}-of-00002.bin"] = layouts.pickled(part)
    hub.repositories[NAME] = Repository(files)
    assert weight() == 0.1


@pytest.mark.parametrize(
    ("kind", "away"),
    [("safetensors", "hub"), ("safetensors", "network"), ("conversion", "hub"), ("pickle", "network")],
)
def test_what_was_fetched_once_is_opened_without_the_hub(hub, monkeypatch, kind, away):
    files = layouts.klue(0.1, "model.safetensors" if kind == "safetensors" else "pytorch_model.bin")
    hub.repositories[NAME] = Repository(files, [conversion(0.1)] if kind == "conversion" else [])
    assert weight() == 0.1
    before = hub.downloads()
    assert weight() == 0.1
    assert hub.downloads() == before
    if away == "hub":
        monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    else:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    asked = len(hub.requests)
    assert weight() == 0.1
    assert len(hub.requests) == asked


def test_a_connection_that_breaks_off_is_resumed_where_it_broke(hub, impatient):
    files = safe()
    hub.repositories[NAME] = Repository(files, breaks_after=2_500, breaks=3)
    assert weight() == 0.1
    starts = [int(each.removeprefix("bytes=").rstrip("-")) for each in hub.ranges()]
    assert len(starts) >= 2
    assert all(starts)


def test_one_that_breaks_off_for_good_passes_by_itself_and_leaves_no_half_file(hub, cache, impatient):
    repository = hub.repositories[NAME] = Repository(safe(), breaks_after=0, breaks=10**6)
    with pytest.raises(ServiceUnreachable, match="try again"):
        opened()
    assert not list(cache.rglob("*.incomplete"))
    repository.breaks = 0
    assert weight() == 0.1


def test_progress_is_told_while_a_slow_hub_sends(hub, caplog):
    """The hub does not send the second half before the first is told."""
    caplog.set_level(logging.INFO, "relex")
    first, told = threading.Event(), []
    files = safe()
    hub.repositories[NAME] = Repository(files, halfway=lambda: first.wait(30))

    def progress(fetched, total):
        told.append((fetched, total))
        if 0 < fetched < total:
            first.set()

    weights_folder(NAME, progress)
    assert first.is_set()
    assert told[-1][0] == told[-1][1] == sum(map(len, files.values()))
    assert f"fetching the backbone {NAME} from {hub.url}" in caplog.text
    assert "fetched 0." in caplog.text


def test_a_run_that_is_cancelled_stops_fetching(hub):
    class Cancelled(Exception):
        pass

    def progress(*_):
        raise Cancelled

    hub.repositories[NAME] = Repository(safe())
    with pytest.raises(Cancelled):
        weights_folder(NAME, progress)


@pytest.mark.parametrize("given", [None, "hf_wrong_and_secret", "hf_right_and_secret"])
def test_a_token_is_used_and_never_logged(hub, monkeypatch, caplog, given):
    caplog.set_level(logging.DEBUG)
    hub.repositories[NAME] = Repository(safe(), token="hf_right_and_secret")
    if given:
        monkeypatch.setenv("HF_TOKEN", given)
    if given == "hf_right_and_secret":
        assert weight() == 0.1
    else:
        with pytest.raises(ModelNotFound, match="set HF_TOKEN for a private one") as caught:
            opened()
        assert "secret" not in f"{caught.value} {caught.value.__cause__}"
    assert {headers.get("authorization") for *_, headers in hub.requests} == {f"Bearer {given}" if given else None}
    assert "secret" not in caplog.text


def test_a_gated_model_is_told_with_where_to_go(hub):
    hub.repositories[NAME] = Repository({}, gated=True)
    with pytest.raises(ModelNotFound, match=f"accept its terms at {hub.url}/{NAME} and set HF_TOKEN"):
        opened()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, ServiceUnreachable), (503, ServiceUnreachable), (429, ServiceUnreachable), (410, InvalidConfig)],
)
def test_what_the_hub_answers_says_whether_it_passes_by_itself(hub, impatient, status, kind):
    hub.repositories[NAME] = Repository({}, status=status)
    with pytest.raises(kind):
        opened()


def test_a_copy_that_is_not_here_with_the_network_forbidden(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFound, match="set HF_HUB_OFFLINE=0"):
        opened()
    hub.repositories[NAME] = Repository(safe())
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # as the hint says
    assert weight() == 0.1


@pytest.mark.parametrize("part", ["HF_HUB_CACHE", "HF_ASSETS_CACHE"])
def test_a_cache_that_cannot_be_written_is_no_fault_of_the_network(hub, cache, monkeypatch, part):
    hub.repositories[NAME] = Repository(safe() if part == "HF_HUB_CACHE" else layouts.klue(0.1))
    (cache / "file").touch()
    monkeypatch.setattr(constants, part, str(cache / "file" / "below"))
    with pytest.raises(RelexError, match="set HF_HOME to another folder") as caught:
        opened()
    assert not isinstance(caught.value, ServiceUnreachable)
    monkeypatch.setattr(constants, part, str(cache / "other"))  # as the hint says
    assert weight() == 0.1


def test_a_harmful_pickle_on_the_hub_runs_nothing(hub, cache):
    trap = Trap(cache)
    assert trap.works()
    hub.repositories[NAME] = Repository(layouts.klue() | {"pytorch_model.bin": trap.pickle})
    with pytest.raises(InvalidConfig, match=r"refuses pytorch_model\.bin.*choose another backbone"):
        opened()
    assert not trap.went_off
    assert not list((cache / "assets").rglob("*.safetensors"))


def test_a_conversion_that_dies_is_told_in_one_line_and_leaves_nothing(hub, cache, monkeypatch):
    (cache / "child.py").write_text("import os, sys; open(sys.argv[1], 'w').write('half'); os.kill(os.getpid(), 9)")
    monkeypatch.setattr(pickled, "CHILD", cache / "child.py")
    hub.repositories[NAME] = Repository(layouts.klue())
    with pytest.raises(RelexError, match="converts its weights died: signal 9: did memory run out"):
        opened()
    assert not [path for path in (cache / "assets").rglob("*") if path.suffix in {".safetensors", ".unfinished"}]


def test_a_model_without_weights_is_told(hub):
    files = layouts.klue()
    del files["pytorch_model.bin"]
    hub.repositories[NAME] = Repository(files)
    with pytest.raises(InvalidConfig, match="no weights, neither in safetensors nor as"):
        opened()


def test_what_a_killed_conversion_left_is_cleared_and_what_is_kept_says_what_it_was_made_of(hub, cache, caplog):
    caplog.set_level(logging.INFO, "relex")
    files = layouts.klue(0.1)
    hub.repositories[NAME] = Repository(files)
    kept = cache / "assets" / "relex" / "backbones" / NAME.replace("/", "--") / commit_of(files)
    left = kept.with_name(f"{kept.name}.unfinished")
    left.mkdir(parents=True)
    (left / pickled.WEIGHTS).write_text("half")
    assert weight() == 0.1
    assert not left.exists()
    assert weights_folder(NAME) == kept
    made_of = json.loads((kept / pickled.SOURCE).read_text("utf-8"))
    digest = hashlib.sha256(files["pytorch_model.bin"]).hexdigest()
    assert made_of == {"backbone": NAME, "sha256": {"pytorch_model.bin": digest}}
    assert f"read pytorch_model.bin (sha256 {digest}) by torch's restricted loader" in caplog.text
    assert backbone_folder(NAME).name == commit_of(files)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_sentencepiece_model_cuts_as_sentencepiece_does(tmp_path, kind):
    """On words of another file too, with wide characters, several spaces and characters that it does not know."""
    texts = [*layouts.sentences(), "  두  칸  사이 ", "㈜테스트　전각ＡＢ ﾊﾝ", "a\tb", "𝒳 ☃ 뷁"]
    rng = random.Random(7)
    texts += ["".join(rng.choices("가나다 ,.1a김", k=rng.randrange(1, 40))) for _ in range(200)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(layouts.sentences()),
        model_prefix=str(tmp_path / "spiece"),
        vocab_size=600,
        model_type=kind,
        character_coverage=0.98,
        unk_piece="[UNK]",
        pad_id=3,
        pad_piece="[PAD]",
        control_symbols="[CLS],[SEP]",
        minloglevel=2,
    )
    tokenizer = sentencepiece_tokenizer(tmp_path / "spiece.model")
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "spiece.model"))
    assert [tokenizer.encode(text, add_special_tokens=False) for text in texts] == theirs.encode(texts)
    pair = tokenizer.backend_tokenizer.encode("가", "나")
    assert [pair.tokens[0], pair.tokens[-1], pair.tokens.count("[SEP]")] == ["[CLS]", "[SEP]", 2]
    assert [pair.type_ids[0], pair.type_ids[-1]] == [0, 1]


def test_a_damaged_sentencepiece_model_is_told(hub):
    hub.repositories[NAME] = Repository(layouts.kobert() | {"spiece.model": b"\xff" * 50})
    with pytest.raises(InvalidConfig, match=r"spiece\.model: no SentencePiece model"):
        backbone_tokenizer(NAME)
