"""The AWS stacks, made in moto from the templates, and what their tasks are."""

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3

REPOSITORY = Path(__file__).resolve().parents[2]
AWS = REPOSITORY / "deploy" / "aws"


@dataclass(frozen=True)
class Stack:
    """A stack's outputs, and the types of the resources that moto made of it."""

    outputs: Mapping[str, str]
    types: Sequence[str]


@dataclass(frozen=True)
class Network:
    """What the templates take from their user."""

    vpc: str
    subnet: str


def make_network() -> Network:
    """A network with a private subnet."""
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    return Network(vpc, subnet)


def make_stack(name: str, template: str, **parameters: str) -> Stack:
    """Creates it; moto leaves out the types it does not know, and says so by a warning."""
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=(AWS / template).read_text(),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    made = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    _policies_as_text([one for one in made if one.get("ResourceType") == "AWS::IAM::Role"])
    return Stack(
        {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]},
        sorted({one["ResourceType"] for one in made if "LogicalResourceId" in one}),
    )


def _policies_as_text(roles: Sequence[Mapping[str, Any]]) -> None:
    """moto keeps a stack's policies as Python writes them, and later looks for JSON."""
    iam = boto3.client("iam")
    for role in (one["PhysicalResourceId"] for one in roles):
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            iam.put_role_policy(
                RoleName=role,
                PolicyName=policy,
                PolicyDocument=json.dumps(ast.literal_eval(document)),
            )


def read_template(name: str) -> dict[str, Any]:
    """A template's resources by their names."""
    from cfnlint.decode import decode_str

    template, problems = decode_str((AWS / name).read_text())
    assert not problems
    return dict(template["Resources"])


def container(task_definition: str, name: str = "run") -> dict[str, Any]:
    """A container of a registered task definition."""
    found = boto3.client("ecs").describe_task_definition(taskDefinition=task_definition)
    (one,) = [c for c in found["taskDefinition"]["containerDefinitions"] if c["name"] == name]
    return dict(one)


def role_credentials(role: str) -> dict[str, str]:
    """The environment of a process that has a role."""
    got = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": got["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": got["SecretAccessKey"],
        "AWS_SESSION_TOKEN": got["SessionToken"],
    }


@contextmanager
def bucket_policies_enforced() -> Iterator[None]:
    """S3 answers only what the caller's role allows, by action and object.

    moto can do the same for other services, but knows no resources there.
    """
    from moto.core.authorization import ActionAuthenticatorMixin, enable_iam_authentication

    with (
        enable_iam_authentication(),
        patch.object(
            ActionAuthenticatorMixin,
            "_authenticate_and_authorize_normal_action",
            lambda *_, **__: None,
        ),
    ):
        yield


def allows(role: str, action: str, resource: str) -> bool:
    """Whether an inline policy of a role allows it (conditions are not looked at)."""
    from moto.iam.access_control import IAMPolicy, PermissionResult

    iam = boto3.client("iam")
    name = role.rpartition("/")[2]
    results = [
        IAMPolicy(
            json.dumps(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"])
        ).is_action_permitted(action, resource)
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    return PermissionResult.PERMITTED in results
