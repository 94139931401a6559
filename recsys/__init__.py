"""recsys: does a language model make my recommender better, and which part of it?

Examples:
    >>> import recsys
    >>> recsys.compose(["encoder=bert", "ranker=mlp"]).choices.encoder
    'bert'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from recsys.schema import ComparisonError, ConfigError, DataError, RecordError, RecsysError, StoreError

if TYPE_CHECKING:
    import polars as pl
    from omegaconf import DictConfig

    from recsys.api.asking import InteractiveAnswer
    from recsys.api.comparing import InteractiveComparison
    from recsys.api.datasets import DataKeys, OwnData
    from recsys.api.runs import InteractiveRun
    from recsys.api.studying import Study
    from recsys.experiment.finished import Run

__all__ = ["answer", "compare", "compose", "dataset", "load", "recommend", "register", "run", "save_vectors", "study"]
__all__ += ["ComparisonError", "ConfigError", "DataError", "RecordError", "RecsysError", "StoreError", "trust"]
__version__ = "0.2.0"


def compose(overrides: Sequence[str] = (), config_name: str = "train") -> DictConfig:
    """The configuration that a command line would have with these overrides.

    Args:
        overrides: As on the command line, such as `["encoder=bert", "seed=1"]`.
        config_name: The command: "train", "study", …

    Raises:
        ConfigError: If an override is malformed, or names an unknown key or option.
    """
    from recsys.config.compose import compose as composed

    return composed(overrides, config_name)


def trust(*names: str) -> None:
    """Allow records to name these packages, whose code is then executed, and these servers and variables of API keys.

    Args:
        names: Packages, such as "my_package"; servers, such as "https://api.openai.com"; environment variables, such as
            "OPENAI_API_KEY". Valid until Python ends.

    Raises:
        ConfigError: If a name is not a valid name of a package, server or variable.
    """
    from recsys.config.trust import trust as let

    let(*names)


def dataset(
    interactions: Any, items: Any = None, users: Any = None, *, name: str = "table", **keys: Unpack[DataKeys]
) -> OwnData:
    """A checked data set of tables in memory, for `run` and `study`.

    The tables are frames of polars or pandas, tables of pyarrow, datasets of Hugging Face's `datasets`, dictionaries of
    columns, or lists of dictionaries. They are checked and read as files are by `data=table`. They are written once, by
    a hash of their content, into `frames/` of the cache (`paths.cache_dir`), where runs, workers and `load` find them.

    Args:
        interactions: One row for each interaction.
        items: One row for each item; None gives items without text.
        users: One row for each user.
        name: Of the data set, for reports.
        keys: Columns, thresholds and the treatment of bad rows, see `recsys.api.datasets.DataKeys`.

    Raises:
        ConfigError: If a key is unknown or has an impossible value.
        DataError: If a table is malformed; the message names the table, the row (counted from 1) and the column.
    """
    from recsys.api.datasets import make_dataset

    return make_dataset({"interactions": interactions, "items": items, "users": users}, name, keys)


def register(component: Any, group: str, name: str, *, defaults: Sequence[str] = (), **values: Any) -> None:
    """Make a class or function of a notebook or package an option of a config group, until Python ends.

    Then `encoder=mine` works in `run` and `study`, in workers, and when a run is loaded again. The run's identity has
    the hash of its code. A run whose class is defined in a notebook can be loaded after the class is registered again.
    For command lines write a yaml into a folder of `RECSYS_CONF`.

    Args:
        component: Defined at the top of a notebook, a script or a package.
        group: Of the configuration, such as "encoder".
        name: Of the option.
        defaults: Yamls of the group that it begins with: `["_fitted"]` for a ranker that is not trained by gradients.
        values: Further keys of its yaml: arguments of the constructor, `search`, `traits`, and `_partial_=True` for
            profiles, rankers, losses and negatives, which are given further arguments.

    Raises:
        ConfigError: If the component is local to a function, or the group or the name is impossible.

    Example:
        >>> recsys.register(MyEncoder, group="encoder", name="mine", dim=32)  # doctest: +SKIP
    """
    from recsys.config.registered import register as make_option

    make_option(component, group, name, defaults, values)


def run(*configuration: DictConfig | str | Sequence[str], data: OwnData | None = None) -> InteractiveRun:
    """Make a run, or return it if it exists.

    Args:
        configuration: Overrides, one by one or in lists, such as `"encoder=bert", "seed=1"`; or a composed
            configuration.
        data: The result of `dataset`; None for the data of the configuration.

    Returns:
        The run: `.metrics` is a frame, `.record` has its settings and results, `.model` is the trained model, and
        `.recommend(user=…)` gives recommendations.

    Raises:
        ConfigError: If the configuration is impossible.
        DataError: If the data is malformed.
    """
    from recsys.api.runs import make_run

    return make_run(configuration, data)


def study(
    *configuration: str | Sequence[str], data: OwnData | None = None, progress: bool = False, **keys: Any
) -> Study:
    """Make the runs of a study, and tune its cells if it has a search; a stopped study continues.

    Args:
        configuration: Overrides of the command `recsys study`, such as `"study=demo", "search=tpe"`.
        data: The result of `dataset`; None for the data of the study.
        progress: Whether to print a line for each job that ends.
        keys: Those of `study` as Python values: `name`, `cells={"mine": ["encoder=mine", "ranker=dot"]}`, `grid`,
            `baselines`, `common`, `seeds`, `baseline`, `metrics`, …; see conf/study/default.yaml.

    Returns:
        The study: `.runs` and `.trials` are frames, `.comparison` has tables and charts, `.report()` writes the page.

    Raises:
        ConfigError: If the study, or one of its runs, is impossible; before the first run.
    """
    from recsys.api.studying import make_study

    return make_study(configuration, data, keys, progress)


def answer(
    data: OwnData | None = None, *configuration: str | Sequence[str], progress: bool = True, **keys: Any
) -> InteractiveAnswer:
    """Whether a language model makes a recommender of this data better, for whom, and at what cost.

    Simple baselines, models on IDs, and models with text get equal budgets within the time; see docs/how-to/answer.md.
    A stopped answer continues when it is called again.

    Args:
        data: The result of `dataset`; None for the embedded MovieLens.
        configuration: Overrides of the command `recsys answer`, such as `"encoder=gpt2"`, `"launcher=joblib"`.
        progress: Whether to print findings and decisions during the work.
        keys: Those of conf/answer.yaml as Python values: `minutes=30`, `cold_items=True`, `common=[…]`, …

    Returns:
        The answer: `.verdict` is a sentence, `.comparison` has tables and charts, `.report` is the page.

    Raises:
        ConfigError: If a key is impossible, or the items have no text.
        RecsysError: If all cells with a language model, or all without one, failed.
    """
    from recsys.api.asking import answer_question

    return answer_question(configuration, data, keys, progress)


def compare(
    runs: Iterable[Run | str | Path],
    baseline: Run | str | None = None,
    metrics: Sequence[str] = ("ndcg@10", "recall@10", "coverage@10"),
    **test: Any,
) -> InteractiveComparison:
    """Compare runs of one protocol: means, intervals, and differences from a baseline.

    Args:
        runs: Runs of one store, or their folders or ids.
        baseline: A run, or the label of a cell; None for no differences.
        metrics: Of the test; the first orders the cells.
        test: How differences are tested, as in conf/compare.yaml: `test`, `correction`, `level`, `n_resamples`,
            `seed_interval`.

    Returns:
        The comparison: `.table` and `.pairs_table` are frames, `.figures` has altair charts, `.report(folder)` writes
        the page.

    Raises:
        ConfigError: If there is no run, a run is not finished, or the runs are of several stores.
        ComparisonError: If the runs have different protocols, seeds or code.
    """
    from recsys.api.comparing import compare_runs

    return compare_runs(runs, baseline, metrics, test)


def save_vectors(
    path: str | Path, vectors: Any, ids: Sequence[Any] | None = None, provenance: Mapping[str, Any] | None = None
) -> list[str]:
    """Write precomputed item vectors to a file that `encoder=vectors` reads.

    Args:
        path: The file, which ends in `.safetensors`.
        vectors: A numpy array or torch tensor (n_items, dim); a polars or pandas frame with a column `vectors` of
            lists, or with a column for each dimension; or a dictionary from ids to vectors.
        ids: The raw item id of each row. A frame has them in its column `item_id`, or a pandas frame in its index.
        provenance: The origin of the vectors, for records and reports: `model`, `revision`, `made_from` (which items)
            and `made_at`. None if it is unknown.

    Returns:
        The overrides that choose the file: `recsys.run(["ranker=dot", *recsys.save_vectors(…)])`.

    Raises:
        DataError: If shapes, values, ids or provenance are impossible.
    """
    from recsys.config.overrides import override
    from recsys.encoders.vector_objects import save_vectors as save

    save(Path(path), vectors, ids, provenance)
    return ["encoder=vectors", override("encoder.path", str(path))]


def load(run: str | Path, runs_dir: str | Path | None = None) -> InteractiveRun:
    """Reopen a run of the store.

    Args:
        run: The run's id, a unique beginning of it (at least four characters), or its folder.
        runs_dir: The store, if `run` is an id; by default that of the configuration.

    Raises:
        ConfigError: If there is no finished run of that name, or its record names a class that is not trusted.
    """
    from recsys.api.runs import open_run

    return open_run(run, runs_dir)


def recommend(run: Run, user_id: Any, top_k: int = 10) -> pl.DataFrame:
    """The best unseen items of known users: `user_id`, `rank`, `item_id`, `title`, `score`, best first.

    Args:
        run: A run with a model.
        user_id: One id, or a list, array, series or frame of ids: strings or integers.
        top_k: Number of items for each user.

    Raises:
        ConfigError: If a user is not in the data.
    """
    from recsys.serving.requests import recommend_items

    return recommend_items(run, user_id, None, top_k)
