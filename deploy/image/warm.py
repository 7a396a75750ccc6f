"""The image tried out in its own build: what servers load is loaded, and the sample measured.

So that a build fails where something needed was pruned, and so that bytecode of just what is used
lies in the image: below a read-only root none can be written later.
"""

import importlib
import subprocess
import sys
import tempfile

LOADED = (
    "adlfs",
    "apprise",
    "boto3",
    "dagster._cli.api",
    "dagster._daemon.cli",
    "dagster._daemon.controller",
    "dagster._grpc.server",
    "dagster_aws.s3.compute_log_manager",
    "dagster_k8s.launcher",
    "dagster_postgres",
    "dagster_webserver.app",
    "dagster_webserver.cli",
    "gcsfs",
    "locomo_assets.definitions",
    "locomo_assets.pipeline.ecs_launcher",
    "openai.resources.chat.completions",
    "prometheus_client",
    "psycopg2",
    "s3fs",
    "uvicorn",
)

if __name__ == "__main__":
    for name in LOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as home:
        for command in (["run", "--release", "built"], ["report"], ["report", "--html", "x.html"]):
            subprocess.run(  # noqa: S603  # the commands above
                [sys.executable, "-m", "locomo_assets.cli", *command],
                cwd=home,
                env={"LOCOMO_HOME": home},
                check=True,
            )
