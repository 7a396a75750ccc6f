"""Ladder files: what they mean, and what of them is refused in one line."""

from pathlib import Path

import pytest

from locomo_assets.settings.variants import (
    BASE,
    LadderFileError,
    packaged_ladders,
    read_ladder,
)


def _file(folder: Path, text: str, name: str = "mine.toml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_steps_add_to_the_step_before_or_to_the_one_they_name(tmp_path: Path) -> None:
    text = """
    description = "Two branches"
    [base]
    question_protocol = "published"
    answer_model = "not asked"
    [[step]]
    name = "pro"
    memory = "pro"
    [[step]]
    name = "more"
    tok_k = 40
    [[step]]
    name = "thinks"
    from = "pro"
    thinking = "high"
    """
    ladder = read_ladder(_file(tmp_path, text))
    assert (ladder.name, ladder.description) == ("mine", "Two branches")
    told = {one.name: (one.parent, one.changed, one.configuration()) for one in ladder.steps}
    assert all(one.pop("answer_model") == "not asked" for _, _, one in told.values())
    assert told == {
        "base": (None, "question_protocol published", {"question_protocol": "published"}),
        "pro": (
            "base",
            "memory lite → pro",
            {"question_protocol": "published", "memory": "pro"},
        ),
        "more": (
            "pro",
            "tok_k default → 40",
            {"question_protocol": "published", "memory": "pro", "tok_k": 40},
        ),
        "thinks": (
            "pro",
            "thinking default → high",
            {"question_protocol": "published", "memory": "pro", "thinking": "high"},
        ),
    }


def test_paths_are_relative_to_the_file_and_prompts_that_ship_are_names(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    text = """
    [[step]]
    name = "own prompt"
    system_prompt = "prompts/system.txt"
    judge_prompt = "prompts/judge.txt"
    [[step]]
    name = "strict"
    judge_prompt = "strict"
    """
    base, own, strict = read_ladder(_file(tmp_path, text)).steps
    assert base.changed == "the published configuration, asked in isolation"
    assert own.settings.system_prompt == tmp_path / "prompts" / "system.txt"
    assert own.settings.judge_prompt == str(tmp_path / "prompts" / "judge.txt")
    assert strict.settings.judge_prompt == "strict"
    # No folder of this machine in what is stored and shown.
    assert own.configuration() == {"system_prompt": "system.txt", "judge_prompt": "judge.txt"}


def test_what_the_environment_sets_holds_for_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _file(tmp_path, '[[step]]\nname = "pro"\nmemory = "pro"')
    before = read_ladder(path)
    monkeypatch.setenv("LOCOMO_TOK_K", "30")
    base, pro = read_ladder(path).steps
    assert (base.settings.tok_k, pro.settings.tok_k) == (30, 30)
    assert base.changed == "tok_k 30"
    assert read_ladder(path).digest() != before.digest()


STEP = '[[step]]\nname = "pro"\nmemory = "pro"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 3\n" + STEP, "mine.toml, name: take letters"),
        ("descripton = 'x'\n" + STEP, "descripton: there is no such key; did you mean description"),
        ("", r"mine.toml: has no \[\[step\]\]"),
        ("[base\n", "no TOML: .*line 1"),
        ('[[step]]\nmemory = "pro"', "step 1, name: give each step a name"),
        (STEP + STEP, "step 2, name: pro is taken"),
        ('[[step]]\nname = "base"\nmemory = "pro"', "name: base is taken"),
        ('[[step]]\nname = "pro"\nmemori = "pro"', "step pro, memori: .* did you mean memory?"),
        ('[[step]]\nname = "pro"\nmemory = "prö"', "step pro, memory: Input should be 'lite'"),
        ('[[step]]\nname = "pro"\nmemory = "lite"', "step pro: changes nothing against base"),
        ('[[step]]\nname = "pro"', "step pro: changes nothing"),
        (STEP + '[[step]]\nname = "x"\nmemory = "lite"', "x: is the same configuration as base"),
        ('[[step]]\nname = "x"\nfrom = "pro"\ntok_k = 3', "from: no step before it is called so"),
        (STEP + '[[step]]\nname = "x"\ntok_k = 300', "step x, tok_k: Input should be less"),
        ('[base]\njudge_votes = 2\n' + STEP, "mine.toml, base, judge_votes: .*tie"),
        ('[[step]]\nname = "x"\ntok_k = true', "step x, tok_k: is true or false; give its value"),
        ('[base]\nthinking = "alot"\n' + STEP, "base, thinking: choose low, medium, high"),
        ('[base]\nmax_cost_usd = 3\n' + STEP, "max_cost_usd: is no part of a configuration"),
        ('[base]\nopenai_api_key_given = "sk-a"\n' + STEP, "openai_api_key_given: is a key"),
        ('[base]\nanswer_api_key = "sk-a"\n' + STEP, "answer_api_key: keys don't stand in"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LadderFileError, match=said) as found:
        read_ladder(_file(tmp_path, text))
    line = str(found.value)
    assert "\n" not in line
    assert "sk-a" not in line


def test_variables_in_a_file_are_no_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL", "other")
    _, step = read_ladder(_file(tmp_path, '[[step]]\nname = "m"\nllm_model = "$MODEL"')).steps
    assert step.settings.llm_model == "$MODEL"


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(LadderFileError, match=r"did you mean lite-to-pro\?"):
        read_ladder("lite-to-por")
    with pytest.raises(LadderFileError, match="ladder --list"):
        read_ladder(str(tmp_path / "none.toml"))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(LadderFileError, match="no UTF-8 text"):
        read_ladder(str(tmp_path / "bytes.toml"))
    with pytest.raises(LadderFileError, match="ladder "):
        read_ladder(str(tmp_path))


def test_the_ladders_that_ship() -> None:
    """Each step changes one thing, in the order in which the two harnesses differ."""
    assert set(packaged_ladders()) == {"lite-to-pro", "published-to-other-harness"}
    harness = read_ladder("published-to-other-harness")
    assert [one.changed for one in harness.steps[1:]] == [
        "ingest_llm_provider default → openai; ingest_llm_model default → gpt-4.1-mini",
        "question_protocol published → isolated",
        "question_protocol isolated → retrieval",
        "retrieval_k 50 → 20",
        "answer_model gemini-2.5-pro → gpt-4.1-mini",
        "judge_model gpt-4.1 → gpt-4o-mini",
    ]
    pro = read_ladder("lite-to-pro")
    assert [one.name for one in pro.steps][:2] == [BASE, "memory pro"]
    assert pro.steps[0].configuration() == {}
