"""The page as a person has it: opened in a real browser, searched, sorted, printed, with keys alone, on a phone."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from etl.errors import StoppedError
from etl.report import Summary
from tests.command import SAMPLES, etl
from tests.report_pages import HOSTILE, JOB, hostile_job, invented_job

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="LEFT OUT: no chromium here (make setup-ci)")
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 320, "height": 640}
MOST_ELEMENTS = 60
"""Rows that may be elements at a time, however many there are."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@dataclass
class Opened:
    """A page, what it asked for beside itself, and what it complained of."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def rows(self) -> list[str]:
        """The numbers of the rows that are elements now."""
        return self.page.locator("tr.row td.at-row a").all_inner_texts()

    def visible_statuses(self) -> set[str]:
        return {text.strip() for text in self.page.locator("tr.row td.at-status").all_inner_texts()}


@pytest.fixture
def opened(browser: Browser) -> Iterator["Opener"]:
    opener = Opener(browser)
    yield opener
    opener.close()


class Opener:
    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._all: list[Opened] = []

    def __call__(
        self, summary: Summary | Path, *, size: dict[str, int] = WIDE, scheme: str = "light", at: str = ""
    ) -> Opened:
        path = summary if isinstance(summary, Path) else summary.page
        assert path is not None
        context = self._browser.new_context(
            viewport=size,  # type: ignore[arg-type]
            color_scheme=scheme,  # type: ignore[arg-type]
            permissions=["clipboard-read", "clipboard-write"],
            reduced_motion="reduce",
        )
        page = context.new_page()
        one = Opened(page)
        page.on("request", lambda request: one.requests.append(request.url))
        page.on("console", lambda message: one.complaints.append(message.text))
        page.on("pageerror", lambda error: one.complaints.append(str(error)))
        page.goto(path.resolve().as_uri() + at)
        page.wait_for_selector("html[data-ready]", state="attached")
        self._all.append(one)
        return one

    def close(self) -> None:
        """Whatever was done with a page: it complained of nothing and asked nobody for anything."""
        for one in self._all:
            one.page.context.close()
            assert one.complaints == []
            assert [url for url in one.requests if not url.startswith(("file:", "data:", "blob:"))] == []
            assert len([url for url in one.requests if url.startswith("file:")]) == 1


def test_a_real_import_opens_with_its_outcome_its_problems_and_its_charts(tmp_path: Path, opened: Opener) -> None:
    etl(
        tmp_path,
        "import",
        SAMPLES / "support_calls.xlsx",
        "--sandbox",
        "--test-set",
        "C",
        "--create-missing",
        "--report",
        "r",
    )
    one = opened(tmp_path / "r" / "report.html")
    expect(one.page.locator("h1")).to_have_text("151 of 164 rows were created.")
    assert one.visible_statuses() == {"rejected", "created"}
    assert one.page.locator(".group").count() > 5
    # Every cell address is a link: in the examples to its row, in an open row to the marked copy of the workbook.
    one.page.locator("a.cell", has_text="Cases!D28").first.click()
    expect(one.page.locator("tr.detail")).to_contain_text("Skript")
    link = one.page.locator("tr.detail .issues a.cell").get_attribute("href")
    assert link == "annotated.xlsx#Cases!D28"
    assert (tmp_path / "r" / "annotated.xlsx").exists()
    assert one.page.url.endswith("#row-1-28")


def test_problems_stand_first_and_chips_show_one_outcome(tmp_path: Path, opened: Opener) -> None:
    one = opened(invented_job(tmp_path / "r", 1_000))
    assert "created" not in one.visible_statuses()
    one.page.locator(".chip", has_text="failed").click()
    expect(one.page.locator("#shown")).to_have_text("10 of 1,000 rows")
    assert one.visible_statuses() == {"failed"}
    one.page.locator(".chip", has_text="in doubt").click()
    expect(one.page.locator("#shown")).to_have_text("20 of 1,000 rows")
    assert one.visible_statuses() == {"failed", "in doubt"}
    one.page.locator("#clear").click()
    expect(one.page.locator("#shown")).to_have_text("1,000 rows")


def test_searching_finds_ids_cells_values_and_words_together(tmp_path: Path, opened: Opener) -> None:
    one = opened(invented_job(tmp_path / "r", 1_000))
    shown = one.page.locator("#shown")
    for words, found in {
        "tc_00000007": "1 of 1,000 rows",
        "refund 3 days": "10 of 1,000 rows",
        "B103": "1 of 1,000 rows",
        "CAFÃ©": "10 of 1,000 rows",
        "nothing like this": "0 of 1,000 rows",
    }.items():
        one.page.locator("#search").fill(words)
        expect(shown).to_have_text(found)
    assert one.rows == []


def test_a_group_of_problems_shows_its_rows(tmp_path: Path, opened: Opener) -> None:
    one = opened(invented_job(tmp_path / "r", 1_000))
    group = one.page.locator(".group", has_text="input_str is missing")
    group.locator("button.only").click()
    expect(one.page.locator("#shown")).to_have_text("10 of 1,000 rows with required in Scenario")
    assert one.visible_statuses() <= {"rejected", "created"}


def test_heads_sort_and_say_so(tmp_path: Path, opened: Opener) -> None:
    one = opened(invented_job(tmp_path / "r", 1_000))
    head = one.page.locator("th.at-row")
    head.locator("button").click()
    assert one.rows[:3] == ["2", "3", "4"]
    expect(head).to_have_attribute("aria-sort", "ascending")
    head.locator("button").click()
    assert one.rows[:3] == ["1,001", "1,000", "999"]
    expect(head).to_have_attribute("aria-sort", "descending")
    one.page.locator("th.at-id button").click()
    assert one.page.locator("tr.row td.at-id").first.inner_text() == "tc_00000005"
    assert head.get_attribute("aria-sort") is None


def test_a_link_to_a_row_opens_it_when_the_page_is_opened_with_it(tmp_path: Path, opened: Opener) -> None:
    one = opened(invented_job(tmp_path / "r", 1_000), at="#row-1-777")
    expect(one.page.locator("tr.row.opened td.at-row")).to_have_text("777")
    expect(one.page.locator("tr.detail")).to_contain_text("tc_00000777")
    expect(one.page.locator("tr.row.opened")).to_be_in_viewport()


def test_all_of_it_can_be_done_with_keys(tmp_path: Path, opened: Opener) -> None:
    one = opened(invented_job(tmp_path / "r", 1_000))
    keyboard = one.page.keyboard
    keyboard.press("Tab")
    expect(one.page.locator(".skip")).to_be_focused()
    keyboard.press("/")
    expect(one.page.locator("#search")).to_be_focused()
    one.page.locator("tr.row").first.focus()
    for key, number in (("ArrowDown", "102"), ("End", "1,001"), ("ArrowUp", "1,000"), ("Home", "2")):
        keyboard.press(key)
        focused = one.page.locator("tr.row:focus")
        expect(focused.locator("td.at-row")).to_have_text(number) if key != "ArrowDown" else None
        expect(focused).to_be_in_viewport()
    keyboard.press("Enter")
    expect(one.page.locator("tr.row:focus")).to_have_attribute("aria-expanded", "true")
    expect(one.page.locator("tr.detail")).to_contain_text("input_str is missing")
    keyboard.press("Escape")
    expect(one.page.locator("tr.detail")).to_have_count(0)
    keyboard.press("PageDown")
    expect(one.page.locator("tr.row:focus")).to_have_count(1)
    assert one.page.locator('tr.row[tabindex="0"]').count() == 1


def test_who_cannot_see_it_is_told_the_same(tmp_path: Path, opened: Opener) -> None:
    one = opened(invented_job(tmp_path / "r", 1_000))
    page = one.page
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("img", name="Rows by outcome: 970 created, 10 rejected")).to_have_count(1)
    expect(page.get_by_role("searchbox", name="Search the rows")).to_have_count(1)
    expect(page.get_by_role("button", name="Copy the command")).not_to_have_count(0)
    expect(page.get_by_role("table", name="Rows")).to_have_attribute("aria-rowcount", "1001")
    expect(page.get_by_role("columnheader", name="Problem")).to_have_count(1)
    expect(page.locator("#grid tr.row").first).to_have_attribute("aria-rowindex", "2")
    expect(page.get_by_role("img", name="Time to an answer")).to_have_count(1)
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, a, input, select')]"
        ".filter((one) => !(one.innerText || one.textContent || one.labels?.[0]?.textContent || '').trim()).length"
    )
    assert nameless == 0
    page.locator(".numbers summary").click()
    assert page.locator("#numbers tbody tr").count() > 10


def test_a_command_is_copied_as_it_stands(tmp_path: Path, opened: Opener) -> None:
    summary = invented_job(tmp_path / "r", 100, stopped=StoppedError("Stopped by a signal."))
    one = opened(summary)
    one.page.locator(".command .copy").first.click()
    assert one.page.evaluate("navigator.clipboard.readText()") == f"coval-etl resume {JOB}"
    expect(one.page.locator("#said")).to_have_text("Copied.")


def test_a_hundred_thousand_rows_cost_a_screenful_of_elements(tmp_path: Path, opened: Opener) -> None:
    summary = invented_job(tmp_path / "r", 100_000)
    assert summary.page is not None
    assert summary.page.stat().st_size < 5_000_000
    one = opened(summary)
    page = one.page
    elements = page.locator("tr.row")
    assert 0 < elements.count() <= MOST_ELEMENTS
    for share in (0.1, 0.5, 0.97, 1):
        page.evaluate("(share) => { const it = byId('scroller'); it.scrollTop = share * it.scrollHeight; }", share)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert 0 < elements.count() <= MOST_ELEMENTS
    assert "100,001" in one.rows
    page.locator("th.at-row button").click()
    page.locator("th.at-row button").click()
    assert one.rows[0] == "100,001"
    page.locator("#search").fill("tc_00054321")
    expect(page.locator("#shown")).to_have_text("1 of 100,000 rows")
    page.locator("#search").fill("")
    expect(page.locator("#shown")).to_have_text("100,000 rows")
    page.locator("tr.row").first.focus()
    page.keyboard.press("End")
    assert one.rows[-1] == "2"
    assert elements.count() <= MOST_ELEMENTS
    # Typing is never answered by work on rows that nobody sees.
    made = page.evaluate(
        "() => { let made = 0; const real = document.createElement.bind(document);"
        " document.createElement = (name) => { made += 1; return real(name); };"
        " byId('search').value = 'tc_'; byId('search').dispatchEvent(new Event('input'));"
        " return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(made)))); }"
    )
    assert made < 1_000


def test_an_open_row_keeps_its_place_while_scrolling(tmp_path: Path, opened: Opener) -> None:
    one = opened(invented_job(tmp_path / "r", 5_000))
    one.page.locator("tr.row").nth(3).click(position={"x": 5, "y": 5})
    height = one.page.evaluate("byId('scroller').scrollHeight")
    one.page.evaluate("byId('scroller').scrollTop = 90000")
    one.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert one.page.evaluate("byId('scroller').scrollHeight") == pytest.approx(height, abs=2)
    one.page.evaluate("byId('scroller').scrollTop = 0")
    expect(one.page.locator("tr.detail")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_never_scrolls_sideways(tmp_path: Path, opened: Opener, scheme: str) -> None:
    for summary in (invented_job(tmp_path / "r", 500), hostile_job(tmp_path / "h")):
        one = opened(summary, size=PHONE, scheme=scheme)
        one.page.locator("tr.row").first.click(position={"x": 5, "y": 5})
        expect(one.page.locator("tr.detail")).to_have_count(1)
        assert one.page.evaluate("document.documentElement.scrollWidth") == 320
        assert one.page.evaluate("byId('scroller').scrollWidth <= byId('scroller').clientWidth")


def test_dark_and_light_can_be_told_apart_and_be_read(tmp_path: Path, opened: Opener) -> None:
    summary = invented_job(tmp_path / "r", 500)
    for scheme in ("light", "dark"):
        one = opened(summary, scheme=scheme)
        first = contrast(one.page)
        assert first["dark"] is (scheme == "dark")
        one.page.locator("#theme").click()
        other = contrast(one.page)
        assert other["dark"] is (scheme != "dark")
        assert min(first["least"], other["least"]) >= 4.5


def contrast(page: Page) -> dict[str, float]:
    """The least contrast of a text to what is behind it (WCAG 2), and whether the ground is dark."""
    found: dict[str, float] = page.evaluate(
        """() => {
          const parts = (text) => text.match(/[\\d.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
            .map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
            .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
          const behind = (element) => {
            for (let one = element; one; one = one.parentElement) {
              const colour = parts(getComputedStyle(one).backgroundColor);
              if (colour.length === 3 || colour[3] > 0.99) return colour;
            }
            return [255, 255, 255];
          };
          const texts = document.querySelectorAll("h1, h2, p, li, td, th, dt, dd, code, button, a, .badge, .faint");
          const ratios = [...texts].filter((one) => one.checkVisibility() && one.textContent.trim()).map((one) => {
            const [a, b] = [light(parts(getComputedStyle(one).color)), light(behind(one))];
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          });
          return { least: Math.min(...ratios), dark: light(behind(document.body)) < 0.2 };
        }"""
    )
    return found


def test_hostile_cells_are_shown_and_never_run(tmp_path: Path, opened: Opener) -> None:
    one = opened(hostile_job(tmp_path / "h"))
    page = one.page
    for _ in range(len(HOSTILE)):
        page.keyboard.press("Tab")
    for number in range(len(HOSTILE)):
        page.locator("tr.row").nth(number).focus()
        page.keyboard.press("Enter")
        expect(page.locator("tr.detail")).to_have_count(1)
    for link in page.locator("a.cell[data-group]").all():
        assert (link.get_attribute("href") or "").startswith("#row-1-")
    page.locator("button.only").nth(1).click()
    expect(page.locator("#shown")).to_contain_text("1 of 13 rows")
    assert "owned" not in page.title()
    assert page.locator("img").count() == 0
    assert page.evaluate("document.querySelectorAll('svg').length") == 1
    text = page.locator("body").inner_text()
    assert "<img src=x" in text
    assert "\\u202egnp.exe" in text
    assert "49 {%" not in text


def test_paper_gets_the_light_page_and_no_buttons(tmp_path: Path, opened: Opener) -> None:
    one = opened(invented_job(tmp_path / "r", 1_000), scheme="dark")
    one.page.emulate_media(media="print", color_scheme="dark")
    one.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert contrast(one.page)["dark"] is False
    assert one.page.locator("tr.row").count() == 200
    expect(one.page.locator("#printed")).to_have_text("The first 200 of 1,000 rows; the others are not printed.")
    expect(one.page.locator(".command .copy").first).to_be_hidden()
    expect(one.page.locator(".tools")).to_be_hidden()
    one.page.emulate_media(media="screen")
    one.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert one.page.locator("tr.row").count() <= MOST_ELEMENTS
    assert one.page.pdf()[:5] == b"%PDF-"


def test_without_a_script_all_but_the_rows_is_there(tmp_path: Path, browser: Browser) -> None:
    summary = invented_job(tmp_path / "r", 100)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    assert summary.page is not None
    page.goto(summary.page.as_uri())
    expect(page.locator("h1")).to_have_text("97 of 100 rows were created.")
    expect(page.locator("noscript .note")).to_contain_text("results.jsonl has every row")
    context.close()
