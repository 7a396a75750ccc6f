"""Dagster on AWS: deploy/aws/dagster.yaml loaded by Dagster, and a run launched into moto's ECS."""

import http.server
import inspect
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import dagster as dg
import dagster_aws.ecs.launcher
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


@contextmanager
def _instance(name: str, folder: Path) -> Iterator[tuple[dg.DagsterInstance, str]]:
    """The instance of Dagster's own task, and the cluster's name."""
    bucket, cluster, own_task = _started_dagster(name)
    environment = {
        "LOCOMO_BUCKET": bucket,
        "LOCOMO_ECS_TASK_DEFINITION": f"{name}-dagster-run",
        "DAGSTER_POSTGRES_URL": "postgresql://somebody:planted-password@nowhere/x",
    }
    (folder / "dagster.yaml").write_text(yaml.safe_dump(_instance_config()))
    with pytest.MonkeyPatch.context() as process, metadata(cluster, own_task) as uri:
        for variable, value in environment.items():
            process.setenv(variable, value)
        with dg.DagsterInstance.from_config(str(folder)) as instance:
            process.setenv("ECS_CONTAINER_METADATA_URI_V4", uri)
            yield instance, cluster


def _launched(instance: dg.DagsterInstance, tags: dict[str, str] | None = None) -> dg.DagsterRun:
    """A run after the launcher had it."""
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
    run = create_run_for_test(instance, "__ASSET_JOB", job_code_origin=origin, tags=tags)
    instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    launched = instance.get_run_by_id(run.run_id)
    assert launched is not None
    return launched


def test_a_run_is_launched_as_the_task_of_the_template(s3_url: str, tmp_path: Path) -> None:
    name = s3_url.split("/")[2][:20]
    with _instance(name, tmp_path) as (instance, cluster):
        launched = _launched(instance)
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
        assert instance.run_launcher.terminate(launched.run_id)
    assert container(f"{name}-dagster-run")["entryPoint"] == ["/usr/bin/env"]


COMMAND = {"name": "run", "command": ["sh", "-c", "env"]}
REPLACING: dict[str, object] = {
    "ecs/container_overrides": COMMAND,
    "ecs/task_overrides": {"containerOverrides": [COMMAND]},
    "ecs/run_task_kwargs": {"overrides": {"containerOverrides": [COMMAND]}},
    "ecs/of_a_later_dagster": {},
}


def test_tags_may_change_the_size_of_a_task_and_nothing_else(s3_url: str, tmp_path: Path) -> None:
    name = s3_url.split("/")[2][:20]
    with _instance(name, tmp_path) as (instance, cluster):
        ecs = boto3.client("ecs")
        before = ecs.list_tasks(cluster=cluster)["taskArns"]
        for tag, value in REPLACING.items():
            refused = _launched(instance, {tag: json.dumps(value), "ecs/cpu": "1024"})
            assert refused.status is dg.DagsterRunStatus.FAILURE, tag
            (event,) = instance.all_logs(refused.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
            told = event.get_dagster_event().message or ""
            assert told.startswith(f"run tag {tag}: refused"), told
            assert "ecs/memory" in told
            assert "\n" not in told
            assert refused.tags["dagster/will_retry"] == "false"
        assert ecs.list_tasks(cluster=cluster)["taskArns"] == before
        # A retry has the tags of the run before, those of its launch too.
        first = _launched(instance, {"ecs/cpu": "1024", "ecs/ephemeral_storage": "30"})
        retried = _launched(instance, dict(first.tags))
        assert retried.tags["ecs/task_arn"] != first.tags["ecs/task_arn"]
        (task,) = ecs.describe_tasks(cluster=cluster, tasks=[retried.tags["ecs/task_arn"]])["tasks"]
        assert task["overrides"]["ephemeralStorage"] == {"sizeInGiB": 30}
        (one,) = task["overrides"]["containerOverrides"]
        assert one["cpu"] == 1024
        assert one["command"][:3] == ["dagster", "api", "execute_run"]


def test_all_tags_that_dagsters_launcher_obeys_are_of_the_kind_that_is_looked_at() -> None:
    obeyed = re.findall(
        r'run\.tags\.get\(\s*"([^"]+)"', inspect.getsource(dagster_aws.ecs.launcher)
    )
    assert set(REPLACING) - {"ecs/of_a_later_dagster"} < set(obeyed)
    assert all(tag.startswith("ecs/") for tag in obeyed)


def test_the_whole_file_is_an_instance() -> None:
    for folder in (AWS, AWS.parent / "compose"):
        config, _ = dagster_instance_config(str(folder))
        storage = config["storage"]
        assert storage == {"postgres": {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}}
