"""The Prefect UI in a real browser: the form, the run, the artifacts. Screenshots are kept where RELANCE_SCREENSHOTS says."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.stack import CHECKOUT, Stack, wait_until

from relance.index import Index

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1280, "height": 1100})
    page.set_default_timeout(90_000)
    yield page
    page.close()


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    """A copy of the example, so that the checkout's own index is left alone."""
    ignored = shutil.ignore_patterns("lancedb", "__pycache__")
    return Path(shutil.copytree(CHECKOUT / "examples" / "handbook", tmp_path / "handbook", ignore=ignored))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots are kept."""
    folder = Path(os.environ.get("RELANCE_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def submitted(page: Any, stack: Stack, deployment: str) -> dict[str, Any]:
    """Press Submit until there is a run; returns it.

    The page asks the server to check the form first, and SQLite under load answers 503 now and then: the page then
    stays on the form and says nothing, and a person presses again.
    """
    form = page.url

    def first_run() -> dict[str, Any] | None:
        return next((each for each in stack.runs_of(deployment) if not each["auto_scheduled"]), None)

    for _ in range(5):
        if page.url == form:
            page.get_by_role("button", name="Submit").click()
        with suppress(AssertionError):
            return wait_until(first_run, timeout=40)
    raise AssertionError(f"no run after five presses; the page shows:\n{page.locator('main').inner_text()[:2000]}")


def test_the_form_starts_a_run_and_its_artifacts_are_found(
    stack: Stack, page: Any, handbook: Path, pictures: Path
) -> None:
    deployed = stack.run("deploy", str(handbook))
    assert deployed.returncode == 0, deployed.stderr
    deployment = stack.deployment("ingest/handbook")

    page.goto(f"{stack.page}/v2/deployments/deployment/{deployment['id']}/run")
    for label in ("Index", "Mode", "Only these documents", "Budget in US dollars", "Approval"):
        page.get_by_text(f"{label} (Optional)", exact=True).wait_for()
    page.get_by_text("Name of a deployed index, or absolute path of a spec", exact=False).wait_for()
    assert page.get_by_text("JSON", exact=True).count() == 0, "no field is raw JSON"
    page.get_by_label("Run Name").or_(page.locator("input").first).first.fill("first look")
    page.screenshot(path=pictures / "1-form.png", full_page=True)
    run = submitted(page, stack, "ingest/handbook")
    ended = stack.wait_for(run["id"], timeout=180)
    assert ended["state"]["type"] == "COMPLETED", ended["state"]
    assert Index(handbook).status().documents == 45

    page.goto(f"{stack.page}/v2/runs/flow-run/{run['id']}")
    page.get_by_text(re.compile("handbook: completed in .*45 added")).first.wait_for()
    page.wait_for_timeout(3000)  # the graph is drawn last
    page.screenshot(path=pictures / "2-run.png", full_page=True)
    page.get_by_role("tab", name="Task Runs").click()
    page.get_by_text("discover handbook").first.wait_for()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("ingest-handbook").first.wait_for()
    page.screenshot(path=pictures / "3-artifacts.png", full_page=True)

    found = stack.ask("POST", "/artifacts/filter", json={"artifacts": {"key": {"any_": ["ingest-handbook"]}}})
    page.goto(f"{stack.page}/v2/artifacts/artifact/{found[0]['id']}")
    page.get_by_text("45 added", exact=False).first.wait_for()
    page.screenshot(path=pictures / "4-report.png", full_page=True)

    page.goto(f"{stack.page}/v2/deployments")
    page.get_by_text("ingest-on-change").first.wait_for()
    page.wait_for_timeout(1000)
    page.screenshot(path=pictures / "5-deployments.png", full_page=True)


def test_analyses_are_forms_too_and_their_findings_are_seen(
    stack: Stack, page: Any, handbook: Path, pictures: Path
) -> None:
    assert stack.run("ingest", str(handbook), "--direct").returncode == 0
    deployment = stack.deployment("anomalies/anomalies")
    page.goto(f"{stack.page}/v2/deployments/deployment/{deployment['id']}/run")
    for label in ("Index", "Level", "Method", "Filter", "Reference", "Reference filter", "Tolerance", "Allowed"):
        page.get_by_text(f"{label} (Optional)", exact=True).wait_for()
    page.screenshot(path=pictures / "6-analysis-form.png", full_page=True)

    runs = [stack.create_run("cluster/cluster", index=str(handbook)),
            stack.create_run("classify/classify", index=str(handbook), labels="labels.yaml"),
            stack.create_run("anomalies/anomalies", index=str(handbook), tolerance=1.0),
            stack.create_run("recommend/recommend", index=str(handbook), history="history.csv")]  # fmt: skip
    for run_id in runs:
        ended = stack.wait_for(run_id, timeout=240)
        assert ended["state"]["type"] == "COMPLETED", ended["state"]
    for number, kind in enumerate(("clusters", "classes", "anomalies", "recommendations"), start=7):
        found = stack.ask("POST", "/artifacts/filter", json={"artifacts": {"key": {"any_": [f"{kind}-handbook"]}}})
        page.goto(f"{stack.page}/v2/artifacts/artifact/{found[0]['id']}")
        page.get_by_role("table").first.wait_for()
        if kind == "clusters":
            drawn = page.get_by_role("img", name="map of handbook")
            drawn.wait_for()
            assert drawn.evaluate("image => image.naturalWidth") > 400
        page.screenshot(path=pictures / f"{number}-{kind}.png", full_page=True)
