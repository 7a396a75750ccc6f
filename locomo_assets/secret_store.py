"""Keys from a secret store, fetched whenever they are used."""

import json
import logging
from collections.abc import Mapping

from locomo_assets.errors import LocomoError

AWS = "aws-secretsmanager"


class VaultError(LocomoError):
    """A secret store can't be read, or holds something else."""


def parse_reference(reference: str) -> tuple[str, ...]:
    """The secrets of `aws-secretsmanager:<name or ARN>[,<name or ARN>…]`.

    Raises:
        VaultError: it does not look like that.
    """
    store, _, rest = reference.partition(":")
    secrets = tuple(name.strip() for name in rest.split(","))
    if store != AWS or not all(secrets):
        raise VaultError(
            f"{reference!r:.200} names no secret; write it as {AWS}:<name or ARN>, several "
            "separated by commas"
        )
    return secrets


def fetch(reference: str) -> Mapping[str, str]:
    """What the secrets hold now, name → value; each is a JSON object of texts.

    Nothing is kept: after a rotation the next call has the new values.

    Raises:
        VaultError: naming the secret and the cause, never what it holds.
    """
    found: dict[str, str] = {}
    for secret in parse_reference(reference):
        for name, value in _read(secret).items():
            if name in found:
                raise VaultError(f"secret {secret}: {name} is in an earlier secret too; keep one")
            found[name] = value
    return found


def _read(secret: str) -> Mapping[str, str]:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    # It logs each answer as it came, the secret in it, where logging is set to DEBUG.
    logging.getLogger("botocore.parsers").setLevel(logging.INFO)
    try:
        text = boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    except ClientError as error:
        told = error.response["Error"]
        raise VaultError(
            f"secret {secret} can't be read: {told['Code']}: {told['Message']}; check its name, "
            "and that the role of this process may secretsmanager:GetSecretValue on it"
        ) from None
    except BotoCoreError as error:
        raise VaultError(
            f"secret {secret} can't be read: {error}; check AWS region, endpoint and credentials"
        ) from None
    except KeyError:
        raise VaultError(f"secret {secret} is binary; store a JSON object of texts") from None
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, dict) or not all(isinstance(value, str) for value in held.values()):
        raise VaultError(
            f"secret {secret} is no JSON object of texts; store it as "
            '{"BACKBOARD_API_KEY": "…", "OPENAI_API_KEY": "…"}'
        )
    return held
