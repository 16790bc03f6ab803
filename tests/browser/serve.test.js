// The server's page, as `node --test` runs it: LITESTAGE_URL is a server with a small real model, called "small", and one
// plan, "hasty", for recall-analyze-answer, which leaves out three sublayers and ends every text after four tokens.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SIZES, assertAccessible, assertFits, withPage } from "./browser.js";

const address = process.env.LITESTAGE_URL;
const PATIENCE = { timeout: 60_000 };

const onPage = (options, look) => withPage(`${address}/`, (asked) => asked.startsWith(`${address}/`), options, async (page) => {
  await page.getByText("is ready").waitFor();
  await look(page);
});
const ask = async (page, mode) => {
  await page.getByRole("radio", { name: mode }).check();
  await page.getByRole("button", { name: "Ask" }).click();
};
const answered = (page) => page.locator("#start:not([disabled])").waitFor(PATIENCE);

describe("a question, full and by a plan", () => {
  it("is answered both ways, with all that the stages do", () => onPage({ viewport: SIZES.wide }, async (page) => {
    await ask(page, "both");
    await page.getByText(/The plan is .* the full model here/).waitFor(PATIENCE);
    assert.equal(await page.locator(".lane").count(), 2);
    for (const time of await page.locator(".lane .time").allTextContents()) assert.match(time, /^\d+\.\d\d s$/);
    assert.equal(await page.locator(".arm").count(), 2);
    for (const arm of await page.locator(".arm").all()) {
      assert.deepEqual(await arm.locator(".stage h3").allTextContents(), ["recall", "analyze", "answer"]);
      assert.deepEqual(await arm.locator(".branch h4").allTextContents(), ["A", "B", "C", "D"].map((letter) => `Option ${letter}`));
      assert.equal(await arm.locator(".timeline li").count(), 3);
      assert.match(await arm.locator(".answer").textContent(), /^(Answer: [A-D]|No answer was found\.)$/);
    }
    const [full, plan] = await page.locator(".arm").all();
    assert.match(await full.locator(".stage").first().textContent(), /nothing is left out of 60 sublayers/);
    assert.match(await plan.locator(".stage").first().textContent(), /3 of 60 sublayers are left out: a12,f8-9/);
    assert.equal(await plan.locator(".stage").first().locator("rect.out").count(), 3);
    assert.match(await plan.locator(".branch").first().textContent(), /4 tokens, ended by low confidence/);
    const charts = plan.locator(".stage").first().locator(".confidence");
    assert.match(await charts.first().getAttribute("aria-label"), /4 tokens, stopped for low confidence; .* at most 100/);
    assert.equal((await charts.first().locator(".each").getAttribute("points")).split(" ").length, 4);
    assert.equal(await charts.first().locator("line").count(), 2, "the threshold and the end");
    assert.equal(await full.locator(".confidence line").count(), 0, "the full model has no threshold");
  }));

  it("is asked and stopped by keys", () => onPage({ viewport: SIZES.wide }, async (page) => {
    await page.getByRole("radio", { name: "full model" }).check();
    await page.getByLabel("Question").focus();
    await page.keyboard.press("Control+Enter");
    await page.locator(".stage.running").first().waitFor(PATIENCE);
    await page.keyboard.press("Escape");
    await answered(page);
    assert.equal(await page.locator("#fault").textContent(), "Stopped.");
    await ask(page, "plan");
    await page.locator(".answer", { hasText: /^(Answer: |No answer)/ }).waitFor(PATIENCE);
  }));

  it("has plans only where there are some", () => onPage({ viewport: SIZES.wide }, async (page) => {
    await page.getByLabel("Program").selectOption("plan-solve");
    assert.ok(await page.getByRole("radio", { name: "both" }).isDisabled());
    assert.ok(await page.getByRole("radio", { name: "full model" }).isChecked());
    await page.getByLabel("Program").selectOption("recall-analyze-answer");
    assert.ok(await page.getByRole("radio", { name: "both" }).isEnabled());
  }));

  it("tells the server's own words when it may not be asked", () => onPage(
    { viewport: SIZES.wide, expectedFault: /console: .*400/ }, async (page) => {
      await page.getByLabel("Options").fill("one alone");
      await ask(page, "full model");
      await answered(page);
      assert.match(await page.locator("#fault").textContent(), /option/);
    }));
});

describe("what a model writes", () => {
  it("is never read as markup", () => onPage({ viewport: SIZES.wide }, async (page) => {
    const markup = "<img src=x onerror=alert(1)><b>bold</b>";
    const event = (name, data) => `event: ${name}\ndata: ${JSON.stringify({ arm: "full", stage: markup, ...data })}\n\n`;
    const record = { text: markup, prompt_tokens: 1, reused_tokens: 0, tokens: 1, prefill_ms: 1, decode_ms: 1, stop_reason: markup };
    await page.route("**/v1/stages", (route) => route.fulfill({
      contentType: "text/event-stream",
      body: event("begin", { model: markup, program: markup })
        + event("stage_begin", { options: [markup], layers: 2, mask: "a0", exit: { confidence: "x", window: 1, threshold: null } })
        + event("text", { branch: 0, text: markup }) + event("stage_end", { records: [record] })
        + event("answer", { answer: markup, total_ms: 2 }) + "data: [DONE]\n\n",
    }));
    await ask(page, "full model");
    await page.locator(".answer", { hasText: "Answer:" }).waitFor();
    assert.equal(await page.locator(".arm img, .arm b").count(), 0);
    assert.equal(await page.locator(".written").textContent(), markup);
  }));
});

for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    describe(`the page, ${colorScheme}, ${size}`, () => {
      it("fits and is accessible, before a question and after", () => onPage({ colorScheme, viewport, bypassCSP: true }, async (page) => {
        await assertFits(page, colorScheme, `serve-empty-${colorScheme}-${size}`);
        await ask(page, "both");
        await page.getByText(/The plan is .* the full model here/).waitFor(PATIENCE);
        await assertFits(page, colorScheme, `serve-${colorScheme}-${size}`);
        await assertAccessible(page);
      }));
    });
  }
}
