"""Answer whether a language model makes a recommender better, for whom, at what cost.

The data is checked, a split is chosen, and models with and without text get equal budgets within the time given.
An answer that was stopped continues when the same command is given again.
"""

from __future__ import annotations

from functools import partial

from omegaconf import DictConfig

from recsys.commands.next_steps import print_next_steps
from recsys.config.compose import compose
from recsys.serving.report_users import check_user_examples, user_examples
from recsys.studies.answers.answer_request import lenient
from recsys.studies.answers.answering import make_answer
from recsys.support.screen import Screen

EXAMPLES = (
    "recsys answer minutes=30",
    "recsys answer data=table data.path=shop data.interactions.file=sales.csv data.items.file=products.csv",
)


def run(cfg: DictConfig) -> None:
    """Answer the question and print its first sentence and the report's path.

    Raises:
        ConfigError: If a key is impossible, or the items have no text.
        DataError: If the data is malformed.
        RecsysError: If no cell with a language model finished, or none without one.
    """
    check_user_examples(cfg.user_examples)
    console = Screen()
    further = lenient(cfg)
    if further:
        cfg = compose([*cfg.overrides, *further], "answer")
    view = console if console.is_terminal else Screen(stderr=True)
    made = make_answer(
        cfg, lambda shown: console.print(shown, highlight=False), view, partial(user_examples, cfg.user_examples)
    )
    if made is not None:
        console.print(made.sentence, style="bold", highlight=False)
        for sentence in made.details:
            console.print(sentence, highlight=False)
        console.print(f"report: {made.report}", soft_wrap=True, highlight=False)
        best = made.main.folder(
            made.main.chosen.text if made.sentence.startswith("Yes") else made.main.chosen.reference
        )
        name = f"study.name={made.main.study.result.record.name}"
        recommend = ["recommend", f"run={best.name}", "users=all", "output=recommendations.parquet"]
        print_next_steps(console, cfg, ["compare", name], recommend)
