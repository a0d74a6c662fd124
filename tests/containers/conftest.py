"""The engine, the images and one deployment that the tests here share.

They build images and take minutes, so they run only when asked for: `make containers` sets WANGGE_CONTAINERS.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from containers.deployment import DEPLOY, Deployment
from containers.engine import an_engine

from wangge.cli.local import SERVICES

#: Seconds for one test; the first one waits for the images.
TEST_SECONDS = 1500


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip unless asked for."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))
            if not os.environ.get("WANGGE_CONTAINERS"):
                item.add_marker(
                    pytest.mark.skip(reason="builds images, takes minutes: run `make containers`")
                )


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """An engine that answers."""
    with an_engine() as client:
        yield client


@pytest.fixture(scope="session")
def images(engine: docker.DockerClient) -> str:
    """The tag of freshly built images of Wangge and of the servers."""
    if not os.environ.get("BASE") and shutil.which("debootstrap") is None:
        pytest.skip(
            "the base image takes debootstrap, or BASE=debian:bookworm-slim where a registry is reached"
        )
    tag = "test"
    env = {**os.environ, "VERSION": tag}
    done = subprocess.run(
        [DEPLOY / "images.sh", "--servers"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return tag


@pytest.fixture(scope="session")
def deployment(engine: docker.DockerClient, images: str) -> Iterator[Deployment]:
    """Wangge in containers, ready."""
    secrets = Path(tempfile.mkdtemp(prefix="wangge-secrets-"))
    deployment = Deployment(engine, images, secrets)
    try:
        deployment.wangge("provision", "secrets")
        deployment.compose("up", "--detach")
        deployment.wait_ready(*SERVICES)
        yield deployment
    finally:
        deployment.remove()
        shutil.rmtree(secrets)
