"""Data, splits and encoded texts: loaded once in a process and shared by all of its runs."""

from __future__ import annotations

import hashlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from recsys.config.compose import build, plain
from recsys.data.dataset import Dataset, frame_hash
from recsys.data.dataset_cache import cached_fingerprint, entry_folder, load_dataset
from recsys.data.filters import WITHOUT_VECTOR, with_items_kept
from recsys.data.sources.templates import fields as fields_of
from recsys.data.splits.split import Split
from recsys.data.written_texts import ABOUT_USERS, WrittenTexts, joint_hash, read_all
from recsys.experiment.built_once import shared
from recsys.experiment.missing_texts import check_item_texts
from recsys.schema import ALL, ITEM_ID, REFIT, TRAIN_ONLY, WRITTEN, ConfigError
from recsys.support.custom_code.hashes import code_of_names
from recsys.tracking.run_id import targets

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from recsys.encoders.base import Encoder
    from recsys.schema import UserPrompt
    from recsys.training.encoded_user_texts import UserTexts

KEPT = 6  # number of most recent results of each kind that stay in memory


class _Memory:
    """The most recent results by key."""

    def __init__(self) -> None:
        self.kept: OrderedDict[str, Any] = OrderedDict()

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self.kept:
            self.kept[key] = make()
        self.kept.move_to_end(key)
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        return self.kept[key]


_datasets, _splits, _features, _text_rows, _user_texts = (_Memory() for _ in range(5))
_frame_hashes: dict[int, tuple[weakref.ref[pl.DataFrame], str]] = {}


@dataclass(frozen=True)
class TextFeatures:
    """The encoded catalogue: `vectors` (n_items, text_dim) and the encoder's `report`."""

    vectors: NDArray[np.float32]
    report: dict[str, Any]


def cached_data_fingerprint(cfg: DictConfig) -> str | None:
    """The fingerprint of the data if its parsed form is cached, else None; reads no data."""
    return cached_fingerprint(shared("data", cfg.data), cache_dir(cfg))


def load_split(cfg: DictConfig, knowledge: str = TRAIN_ONLY) -> Split:
    """The split data, with its train part reduced by `train_share` and `train_per_user`, and texts by `item_text`.

    Texts of the key `written` become a column of the items or users, if no more than the train part was used for them.

    Args:
        cfg: The configuration.
        knowledge: The data that models are fitted on: the train part only, or more, see `Split.refit`.
    """
    source = shared("data", cfg.data)
    data = str(entry_folder(source, cache_dir(cfg)))
    share, per_user, template = cfg.get("train_share", 1.0), cfg.get("train_per_user"), cfg.get("item_text")
    encoder, written = build("encoder", cfg.get("encoder")), written_texts(cfg)
    whole = f"{data} {_key(cfg.split)}{_filter_key(encoder)}"

    def load() -> Dataset:
        return _kept(_datasets.get(data, lambda: load_dataset(source, cache_dir(cfg))), encoder)

    def make() -> Split:
        split = _splits.get(whole, lambda: shared("split", cfg.split).split(load()))
        split = split if knowledge == TRAIN_ONLY else split.refit(knowledge)
        split = split.subsample_train(share, per_user)
        for texts in written:
            split = texts.join(split)
        return split.reading(template)

    return _splits.get(f"{whole} {knowledge} {share} {per_user} {template} {joint_hash(written)}", make)


def written_texts(cfg: DictConfig) -> list[WrittenTexts]:
    """The texts of the key `written`, which a template must use; none if the configuration has no such key.

    Raises:
        ConfigError: If a file is missing or malformed, or no template uses its texts.
    """
    written = cfg.get("written")
    found = read_all(written if written is None or isinstance(written, str) else list(written))
    for texts in found:
        is_about_users = texts.about == ABOUT_USERS
        key = "profile.template" if is_about_users else "item_text"
        template = (cfg.get("profile") or {}).get("template") if is_about_users else cfg.get("item_text")
        if WRITTEN not in {name for _, name in fields_of(str(template or ""), key)}:
            example = f"profile=text {key}='{{written}}'" if is_about_users else f"{key}='{{title}}. {{written}}'"
            raise ConfigError(
                f"written={texts.path} is not used, as {key} is {template!r}: set {example}, or leave written out."
            )
    return found


def _filter_key(encoder: Encoder | None) -> str:
    """The part of a split's key for the items that the encoder drops; empty for encoders that keep all."""
    return "" if encoder is None or encoder.keeps(()) is None else f" {encoder.identity()}"


def _kept(dataset: Dataset, encoder: Encoder | None) -> Dataset:
    """The data set without the items that the encoder drops, since it has no vectors for them."""
    kept = None if encoder is None else encoder.keeps(dataset.items[ITEM_ID].to_list())
    return dataset if kept is None else with_items_kept(dataset, kept)


def load_first_split(cfg: DictConfig) -> Split:
    """The first split of a run: the train part is that of the data, or everything for a model that is not tested."""
    return load_split(cfg, ALL if cfg.test_knowledge == ALL else TRAIN_ONLY)


def load_tested_split(cfg: DictConfig) -> Split:
    """The split of the model that is tested and served: its train part is what `test_knowledge` allows."""
    split = load_first_split(cfg)
    return load_split(cfg, REFIT) if is_refitted(cfg, split) else split


def is_refitted(cfg: DictConfig, split: Split) -> bool:
    """Whether the model is fitted again on train and validation interactions before the test."""
    return bool(cfg.test) and cfg.test_knowledge == REFIT and not split.validation.is_empty()


def text_features(cfg: DictConfig, split: Split) -> TextFeatures:
    """The catalogue's texts, encoded by an encoder that was fitted on the train items only.

    Raises:
        ConfigError: If the encoder reads texts, and no item has one.
    """
    from recsys.encoders.vector_cache import encode_items

    def encode() -> TextFeatures:
        encoder = build("encoder", cfg.encoder)
        data, ids = split.dataset, split.dataset.items[ITEM_ID].to_list()
        check_item_texts(cfg, data, encoder.inputs(ids, data.texts))
        vectors, report = encode_items(encoder, data.texts, split.warm_items, cache_dir(cfg), ids)
        n_left_out = data.dropped.get(WITHOUT_VECTOR, 0)
        return TextFeatures(vectors, {**report, "n_missing": n_left_out} if n_left_out else report)

    return _features.get(_encoding_key(cfg, split), encode)


def are_encoded(cfg: DictConfig, split: Split) -> bool:
    """Whether `text_features` needs no encoder: the vectors are in memory or in the cache."""
    from recsys.encoders.vector_cache import are_cached

    if _encoding_key(cfg, split) in _features.kept:
        return True
    encoder, data = build("encoder", cfg.encoder), split.dataset
    inputs = encoder.inputs(data.items[ITEM_ID].to_list(), data.texts)
    train = [each for each, warm in zip(inputs, split.warm_items, strict=True) if warm]
    return are_cached(encoder, inputs, train, cache_dir(cfg))


def user_texts(cfg: DictConfig, split: Split, prompt: UserPrompt | None) -> UserTexts | None:
    """Vectors of the texts about users, by the run's encoder, which is fitted on the train items only."""
    if prompt is None:
        return None
    from recsys.encoders.vector_cache import encode_texts
    from recsys.training.encoded_user_texts import UserTexts

    def encode(texts: Sequence[str]) -> tuple[NDArray[np.float32], dict[str, Any]]:
        return encode_texts(build("encoder", cfg.encoder), texts, _train_texts(split), cache_dir(cfg))

    key = f"{_encoding_key(cfg, split)} {_content_of(split)} {prompt}"
    return _user_texts.get(key, lambda: UserTexts(split, prompt, encode))


def fitted_encoder(cfg: DictConfig, split: Split) -> Encoder:
    """A new encoder with its weights loaded, fitted on the train items' texts only."""
    encoder = build("encoder", cfg.encoder)
    inputs = encoder.inputs(split.dataset.items[ITEM_ID].to_list(), split.dataset.texts)
    train = [each for each, warm in zip(inputs, split.warm_items, strict=True) if warm]
    encoder.fit(train, cache_dir(cfg))
    return encoder


def text_rows(split: Split) -> csr_matrix | None:
    """The items' TF-IDF rows for the diversity metric, the same for all runs of the protocol."""
    from recsys.metrics.texts import text_rows as make

    texts, warm = split.data_texts or split.dataset.texts, split.whole.warm_items
    return _text_rows.get(f"{split.dataset.fingerprint} {_mask_hash(warm)}", lambda: make(texts, warm))


def _encoding_key(cfg: DictConfig, split: Split) -> str:
    """Everything that vectors of texts depend on: the texts, the train items that are fitted on, and the encoder.

    The encoder's identity has the content of its files, which may change while their paths stay the same.
    """
    content = build("encoder", cfg.encoder).identity()
    return f"{_hash_of(split.dataset.items)} {_mask_hash(split.warm_items)} {_key(cfg.encoder)} {content}"


def _mask_hash(mask: NDArray[np.bool_]) -> str:
    return hashlib.sha256(mask.tobytes()).hexdigest()


def _content_of(split: Split) -> str:
    """A hash of all interactions, impressions, users and items of a split, part by part."""
    hashes = [f"{name}={_hash_of(frame)}" for name, frame in _frames(split)]
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()


def _frames(part: Split | Dataset) -> Iterator[tuple[str, pl.DataFrame | None]]:
    for entry in fields(part):
        value = getattr(part, entry.name)
        if isinstance(value, Dataset):
            yield from _frames(value)
        elif value is None or hasattr(value, "get_columns"):
            yield entry.name, value


def _hash_of(frame: pl.DataFrame | None) -> str | None:
    """The frame's hash, computed once while it is in memory."""
    if frame is None:
        return None
    place = id(frame)
    if place not in _frame_hashes:
        reference = weakref.ref(frame, lambda _: _frame_hashes.pop(place, None))
        _frame_hashes[place] = reference, frame_hash(frame)
    return _frame_hashes[place][1]


def _train_texts(split: Split) -> list[str]:
    return [text for text, warm in zip(split.dataset.texts, split.warm_items, strict=True) if warm]


def cache_dir(cfg: DictConfig) -> Path:
    """The cache folder that runs share."""
    return expanded(cfg.paths.cache_dir)


def expanded(folder: str) -> Path:
    """A folder of the configuration, with `~` for the user's home.

    Raises:
        ConfigError: If the user has no home.
    """
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"{folder} needs a home folder, and there is none: set HOME, RECSYS_CACHE or paths.cache_dir."
        ) from error


def _key(node: DictConfig) -> str:
    """A component's settings, and its code if it is not this package's."""
    settings = OmegaConf.to_yaml(node, resolve=True, sort_keys=True)
    return f"{settings} {code_of_names(targets(plain(node)))}"
