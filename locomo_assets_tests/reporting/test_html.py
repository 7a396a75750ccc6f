"""The page, made from real runs, as a person sees it: desktop and phone, light and dark."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, Route, expect

from locomo_assets.reporting.html import write_page
from locomo_assets_tests.browser.serving import CHROMIUM, chromium_page
from locomo_assets_tests.reporting.factories import measure_two_releases

LIMIT = 2.0
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")


@pytest.fixture(scope="module")
def database_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return measure_two_releases(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def target(database_path: Path) -> Path:
    target = database_path.with_name("report.html")
    write_page(database_path, target, max_error_percent=LIMIT)
    return target


@pytest.fixture
def page(request: pytest.FixtureRequest, target: Path) -> Iterator[Page]:
    """The report, opened at a width and in a colour scheme, with no network to be had."""
    width: int
    scheme: Scheme
    width, scheme = getattr(request, "param", (1440, "light"))
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
        yield opened
        assert (asked, complaints) == ([], [])


def test_failed_writing_leaves_nothing(database_path: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Is a directory"):
        write_page(database_path, tmp_path, max_error_percent=LIMIT)
    assert list(tmp_path.parent.glob(f"{tmp_path.name}.*")) == []


def test_what_is_not_valid_is_marked_and_compared_with_nothing(
    database_path: Path, tmp_path: Path
) -> None:
    # Below 0 nothing is valid.
    data = write_page(database_path, tmp_path / "report.html", max_error_percent=-1.0)
    assert (data.comparison, data.references) == (None, ())
    assert "its numbers are not valid" in str(data.not_compared)
    text = (tmp_path / "report.html").read_text()
    assert "These numbers are not valid" in text
    assert f"invalid ({data.whole.accuracy_percent:.2f})" in text


@in_a_browser
@pytest.mark.browser
@pytest.mark.parametrize("page", [(w, s) for w in (1440, 390) for s in SCHEMES], indirect=True)
def test_page_fits_and_is_readable(page: Page) -> None:
    expect(page.locator("#headline")).to_contain_text("r1")
    expect(page.locator("figure svg")).to_have_count(5)
    widths = "[document.documentElement.scrollWidth, window.innerWidth]"
    needed, there = page.evaluate(widths)
    assert needed <= there
    assert _contrast(page, "body") >= 7
    for part in ("figcaption", ".note", ".lost", "figure svg text"):
        assert _contrast(page, part) >= 4.5, part


@in_a_browser
@pytest.mark.browser
@pytest.mark.parametrize("page", [(1440, SCHEMES[0])], indirect=True)
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


@in_a_browser
@pytest.mark.browser
def test_flips_are_filtered_and_opened(page: Page) -> None:
    flips = page.locator("details[data-flip]")
    count = flips.count()
    assert count > 1
    expect(page.locator("#shown")).to_have_text(f"{count} of {count}")
    question = str(flips.nth(1).locator("summary").text_content())
    words = " ".join(question.split()[1:4])
    page.locator("#by-words").fill(words)
    assert 1 <= page.locator("details[data-flip]:visible").count() < count
    page.locator("#by-words").fill("no such words anywhere")
    expect(page.locator("#shown")).to_have_text(f"0 of {count}")
    page.locator("#by-words").fill("")
    page.locator("#by-flip").select_option("lost")
    lost = page.locator("details[data-flip=lost]").count()
    expect(page.locator("#shown")).to_have_text(f"{lost} of {count}")
    first = page.locator("details[data-flip=lost]").first
    first.locator("summary").click()
    for said in ("gold answer", "evidence", "r1 answers", "r2 answers", "the judge", "retrieved"):
        expect(first.get_by_text(said, exact=True).first).to_be_visible()


def _contrast(page: Page, selector: str) -> float:
    """WCAG 2's contrast of an element's text with the page."""
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
              const paper = light(getComputedStyle(document.body).backgroundColor);
              return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
            }""",
            selector,
        )
    )
