"""Parameters that are passed on unchanged are a mapping, wherever a component takes some."""

import pytest

from recsys.language_models.chat_endpoint import ChatGenerator
from recsys.language_models.label_endpoint import LabelEndpoint
from recsys.schema import ConfigError
from recsys.studies.launchers.slurm import SlurmLauncher


@pytest.mark.parametrize("parameters", [3, "top_p", ["top_p"]])
@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda given: ChatGenerator("http://localhost", "any", parameters=given), "language_model.parameters"),
        (lambda given: LabelEndpoint("http://localhost", "any", parameters=given), "ranker.language_model.parameters"),
        (lambda given: SlurmLauncher("any", parameters=given), "launcher.parameters"),
    ],
    ids=["written texts", "log-probabilities", "slurm"],
)
def test_anything_else_is_refused_by_key(make, key, parameters):
    if key.startswith("launcher"):
        pytest.importorskip("submitit")
    with pytest.raises(ConfigError, match=rf"^{key} is .*; expected a mapping, as in .*, or null\.$"):
        make(parameters)
