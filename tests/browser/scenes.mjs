// The seed's scenes, played by clicking, in real Chromium: `node scenes.mjs BINARY FOLDER` writes screenshots to FOLDER.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import OpenAI from "openai";
import { chromium } from "playwright-core";

const [binary, folder] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function start() {
  const server = spawn(binary, ["serve", "--demo", "--listen", "127.0.0.1:0"], { stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface({ input: server.stderr })) {
    const url = line.match(/^listening on (.*)$/)?.[1];
    if (url) return { server, url };
  }
  throw new Error("the server did not start");
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

// Text that nobody with weak eyes can read, controls without a name, and whatever else axe finds.
async function accessible(page, name) {
  // The page's own policy forbids foreign scripts, so axe is put in by the debugger.
  const found = await page.evaluate(`${axe}; axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"] }).then((r) => r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target.join(" ")).join(", ")))`);
  assert.deepEqual(found, [], name);
}

async function scene(size, width, height) {
  const { server, url } = await start();
  try {
    const page = await browser.newPage({ viewport: { width, height }, bypassCSP: false });
    const troubles = [];
    page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
    page.on("pageerror", (error) => troubles.push(String(error)));
    page.on("request", (request) => { if (!request.url().startsWith(url) && !request.url().startsWith("data:")) troubles.push(`a request to ${request.url()}`); });
    const shot = (name) => page.screenshot({ path: `${folder}/${size}-${name}.png`, fullPage: true });
    const say = async (words, outcome) => {
      await page.fill("#words", words);
      await page.click("#say button.main");
      await page.locator("#chat li.person").last().locator("small", { hasText: outcome }).waitFor();
    };
    const because = () => page.locator("#surfaces .because h3").allTextContents();
    const settled = async (wanted) => { for (let n = 0; n < 100 && (await because()).length > 0 !== wanted; n += 1) await page.waitForTimeout(50); return because(); };

    await page.goto(url);
    await page.locator("body[data-ready]").waitFor();
    assert.match(page.url(), /\/feed$/);
    await accessible(page, "feed");
    // 15 December: nothing. 20 December: used, but not on Facebook before the accounts are linked.
    await page.selectOption("#clock", "2025-12-15T18:00:00Z");
    await say("What are good hikes near Boulder?", "before 16 December");
    assert.deepEqual(await because(), []);
    await page.selectOption("#clock", "2025-12-20T18:00:00Z");
    await page.click("#again");
    await say("What are good hikes near Boulder?", "used");
    assert.deepEqual(await because(), []);
    await page.check("#linked");
    const brought = await settled(true);
    assert.ok(brought.includes("Boulder Hiking Club"), brought.join(", "));
    assert.ok(brought.some((title) => /boot/i.test(title)), brought.join(", "));
    const groups = await page.locator("section[aria-label=Groups] h3").allTextContents();
    assert.equal(groups[0], "Boulder Hiking Club");
    const card = page.locator(".because", { hasText: "Boulder Hiking Club" });
    await card.locator("summary").click();
    await card.getByText("a chat with the assistant on WhatsApp, 20 December 2025").waitFor();
    await card.getByText("Without what you said").waitFor();
    await shot("feed");
    await accessible(page, "feed with reasons");
    // Your interests: it is there with where it came from; then Berlin: nothing; back: all there.
    await page.goto(`${url}/interests#account=facebook:you`);
    await page.locator("body[data-ready]").waitFor();
    await page.locator("[data-interest='outdoors.hiking']").getByText("20 December 2025").waitFor();
    await accessible(page, "interests");
    await shot("interests");
    await page.goto(`${url}/console`);
    await page.locator("body[data-ready]").waitFor();
    await page.locator("#outcomes svg").waitFor();
    await accessible(page, "console");
    await shot("console");
    await page.goto(`${url}/feed`);
    await page.locator("body[data-ready]").waitFor();
    await page.selectOption("#place", "DE|52.52,13.405");
    assert.deepEqual(await settled(false), []);
    await page.selectOption("#place", "US|40.015,-105.271");
    assert.ok((await settled(true)).length > 0);
    // The knee, in a conversation about hiking boots: that conversation is gone, and says only that it was not used.
    await page.click("#again");
    await say("Which hiking boots are worth the money?", "used");
    await say("also my knee hurts on the way down", "not used");
    // Taking it back, by a click on a card.
    const first = page.locator(".because").first();
    await first.locator("summary").click();
    await first.getByRole("button", { name: "Remove what brought it" }).click();
    assert.deepEqual(await settled(false), []);
    await shot("taken-back");
    // With the keyboard alone.
    await page.keyboard.press("Tab");
    await page.focus("#words");
    await page.keyboard.type("how do I bake sourdough bread?");
    await page.keyboard.press("Enter");
    await page.locator("#chat li.person").last().locator("small").waitFor();
    assert.deepEqual(troubles, [], "console errors or requests elsewhere");
    await page.close();
  } finally {
    server.kill();
  }
}

// The official client, against the demo's assistant: whole and streamed.
async function client() {
  const { server, url } = await start();
  try {
    const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", defaultHeaders: { "Tactful-Account": "whatsapp:you", "Tactful-At": "2025-12-20T18:00:00Z" } });
    const messages = [{ role: "user", content: "What are good hikes near Boulder?" }];
    const whole = await openai.chat.completions.create({ model: "demo", messages });
    assert.match(whole.choices[0].message.content, /demo/);
    let streamed = "";
    for await (const part of await openai.chat.completions.create({ model: "demo", messages, stream: true })) streamed += part.choices[0]?.delta?.content || "";
    assert.equal(streamed, whole.choices[0].message.content);
    const profile = await (await fetch(`${url}/v1/persons/whatsapp:you/profile?at=2025-12-20T18:01:00Z`)).json();
    assert.equal(profile.interests[0].id, "outdoors.hiking");
  } finally {
    server.kill();
  }
}

await scene("desktop", 1280, 900);
await scene("phone", 390, 844);
await client();
await browser.close();
console.log("browser scenes: all played");
