"""Every metric of conf/metrics keeps the contract of metrics."""

from __future__ import annotations

import pytest
from metric_data import suite

from recsys.config.compose import conf_dir
from recsys.testing.metric_contract import MetricContract

FILES = sorted((conf_dir() / "metrics").glob("*.yaml"), reverse=True)
# A metric that several yamls have with the same settings is tested once.
METRICS = {
    f"{made.func.__name__} {made.keywords or ''}": made for path in FILES for made in suite(path.stem).metrics.values()
}


class TestMetrics(MetricContract):
    @pytest.fixture(autouse=True, params=METRICS)
    def _constructor(self, request):
        self.constructor = METRICS[request.param]
        self.top_k = self.constructor.keywords.get("top_k", type(self).top_k)

    def make(self, top_k, context):
        return self.constructor.func(top_k=top_k, context=context)
