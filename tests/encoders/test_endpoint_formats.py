"""Vectors of an endpoint as base64 and as numbers."""

from __future__ import annotations

import numpy as np
import pytest
from encoders.embedding_server import Fault, as_numbers, serving, vector_of
from encoders.tiny_models import TEXTS

from recsys.encoders.endpoint import EndpointEncoder
from recsys.language_models.http_endpoint import EndpointError

EXPECTED = np.array([vector_of(text) for text in TEXTS], dtype=np.float32)


@pytest.fixture
def server():
    with serving() as made:
        yield made


@pytest.mark.parametrize("encoding_format", ["base64", "float"])
def test_both_formats_give_the_same_bits(server, encoding_format):
    assert np.array_equal(
        EndpointEncoder(server.url, "stub", batch_size=4, encoding_format=encoding_format).encode(TEXTS), EXPECTED
    )
    assert {body["encoding_format"] for body in server.requests} == {encoding_format}


def test_numbers_are_read_where_a_server_has_no_base64(server):
    server.faults = [Fault(change=as_numbers)] * 5
    assert np.array_equal(EndpointEncoder(server.url, "stub", batch_size=4).encode(TEXTS), EXPECTED)


def without_index(answer):
    return {**answer, "data": [{"embedding": entry["embedding"]} for entry in answer["data"]]}


def test_vectors_without_an_index_are_refused_unless_each_has_a_request_of_its_own(server):
    server.faults = [Fault(change=without_index)] * 3
    settings = {"first_wait": 0.01, "n_concurrent": 1}
    with pytest.raises(EndpointError, match=r"no index, so their order is unknown: set encoder\.batch_size=1"):
        EndpointEncoder(server.url, "stub", batch_size=4, max_attempts=3, **settings).encode(TEXTS)
    server.faults = [Fault(change=without_index)] * len(TEXTS)
    assert np.array_equal(EndpointEncoder(server.url, "stub", batch_size=1, **settings).encode(TEXTS), EXPECTED)
