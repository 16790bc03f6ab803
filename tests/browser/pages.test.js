// The pages of reports and searches, opened from files, as `node --test` runs it. LITESTAGE_PAGES is their folder.
import assert from "node:assert/strict";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { describe, it } from "node:test";
import { SIZES, assertAccessible, assertFits, withPage as withAddress } from "./browser.js";

const folder = path.resolve(process.env.LITESTAGE_PAGES);
const PAGES = ["report", "importance", "search"];

const withPage = (name, options, look) => {
  const address = pathToFileURL(path.join(folder, `${name}.html`)).href;
  return withAddress(address, (asked) => asked === address, options, look);
};

/** Every chart with the size it is drawn at; those in folded parts are unfolded first. */
const charts = (page) => page.evaluate(() => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  return [...document.querySelectorAll("svg")].map((svg) => {
    const { width, height } = svg.getBoundingClientRect();
    const empty = [...svg.querySelectorAll("rect, circle, text")].filter((shape) => {
      const box = shape.getBoundingClientRect();
      return shape.tagName === "rect" ? box.height === 0 : box.width === 0 || box.height === 0;
    });
    return { title: svg.querySelector("title").textContent, width, height, empty: empty.length };
  });
});

for (const name of PAGES) {
  describe(name, () => {
    for (const colorScheme of ["light", "dark"]) {
      for (const [size, viewport] of Object.entries(SIZES)) {
        it(`is drawn, ${colorScheme}, ${size}`, () => withPage(name, { colorScheme, viewport }, async (page) => {
          for (const { title, width, height, empty } of await charts(page)) {
            assert.ok(width > 200 && height > 60, `${title}: ${width} x ${height}`);
            assert.equal(empty, 0, `${title}: shapes without a size`);
          }
          await assertFits(page, colorScheme, `${name}-${colorScheme}-${size}`);
        }));

        it(`has no serious fault for axe, ${colorScheme}, ${size}`, () => withPage(name, { colorScheme, viewport, bypassCSP: true },
          assertAccessible));
      }
    }
  });
}

describe("the browser of questions", () => {
  const filter = (page, label) => page.locator(".filters").getByLabel(label);
  const entries = (page) => page.locator(".entries button");
  const onReport = (look) => withPage("report", { viewport: SIZES.wide }, look);

  it("filters by task, policy and kind", () => onReport(async (page) => {
    // What the example holds: tests/support/report_example.h.
    assert.equal(await entries(page).count(), 129);
    await filter(page, "Task").selectOption("gsm8k");
    assert.equal(await entries(page).count(), 9);
    await filter(page, "Policy").selectOption("adaskip:k=8");
    assert.equal(await entries(page).count(), 7);
    await filter(page, "Compared with the full model").selectOption("gained");
    assert.equal(await entries(page).count(), 1);
    assert.equal(await page.locator(".filters output").textContent(), "1 of 129");
    await filter(page, "Policy").selectOption("direct");
    assert.equal(await entries(page).count(), 0);
    assert.match(await page.locator(".detail").textContent(), /No question is left/);
  }));

  it("goes through the list by keys", () => onReport(async (page) => {
    await filter(page, "Policy").selectOption("litestage:plan.json+exit");
    const chosen = () => page.locator(".entries [aria-current=true]").evaluate(
      (button) => [...document.querySelectorAll(".entries button")].indexOf(button));
    assert.equal(await chosen(), 0);
    await entries(page).first().focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    assert.equal(await chosen(), 2);
    await page.keyboard.press("End");
    assert.equal(await chosen(), 9);
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowUp");
    assert.equal(await chosen(), 0);
    const tabs = await entries(page).evaluateAll((buttons) => buttons.filter((button) => button.tabIndex === 0).length);
    assert.equal(tabs, 1);
  }));

  it("shows both texts of every stage, whatever is in them, as text", () => onReport(async (page) => {
    await filter(page, "Task").selectOption("openbookqa");
    await filter(page, "Policy").selectOption("adaskip:k=8");
    for (const [id, part] of [["question-000", "</script><script>"], ["question-001", "<img src=x onerror="]]) {
      await entries(page).filter({ hasText: id }).click();
      const stages = page.locator(".detail .texts");
      assert.equal(await stages.count(), 5);
      for (const box of await stages.locator("pre").all()) assert.ok((await box.textContent()).includes(part));
    }
    assert.equal(await page.locator("img, .detail i, .detail b, .detail script").count(), 0);
    assert.equal(await page.title(), "litestage report");
  }));

  it("finds questions by their texts", () => onReport(async (page) => {
    await filter(page, "Contains").fill("the EASY question");
    const found = await entries(page).count();
    assert.ok(found > 0 && found < 129, `${found}`);
    assert.match(await page.locator(".detail h3").textContent(), /easy/);
    await filter(page, "Contains").fill("no text has these words");
    assert.equal(await entries(page).count(), 0);
    await filter(page, "Contains").fill("");
    assert.equal(await entries(page).count(), 129);
  }));

  it("draws thousands a portion at a time", () => withPage("many", { viewport: SIZES.wide }, async (page) => {
    const all = 129 * 24;
    const chosen = page.locator(".entries [aria-current=true]");
    assert.equal(await page.locator(".filters output").textContent(), `${all} of ${all}`);
    assert.equal(await entries(page).count(), 200);
    await page.locator(".more").click();
    assert.equal(await entries(page).count(), 400);
    assert.equal(await page.evaluate(() => document.activeElement.dataset.entry), "200");
    await page.keyboard.press("End");
    assert.equal(await entries(page).count(), all);
    assert.equal(await chosen.count(), 1);
    assert.equal(await chosen.getAttribute("data-entry"), String(all - 1));
    assert.equal(await page.locator(".more").isVisible(), false);
    await filter(page, "Task").selectOption("gsm8k");
    assert.equal(await entries(page).count(), 200);
    assert.match(await page.locator(".more").textContent(), /16 more of 16/);
    assert.equal(await chosen.count(), 1);
  }));
});
