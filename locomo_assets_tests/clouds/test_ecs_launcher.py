"""Dagster on AWS: deploy/aws/dagster.yaml loaded by Dagster, and a run launched into moto's ECS."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import dagster as dg
import pytest
import yaml
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.config import dagster_instance_config
from dagster._core.launcher import LaunchRunContext
from dagster._core.origin import (
    DEFAULT_DAGSTER_ENTRY_POINT,
    JobPythonOrigin,
    RepositoryPythonOrigin,
)
from dagster._core.test_utils import create_run_for_test
from dagster_aws.s3.compute_log_manager import S3ComputeLogManager

from locomo_assets_tests.clouds.aws import AWS, container, make_network, make_stack

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")  # what moto does not know

_OVERRIDES_CHARACTERS = 8192
"""More than so many ECS does not take, the whole instance in them included."""


@contextmanager
def metadata(cluster: str, task: str) -> Iterator[str]:
    """What a Fargate task asks about itself."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the base class's name
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


def _with_memory_by_container(family: str) -> None:
    """moto adds up the containers' memory, which Fargate takes from the task's."""
    ecs = boto3.client("ecs")
    made = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    each = [{**one, "memory": 512} for one in made["containerDefinitions"]]
    ecs.register_task_definition(family=family, networkMode="awsvpc", containerDefinitions=each)


def _started_dagster(name: str) -> tuple[str, str, str]:
    """Both stacks, and Dagster's own task running: the bucket, the cluster, the task."""
    network = make_network()
    secrets = boto3.client("secretsmanager")
    keys, postgres = (
        secrets.create_secret(Name=f"{name}/{one}", SecretString="{}")["ARN"]
        for one in ("keys", "postgres")
    )
    base = make_stack(
        name, "template.yaml", VpcId=network.vpc, SubnetIds=network.subnet, KeysSecretArn=keys
    )
    ec2 = boto3.client("ec2")
    database = ec2.create_security_group(GroupName=name, Description="x", VpcId=network.vpc)
    own = make_stack(
        f"{name}-dagster",
        "dagster-template.yaml",
        Base=name,
        VpcId=network.vpc,
        SubnetIds=network.subnet,
        KeysSecretArn=keys,
        PostgresUrlSecretArn=postgres,
        PostgresSecurityGroupId=database["GroupId"],
    )
    for family in (f"{name}-dagster", f"{name}-dagster-run"):
        _with_memory_by_container(family)
    (task,) = boto3.client("ecs").run_task(
        cluster=base.outputs["Cluster"],
        taskDefinition=f"{name}-dagster",
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": [network.subnet],
                "securityGroups": [own.outputs["SecurityGroup"]],
            }
        },
    )["tasks"]
    return base.outputs["Bucket"], base.outputs["Cluster"], task["taskArn"]


def _instance_config() -> dict[str, object]:
    config = yaml.safe_load((AWS / "dagster.yaml").read_text())
    # PostgreSQL's part is read by `test_the_whole_file_is_an_instance`.
    del config["storage"]
    return dict(config)


def test_a_run_is_launched_as_the_task_of_the_template(
    s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = s3_url.split("/")[2][:20]
    bucket, cluster, own_task = _started_dagster(name)
    monkeypatch.setenv("LOCOMO_BUCKET", bucket)
    monkeypatch.setenv("LOCOMO_ECS_TASK_DEFINITION", f"{name}-dagster-run")
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgresql://somebody:planted-password@nowhere/x")
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(_instance_config()))
    with (
        metadata(cluster, own_task) as uri,
        dg.DagsterInstance.from_config(str(tmp_path)) as instance,
    ):
        monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", uri)
        origin = JobPythonOrigin(
            "__ASSET_JOB",
            RepositoryPythonOrigin(
                executable_path="/opt/venv/bin/python",
                code_pointer=ModuleCodePointer("locomo_assets.definitions", "defs"),
                container_image="locomo-assets",
                entry_point=DEFAULT_DAGSTER_ENTRY_POINT,
                container_context={},
            ),
        )
        run = create_run_for_test(instance, "__ASSET_JOB", job_code_origin=origin)
        instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
        launched = instance.get_run_by_id(run.run_id)
        assert launched is not None
        assert isinstance(instance.compute_log_manager, S3ComputeLogManager)
        ecs = boto3.client("ecs")
        (task,) = ecs.describe_tasks(cluster=cluster, tasks=[launched.tags["ecs/task_arn"]])[
            "tasks"
        ]
        assert f"/{name}-dagster-run:" in task["taskDefinitionArn"]
        assert len(ecs.list_task_definitions()["taskDefinitionArns"]) >= 3
        families = ecs.list_task_definition_families(familyPrefix="run")["families"]
        assert families == []  # it registered none of its own
        overrides = task["overrides"]
        assert len(json.dumps(overrides)) < _OVERRIDES_CHARACTERS * 3 // 4
        assert "planted-password" not in json.dumps(task, default=str)
        (one,) = overrides["containerOverrides"]
        assert one["name"] == "run"
        assert one["command"][:3] == ["dagster", "api", "execute_run"]
        assert instance.run_launcher.terminate(run.run_id)
    assert container(f"{name}-dagster-run")["entryPoint"] == ["/usr/bin/env"]


def test_the_whole_file_is_an_instance() -> None:
    for folder in (AWS, AWS.parent / "compose"):
        config, _ = dagster_instance_config(str(folder))
        storage = config["storage"]
        assert storage == {"postgres": {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}}
