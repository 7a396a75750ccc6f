"""A comparison as a JUnit report: one test suite, a test case overall and one a category.

A test fails where the gate fails, so the report and the exit code never disagree. A category does
not decide: one that would fail is skipped, with its decision as the reason.
"""

from xml.etree import ElementTree as ET

from locomo_assets.analysis.comparison import CategoryComparison, Comparison
from locomo_assets.analysis.comparison.decision import Conclusion, Decision
from locomo_assets.analysis.comparison.gate import fails
from locomo_assets.analysis.fail_on import FailOn
from locomo_assets.redaction import printable
from locomo_assets.reporting.terminal.table import prints_unicode


def comparison_junit(
    found: Comparison, fail_on: FailOn | None = None, link: str | None = None
) -> str:
    """The report as XML text; without `fail_on` nothing fails but what is not valid."""
    suite = ET.Element(
        "testsuite", name=_safe(f"LoCoMo: {found.b.release} against {found.a.release}")
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("against", found.a.release),
        ("judge", found.judge),
        ("question_protocol", found.question_protocol),
        ("margin_points", f"{found.margin_points:g}"),
        ("fail_on", str(fail_on or "")),
        ("report", link or ""),
    ):
        if value:
            ET.SubElement(properties, "property", name=name, value=_safe(value))
    whole = f"all scored ({found.category_names})"
    _add_case(suite, found, found.overall, whole, fail_on)
    for part in found.categories:
        _add_case(suite, found, part, f"{part.category} {part.name}", fail_on)
    counts = {
        "tests": len(suite.findall("testcase")),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    for element in (suite, top := ET.Element("testsuites", name="LoCoMo")):
        for name, count in counts.items():
            element.set(name, str(count))
    top.append(suite)
    ET.indent(top)
    # Elsewhere signs are references, so that the file is the same XML in every encoding.
    encoding = "utf-8" if prints_unicode() else "us-ascii"
    written: bytes = ET.tostring(top, encoding=encoding, xml_declaration=True)
    return written.decode()


def _add_case(
    suite: ET.Element,
    found: Comparison,
    part: CategoryComparison,
    name: str,
    fail_on: FailOn | None,
) -> None:
    # The names stay the same from release to release: CI follows a test by them.
    case = ET.SubElement(suite, "testcase", classname="locomo", name=_safe(name))
    decision, is_whole = part.verdict, part.category is None
    if decision.word is Conclusion.INVALID:
        _add(case, "error", decision)
    elif fails(decision.word, decision.claims, fail_on):
        _add(case, "failure" if is_whole else "skipped", decision)
    ET.SubElement(case, "system-out").text = _safe(_numbers(found, part))


def _add(case: ET.Element, kind: str, decision: Decision) -> None:
    ET.SubElement(case, kind, message=_safe(f"{decision.word}: {decision.because}"))


def _numbers(found: Comparison, part: CategoryComparison) -> str:
    paired = part.paired
    difference = "–" if paired.difference is None else f"{paired.difference * 100:+.2f} points"
    accuracies = [
        f"{side.release} {'–' if share is None else f'{share * 100:.2f} %'}"
        for side, share in ((found.a, paired.accuracy_a), (found.b, paired.accuracy_b))
    ]
    return (
        f"{part.verdict.word}: {part.verdict.because}\n{', '.join(accuracies)}; {difference}; "
        f"{paired.questions} questions, {paired.gains} gained, {paired.losses} lost"
    )


def _safe(text: str) -> str:
    """Without the characters that XML 1.0 has no way to write."""
    return "".join(
        "\ufffd" if 0xD800 <= ord(sign) <= 0xDFFF or ord(sign) in (0xFFFE, 0xFFFF) else sign
        for sign in printable(text)
    )
