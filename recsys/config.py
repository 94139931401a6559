"""Composing a configuration, and refusing an impossible one before anything heavy is imported."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf, open_dict

from recsys.schema import ConfigError, RecsysError

META_KEYS = ("search", "traits")  # keys of a component's yaml that are not its constructor's
INSTANTIATION_KEYS = ("_target_", "_partial_", "_convert_")


def conf_dir() -> Path:
    """The folder of the configs: inside the package when installed from a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parent / "conf"


def compose(overrides: Sequence[str] = (), config_name: str = "train") -> DictConfig:
    """The configuration that the command line would have with these overrides.

    Example:
        >>> compose(["encoder=none", "ranker=cf"]).choices.profile
        'id'
    """
    overrides = list(overrides)
    parsed = OverridesParser.create().parse_overrides(overrides)
    chosen = tuple(override.input_line or "" for override in parsed if _is_choice(override))
    cfg = copy.deepcopy(_composed(config_name, chosen, conf_dir(), _newest_change(conf_dir())))
    ConfigLoaderImpl._apply_overrides_to_config([override for override in parsed if not _is_choice(override)], cfg)
    with open_dict(cfg):
        cfg.overrides = overrides
    return cfg


def _is_choice(override: Override) -> bool:
    """Whether Hydra has to compose anew for it, where other overrides change values of what is composed."""
    key = override.key_or_group
    return override.is_sweep_override() or key.startswith("hydra") or "@" in key or (conf_dir() / key).is_dir()


@lru_cache(maxsize=128)
def _composed(config_name: str, chosen: tuple[str, ...], conf: Path, changed_at: int) -> DictConfig:  # noqa: ARG001
    """What Hydra composes from the chosen options alone. Reading and merging thirty files takes most of composing, and
    a study's runs differ in values more often than in options."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        cfg = hydra_compose(config_name, list(chosen), return_hydra_config=True)
    return with_choices(cfg, cfg.hydra.runtime.choices, chosen)


def _newest_change(folder: Path) -> int:
    return max(path.stat().st_mtime_ns for path in (folder, *folder.rglob("*")))


def with_choices(cfg: DictConfig, choices: Mapping[str, Any], overrides: Sequence[str]) -> DictConfig:
    """`cfg` without Hydra's own node, with what was chosen in each group and the overrides that led there."""
    chosen = {group: choice for group, choice in choices.items() if "/" not in group and "@" not in group}
    with open_dict(cfg):
        cfg.pop("hydra", None)
        cfg.choices = chosen
        cfg.overrides = list(overrides)
    return cfg


def build(group: str, node: DictConfig | None, *args: Any, drop: Sequence[str] = (), **extra: Any) -> Any:
    """The component of a config node, without its `search`, `traits` and the keys of `drop`; None for `none`.

    Args:
        group: The node's place in the configuration, for messages.
        node: Has a `_target_`.
        args: Completes a component whose yaml leaves it partial.
        drop: Keys that are not the constructor's.
        extra: Further arguments of the constructor.

    Raises:
        ConfigError: If the component refuses its values.
    """
    if node is None or is_none(node):
        return None
    kept = _without(plain(node), (*META_KEYS, *drop))
    try:
        made = _instantiate(kept, extra)
        return made(*args) if args else made
    except RecsysError:
        raise
    except Exception as error:
        raise ConfigError(f"{group}: {type(error).__name__}: {error}") from error


def _instantiate(value: Any, extra: Mapping[str, Any] | None = None) -> Any:
    """As Hydra's `instantiate` of a node with `_convert_: all`, whose way through OmegaConf takes longer than most
    components take to be made; a run makes some fifty."""
    if isinstance(value, list):
        return [_instantiate(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    keywords = {key: _instantiate(inner) for key, inner in value.items() if key not in INSTANTIATION_KEYS}
    if "_target_" not in value:
        return keywords
    keywords |= extra or {}
    target = get_object(value["_target_"])
    return partial(target, **keywords) if value.get("_partial_") else target(**keywords)


def plain(node: DictConfig) -> dict[str, Any]:
    """A config node as a dictionary, with everything resolved."""
    container = OmegaConf.to_container(node, resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def _without(value: Any, keys: Sequence[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(inner, keys) for key, inner in value.items() if key not in keys}
    return value


def is_none(node: DictConfig | None) -> bool:
    """Whether a group's choice is `none`: it has no target."""
    return node is None or node.get("_target_") is None


def check(cfg: DictConfig) -> None:
    """Refuse combinations that make no sense, by what the yamls say of themselves.

    Raises:
        ConfigError: Naming the keys, why they do not go together, and what to use.
    """
    choices = cfg.choices
    _check_retriever(cfg, choices)
    if is_none(cfg.loss):
        _check_not_trained(cfg, choices)
    else:
        _check_trained(cfg, choices)
        _check_finetuning(cfg, choices)
        _check_user_texts(cfg, choices)
    check_data(cfg)
    _check_item_text(cfg)
    _check_numbers(cfg)


def _check_item_text(cfg: DictConfig) -> None:
    if cfg.get("item_text") is not None and not _has_text(cfg):
        raise ConfigError(
            f"item_text={cfg.item_text!r} is read by no one, as encoder={cfg.choices.encoder} reads no text: leave it "
            "out, or choose a text encoder."
        )


def check_data(cfg: DictConfig) -> None:
    """Refuse a data set whose files are not named.

    Raises:
        ConfigError: Naming the missing keys.
    """
    missing = sorted(OmegaConf.missing_keys(cfg.data))
    if missing:
        raise ConfigError(
            f"data={cfg.choices.data} needs {', '.join(missing)}: give it on the command line, as in {missing[0]}=…"
        )


def _has_text(cfg: DictConfig) -> bool:
    return not is_none(cfg.encoder) and cfg.encoder.get("traits", {}).get("text", True)


def _check_not_trained(cfg: DictConfig, choices: DictConfig) -> None:
    reads_text = cfg.ranker.get("traits", {}).get("reads_text", False)
    for group in ("encoder", "finetune", "features", "profile", "negatives", "optimizer"):
        used = _has_text(cfg) and not reads_text if group == "encoder" else not is_none(cfg.get(group))
        if used:
            raise ConfigError(
                f"ranker={choices.ranker} is not trained by descent and ignores {group}={choices[group]}: a comparison "
                f"of its encoders or losses would compare equal runs. Leave {group} out, or choose another ranker."
            )


def _check_retriever(cfg: DictConfig, choices: DictConfig) -> None:
    retriever = cfg.ranker.get("retriever")
    if "retriever" not in cfg.ranker:
        return
    name = None if retriever is None else str(retriever.get("_target_")).rpartition(".")[2]
    traits = {} if retriever is None else retriever.get("traits", {})
    is_trained = traits.get("trained", retriever is not None)
    if is_trained or (retriever is not None and "language_model" in retriever):
        why = "trained by descent" if is_trained else "too dear for a whole catalogue"
        raise ConfigError(
            f"ranker.retriever is {name}, which is {why}: choose one that is solved, as in "
            "ranker@ranker.retriever=itemknn (or popularity, ease, userknn, …)."
        )
    if _has_text(cfg) and not traits.get("reads_text", False):
        raise ConfigError(
            f"ranker.retriever={name} ignores encoder={choices.encoder}, and the language model reads the texts "
            "themselves: leave encoder out, or retrieve by text with ranker@ranker.retriever=itemknn."
        )


def _check_trained(cfg: DictConfig, choices: DictConfig) -> None:
    if not cfg.ranker.get("traits", {}).get("trained", True):
        raise ConfigError(f"ranker={choices.ranker} is not trained by descent: leave loss={choices.loss} out.")
    _check_whole_users(cfg, choices)
    own_vectors = cfg.ranker.get("traits", {}).get("own_vectors", False)
    needed = () if own_vectors else ("profile", "features")
    for group in (*needed, *(() if is_of_whole_users(cfg.loss) else ("negatives",)), "optimizer"):
        if is_none(cfg[group]):
            raise ConfigError(
                f"ranker={choices.ranker} with loss={choices.loss} needs a {group}, and has {group}=none."
            )
    if own_vectors:
        _check_own_vectors(cfg, choices)
    elif not _has_text(cfg) and cfg.features.ids is False:
        raise ConfigError(
            f"ranker={choices.ranker} encoder={choices.encoder} features={choices.features}: items have neither text "
            "nor learnt IDs, so there is nothing to score. Choose an encoder, or features=hybrid, or ranker=cf."
        )
    _check_negatives(choices)


def is_of_whole_users(node: DictConfig) -> bool:
    """Whether a ranker is trained on users and all that they did, or a loss is one of these."""
    return bool(node.get("traits", {}).get("whole_users", False))


def _check_whole_users(cfg: DictConfig, choices: DictConfig) -> None:
    if is_of_whole_users(cfg.ranker) != is_of_whole_users(cfg.loss):
        kinds = ("users and all that they did", "positives and negatives")
        of_ranker, of_loss = kinds if is_of_whole_users(cfg.ranker) else kinds[::-1]
        raise ConfigError(
            f"ranker={choices.ranker} is trained on {of_ranker}, and loss={choices.loss} is a loss of {of_loss}: "
            "leave loss out, or choose another ranker."
        )
    if is_of_whole_users(cfg.loss) and not is_none(cfg.negatives):
        raise ConfigError(
            f"loss={choices.loss} sums over the whole catalogue and draws nothing: it needs negatives=none, not "
            f"{choices.negatives}."
        )


def _check_own_vectors(cfg: DictConfig, choices: DictConfig) -> None:
    used = {"encoder": _has_text(cfg), **{group: not is_none(cfg[group]) for group in ("features", "profile")}}
    for group in (group for group, is_used in used.items() if is_used):
        raise ConfigError(
            f"ranker={choices.ranker} learns vectors of users and items itself and ignores {group}={choices[group]}: a "
            f"comparison of those would compare equal runs. Leave {group} out, or choose another ranker."
        )


def _check_negatives(choices: DictConfig) -> None:
    if choices.loss == "full_softmax" and choices.negatives != "all":
        raise ConfigError(
            f"loss=full_softmax sums over the whole catalogue and needs negatives=all, not {choices.negatives}; "
            "for sampled negatives use loss=sampled_softmax."
        )
    if choices.loss == "gbce" and choices.negatives not in ("uniform", "all"):
        raise ConfigError(
            f"loss=gbce corrects for the share of the catalogue that is sampled uniformly, which is unknown for "
            f"negatives={choices.negatives}: use negatives=uniform, or loss=bce."
        )


def _check_finetuning(cfg: DictConfig, choices: DictConfig) -> None:
    finetune = cfg.get("finetune")
    if is_none(finetune):
        return
    if not _has_text(cfg):
        raise ConfigError(
            f"finetune={choices.finetune} encoder={choices.encoder}: there is no text vector to start from. Choose an "
            "encoder, or finetune=frozen features=hybrid for learnt IDs."
        )
    needs_layers = finetune.get("traits", {}).get("layers", False)
    if needs_layers and not cfg.encoder.get("traits", {}).get("layers", False):
        raise ConfigError(
            f"finetune={choices.finetune} trains layers of a transformer, and encoder={choices.encoder} has none. "
            "Choose encoder=bert, gpt2 or transformer; finetune=delta fits any encoder."
        )
    if needs_layers and cfg.encoder.get("precision", "float32") != "float32":
        raise ConfigError(
            f"finetune={choices.finetune} encoder.precision={cfg.encoder.precision}: no gradient reaches weights of 8 "
            "bits. Use encoder.precision=float32, or finetune=frozen or delta."
        )


def _check_user_texts(cfg: DictConfig, choices: DictConfig) -> None:
    if is_none(cfg.profile) or not cfg.profile.get("traits", {}).get("reads_text", False):
        return
    if not _has_text(cfg) or not cfg.encoder.get("traits", {}).get("words", True):
        raise ConfigError(
            f"profile={choices.profile} encoder={choices.encoder}: the profile is what an encoder makes of a text "
            "about the user, and this one knows no words. Choose encoder=bert, gpt2, transformer or tfidf, or another "
            "profile."
        )
    if not is_none(cfg.get("finetune")):
        raise ConfigError(
            f"profile={choices.profile} finetune={choices.finetune}: texts about users are encoded once, by the frozen "
            "encoder, and would not follow what training makes of the items. Use finetune=frozen, or profile=mean."
        )


def _check_numbers(cfg: DictConfig) -> None:
    for key, minimum in {
        "batches.batch_size": 1,
        "batches.max_history": 1,
        "batches.max_scores": 1,
        "features.dim": 0,
    }.items():
        value = OmegaConf.select(cfg, key)
        if not isinstance(value, int) or value < minimum:
            raise ConfigError(f"{key} is {value!r}; expected a whole number of at least {minimum}.")
    if not isinstance(cfg.seed, int) or cfg.seed < 0:
        raise ConfigError(f"seed is {cfg.seed!r}; expected a whole number of at least 0.")
    if not isinstance(cfg.train_share, (int, float)) or not 0 < cfg.train_share <= 1:
        raise ConfigError(f"train_share is {cfg.train_share!r}; expected a number above 0 and at most 1.")
    if not isinstance(cfg.learning_rate, (int, float)) or not cfg.learning_rate > 0:
        raise ConfigError(f"learning_rate is {cfg.learning_rate!r}; expected a positive number.")
