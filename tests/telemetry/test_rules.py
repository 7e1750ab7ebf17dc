"""Alerts fire when they should and not before, by Prometheus's own checker."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROMTOOL = shutil.which("promtool")


def promtool(*arguments: str | Path) -> None:
    if PROMTOOL is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_configuration_and_the_rules_in_it() -> None:
    promtool("check", "config", ROOT / "infra" / "prometheus" / "prometheus.yml")


def test_the_rules_do_what_the_cases_say() -> None:
    promtool("test", "rules", ROOT / "tests" / "telemetry" / "alerts.test.yml")


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    groups = yaml.safe_load((ROOT / "infra" / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    alerts = {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}
    cases = yaml.safe_load((ROOT / "tests" / "telemetry" / "alerts.test.yml").read_text(encoding="utf-8"))["tests"]
    tried = [case for test in cases for case in test.get("alert_rule_test", [])]
    assert {case["alertname"] for case in tried if case.get("exp_alerts")} == set(alerts)
    # One that is told at once, from a counter that begins with it, has no moment before.
    assert {case["alertname"] for case in tried if not case.get("exp_alerts")} >= set(alerts) - {
        "RelanceAccountRefused"
    }
    for name, rule in alerts.items():
        assert set(rule["annotations"]) == {"summary", "description"}, name
        assert rule["labels"]["severity"] in {"warning", "critical"}, name
