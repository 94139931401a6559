"""New texts as cold items of a run's model, encoded by its encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from recsys import schema
from recsys.config.traits import traits_of
from recsys.experiment.build import assemble
from recsys.experiment.finished import Run
from recsys.experiment.inputs import fitted_encoder
from recsys.schema import ConfigError, RecsysError
from recsys.serving.model import Served
from recsys.serving.users import ServedUsers
from recsys.training.recommender import Recommender

N_CHECKED = 64  # catalogue texts that are encoded again together with new ones, as a check
TOLERANCE = 1e-4  # allowed difference of a vector's entries, relative to the largest one


def check_serves_new_users(served: Served, by_text: bool) -> None:
    """Raise an error if the model cannot represent new users.

    Raises:
        ConfigError: If profile or ranker do not read histories, or, for a text, if the run has no text encoder.
    """
    profile, encoder = (served.run.cfg.choices[group] for group in ("profile", "encoder"))
    own_vectors = traits_of(served.run.cfg.ranker).get("own_vectors", False)
    if (own_vectors or served.model.profile is not None) and not served.model.knows_new_users:
        blind = f"ranker={served.run.cfg.choices.ranker}" if own_vectors else f"profile={profile}"
        raise ConfigError(
            f"the run has {blind}, which learns a vector for each user of the data and cannot represent a new one; "
            "use a run with a profile of the history: profile=mean, attention, recurrent, transformer or text."
        )
    if by_text and served.model.features is None:
        ranker = served.run.cfg.choices.ranker
        raise ConfigError(
            f"text=… needs a run whose model reads texts; ranker={ranker} represents only the items that it "
            "was trained on. Use a run with ranker=dot, mlp or cf, or name items by history=[item ids]."
        )
    by_profile, features = served.model.user_prompt is not None, served.model.features
    reads_text = by_profile or (features is not None and features.reads_text)
    if by_text and not (served.model.knows_new_users and reads_text):
        option = served.run.cfg.choices.features
        raise ConfigError(
            f"text=… needs a run that reads texts and has a profile of the history; this one has encoder={encoder} "
            f"features={option} profile={profile}. Use a run with encoder=bert (or tfidf, gpt2), or name items by "
            "history=[item ids]."
        )


def with_text(served: Served, text: str) -> Served:
    """The model with a text as a further, last item. The item can be in histories and is never recommended.

    Raises:
        ConfigError: If the encoder knows no word of the text.
    """
    extended, unread = with_texts(served, [text])
    if len(unread):
        raise ConfigError(f"text={text!r} has no word that the run's encoder knows; use other words, or history=[…].")
    return extended


def with_texts(served: Served, texts: Sequence[str]) -> tuple[Served, NDArray[np.int64]]:
    """The model with texts as further, last items, and the indices of texts without a word that the encoder knows."""
    ids = {schema.ITEM_ID: [None] * len(texts), schema.TEXT: list(texts)}
    items = pl.DataFrame(ids, schema_overrides={schema.ITEM_ID: pl.String})
    extended = replace(with_items(served, items), n_items=served.n_items)
    return extended, np.flatnonzero(~extended.text_vectors[len(served.text_vectors) :].any(axis=1))


def with_profile_texts(served: Served, users: ServedUsers, words: Sequence[str]) -> ServedUsers:
    """New users with their texts, for a profile that reads texts; otherwise the users as they are.

    Args:
        served: The model.
        users: New users (U).
        words: (U) the users' own texts; an empty one is replaced by the run's template with the user's items.
    """
    texts = served.user_texts
    if texts is None:
        return users
    written = texts.new_users(users.history, served.items[schema.TEXT])
    vectors = encoded(served, [own or text for own, text in zip(words, written, strict=True)])
    return replace(users, texts=texts.scaled(torch.from_numpy(vectors)))


def with_items(served: Served, items: pl.DataFrame) -> Served:
    """The model with further items at the end: cold items, represented by their texts only.

    Args:
        served: The model with its items.
        items: New items with `item_id`, `text`, and any of the catalogue's further columns.

    Raises:
        RecsysError: If the encoder no longer gives the vectors that the run was trained on.
    """
    vectors = encoded(served, items[schema.TEXT].to_list(), items[schema.ITEM_ID].to_list())
    together = pl.concat([served.items, items], how="diagonal_relaxed")
    text_vectors = np.concatenate([served.text_vectors, vectors])
    model = _extended_model(served.run, together, text_vectors)
    return Served(served.run, model, together, text_vectors, together.height, served.tie_numbers)


def encoded(served: Served, texts: Sequence[str], item_ids: Sequence[str | None] = ()) -> NDArray[np.float32]:
    """Vectors (len(texts), text_dim) of new texts by the run's encoder.

    Args:
        served: The model.
        texts: New texts.
        item_ids: Ids of the texts' items, for an encoder that reads ids; empty for texts of no items.

    Raises:
        RecsysError: If the encoder no longer gives the vectors that the run was trained on.
    """
    split = served.run.split
    known = split.dataset.items[:N_CHECKED]
    encoder = fitted_encoder(served.run.cfg, split)
    ids = [*known[schema.ITEM_ID], *(item_ids or [None] * len(texts))]
    checked = known[schema.TEXT].to_list()
    vectors = encoder.encode(encoder.inputs(ids, [*checked, *texts]))
    expected = served.text_vectors[: len(checked)]
    if not np.allclose(vectors[: len(checked)], expected, rtol=0, atol=TOLERANCE * np.abs(expected).max(initial=0)):
        raise RecsysError(
            f"encoder={served.run.cfg.choices.encoder} gives other vectors for the catalogue's texts than when they "
            "were encoded, so new texts cannot be compared with them. This can happen if an encoder is fitted again "
            "(TF-IDF) with another number of CPU threads: use the run's, as in OMP_NUM_THREADS=2, or make the run "
            "again with a new paths.cache_dir."
        )
    return vectors[len(checked) :]


def nearest(served: Served, item: int, n: int = 5) -> list[tuple[str, float]]:
    """Titles and cosines of the `n` items whose text vectors are nearest to an item's, the largest cosine first."""
    lengths = np.maximum(np.linalg.norm(served.text_vectors, axis=1), 1e-12)
    cosines = served.text_vectors @ served.text_vectors[item] / (lengths * lengths[item])
    best = np.argsort(-cosines[: served.n_items], kind="stable")[:n]
    return [(served.titles[int(row)], float(cosines[row])) for row in best]


def _extended_model(run: Run, items: pl.DataFrame, text_vectors: NDArray[np.float32]) -> Recommender:
    # The split's statistics do not change, since a new item has no train interaction.
    fingerprint = f"{run.split.fingerprint} with {items.hash_rows().sum()}"
    split = replace(run.split, dataset=replace(run.split.dataset, items=items), fingerprint=fingerprint)
    model = assemble(run.cfg, split, text_vectors).recommender.eval()
    weights = load_file(run.weights)
    expected = model.state_dict()
    model.load_state_dict({name: _padded(weight, expected[name]) for name, weight in weights.items()})
    return model


def _padded(weight: Tensor, expected: Tensor) -> Tensor:
    """A table of items with zero rows for the new items; any other weight unchanged."""
    if weight.dim() == 0 or weight.shape[1:] != expected.shape[1:]:
        return weight
    return torch.cat([weight, weight.new_zeros(len(expected) - len(weight), *weight.shape[1:])])
