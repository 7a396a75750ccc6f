"""Dagster on AWS: deploy/aws/dagster.yaml loaded by Dagster, and a run launched into moto's ECS."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pytest
import yaml
from dagster._core.launcher import LaunchRunContext
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import create_run_for_test, in_process_test_workspace
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from locomo_assets_tests.clouds.aws import AWS, Stack, container, make_network, make_stack

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")  # what moto does not know


@contextmanager
def metadata(cluster: str, task: str) -> Iterator[str]:
    """What a Fargate task asks about itself."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802  # the base class's name
            body = json.dumps({"Cluster": cluster, "TaskARN": task, "Name": "daemon"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
