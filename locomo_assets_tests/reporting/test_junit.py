"""The JUnit report, read back by an XML parser: what fails, what is only told, what is escaped."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from locomo_assets.analysis.comparison import Comparison
from locomo_assets.analysis.comparison.decision import Conclusion, Decision
from locomo_assets.analysis.fail_on import FailOn
from locomo_assets.reporting.junit import comparison_junit
from locomo_assets_tests.analysis.factories import HistoryBuilder

CONVERSATIONS = [f"conv-{number}" for number in range(1, 8)]


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """r2 lost category 2 in six conversations of seven."""
    history = HistoryBuilder(tmp_path_factory.mktemp("junit"))
    history.dataset(CONVERSATIONS, 20)
    history.measure("r1", dict.fromkeys(CONVERSATIONS, "++++-" * 4))
    lost = dict.fromkeys(CONVERSATIONS[1:], "+-++-" * 3 + "++++-")
    history.measure("r2", {"conv-1": "++++-" * 4, **lost})
    return history.compare("r1", "r2")


def read(found: Comparison, fail_on: FailOn | None = None) -> ET.Element:
    suite = ET.fromstring(comparison_junit(found, fail_on, "https://ci.example.org/?a=1&b=2"))[0]
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
    for count, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.attrib[count]) == len(suite.findall(f"testcase/{kind}"))
    return suite


def names(suite: ET.Element, kind: str) -> list[str]:
    return [case.attrib["name"] for case in suite if case.find(kind) is not None]


def test_the_whole_fails_where_the_gate_does_and_a_category_only_says_so(
    worse: Comparison,
) -> None:
    suite = read(worse, FailOn.worse)
    assert names(suite, "failure") == ["all scored (categories 1–4)"]
    assert names(suite, "skipped") == ["2 temporal"]
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.attrib["message"].startswith("worse: the difference of -")
    assert "r1 100.00 %, r2 " in "".join(suite.itertext())
    properties = {one.attrib["name"]: one.attrib["value"] for one in suite.iter("property")}
    assert properties["report"] == "https://ci.example.org/?a=1&b=2"
    assert properties["fail_on"] == "worse"


def test_without_a_threshold_nothing_fails(worse: Comparison) -> None:
    suite = read(worse)
    assert (names(suite, "failure"), names(suite, "skipped")) == ([], [])
    assert suite.attrib["tests"] == "6"


def test_what_is_not_valid_is_an_error(worse: Comparison) -> None:
    invalid = Decision(Conclusion.INVALID, "25.00 % of the questions have no verdict")
    whole = replace(worse.overall, verdict=invalid)
    suite = read(replace(worse, overall=whole, categories=()), FailOn.worse)
    assert names(suite, "error") == ["all scored (no category)"]


def test_words_of_others_stay_text(worse: Comparison, tmp_path: Path) -> None:
    hostile = '</property><script>\x1b[2J\x00 ]]> \ud800\uffff & "quoted"'
    text = comparison_junit(replace(worse, judge=hostile), FailOn.worse)
    path = tmp_path / "junit.xml"
    path.write_text(text, encoding="utf-8")
    values = [one.attrib["value"] for one in ET.parse(path).iter("property")]
    assert '</property><script>\ufffd[2J\ufffd ]]> \ufffd\ufffd & "quoted"' in values
