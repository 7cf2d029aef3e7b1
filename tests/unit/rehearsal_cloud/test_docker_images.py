"""Images of a Docker engine: what ECR and SageMaker are told of them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from docker.errors import ImageNotFound
from moto.ecr.models import ECRBackend

from rehearsal.cloud.fleets.docker_images import (
    DockerImages,
    manifest_from_image,
    plan_from_config,
)
from rehearsal.cloud.registry import DOCKER_MANIFEST

IMAGE = {"Id": "sha256:1", "Size": 7, "RootFS": {"Layers": ["sha256:a", "sha256:b"]}}

SERVER = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/server"


class TaggedImages:
    """A Docker engine's images: what was tagged there, by name."""

    def __init__(self, **images: Any) -> None:
        self._images = images

    def get(self, name: str) -> Any:
        tag = name.removeprefix(f"{SERVER}:")
        if tag not in self._images:
            raise ImageNotFound(name)
        return self._images[tag]


def test_ecr_finds_a_tag_of_the_engine_before_any_model_uses_it() -> None:
    registry = ECRBackend("eu-west-1", "123456789012")
    registry.create_repository("server", None, {}, None, "MUTABLE", [])
    local = SimpleNamespace(id="sha256:1", attrs=IMAGE)
    DockerImages(SimpleNamespace(images=TaggedImages(here=local)), registry)

    asked = [{"imageTag": "here"}, {"imageTag": "nowhere"}]
    found = registry.batch_get_image("server", image_ids=asked)

    [image] = found["images"]
    assert image.image_manifest_media_type == DOCKER_MANIFEST
    assert [failure["imageId"]["imageTag"] for failure in found["failures"]] == ["nowhere"]


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
