"""Checks that the chosen components can be combined, by the traits in their yamls."""

from __future__ import annotations

from collections.abc import Collection

from omegaconf import DictConfig, OmegaConf

from recsys.config.compose import compose, has_likelihood, is_none, is_of_whole_users, plain, trains_language_model
from recsys.config.folders import conf_dirs
from recsys.config.known_keys import check_kinds
from recsys.config.retriever_check import check_retriever
from recsys.config.times_check import check_times
from recsys.config.trainer_checks import check_trainer, monitors_validation
from recsys.config.traits import traits_of
from recsys.config.value_checks import (
    SEEDS,
    check_finite,
    check_flags,
    check_keys,
    check_texts,
)
from recsys.schema import ALL, TEST_KNOWLEDGE, VAL, ConfigError
from recsys.support.number_checks import check_number, check_whole

# Kinds of training targets of rankers and losses, by the traits of their yamls.
PAIRS, USERS, LIKELIHOODS = "positives and negatives", "whole histories of users", "likelihoods of positives"


def check(cfg: DictConfig) -> None:
    """Raise an error for components that cannot be combined, by the traits in their yamls.

    Raises:
        ConfigError: With the keys, the reason, and what to use instead.
    """
    choices = cfg.choices
    check_run_keys(cfg)
    settings = plain(cfg)
    check_finite(settings)
    _check_numbers(cfg)
    check_texts("tags", settings["tags"])
    check_kinds(cfg)
    check_retriever(cfg, has_text(cfg))
    if is_none(cfg.loss):
        _check_not_trained(cfg, choices)
    else:
        _check_trained(cfg, choices)
        _check_finetuning(cfg, choices)
        _check_user_texts(cfg, choices)
    check_data(cfg)
    check_times(cfg)
    _check_monitor(cfg)
    _check_test_knowledge(cfg)
    _check_item_text(cfg)


def _check_monitor(cfg: DictConfig) -> None:
    if not str(cfg.monitor).startswith(f"{VAL}/"):
        raise ConfigError(
            f"monitor is {cfg.monitor!r}; expected a metric of validation, such as {VAL}/ndcg@10: the test decides "
            "nothing about a model."
        )


def _check_test_knowledge(cfg: DictConfig) -> None:
    if cfg.test_knowledge not in TEST_KNOWLEDGE:
        raise ConfigError(
            f"test_knowledge is {cfg.test_knowledge!r}; expected refit (the tested model is fitted on train and "
            "validation) or train (on train only)."
        )
    if cfg.test_knowledge == ALL and (cfg.test or monitors_validation(cfg)):
        raise ConfigError(
            "test_knowledge=all leaves nothing to validate or test: use recsys refit run=<id>, which takes the "
            "number of epochs from a finished run, or test=false callbacks=none and your own trainer.max_epochs."
        )


def _reads_ids(encoder: DictConfig) -> bool:
    """Whether an encoder looks vectors up by item id, and uses no text."""
    return bool(traits_of(encoder).get("by_id", False))


def _check_item_text(cfg: DictConfig) -> None:
    if cfg.get("item_text") is not None and (not has_text(cfg) or _reads_ids(cfg.encoder)):
        raise ConfigError(
            f"item_text={cfg.item_text!r} has no effect, since encoder={cfg.choices.encoder} uses no text: leave it "
            "out, or choose a text encoder."
        )


def check_data(cfg: DictConfig) -> None:
    """Raise an error if mandatory keys (`???`) of data, encoder, ranker or language model are missing.

    Raises:
        ConfigError: With the missing keys.
    """
    for group in ("data", "encoder", "ranker", "language_model"):
        missing = sorted(OmegaConf.missing_keys(cfg[group])) if group in cfg else []
        if missing:
            raise ConfigError(
                f"{group}={cfg.choices[group]} needs {', '.join(missing)}: add it to the command "
                f"line, as in {missing[0]}=…"
            )


def has_text(cfg: DictConfig) -> bool:
    """Whether a run's encoder makes vectors; False for `encoder=none`."""
    return not is_none(cfg.encoder) and traits_of(cfg.encoder).get("text", True)


def _check_not_trained(cfg: DictConfig, choices: DictConfig) -> None:
    reads_text = traits_of(cfg.ranker).get("reads_text", False)
    groups = ["encoder", "finetune", "features", "profile", "negatives", "optimizer"]
    if trains_language_model(cfg) and traits_of(cfg.finetune).get("layers", False):
        groups.remove("finetune")  # it trains the ranker's language model
    for group in groups:
        used = has_text(cfg) and not reads_text if group == "encoder" else not is_none(cfg.get(group))
        if used:
            raise ConfigError(
                f"ranker={choices.ranker} is fitted without gradients and ignores {group}={choices[group]}: "
                f"runs that differ in {group} would be equal. Leave {group} out, or choose another ranker."
            )


def _check_trained(cfg: DictConfig, choices: DictConfig) -> None:
    if not traits_of(cfg.ranker).get("trained", True):
        raise ConfigError(f"ranker={choices.ranker} is fitted without gradients: omit loss={choices.loss}.")
    _check_kind_of_loss(cfg, choices)
    own_vectors = traits_of(cfg.ranker).get("own_vectors", False)
    needed = () if own_vectors else ("profile", "features")
    for group in (*needed, *(("negatives",) if _trained_on(cfg.loss) == PAIRS else ()), "optimizer"):
        if is_none(cfg[group]):
            raise ConfigError(
                f"ranker={choices.ranker} with loss={choices.loss} cannot use {group}=none: choose another {group}."
            )
    if own_vectors:
        _check_own_vectors(cfg, choices)
        _check_needs_text(cfg, choices)
    elif not has_text(cfg) and cfg.features.get("ids") is False:
        raise ConfigError(
            f"ranker={choices.ranker} encoder={choices.encoder} features={choices.features}: items have neither text "
            "nor learnt IDs, so there is nothing to score. Choose an encoder, or features=hybrid, or ranker=cf."
        )
    _check_negatives(cfg, choices)


def _check_kind_of_loss(cfg: DictConfig, choices: DictConfig) -> None:
    of_ranker, of_loss = _trained_on(cfg.ranker), _trained_on(cfg.loss)
    if of_ranker != of_loss:
        raise ConfigError(
            f"ranker={choices.ranker} is trained on {of_ranker}, but loss={choices.loss} is for {of_loss}: "
            "leave loss out, or choose another ranker."
        )
    if of_loss != PAIRS and not is_none(cfg.negatives):
        raise ConfigError(
            f"loss={choices.loss} sums over the whole catalogue without sampling: it needs negatives=none, not "
            f"{choices.negatives}."
        )


def _trained_on(node: DictConfig) -> str:
    """The kind of training target that a ranker or a loss needs."""
    if is_of_whole_users(node):
        return USERS
    return LIKELIHOODS if has_likelihood(node) else PAIRS


def _check_own_vectors(cfg: DictConfig, choices: DictConfig) -> None:
    reads_text = traits_of(cfg.ranker).get("text_vectors", False)
    used = {group: not is_none(cfg[group]) for group in ("features", "profile")}
    used |= {
        "encoder": has_text(cfg) and not reads_text,
        "finetune": has_text(cfg) and not is_none(cfg.get("finetune")),
    }
    for group in (group for group, is_used in used.items() if is_used):
        raise ConfigError(
            f"ranker={choices.ranker} learns vectors of users and items itself and ignores {group}={choices[group]}: "
            f"runs that differ in {group} would be equal. Leave {group} out, or choose another ranker."
        )


def _check_needs_text(cfg: DictConfig, choices: DictConfig) -> None:
    if traits_of(cfg.ranker).get("needs_text", False) and not has_text(cfg):
        raise ConfigError(
            f"ranker={choices.ranker} needs an encoder's vectors, but encoder={choices.encoder} makes no vectors: "
            "choose encoder=bert, tfidf, or another encoder."
        )


def _check_negatives(cfg: DictConfig, choices: DictConfig) -> None:
    """Raise an error for a distribution of negatives that the loss is not defined for; most losses allow any."""
    distributions = traits_of(cfg.loss).get("distributions")
    if distributions is None or traits_of(cfg.negatives).get("distribution") in distributions:
        return
    fitting = " or ".join(f"negatives={option}" for option in _negatives_of(distributions))
    raise ConfigError(
        f"loss={choices.loss} needs {fitting}, not negatives={choices.negatives}: it is defined for these only. For "
        "other negatives use loss=sampled_softmax or bce."
    )


def _negatives_of(distributions: Collection[str]) -> list[str]:
    """The options of `negatives` with one of these distributions, of the package and of the user."""
    paths = sorted(path for folder in conf_dirs() for path in (folder / "negatives").glob("[!_]*.yaml"))
    nodes = {path.stem: OmegaConf.load(path) for path in paths}
    traits = {option: traits_of(node) for option, node in nodes.items() if isinstance(node, DictConfig)}
    return [option for option, own in traits.items() if own.get("distribution") in distributions]


def _check_finetuning(cfg: DictConfig, choices: DictConfig) -> None:
    finetune = cfg.get("finetune")
    if is_none(finetune):
        return
    if not has_text(cfg):
        raise ConfigError(
            f"finetune={choices.finetune} encoder={choices.encoder}: there is no text vector to start from. Choose an "
            "encoder, or finetune=frozen features=hybrid for learnt IDs."
        )
    needs_layers = traits_of(finetune).get("layers", False)
    if needs_layers and not traits_of(cfg.encoder).get("layers", False):
        raise ConfigError(
            f"finetune={choices.finetune} trains layers of a transformer, and encoder={choices.encoder} has none. "
            "Choose encoder=bert, gpt2 or transformer; finetune=delta fits any encoder."
        )
    if needs_layers and cfg.encoder.get("precision", "float32") != "float32":
        raise ConfigError(
            f"finetune={choices.finetune} encoder.precision={cfg.encoder.precision}: int8 weights have no gradients. "
            "Use encoder.precision=float32, or finetune=frozen or delta."
        )


def _check_user_texts(cfg: DictConfig, choices: DictConfig) -> None:
    if is_none(cfg.profile) or not traits_of(cfg.profile).get("reads_text", False):
        return
    parts = plain(cfg.encoder).get("parts") or {}
    reads_ids = any(_reads_ids(cfg.encoder.parts[part]) for part in parts)
    if not has_text(cfg) or reads_ids or not traits_of(cfg.encoder).get("words", True):
        raise ConfigError(
            f"profile={choices.profile} encoder={choices.encoder}: the profile is the encoder's vector of a text "
            "about the user, but this encoder does not depend on words. Choose encoder=bert, gpt2, transformer or "
            "tfidf, or another profile."
        )
    if not is_none(cfg.get("finetune")):
        raise ConfigError(
            f"profile={choices.profile} finetune={choices.finetune}: texts about users are encoded once, before "
            "training, by the frozen encoder. Use finetune=frozen, or profile=mean."
        )


def check_run_keys(cfg: DictConfig) -> None:
    """Raise an error for keys that runs do not use, such as `+encodr=…` or unknown ones of a user's yaml.

    Raises:
        ConfigError: With the key and the most similar known one.
    """
    known = compose()
    check_keys("", cfg, [*known, "hydra"])
    check_keys("batches", cfg.batches, known.batches)


def _check_numbers(cfg: DictConfig) -> None:
    for key in ("batch_size", "max_history", "max_scores"):
        check_whole(f"batches.{key}", cfg.batches[key], 1)
    check_whole("batches.examples_per_loop_step", cfg.batches.examples_per_loop_step, 0)
    check_whole("features.dim", cfg.features.dim, 0 if is_none(cfg.features) else 1)
    check_whole("seed", cfg.seed, 0, below=SEEDS)
    check_number("train_share", cfg.train_share, above=0, at_most=1)
    check_whole("train_per_user", cfg.train_per_user, 1, optional=True)
    check_number("learning_rate", cfg.learning_rate, above=0)
    check_whole("num_threads", cfg.num_threads, 1, optional=True)
    check_flags(cfg, "test", "rerun")
    check_trainer(cfg)
