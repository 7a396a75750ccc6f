"""The report's page as a person sees it: desktop and phone, light and dark, with no network."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, Route, expect

from locomo_assets.history import database
from locomo_assets.history.database import refresh
from locomo_assets.reporting.html import write_page
from locomo_assets_tests.analysis.factories import HistoryBuilder
from locomo_assets_tests.browser.serving import CHROMIUM, chromium_page
from locomo_assets_tests.reporting.factories import two_releases

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine"),
]

Scheme = Literal["light", "dark"]
LOOKS: list[tuple[int, Scheme]] = [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
QUESTIONS = 2 * 30


@pytest.fixture(scope="module")
def database_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_releases(tmp_path_factory.mktemp("page"), questions=QUESTIONS // 2)


@pytest.fixture(scope="module")
def target(database_path: Path) -> Path:
    target = database_path.with_name("report.html")
    write_page(database_path, target, max_error_percent=2.0)
    return target


@pytest.fixture
def page(request: pytest.FixtureRequest, target: Path) -> Iterator[Page]:
    """The report at a width and in a colour scheme; what it asks of a network is refused."""
    width: int
    scheme: Scheme
    width, scheme = getattr(request, "param", LOOKS[0])
    asked: list[str] = []

    def refuse(route: Route) -> None:
        if route.request.url.startswith("file://"):
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    with chromium_page(width, 900) as opened:
        complaints: list[str] = []
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.route("**/*", refuse)
        opened.emulate_media(color_scheme=scheme)
        opened.goto(target.as_uri())
        expect(opened.locator("#rows tr")).to_have_count(25)
        yield opened
        assert (asked, complaints) == ([], [])


@pytest.mark.parametrize("page", LOOKS, indirect=True)
def test_nothing_is_cut_and_everything_is_readable(page: Page) -> None:
    for details in page.locator("main details").all():
        details.evaluate("one => { one.open = true; }")
    assert _cut(page) == []
    for part in ("#headline", ".note", ".gained", ".lost", ".soft", ".legend li", "figure text"):
        assert _contrast(page, part) >= 4.5, part
    assert page.evaluate(_SMALLEST_LETTERS_PX) >= 11
    page.locator("#rows a").nth(9).click()
    expect(page.locator("dialog")).to_be_visible()
    assert _cut(page) == []
    for part in (".turns .evidence", ".fate.lost", ".fate.gained", ".memories .evidence small"):
        assert _contrast(page, part) >= 4.5, part


def test_questions_are_searched_filtered_and_sorted(page: Page, database_path: Path) -> None:
    shown = page.locator("#shown")
    expect(shown).to_have_text(f"1–25 of {QUESTIONS}")
    page.locator("#later").click()
    expect(shown).to_have_text(f"26–50 of {QUESTIONS}")
    question = str(page.locator("#rows a").nth(3).text_content())
    page.keyboard.press("/")
    page.keyboard.type(question)
    expect(shown).to_have_text(f"1–1 of 1 (all: {QUESTIONS})")
    page.keyboard.press("Enter")
    expect(page.locator("#rows a").first).to_be_focused()
    page.locator("#search").fill("conv-1/2")  # not conv-1/20 as well
    expect(shown).to_have_text(f"1–1 of 1 (all: {QUESTIONS})")
    page.locator("#search").fill("no such words anywhere")
    expect(shown).to_contain_text("no question fits")
    page.keyboard.press("Escape")
    expect(page.locator("#search")).to_have_value("no such words anywhere")
    page.locator("#reset").click()
    expect(shown).to_have_text(f"1–25 of {QUESTIONS}")
    for name, value, sql in (
        ("outcome", "wrong", "current_judgements WHERE release = 'r2' AND verdict = 'wrong'"),
        ("changed", "lost", "flips('r1', 'r2') WHERE flip = 'lost'"),
        ("evidence", "none", "answer_evidence WHERE release = 'r2' AND evidence_retrieved = 0"),
        (
            "conversation",
            "conv-2",
            "current_answers WHERE release = 'r2' AND conversation = 'conv-2'",
        ),
        ("flaky", "flaky", "(VALUES (1))"),
    ):
        page.locator("#reset").click()
        page.locator(f"#by-{name}").select_option(value)
        expect(shown).to_have_text(_of(_count(database_path, sql)))
    page.locator("#reset").click()
    expect(page.locator("#by-evidence option").first).to_have_text("any")
    page.locator("#sorts button", has_text="Verdict").click()
    page.locator("#sorts button", has_text="Verdict").click()
    expect(page.locator("#rows tr").first).to_contain_text("wrong")
    expect(page.locator("#sorts [aria-sort=descending]")).to_contain_text("Verdict")


def test_the_first_screen_leads_to_the_questions_it_counts(page: Page, database_path: Path) -> None:
    never_stored = _count(
        database_path, "diagnosis WHERE release = 'r2' AND reason = 'never_stored'"
    )
    page.locator(".stages a", has_text="never stored").click()
    expect(page.locator("#by-reason")).to_have_value("never_stored")
    expect(page.locator("#shown")).to_have_text(_of(never_stored))
    lost = _count(database_path, "flips('r1', 'r2')")  # all of them at this step
    page.locator(".bridge a", has_text="storing").click()
    expect(page.locator("#by-reason")).to_have_value("")
    expect(page.locator("#shown")).to_have_text(_of(lost))


def test_one_question_is_opened_by_its_link(page: Page) -> None:
    page.goto(f"{page.url}#100%")
    expect(page.locator("dialog")).to_be_hidden()
    page.goto(f"{page.url.partition('#')[0]}#conv-2/9")
    dialog = page.locator("dialog")
    expect(dialog).to_be_visible()
    for said in ("r2: never stored (operation: error)", "r1: retrieved, rank 2",
                 "r2: retrieved, rank 2", "evidence, rank 2:", "never stored"):  # fmt: skip
        expect(dialog.get_by_text(said).first).to_be_visible()
    expect(dialog.locator(".turns li")).to_have_count(6)
    expect(dialog.locator(".turns li.evidence")).to_have_count(2)
    expect(dialog.locator(".side").nth(0)).to_contain_text("✗ wrong")
    expect(dialog.locator(".side").nth(1)).to_contain_text("✓ correct")
    dialog.locator("summary").first.click()
    expect(dialog.get_by_text("answer_id = 'r2-conv-2-30-9'")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.locator("main")).to_be_hidden()
    assert dialog.evaluate("one => one.clientHeight >= one.scrollHeight")


def test_evidence_that_was_in_the_message_is_not_called_unknown(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1"], 2)
    history.measure("r1", {"conv-1": "+-"}, question_protocol="evidence-only")
    refresh(history.store, history.database_path)
    target = tmp_path / "report.html"
    write_page(history.database_path, target, max_error_percent=2.0)
    with chromium_page(1440, 900) as page:
        page.goto(f"{target.as_uri()}#conv-1/0")
        dialog = page.locator("dialog")
        expect(dialog.get_by_text("the evidence was in the message")).to_be_visible()
        expect(dialog.get_by_text("not known")).to_have_count(0)


def test_the_keyboard_leads_through_the_questions(page: Page) -> None:
    for key in ("j", "j", "j", "k", "Enter"):
        page.keyboard.press(key)
    asked, dialog = page.locator("#asked"), page.locator("dialog")
    expect(dialog).to_be_visible()
    assert page.url.endswith("#conv-1/1")
    second = asked.text_content()
    page.keyboard.press("j")
    expect(asked).not_to_have_text(str(second))
    assert page.url.endswith("#conv-1/2")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert "#" not in page.url
    expect(page.locator("#rows tr").nth(2)).to_have_class("selected")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(asked).to_have_text(str(second))


def test_no_script_runs_but_the_pages_own(page: Page) -> None:
    injected = """() => {
      const script = document.createElement("script");
      script.textContent = "window.injected = true";
      document.body.append(script);
      return window.injected === true;
    }"""
    browser = page.context.browser
    assert browser is not None
    other = browser.new_page()  # the refusal is an error in its console
    other.goto(page.url)
    assert other.evaluate(injected) is False
    other.close()


def test_without_scripts_the_numbers_are_there(page: Page) -> None:
    browser = page.context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(page.url)
    expect(plain.locator("#headline")).to_contain_text("whether r2 is better or worse than r1")
    expect(plain.get_by_text("The list of questions needs a script")).to_be_visible()
    expect(plain.locator("#accuracy table").first).to_contain_text("all scored")
    expect(plain.locator("#explorer")).to_be_hidden()
    plain.close()


def _count(database_path: Path, rows: str) -> int:
    return int(database.query(database_path, f"SELECT count(*) FROM {rows}")[1][0][0])


def _of(count: int) -> re.Pattern[str]:
    return re.compile(rf" of {count} \(all: {QUESTIONS}\)")


_SMALLEST_LETTERS_PX = """() => Math.min(...[...document.querySelectorAll("figure text, .bar text")]
  .filter(one => one.getBoundingClientRect().width)
  .map(one => parseFloat(getComputedStyle(one).fontSize) * (one.getScreenCTM()?.a ?? 1)))"""


def _cut(page: Page) -> list[str]:
    """Elements that reach over the window's edge, or that have more inside than they show."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter(one => {
          if (one.closest("svg, .away, script, style, option")) return false;
          if (!one.checkVisibility()) return false;
          const box = one.getBoundingClientRect();
          return box.right > window.innerWidth + 0.5 || box.left < -0.5
            || (one.clientWidth && one.scrollWidth > one.clientWidth + 1);
        }).map(one => one.outerHTML.slice(0, 80))"""
    )
    return found


def _contrast(page: Page, selector: str) -> float:
    """WCAG 2's contrast of an element's letters with what is behind them."""
    return float(
        page.evaluate(
            """selector => {
              const light = css => {
                const [r, g, b] = css.match(/[\\d.]+/g).map(Number).map(v => v / 255)
                  .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
              };
              const one = document.querySelector(selector);
              const style = getComputedStyle(one);
              const ink = light(one instanceof SVGElement ? style.fill : style.color);
              let behind = one;
              while (behind.parentElement
                     && getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") {
                behind = behind.parentElement;
              }
              const paper = light(getComputedStyle(behind).backgroundColor);
              return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
            }""",
            selector,
        )
    )


def test_the_questions_on_which_judges_disagree(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1", "conv-2"], 10)
    history.measure("r1", {"conv-1": "++++-" * 2, "conv-2": "++++-" * 2}, judge="lenient")
    for name in ("conv-1", "conv-2"):
        history.judge_again("r1", name, "+++--" * 2, "strict")
    refresh(history.store, history.database_path)
    target = tmp_path / "report.html"
    write_page(history.database_path, target, max_error_percent=2.0)
    with chromium_page(1440, 900) as page:
        page.goto(target.as_uri())
        page.locator("#judges a").click()
        expect(page.locator("#rows tr")).to_have_count(4)
        expect(page.locator("#rows tr").first).to_contain_text("judges disagree")
        page.locator("#rows a").first.click()
        expect(page.locator("#question dd", has_text="strict: wrong")).to_be_visible()
    with chromium_page(1440, 900, script=False) as page:
        page.goto(target.as_uri())
        expect(page.locator("#panel-judges svg")).to_be_visible()
        expect(page.locator("#judges")).to_contain_text("a band of 25.00 points")
