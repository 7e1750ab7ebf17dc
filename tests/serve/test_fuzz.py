"""The API against its own OpenAPI document: requests made by schemathesis, a bounded number with fixed seeds."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from tests.serve.conftest import Serve, tokens

from relance.index import Index

TOKEN = {"authorization": "Bearer token-of-ada"}


@pytest.fixture(scope="module")
def api(serve: Serve, small: Index) -> Any:
    client = serve(small, tokens=tokens(ada={"per_minute": 1_000_000}))
    return schemathesis.openapi.from_url(f"{client.base_url}openapi.json", headers=TOKEN)


@schemathesis.pytest.from_fixture("api").parametrize()
@settings(max_examples=12, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_every_answer_is_one_that_the_document_describes(case: Any) -> None:
    case.call_and_validate(headers=TOKEN)
