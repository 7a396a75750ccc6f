"""A stand-in without faults on a real socket, one per test module."""

from collections.abc import Iterator

import pytest

from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.standin.client import StandinClient, connect


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseUrls]:
    path = tmp_path_factory.mktemp("standin") / "state.sqlite"
    with running_standin(StandinSettings(), path) as running:
        yield running


@pytest.fixture(scope="module")
def client(urls: BaseUrls) -> Iterator[StandinClient]:
    with connect(urls) as client:
        yield client
