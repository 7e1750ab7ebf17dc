"""The API against its own OpenAPI document: requests made by schemathesis, a bounded number with fixed seeds."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.serve.conftest import Serve, tokens

from relance.index import Index

TOKEN = {"Authorization": "Bearer token-of-ada"}


@pytest.fixture(scope="module")
def api(serve: Serve, small: Index) -> Any:
    client = serve(small, tokens=tokens(ada={"per_minute": 1_000_000}))
    return schemathesis.openapi.from_url(f"{client.base_url}/openapi.json", headers=TOKEN)


# The server's threads use `random`, which hypothesis takes for a strategy that does.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
@schemathesis.pytest.from_fixture("api").parametrize()
@settings(max_examples=5, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_every_answer_is_one_that_the_document_describes(case: Any) -> None:
    if "index" in (case.path_parameters or {}):
        case.path_parameters["index"] = "small"  # made-up names would all be answered by 404
    # Which filters and questions have an answer is more than a schema can say.
    case.call_and_validate(headers=TOKEN, excluded_checks=[positive_data_acceptance])
