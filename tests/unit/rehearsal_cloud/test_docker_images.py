"""Images of a Docker engine: what ECR and SageMaker are told of them."""

from __future__ import annotations

import json

from rehearsal.cloud.fleets.docker_images import manifest_from_image, plan_from_config

IMAGE = {"Id": "sha256:1", "Size": 7, "RootFS": {"Layers": ["sha256:a", "sha256:b"]}}


def test_a_manifest_names_the_image_and_its_layers() -> None:
    manifest = json.loads(manifest_from_image(IMAGE))

    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert manifest["config"]["digest"] == "sha256:1"
    assert [layer["digest"] for layer in manifest["layers"]] == ["sha256:a", "sha256:b"]
    assert sum(layer["size"] for layer in manifest["layers"]) == 7


def test_other_images_have_other_manifests() -> None:
    assert manifest_from_image(IMAGE) == manifest_from_image({**IMAGE})
    assert manifest_from_image(IMAGE) != manifest_from_image({**IMAGE, "Id": "sha256:2"})


def test_an_engines_words_become_a_plan() -> None:
    plan = plan_from_config(
        {
            "Env": ["PATH=/bin", "EMPTY=", "TWO=a=b"],
            "Labels": {"accept": "true"},
            "WorkingDir": "",
            "Entrypoint": ["python3"],
            "Cmd": None,
        }
    )

    assert plan.environment == (("PATH", "/bin"), ("EMPTY", ""), ("TWO", "a=b"))
    assert plan.labels == (("accept", "true"),)
    assert (plan.working_directory, plan.entrypoint, plan.command) == ("/", ("python3",), ())
