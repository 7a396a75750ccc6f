"""A panel's file: what it says, and each refusal as one line with a way out."""

import re
from pathlib import Path

import pytest

from locomo_assets.runs.panel.judges import PanelFileError, read_judges
from locomo_assets_tests.conftest import REPOSITORY

RULES = '[judges.rules]\nkind = "lexical"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "judges.toml"
    path.write_text(text)
    return path


def test_the_example_of_the_docs(tmp_path: Path) -> None:
    text = (REPOSITORY / "docs" / "judges.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    judges = {one.name: one for one in read_judges(written(tmp_path, example))}
    assert list(judges) == ["rules", "generous", "strict", "local", "published"]
    assert (judges["strict"].prompt, judges["strict"].votes) == ("strict", 3)
    assert judges["local"].prompt == str(tmp_path / "prompts" / "ours.txt")
    assert judges["local"].api_key_env == "OLLAMA_KEY"
    assert judges["generous"].api_key_env == "OPENAI_API_KEY"
    schema = text.partition("## A panel")[2].partition("\n## ")[0]
    table = re.findall(r"^\| `(\w+)` \|", schema, re.MULTILINE)
    assert set(table) == type(judges["rules"]).model_fields.keys() - {"name"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[judges.a]\nmodle = "m"', "judges.a: modle is no key of a judge; did you mean model?"),
        ('[judges.a]\nmodel = "m"\nvotes = 2', "judges.a.votes: 2 votes can be a tie"),
        ('[judges.a]\nmodel = "m"\nvotes = "3"', "judges.a.votes: Input should be a valid integer"),
        ('[judges.a]\nprompt = "strict"', "judges.a: lacks model"),
        ('[judges.a]\nkind = "stored"', "judges.a: lacks judge"),
        ('[judges.a]\nkind = "lexical"\nvotes = 3', "judges.a: votes means nothing to a judge of"),
        ('[judges.a]\nkind = "human"', "judges.a.kind: Input should be 'model', 'lexical' or"),
        ('[judges.a]\nmodel = "m"\napi_key_env = "a b"', "judges.a.api_key_env: String should"),
        ('[judges."a b"]\nmodel = "m"', "a judge's name has 1 to 40 letters"),
        ('[judges.a]\nkind = "lexical"', "judges.a and judges.rules are the same judge"),
        (
            '[judges.a]\nmodel = "m"\nbase_url = "http://x"',
            "judges.a: has a base_url and no api_key",
        ),
        ('[judge.a]\nmodel = "m"', "judge is no key of it; did you mean judges?"),
        ("", "names one judge, and a panel has two or more"),
        ("[judges.rules]", "is not TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(PanelFileError) as caught:
        read_judges(written(tmp_path, f"{RULES}\n{more}\n"))
    assert said in str(caught.value)
    assert "judges.toml: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PanelFileError, match="there is no such file"):
        read_judges(tmp_path / "none.toml")
