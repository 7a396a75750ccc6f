"""AWS: the stacks made in moto, the one-shot task run as it says, under its role's policies."""

import json
import os
import subprocess
from pathlib import Path

import boto3
import pytest
import s3fs

from locomo_assets.history import database
from locomo_assets.history.store import HistoryStore
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.clouds.aws import (
    AWS,
    REPOSITORY,
    Stack,
    allows,
    bucket_policies_enforced,
    container,
    make_network,
    make_stack,
    read_template,
    role_credentials,
)

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")  # what moto does not know


RELEASE = ("--release", "r1", "--conversations", "sample-1", "--questions", "1")


@pytest.fixture
def keys_secret(s3_url: str, tmp_path: Path) -> str:
    """The ARN of a secret with the stand-in's key."""
    held = {"BACKBOARD_API_KEY": DEFAULT_KEY, "OPENAI_API_KEY": ""}
    client = boto3.client("secretsmanager")
    made = client.create_secret(Name=f"keys-{tmp_path.name}", SecretString=json.dumps(held))
    return str(made["ARN"])


@pytest.fixture
def stack(keys_secret: str, tmp_path: Path) -> Stack:
    """template.yaml as it is made with what it asks for, and all else by default."""
    network = make_network()
    return make_stack(
        f"locomo-{tmp_path.name}".replace("_", "-"),
        "template.yaml",
        VpcId=network.vpc,
        SubnetIds=network.subnet,
        KeysSecretArn=keys_secret,
    )


def test_a_release_is_measured_once_under_the_role_of_the_task(
    stack: Stack, keys_secret: str, tmp_path: Path
) -> None:
    run = container(stack.outputs["RunOnceTask"])
    told = {one["name"]: one["value"] for one in run["environment"]}
    assert told["LOCOMO_HISTORY"] == stack.outputs["History"]
    role = role_credentials(stack.outputs["RunRole"])
    binaries = REPOSITORY / ".venv" / "bin"
    with (
        bucket_policies_enforced(),
        running_standin(StandinSettings(), tmp_path / "standin.sqlite") as service,
    ):
        done = subprocess.run(
            [binaries / run["entryPoint"][0], *run["command"], *RELEASE],
            env={
                **os.environ,
                **{name: value.replace("/tmp/", f"{tmp_path}/") for name, value in told.items()},
                **role,
                "BACKBOARD_BASE_URL": service.backboard,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with pytest.MonkeyPatch.context() as process:
            for name, value in role.items():
                process.setenv(name, value)
            _look_at_what_it_left(stack, tmp_path)
    assert DEFAULT_KEY not in done.stdout + done.stderr


def _look_at_what_it_left(stack: Stack, tmp_path: Path) -> None:
    history = stack.outputs["History"]
    store = HistoryStore.open(history)
    published = tmp_path / "published.duckdb"
    published.write_bytes(store.storage.get(database.DATABASE_NAME))
    judged = "SELECT release, count(*) FROM current_judgements GROUP BY ALL"
    assert database.query(published, judged)[1] == [("r1", 1)]
    bucket = s3fs.S3FileSystem(skip_instance_cache=True)
    (attempt, *_) = [path for path in store.storage.list("attempts") if "answers" in path]
    root = history.removeprefix("s3://")
    with pytest.raises(PermissionError):
        bucket.rm_file(f"{root}/{attempt}")
    with pytest.raises(PermissionError):
        bucket.pipe_file(f"{stack.outputs['Bucket']}/elsewhere", b"1")
    bucket.pipe_file(f"{stack.outputs['Bucket']}/backups/x", b"1")
    bucket.rm_file(f"{stack.outputs['Bucket']}/backups/x")


def test_the_stack_is_closed_encrypted_and_starts_nothing(stack: Stack, keys_secret: str) -> None:
    bucket = stack.outputs["Bucket"]
    s3 = boto3.client("s3")
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    rules = boto3.client("events").list_rules()["Rules"]
    # Other tests' stacks stand in the same account.
    assert {one["State"] for one in rules if "ScheduleExpression" in one} == {"DISABLED"}
    role = stack.outputs["RunRole"]
    assert allows(role, "secretsmanager:GetSecretValue", keys_secret)
    other = keys_secret.replace("keys-", "other-")
    assert not allows(role, "secretsmanager:GetSecretValue", other)
    assert not allows(role, "secretsmanager:PutSecretValue", keys_secret)
    logs = boto3.client("logs").describe_log_groups(
        logGroupNamePrefix=stack.outputs["RunsLogGroup"]
    )
    assert [group["retentionInDays"] for group in logs["logGroups"]] == [90]
    # The rest is checked against CloudFormation's schemas alone.
    assert stack.types == [
        "AWS::EC2::SecurityGroup",
        "AWS::ECS::Cluster",
        "AWS::ECS::TaskDefinition",
        "AWS::Events::Rule",
        "AWS::IAM::Role",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SNS::Topic",
    ]


def test_the_templates_are_what_cloudformation_takes() -> None:
    from cfnlint import api

    for name in ("template.yaml", "dagster-template.yaml"):
        assert [str(match) for match in api.lint_file(AWS / name)] == []


def test_what_a_new_machine_reads_never_goes_to_an_archive() -> None:
    properties = read_template("template.yaml")["Bucket"]["Properties"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    moved = {
        rule["Prefix"]: [(one["StorageClass"], one["TransitionInDays"]) for one in transitions]
        for rule in properties["LifecycleConfiguration"]["Rules"]
        if (transitions := rule.get("Transitions"))
    }
    assert moved == {"backups/": [("GLACIER_IR", 90)], "compute-logs/": [("GLACIER_IR", 90)]}


def test_https_goes_out_and_nothing_comes_in() -> None:
    group = read_template("template.yaml")["SecurityGroup"]["Properties"]
    assert "SecurityGroupIngress" not in group
    assert [(one["FromPort"], one["ToPort"]) for one in group["SecurityGroupEgress"]] == [
        (443, 443)
    ]
    dagster = read_template("dagster-template.yaml")["SecurityGroup"]["Properties"]
    assert "SecurityGroupIngress" not in dagster
    assert [one["FromPort"] for one in dagster["SecurityGroupEgress"]] == [443, 5432]


@pytest.mark.parametrize("template", ["template.yaml", "dagster-template.yaml"])
def test_roles_are_for_services_on_behalf_of_this_account(template: str) -> None:
    """Else somebody else's schedule or task could have AWS use them."""
    roles = [one for one in read_template(template).values() if one["Type"] == "AWS::IAM::Role"]
    assert len(roles) >= 2
    for role in roles:
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert list(statement["Principal"]) == ["Service"]
        account = {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        assert statement["Condition"] == {"StringEquals": account}


def test_the_bucket_answers_over_tls_alone() -> None:
    (statement,) = read_template("template.yaml")["BucketPolicy"]["Properties"]["PolicyDocument"][
        "Statement"
    ]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2


@pytest.mark.parametrize(
    ("template", "task"), [("template.yaml", "RunOnce"), ("dagster-template.yaml", "DagsterRun")]
)
def test_a_run_has_four_processors_eight_gigabytes_and_the_disk_that_fargate_gives(
    template: str, task: str
) -> None:
    run = read_template(template)[task]["Properties"]
    assert (run["Cpu"], run["Memory"]) == ("4096", "8192")
    # 20 GiB, where nothing is asked for; what is asked for starts at 21.
    assert "EphemeralStorage" not in run
