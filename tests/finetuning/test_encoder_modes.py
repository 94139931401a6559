"""Modes that train a transformer: what they give before training, what training moves, and what they refuse."""

from __future__ import annotations

import pytest
import torch
from encoders.tiny_models import TEXTS, auto_folder, bert_folder, gpt2_folder

from recsys.encoders.bert import BertEncoder
from recsys.encoders.gpt2 import GPT2Encoder
from recsys.encoders.tfidf import TfidfEncoder
from recsys.encoders.transformer import TransformerEncoder
from recsys.features.item_features import ItemFeatures
from recsys.finetuning.base import EncodedItems, TextVectors
from recsys.finetuning.bitfit import BitFit
from recsys.finetuning.encoder import layers_above
from recsys.finetuning.full import Full
from recsys.finetuning.last_n import LastN
from recsys.finetuning.lora import Lora
from recsys.layers.post_processing import PostProcessing
from recsys.optim.schedule import warm_up
from recsys.schema import ConfigError, ModelContext
from recsys.testing.encoder_contract import MIXED

ITEMS = [*MIXED, MIXED[0], ""]  # two texts stand for two items each
ENCODERS = {
    "bert": lambda folder: BertEncoder(folder_of(folder, bert_folder), max_length=24, batch_tokens=64),
    "gpt2": lambda folder: GPT2Encoder(folder_of(folder, gpt2_folder), pooling="last", max_length=24, batch_tokens=64),
    "llama": lambda folder: TransformerEncoder(folder_of(folder, auto_folder("llama")), max_length=24),
    "roberta": lambda folder: TransformerEncoder(folder_of(folder, auto_folder("roberta")), max_length=24),
}
MODES = {"full": Full, "bitfit": BitFit, "last_n": LastN, "last_2": lambda: LastN(2), "lora": lambda: Lora(rank=2)}
TRAINED = {  # by a part of a parameter's name in the frozen model
    "full": lambda name: "pooler" not in name,
    "bitfit": lambda name: name.endswith("bias") and "pooler" not in name,
    "last_n": lambda name: "layer.1." in name or "h.1." in name,
    "last_2": lambda name: "layer." in name or "h." in name,
    "lora": lambda name: False,
}
CELLS = [(encoder, mode) for encoder in ENCODERS for mode in MODES if (encoder, mode) != ("llama", "bitfit")]


def folder_of(folder, make):
    return str(folder if (folder / "config.json").exists() else make(folder))


def fitted(name, folder):
    encoder = ENCODERS[name](folder)
    encoder.fit(TEXTS, folder)
    return encoder


def items_of(name, folder):
    vectors = torch.from_numpy(fitted(name, folder).encode(ITEMS))
    return EncodedItems(vectors, torch.ones(len(ITEMS), dtype=torch.bool), False, ITEMS, lambda: fitted(name, folder))


@pytest.mark.slow
@pytest.mark.parametrize(("encoder", "mode"), CELLS)
def test_it_begins_as_the_frozen_encoder_for_all_items_and_for_some(encoder, mode, tmp_path):
    items = items_of(encoder, tmp_path)
    text = MODES[mode]().text_vectors(items).eval()
    torch.testing.assert_close(text.catalogue(), items.vectors, atol=1e-5, rtol=0)
    some = torch.tensor([14, 3, 3, 0, 7])
    torch.testing.assert_close(text(some), items.vectors[some], atol=1e-5, rtol=0)


@pytest.mark.parametrize("steps", [{"truncate": 3}, {"whitening": 0.5}, {"truncate": 5, "rank": 2}])
def test_post_processing_is_that_of_the_frozen_vectors(steps, tmp_path):
    items = items_of("bert", tmp_path)
    context = ModelContext(4, torch.tensor([True]), torch.arange(len(ITEMS)))
    texts = (Full().text_vectors(items).eval(), TextVectors(items.vectors))
    trained, frozen = (ItemFeatures(context, text, vectors=PostProcessing(**steps)).text for text in texts)
    assert trained.dim == frozen.dim
    torch.testing.assert_close(trained.catalogue(), frozen.catalogue(), atol=1e-4, rtol=0)
    some = torch.tensor([14, 3, 3, 0, 7])
    torch.testing.assert_close(trained(some), frozen(some), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("encoder", "mode"), [cell for cell in CELLS if cell[0] in ("bert", "gpt2")])
def test_a_gradient_reaches_what_the_mode_says_and_nothing_else_moves(encoder, mode, tmp_path):
    before = {name: weight.clone() for name, weight in fitted(encoder, tmp_path).model.named_parameters()}
    text = MODES[mode]().text_vectors(items_of(encoder, tmp_path))
    parameters = dict(text.network.model.named_parameters())
    if mode == "lora":
        assert parameters
        assert all("lora_" in name for name in parameters)
    else:
        assert {original(name, mode) for name in parameters} == set(filter(TRAINED[mode], before))
    target = torch.randn(len(ITEMS), text.dim)
    optimizer = torch.optim.AdamW(text.parameter_groups(), weight_decay=0.1)
    for _ in range(2):  # LoRA's first factor has no gradient while the second is 0
        (text.catalogue() * target).sum().backward()
        optimizer.step()
    assert all(weight.grad is not None for weight in parameters.values())
    now = {**dict(text.network.model.named_buffers()), **parameters}
    for name, weight in now.items():
        known = before.get(original(name, mode))
        if known is not None:
            assert torch.equal(weight, known) != (name in parameters), name


def original(name, mode):
    """A weight's name in the whole model: last_n has lost the first layer, lora has put a name between."""
    if mode == "last_n":
        return name.replace("layer.0.", "layer.1.").replace("h.0.", "h.1.")
    return name.replace("base_layer.", "")


@pytest.mark.parametrize("mode", MODES)
def test_a_checkpoint_holds_what_is_trained_and_gives_the_same_vectors(mode, tmp_path):
    items = items_of("gpt2", tmp_path)
    text = MODES[mode]().text_vectors(items)
    assert set(text.state_dict()) == {name for name, _ in text.named_parameters()}
    with torch.no_grad():
        for parameter in text.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    torch.manual_seed(9)
    again = MODES[mode]().text_vectors(items)
    again.load_state_dict(text.state_dict())
    assert torch.equal(again.eval().catalogue(), text.eval().catalogue())
    assert not torch.allclose(again.catalogue(), items.vectors, atol=1e-3)


@pytest.mark.parametrize("mode", ["full", "last_n"])
def test_gradient_checkpointing_changes_no_gradient(mode, tmp_path):
    items = items_of("bert", tmp_path)
    gradients = []
    for recompute in (False, True):
        make = {"full": Full, "last_n": LastN}[mode]
        text = make(gradient_checkpointing=recompute).text_vectors(items)
        torch.manual_seed(3)  # the same dropout
        text(torch.arange(10)).square().mul(torch.arange(text.dim)).sum().backward()
        gradients.append([parameter.grad for parameter in text.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_the_cut_runs_the_upper_layers_alone_and_each_distinct_text_once(tmp_path):
    text = LastN(1).text_vectors(items_of("bert", tmp_path))
    (stack, blocks), rows = text.network.blocks(), []
    assert (stack, len(blocks)) == ("encoder.layer", 1)
    blocks[0].register_forward_hook(lambda block, args, states: rows.append(len(states)))
    text(torch.tensor([0, 14, 1, 15, 0, 2]))  # the texts of 0 and 14, and of 1 and 15, are equal
    assert sum(rows) == 3


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["full", "bitfit", "last_n", "lora"])
def test_it_fits_better_than_any_projection_of_frozen_vectors(mode, tmp_path):
    texts = [*TEXTS, *MIXED]
    folder = gpt2_folder(tmp_path, resid_pdrop=0.0, attn_pdrop=0.0, embd_pdrop=0.0)

    def encoder():
        made = GPT2Encoder(str(folder), max_length=24)
        made.fit(texts, tmp_path)
        return made

    vectors = torch.from_numpy(encoder().encode(texts))
    target = torch.randn(len(texts), 3)
    ridge = torch.linalg.solve(vectors.T @ vectors + 0.1 * torch.eye(16), vectors.T @ target)  # the least `loss_of`

    def loss_of(vectors, projection):
        return (vectors @ projection - target).square().sum() + 0.1 * projection.square().sum()

    items = EncodedItems(vectors, torch.ones(len(texts), dtype=torch.bool), False, texts, encoder)
    text = MODES[mode]().text_vectors(items)
    projection = torch.nn.Parameter(ridge.clone())  # training begins where frozen vectors end
    optimizer = torch.optim.Adam([*text.parameters(), projection], lr=5e-3)
    for _ in range(20):
        optimizer.zero_grad()
        loss_of(text.catalogue(), projection).backward()
        optimizer.step()
    assert loss_of(text.catalogue(), projection) < 0.95 * loss_of(vectors, ridge)


def test_learning_rates_fall_with_depth(tmp_path):
    text = Full(learning_rate=1.0, layer_decay=0.5, warmup_steps=4).text_vectors(items_of("bert", tmp_path))
    names = {id(parameter): name for name, parameter in text.network.model.named_parameters()}
    rates = {names[id(p)]: group["lr"] for group in text.parameter_groups() for p in group["params"]}
    assert len(rates) == len(names)
    assert rates["encoder.layer.1.output.dense.weight"] == 1.0
    assert rates["encoder.layer.0.output.dense.weight"] == 0.5
    assert rates["embeddings.word_embeddings.weight"] == 0.25
    assert layers_above("ln_f.weight", "h", torch.nn.ModuleList()) == 0


def test_the_learning_rate_warms_up_in_its_groups_alone():
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups = [{"params": weights[:1]}, {"params": weights[1:], "lr": 2.0, "warmup_steps": 4}]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    schedule, seen = warm_up(optimizer), []
    for _ in range(5):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    assert seen == [[1.0, 0.5], [1.0, 1.0], [1.0, 1.5], [1.0, 2.0], [1.0, 2.0]]
    assert warm_up(torch.optim.SGD(weights, lr=1.0)) is None


def test_what_the_encoder_does_not_have_is_refused(tmp_path):
    items = items_of("gpt2", tmp_path / "gpt2")
    with pytest.raises(ConfigError, match=r"finetune\.n_layers is 3, but the encoder has 2 layers"):
        LastN(3).text_vectors(items)
    with pytest.raises(ConfigError, match=r"finetune\.target_modules: .*nowhere"):
        Lora(target_modules=["nowhere"]).text_vectors(items)
    with pytest.raises(ConfigError, match=r"finetune=bitfit trains biases, and LlamaModel has none"):
        BitFit().text_vectors(items_of("llama", tmp_path / "llama"))
    with pytest.raises(ConfigError, match=r"TfidfEncoder has no layers to train"):
        TfidfEncoder().network(TEXTS)


def test_vectors_that_differ_before_training_are_refused(tmp_path):
    items = items_of("gpt2", tmp_path)
    wrong = EncodedItems(items.vectors + 1, items.warm, False, ITEMS, items.encoder)
    with pytest.raises(ConfigError, match="GPT2Model gives vectors that differ by 1"):
        LastN(1).text_vectors(wrong)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Full(learning_rate=0), "finetune.learning_rate is 0"),
        (lambda: Full(layer_decay=0), "finetune.layer_decay is 0"),
        (lambda: Full(warmup_steps=-1), "finetune.warmup_steps is -1"),
        (lambda: LastN(0), "finetune.n_layers is 0"),
        (lambda: Lora(rank=0), "finetune.rank is 0"),
        (lambda: Lora(dropout=1.0), "finetune.dropout is 1.0"),
    ],
)
def test_an_impossible_value_is_refused_by_its_key(make, message):
    with pytest.raises(ConfigError) as error:
        make()
    assert message in str(error.value)


@pytest.mark.parametrize("mode", ["full", "last_n", "lora"])
def test_texts_run_with_those_of_their_length_and_are_padded_to_the_longest_of_them(mode, tmp_path):
    text = MODES[mode]().text_vectors(items_of("gpt2", tmp_path))
    lengths, shapes = text.network.lengths, []
    text.network.model.register_forward_pre_hook(
        lambda _, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    text.catalogue()
    assert len(shapes) > 2
    longest_first = sorted(lengths, reverse=True)
    starts = [sum(rows for rows, _ in shapes[:i]) for i in range(len(shapes))]
    assert [width for _, width in shapes] == [longest_first[start] for start in starts]
    assert sum(rows for rows, _ in shapes) == len(lengths)
    assert all(rows * width <= 64 for rows, width in shapes)
    assert min(width for _, width in shapes) < 24  # which is max_length


@pytest.mark.parametrize("encoder", ["bert", "gpt2"])
def test_layers_are_counted_without_weights(encoder, tmp_path):
    made = ENCODERS[encoder](tmp_path)
    (tmp_path / "model.safetensors").unlink()
    assert made.n_layers() == 2
    assert type(made)("catalogue", sizes={"n_layers": 5}).n_layers() == 5
    assert TfidfEncoder().n_layers() is None
