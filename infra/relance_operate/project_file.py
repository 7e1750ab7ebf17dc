"""The `prefect.yaml` of a user's own project: the deployments of one index, for `prefect deploy`."""

from __future__ import annotations

__all__ = ["project_file"]

_TEMPLATE = """\
# The deployments of the index NAME. In this folder: prefect --no-prompt deploy --all
# The server needs `relance up --bootstrap-only` once. `relance deploy .` makes the same deployments without this file.
name: NAME
prefect-version: ">=3.8.8,<3.10"

# The flows are in the installed package: nothing is pulled. A worker needs relance, and the spec at the same path.
pull: []

# Tells the server where the spec is.
build:
  - relance_operate.steps.index:
      id: index
      spec: SPEC

deployments:
  - name: NAME
    entrypoint: relance_flows.ingest.ingest
    version: "{{ index.version }}"
    tags: [relance, "index:NAME"]
    work_pool: {name: relance, work_queue_name: manual}
    concurrency_limit: {limit: 1, collision_strategy: ENQUEUE}
    parameters: {index: "NAME", wait_s: 3600.0}
    #schedules:
    #  - cron: "0 3 * * *"
    #    timezone: UTC
    #    slug: nightly

  - name: NAME
    entrypoint: relance_flows.on_change.ingest_on_change
    version: "{{ index.version }}"
    tags: [relance, "index:NAME"]
    work_pool: {name: relance, work_queue_name: changes}
    # One run at work, one that waits; what comes then is covered by the one that waits.
    concurrency_limit: {limit: 2, collision_strategy: CANCEL_NEW}
    parameters: {index: "NAME"}
    triggers:
      - name: "relance: NAME changed"
        enabled: true
        expect: [relance.source.changed]
        match: {prefect.resource.id: "relance.index.NAME"}
        parameters:
          index: "NAME"
          payload: {__prefect_kind: jinja, template: "{{ event.payload | tojson }}"}
          event: {__prefect_kind: jinja, template: "{{ event.id }}"}
          occurred: {__prefect_kind: jinja, template: "{{ event.occurred }}"}
"""


def project_file(index: str, spec: str) -> str:
    """Write it for an index by its name, and the name of its spec's file."""
    text = _TEMPLATE.replace("name: NAME\n", f'name: "{index}"\n')  # a name such as 2024 or on needs quotes
    return text.replace("NAME", index).replace("SPEC", spec)
