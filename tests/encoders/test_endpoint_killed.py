"""A process that encodes with an endpoint and is killed half way."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from encoders.embedding_server import serving

BATCH, CONCURRENT, N_TEXTS = 4, 2, 240
SCRIPT = f"""
import sys
from pathlib import Path
from recsys.encoders.endpoint import EndpointEncoder

url, folder, model = sys.argv[1:]
encoder = EndpointEncoder(url, model, batch_size={BATCH}, n_concurrent={CONCURRENT})
encoder.fit([], Path(folder))
encoder.encode([f"text {{number}}" for number in range({N_TEXTS})])
"""


def encode_apart(url: str, folder: str, model: str = "stub") -> subprocess.Popen[bytes]:
    """A process of its own that encodes all texts."""
    return subprocess.Popen([sys.executable, "-c", SCRIPT, url, folder, model])


@pytest.mark.slow
def test_a_killed_process_pays_again_for_requests_under_way_alone(tmp_path):
    """Killed with half of the texts answered: each thread has at most one request whose texts are sent again."""
    with serving() as server:
        server.service = 0.05
        process = encode_apart(server.url, str(tmp_path))
        while len(server.texts) < N_TEXTS / 2:
            assert process.poll() is None
            time.sleep(0.005)
        process.kill()
        process.wait()
        assert len(server.texts) < N_TEXTS
        server.service = 0.0
        assert encode_apart(server.url, str(tmp_path)).wait() == 0
        counts = list(server.texts.values())
    assert len(counts) == N_TEXTS
    assert max(counts) <= 2
    assert counts.count(2) <= 2 * CONCURRENT * BATCH
