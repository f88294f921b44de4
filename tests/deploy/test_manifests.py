"""The deployment files agree with the server and with each other. In: deploy/. Out: what does not fit.

That they are valid is the linters' work (`make deployment`); here is what no schema knows.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tellapart.cli.serve import command as serve
from tellapart.serving import guard

USER = 10001
HTTP, GRPC = 8501, 8500  # the defaults of `tellapart serve`, and TensorFlow Serving's


@pytest.fixture(scope="module")
def deploy(repository: Path) -> Path:
    return repository / "deploy"


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def options(arguments: list[str]) -> dict[str, Any]:
    """What `tellapart serve` makes of arguments, once Kubernetes and KServe have put their values in."""
    filled = [one.replace("$(CORES)", "2").replace("{{.Name}}", "cats") for one in arguments]
    return serve.make_context("serve", filled).params


def containers(deploy: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every container of Kubernetes and KServe, with the specification of its pod."""
    pod = read(deploy / "kubernetes" / "deployment.yaml")["spec"]["template"]["spec"]
    yield pod["containers"][0], pod
    for path in sorted((deploy / "kserve").glob("serving-runtime*.yaml")):
        pod = read(path)["spec"]
        yield pod["containers"][0], pod


def instructions(deploy: Path) -> list[tuple[str, str]]:
    """The Dockerfile's instructions, lines joined, comments gone."""
    text = re.sub(r"^\s*#.*\n", "", (deploy / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in lines if line)]


def test_the_image_runs_the_server_as_nobody_and_can_be_asked(deploy: Path) -> None:
    found = dict(instructions(deploy))  # of the last stage, where both have one
    assert found["USER"] == f"{USER}:{USER}"
    assert found["STOPSIGNAL"] == "SIGTERM"
    assert found["EXPOSE"] == f"{HTTP} {GRPC}"
    entry, models = json.loads(found["ENTRYPOINT"]), json.loads(found["CMD"])
    assert entry[:2] == ["tellapart", "serve"]
    taken = options([*entry[2:], *models])
    assert (taken["host"], taken["port"], taken["grpc_port"], taken["models"]) == ("0.0.0.0", HTTP, GRPC, ("/models",))
    assert f"http://127.0.0.1:{HTTP}/health/ready" in found["HEALTHCHECK"]
    assert "curl" not in found["HEALTHCHECK"]
    steps = " ".join(text for word, text in instructions(deploy) if word == "RUN")
    assert "[serve]" in steps
    assert all(word not in steps for word in ("[train]", "torch", "[dev]", "[demo]"))
    bases = {text.split(" AS ")[0] for word, text in instructions(deploy) if word == "FROM"}
    assert bases == {"python:${PYTHON}"}
    assert re.fullmatch(
        r"PYTHON=3\.\d+(\.\d+)?-slim-\w+", next(text for word, text in instructions(deploy) if word == "ARG")
    )


def test_the_context_holds_what_the_wheel_is_made_of(deploy: Path) -> None:
    lines = (deploy / "Dockerfile.dockerignore").read_text().split("\n")
    let_in = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        name
        for word, text in instructions(deploy)
        if word == "COPY" and "--from" not in text
        for name in text.split()[:-1]
    }
    assert copied == let_in


def test_compose_gives_what_the_server_needs(deploy: Path) -> None:
    service = read(deploy / "compose.yaml")["services"]["tellapart"]
    taken = options(service["command"])
    assert taken["threads"] == int(service["deploy"]["resources"]["limits"]["cpus"])
    assert int(service["stop_grace_period"].rstrip("s")) > taken["timeout"] + taken["linger"] + 5
    assert [port.rpartition("}:")[2] for port in service["ports"]] == [f"{HTTP}:{HTTP}", f"{GRPC}:{GRPC}"]
    assert all("127.0.0.1" in port for port in service["ports"])  # nobody else, without keys
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["volumes"][0]["target"] == taken["models"][0]
    assert service["volumes"][0]["read_only"]
    assert service["healthcheck"]["test"][1:] == json.loads(
        dict(instructions(deploy))["HEALTHCHECK"].partition("CMD ")[2]
    )
    keyed = read(deploy / "compose.keys.yaml")
    (secret,) = keyed["services"]["tellapart"]["secrets"]
    with_keys = options(keyed["services"]["tellapart"]["command"])
    assert str(with_keys.pop("api_key_file")) == f"/run/secrets/{secret}"
    assert with_keys == {name: value for name, value in taken.items() if name != "api_key_file"}
    assert secret in keyed["secrets"]


def test_every_image_has_the_packages_version(deploy: Path) -> None:
    wanted = f"tellapart:{importlib.metadata.version('tellapart')}"
    assert read(deploy / "compose.yaml")["services"]["tellapart"]["image"] == wanted
    assert {container["image"] for container, _ in containers(deploy)} == {wanted}
    assert read(deploy / "kubernetes" / "kustomization.yaml")["images"] == [
        {"name": "tellapart", "newTag": wanted.partition(":")[2]}
    ]
    assert wanted in (deploy / "Dockerfile").read_text()


def test_containers_are_restricted_and_told_how_many_cores_they_have(deploy: Path) -> None:
    found = list(containers(deploy))
    assert len(found) == 3
    for container, pod in found:
        security = {**pod.get("securityContext", {}), **container["securityContext"]}
        assert security["runAsNonRoot"]
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]
        assert security["runAsUser"] == USER
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        (cores,) = container["env"]
        assert cores["valueFrom"]["resourceFieldRef"]["containerName"] == container["name"]
        assert options(container["args"])["threads"] == 2
        assert container["resources"]["limits"]["cpu"] == "2"


def test_probes_ask_what_needs_no_key_at_ports_that_are_open(deploy: Path) -> None:
    for container, _ in containers(deploy):
        ports = {port.get("name"): port["containerPort"] for port in container["ports"]}
        taken = options(container["args"])
        listening = {taken["port"], None if taken["no_grpc"] else taken["grpc_port"]}
        assert set(ports.values()) <= listening
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container.get(kind, {})
            if "httpGet" in probe:
                assert probe["httpGet"]["path"] in guard._OPEN
                assert ports.get(probe["httpGet"]["port"], probe["httpGet"]["port"]) == taken["port"]
            elif "grpc" in probe:
                assert probe["grpc"]["port"] == taken["grpc_port"]


def test_a_pod_has_time_to_finish(deploy: Path) -> None:
    container, pod = next(containers(deploy))
    taken = options(container["args"])
    assert pod["terminationGracePeriodSeconds"] > taken["linger"] + taken["timeout"] + 5
    predictor = read(deploy / "kserve" / "inference-service.yaml")["spec"]["predictor"]
    for runtime, _ in list(containers(deploy))[1:]:
        taken = options(runtime["args"])
        assert predictor["terminationGracePeriodSeconds"] > taken["linger"] + taken["timeout"] + 5


def test_kubernetes_files_name_each_other_rightly(deploy: Path) -> None:
    folder = deploy / "kubernetes"
    found = {path.name: read(path) for path in sorted(folder.glob("*.yaml"))}
    kustomization = found.pop("kustomization.yaml")
    assert sorted(kustomization["resources"]) == sorted(found)
    spaces = {one["metadata"].get("namespace") for name, one in found.items() if name != "namespace.yaml"}
    assert spaces == {found["namespace.yaml"]["metadata"]["name"]} == {kustomization["namespace"]}
    deployment = found["deployment.yaml"]
    pod = deployment["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert found["service.yaml"]["spec"]["selector"] == labels
    assert found["disruption.yaml"]["spec"]["selector"]["matchLabels"] == labels
    assert found["network.yaml"]["spec"]["podSelector"]["matchLabels"] == labels
    scaled = found["autoscaling.yaml"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert scaled["minReplicas"] > found["disruption.yaml"]["spec"]["minAvailable"]
    assert "replicas" not in deployment["spec"]  # each `apply` would undo what the autoscaler did
    names = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"] for port in found["service.yaml"]["spec"]["ports"]} == names
    assert {port["port"] for port in found["network.yaml"]["spec"]["ingress"][0]["ports"]} == names
    mounts = {one["name"]: one["mountPath"] for one in pod["spec"]["containers"][0]["volumeMounts"]}
    volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
    assert mounts.keys() == volumes.keys()
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == found["models.yaml"]["metadata"]["name"]
    taken = options(pod["spec"]["containers"][0]["args"])
    assert taken["models"] == (mounts["models"],)
    assert taken["api_key_file"].parent == Path(mounts["keys"])
    create = (folder / "kustomization.yaml").read_text()
    assert f"secret generic {volumes['keys']['secret']['secretName']}" in create
    assert f"--from-literal={taken['api_key_file'].name}=" in create


# Walks a document along the types of the client that KServe generates from its own definitions, and of Kubernetes' own.
KSERVE = """
import json, re, sys
import kserve.models, kubernetes.client
def check(value, kind, path):
    many = re.fullmatch(r"(?i)(list|dict)[[(](?:str, )?(.+)[])]", kind)
    if many:
        inner = many[2]
        pairs = enumerate(value) if isinstance(value, list) else value.items()
        assert isinstance(value, list if many[1].lower() == "list" else dict), path
        for key, one in pairs:
            check(one, inner, f"{path}/{key}")
    elif kind in ("str", "int", "bool", "float"):
        assert type(value).__name__ == kind, f"{path} is no {kind}"
    elif kind != "object":
        model = getattr(kserve.models, kind, None) or getattr(kubernetes.client, kind)
        names = {alias: name for name, alias in model.attribute_map.items()}
        for key, one in value.items():
            assert key in names, f"{path}/{key}: {kind} has only {sorted(names)}"
            check(one, model.openapi_types[names[key]], f"{path}/{key}")
        model(**{names[key]: one for key, one in value.items()})  # says what is missing
for document in json.load(sys.stdin):
    try:
        check(document, {"ServingRuntime": "V1alpha1", "InferenceService": "V1beta1"}[document["kind"]] + document["kind"], "")
        print(document["kind"])
    except (AssertionError, ValueError) as error:
        print("wrong:", error)
"""


@pytest.mark.slow
def test_kserve_knows_every_field(deploy: Path, clients: Path) -> None:
    documents = [read(path) for path in sorted((deploy / "kserve").glob("*.yaml"))]

    runtime = documents[1]
    unknown = {**runtime, "spec": {**runtime["spec"], "multimodel": True}}
    missing = {**runtime, "spec": {"multiModel": False}}
    done = subprocess.run(
        [clients, "-c", KSERVE],
        input=json.dumps([*documents, unknown, missing]),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    *fine, first, second = done.stdout.splitlines()
    assert fine == ["InferenceService", "ServingRuntime", "ServingRuntime"]
    assert first.startswith("wrong: /spec/multimodel: V1alpha1ServingRuntimeSpec has only")
    assert second == "wrong: Invalid value for `containers`, must not be `None`"


def test_kserve_files_name_each_other_rightly(deploy: Path) -> None:
    runtimes = {
        one["metadata"]["name"]: one["spec"]
        for one in (read(path) for path in sorted((deploy / "kserve").glob("serving-runtime*.yaml")))
    }
    model = read(deploy / "kserve" / "inference-service.yaml")["spec"]["predictor"]["model"]
    runtime = runtimes[model["runtime"]]
    assert model["protocolVersion"] in runtime["protocolVersions"]
    assert model["modelFormat"]["name"] in {one["name"] for one in runtime["supportedModelFormats"]}
    assert not set(runtimes["tellapart"]["protocolVersions"]) & set(runtimes["tellapart-grpc"]["protocolVersions"])
    assert all(options(spec["containers"][0]["args"])["models"] == ("cats=/mnt/models",) for spec in runtimes.values())


def test_what_the_files_say_to_type_can_be_typed(deploy: Path) -> None:
    text = "\n".join(path.read_text() for path in sorted(deploy.rglob("*")) if path.is_file())
    for path in re.findall(r"(?:-f|-k) (deploy/[\w./-]+)", text):
        assert (deploy.parent / path).exists(), path


def numbers(document: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a document with the way to it; quantities such as 512Mi and "2" among them."""
    if isinstance(document, dict | list):
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from numbers(value, f"{path}/{key}")
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield path, document
    elif isinstance(document, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)(m|[KMGT]i?)?", document)):
        yield path, float(found[1])


def test_no_number_is_zero_but_those_that_are_meant(deploy: Path) -> None:
    """A probe every 0 seconds, 0 % of a core, 0 bytes of memory: each is valid, and none of them works."""
    meant = {
        ("deployment.yaml", "/spec/strategy/rollingUpdate/maxUnavailable")
    }  # no pod goes before its successor is there
    files = [path for folder in ("kubernetes", "kserve") for path in sorted((deploy / folder).glob("*.yaml"))]
    found = [
        (path.name, place, number)
        for path in [*files, deploy / "compose.yaml"]
        for place, number in numbers(read(path))
    ]
    assert len(found) > 60
    assert {(name, place) for name, place, number in found if number <= 0} == meant


def test_pods_are_added_before_their_cores_are_busy_all_the_time(deploy: Path) -> None:
    scaled = read(deploy / "kubernetes" / "autoscaling.yaml")["spec"]
    (metric,) = scaled["metrics"]
    assert (metric["type"], metric["resource"]["name"]) == ("Resource", "cpu")
    target = metric["resource"]["target"]
    assert target["type"] == "Utilization"
    # In per cent of what a pod requests, which must therefore be there; 100 would never be passed.
    assert 50 <= target["averageUtilization"] <= 90
    assert scaled["maxReplicas"] > scaled["minReplicas"]
    for container, _ in containers(deploy):
        wanted, most = (container["resources"][kind] for kind in ("requests", "limits"))
        assert wanted["cpu"] == most["cpu"]  # else the share would be of something else than the cores that it gets
        assert wanted.keys() == most.keys() == {"cpu", "memory"}
    predictor = read(deploy / "kserve" / "inference-service.yaml")["spec"]["predictor"]
    assert predictor["maxReplicas"] > predictor["minReplicas"]
    assert read(deploy / "kubernetes" / "deployment.yaml")["spec"]["strategy"]["rollingUpdate"]["maxSurge"] >= 1


def test_probes_wait_for_the_answer_but_not_longer_than_until_the_next(deploy: Path) -> None:
    for container, _ in containers(deploy):
        assert {"readinessProbe", "livenessProbe"} <= container.keys()
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container.get(kind)
            if probe is not None:
                assert 1 <= probe.get("timeoutSeconds", 1) <= probe["periodSeconds"]
        start = container.get("startupProbe")
        if start is not None:  # several large models are read and warmed up within this time
            assert start["periodSeconds"] * start["failureThreshold"] >= 30
