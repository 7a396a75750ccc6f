"""docs/ci.md: its workflows keep their systems' schemas, its tables are those of the code."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from locomo_assets.analysis.fail_on import FailOn
from locomo_assets_tests.conftest import REPOSITORY

CI = (REPOSITORY / "docs" / "ci.md").read_text()
GITHUB, GITLAB = re.findall(r"^```yaml\n(.*?)^```", CI, re.DOTALL | re.MULTILINE)


def scripts(text: str) -> list[str]:
    """Every shell script of a workflow."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found.extend(one for name, one in value.items() if name == "run")
            for name in ("script", "after_script"):
                found.extend(value.get(name, []))
            value = list(value.values())
        if isinstance(value, list):
            for one in value:
                walk(one)

    walk(yaml.safe_load(text))
    return found


@pytest.mark.parametrize(
    ("schema", "text"), [("vendor.github-workflows", GITHUB), ("vendor.gitlab-ci", GITLAB)]
)
def test_workflows_keep_their_schemas(schema: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "workflow.yml"
    path.write_text(text)
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    path.write_text(re.sub(r"timeout(-minutes)?: \w+", r"timeout\1: {}", text))
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("text", [GITHUB, GITLAB])
def test_workflows_measure_gate_report_and_comment(text: str) -> None:
    every = scripts(text)
    whole = "\n".join(every)
    subprocess.run(["bash", "-n"], input=whole, text=True, check=True)
    (gate,) = [one for one in every if "--gate-against" in one]
    assert re.search(r'run --release "\$RELEASE" --gate-against "\$BASELINE" --fail-on', gate)
    assert "--html report.html" in whole
    assert "--format markdown" in whole
    # The label is the commit's, so that a second try goes on where the first one stopped.
    assert re.search(
        r"RELEASE: \S+(head\.sha|CI_COMMIT_SHA)", text.replace(" }}", "").replace("{{ ", "")
    )


def test_each_threshold_is_explained() -> None:
    explained = re.findall(r"^\| `([\w-]+)`[^|]* \|", CI, re.MULTILINE)
    assert explained == ["--fail-on", *map(str, FailOn)]
