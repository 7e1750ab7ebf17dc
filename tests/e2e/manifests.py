"""The manifests of infra/kubernetes as `podman kube play` takes them.

What kustomize and a cluster would do is done here: ConfigMaps from the kustomization, the name of the image, a pod from
the job. podman passes over what it has no part for (roles, network policies, the service, the namespace).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

KUBERNETES = Path(__file__).parents[2] / "infra" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8"))
[_IMAGE] = KUSTOMIZATION["images"]
# podman asks by curl, which the image has not, and would start a container that works again and again.
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
IMAGE = f"{_IMAGE['newName']}:{_IMAGE['newTag']}"


def config_maps() -> Iterator[dict[str, Any]]:
    """What configMapGenerator makes."""
    for each in KUSTOMIZATION["configMapGenerator"]:
        data = dict(literal.split("=", 1) for literal in each.get("literals", []))
        for name in each.get("files", []):
            data[Path(name).name] = (KUBERNETES / name).read_text(encoding="utf-8")
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": each["name"]}, "data": data}


def objects(file: str) -> Iterator[dict[str, Any]]:
    """The objects of a manifest with the image's full name; a job is the pod it would start."""
    text = (KUBERNETES / file).read_text(encoding="utf-8").replace("image: relance\n", f"image: {IMAGE}\n")
    for each in yaml.safe_load_all(text):
        template = each.get("spec", {}).get("template")
        for container in template["spec"]["containers"] if template else ():
            for probe in PROBES:
                container.pop(probe, None)
        if each["kind"] != "Job":
            yield each
            continue
        metadata = {"name": each["metadata"]["name"]} | template["metadata"]
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def secrets(**values: str) -> Iterator[tuple[str, str]]:
    """Name and content of each secret of the runs' namespace, as podman keeps them: base64 in JSON."""
    text = (KUBERNETES / "secrets.example.yaml").read_text(encoding="utf-8")
    for each in yaml.safe_load_all(text):
        if each["metadata"]["namespace"] == KUSTOMIZATION["namespace"]:
            filled = {name: base64.b64encode(values[name].encode()).decode() for name in each["stringData"]}
            yield each["metadata"]["name"], json.dumps(filled)
