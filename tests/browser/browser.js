// What the tests of all pages share. LITESTAGE_CHROMIUM is the browser; LITESTAGE_SHOTS, if set, a folder for pictures
// of every page, to be looked at.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before } from "node:test";
import { chromium } from "playwright-core";

const shots = process.env.LITESTAGE_SHOTS;
const axe = createRequire(import.meta.url).resolve("axe-core");
export const SIZES = { narrow: { width: 360, height: 740 }, wide: { width: 1400, height: 900 } };

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.LITESTAGE_CHROMIUM,
    args: ["--no-sandbox", "--disable-background-networking"],
  });
});
after(() => browser?.close());

/**
 * Opens a page, hands it to `look`, and sees to it that nothing was logged and nothing but `mayAsk` asked of a network.
 * Axe needs bypassCSP: it is put in by a script that a page's own policy forbids.
 */
export const withPage = async (address, mayAsk, { expectedFault, ...options }, look) => {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (!mayAsk(request.url())) faults.push(`request: ${request.url()}`);
  });
  page.on("dialog", (dialog) => faults.push(`dialog: ${dialog.message()}`));
  await page.goto(address);
  await look(page);
  await context.close();
  assert.deepEqual(faults.filter((fault) => !expectedFault?.test(fault)), []);
};

/** The page follows the reader's colours, and is no wider than the window. */
export const assertFits = async (page, colorScheme, shot) => {
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const brightness = ground.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
  assert.equal(brightness < 128, colorScheme === "dark", ground);
  const [inner, content] = await page.evaluate(
    () => [document.documentElement.clientWidth, document.documentElement.scrollWidth]);
  assert.ok(content <= inner, `${content} px of page in ${inner}`);
  if (shots) await page.screenshot({ path: path.join(shots, `${shot}.png`), fullPage: true });
};

/** Axe finds nothing serious, in folded parts neither. */
export const assertAccessible = async (page) => {
  await page.addScriptTag({ path: axe });
  const { violations } = await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
    return globalThis.axe.run(document, { resultTypes: ["violations"] });
  });
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes[0].html} (${nodes[0].failureSummary}), ${nodes.length} in all`);
  assert.deepEqual(serious, []);
};
