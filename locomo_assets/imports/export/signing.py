"""The signature of a manifest, made and checked by OpenSSH's `ssh-keygen -Y`."""

import subprocess
from pathlib import Path

from locomo_assets.errors import LocomoError

NAMESPACE = "locomo-assets"
_SECONDS = 120


class SignatureError(LocomoError):
    """A manifest can't be signed, or its signature is not what it should be."""

    exit_code = 2


def sign(file: Path, key: Path) -> Path:
    """Signs a file with a private key; the signature's path. A passphrase is asked on the terminal.

    Raises SignatureError: there is no ssh-keygen, or it refuses the key.
    """
    if not key.is_file():
        raise SignatureError(f"--sign {key}: is no file; give the path of a private SSH key")
    _run(
        "-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(file), what=f"--sign {key}",
        refused="give a private SSH key, as `ssh-keygen -t ed25519` makes; ssh-keygen refused it",
    )  # fmt: skip
    return file.with_name(f"{file.name}.sig")


def signer_of(file: Path, signature: Path, allowed_signers: Path) -> str:
    """Who signed the file, of those that are allowed. Raises SignatureError."""
    if not allowed_signers.is_file():
        raise SignatureError(
            f"--allowed-signers {allowed_signers}: is no file; each line of it names a person and "
            "a public key (man ssh-keygen, ALLOWED SIGNERS)"
        )
    what = f"{signature.name}"
    found = _run(
        "-Y", "find-principals", "-s", str(signature), "-f", str(allowed_signers),
        what=what, refused=f"is not by a key in {allowed_signers}",
    )  # fmt: skip
    principal = found.splitlines()[0].strip()
    _run(
        "-Y", "verify", "-n", NAMESPACE, "-f", str(allowed_signers), "-I", principal,
        "-s", str(signature), what=what, given=file.read_bytes(),
        refused=f"does not fit {file.name}",
    )  # fmt: skip
    return principal


def key_of(file: Path, signature: Path) -> str:
    """The fingerprint of the key that signed the file, whosever it is. Raises SignatureError."""
    said = _run(
        "-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(signature), what=signature.name,
        given=file.read_bytes(), refused=f"does not fit {file.name}",
    )  # fmt: skip
    return next((word for word in said.split() if word.startswith("SHA256:")), "an unknown key")


def _run(*arguments: str, what: str, refused: str, given: bytes | None = None) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # no shell, and the program is named here
            ["ssh-keygen", *arguments],  # noqa: S607  # wherever the person's PATH has it
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise SignatureError(
            f"{what}: ssh-keygen is not installed; install OpenSSH's client, or leave the "
            "signature out"
        ) from None
    except subprocess.TimeoutExpired:
        raise SignatureError(
            f"{what}: ssh-keygen did not answer within {_SECONDS} s; try it by hand"
        ) from None
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:200]
        raise SignatureError(f"{what}: {refused} ({said})")
    return done.stdout.decode("utf-8", "replace")
