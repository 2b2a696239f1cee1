"""Images from a registry: what it says where it gives none, and what a login that cannot be looked for costs."""

from __future__ import annotations

import docker
import pytest

from dockdojo.connection.metrics import Meter
from dockdojo.errors import EngineGone, ImageUnavailable
from dockdojo.image.images import Images


class Api:
    """docker-py's client, as far as a pull goes."""

    def __init__(self, *records, helper="", refused=""):
        self.records, self.helper, self.refused = records, helper, refused
        self.logins = []

    def pull(self, repository, *, tag, stream, decode, auth_config):
        self.logins.append(auth_config)
        if self.helper and auth_config is None:
            raise docker.errors.DockerException(self.helper)
        if self.refused:
            raise docker.errors.APIError("x", explanation=self.refused)
        return iter(self.records)


HELPER = "Credentials store error: StoreError('docker-credential-desktop not installed or not available in PATH')"


def test_a_missing_credential_helper_keeps_nobody_from_a_public_image():
    api = Api({"status": "Pulling"}, helper=HELPER)
    Images(api, Meter()).pull("busybox")
    assert api.logins == [None, {}]


def test_a_guest_is_asked_for_no_login():
    api = Api({"status": "Pulling"}, helper=HELPER)
    Images(api, Meter()).pull("busybox", as_guest=True)
    assert api.logins == [{}]


def test_other_troubles_are_told_as_they_are():
    with pytest.raises(EngineGone, match=r"stopped answering.*out of order"):
        Images(Api(helper="out of order"), Meter()).pull("busybox")
    with pytest.raises(EngineGone, match="could not pull busybox: not found"):
        Images(Api(refused="not found"), Meter()).pull("busybox")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (
            "no matching manifest for linux/arm64/v8 in the manifest list entries",
            "another platform",
        ),
        (
            "Get https://registry-1.docker.io/v2/: dial tcp: lookup registry-1.docker.io: no such host",
            "docker pull busybox",
        ),
        ("write /var/lib/docker/tmp/x: no space left on device", "docker system df"),
        ("something that nobody knows", ""),
    ],
)
def test_what_a_registry_says_comes_with_the_way_out(words, hint):
    with pytest.raises(ImageUnavailable, match="busybox could not be pulled") as caught:
        Images(Api({"status": "Pulling"}, {"error": words}), Meter()).pull("busybox")
    assert hint in caught.value.hint
