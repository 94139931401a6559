"""Connections that stay open between requests, and the message of a refusal."""

from __future__ import annotations

import time

import pytest
from encoders.embedding_server import Fault, serving

from recsys.language_models.embedding_endpoint import EmbeddingEndpoint
from recsys.language_models.http_endpoint import EndpointError


@pytest.mark.parametrize("closes", [True, False])
def test_a_connection_that_the_server_closed_while_idle_is_opened_again_without_a_failed_request(closes):
    with serving() as server:
        server.closes = closes
        endpoint = EmbeddingEndpoint(server.url, "stub")
        for text in ("first", "second"):
            assert endpoint.ask([text]).vectors.shape == (1, 6)
            time.sleep(0.1)  # until the end of the connection is here
        assert endpoint.attempts == {"answered": 2, "failed": 0}
        assert len(server.requests) == 2


def test_a_server_that_takes_fewer_texts_at_a_time_names_the_key():
    with serving() as server:
        server.faults = [Fault(422, said="List should have at most 2048 items")]
        with pytest.raises(EndpointError, match=r"at most 2048 items\. Check .*encoder\.batch_size"):
            EmbeddingEndpoint(server.url, "stub").ask(["text"])
