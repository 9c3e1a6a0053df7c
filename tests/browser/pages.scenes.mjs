// Your interests and the console, played by clicking.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { feed } from "./feed.scenes.mjs";

const HIKES = "What are good hikes near Boulder for a weekend?";

async function interests(stage) {
  const { page, ready, shot, accessible, size } = stage;
  const on = feed(stage);
  await on.anew();
  await on.prompt(HIKES);
  await on.prompt("How do I bake sourdough bread?");
  await on.radio("clock", /15 Jan 2026/);
  await page.locator("#rule", { hasText: "15 January" }).waitFor();
  await on.until(true, "a month later");
  await page.getByRole("link", { name: "Your interests" }).click();
  await page.locator("body[data-ready]").waitFor();
  const hiking = page.locator("[data-interest='outdoors.hiking']");
  await hiking.getByText("From a chat with the assistant on WhatsApp, 16 December 2025").waitFor();
  // The plot tells in words what it shows: it was more, and fades.
  const label = await hiking.getByRole("img").getAttribute("aria-label");
  const [, most, today] = label.match(/at most ([\d.]+), ([\d.]+) now/).map(Number);
  assert.ok(most > today && today > 0, label);
  assert.match(label, /half as strong by \d+ (February|March) 2026/);
  await page.getByText("your racial or ethnic origin").waitFor();
  await accessible("interests");
  await shot("interests");
  if (size === "desktop") {
    await page.emulateMedia({ colorScheme: "dark" });
    await shot("interests-dark");
    await page.emulateMedia({ colorScheme: "light" });
  }
  // Never again, seen under what was told; taken back there.
  await hiking.getByRole("button", { name: "Never again" }).click();
  await page.locator("#preferences").getByText("Never Hiking and trails").waitFor();
  assert.equal(await hiking.count(), 0);
  // The card that had the focus is gone; the focus is not.
  await page.waitForFunction(() => document.activeElement.id === "list");
  await page.getByRole("button", { name: "Take back: Never Hiking and trails" }).click();
  await hiking.waitFor();
  // A topic of one's own; an advertiser.
  await page.getByLabel(/^A topic/).selectOption({ label: "Stargazing" });
  await page.locator("#topic").getByRole("button", { name: "More" }).click();
  await page.locator("[data-interest='outdoors.stargazing']").getByText("You told us so.").waitFor();
  await page.getByLabel(/^An advertiser/).selectOption("Northpeak");
  await page.getByRole("button", { name: "None of its ads" }).click();
  await page.locator("#preferences").getByText("No ads of Northpeak").waitFor();
  // Forget the chat, delete an interest, unlink and link.
  await hiking.getByRole("button", { name: /^Forget this chat/ }).click();
  await hiking.waitFor({ state: "detached" });
  await page.locator("[data-interest='outdoors.stargazing']").getByRole("button", { name: "Never again" }).click();
  await page.locator("[data-interest='outdoors.stargazing']").waitFor({ state: "detached" });
  assert.equal(await page.locator("#linked > li").count(), 4);
  await page.locator("#linked", { hasText: "Messenger" }).getByText("this account was not told in time").waitFor();
  await page.getByRole("button", { name: "Unlink all of them" }).click();
  await page.getByRole("button", { name: "Link my four accounts" }).waitFor();
  assert.equal(await page.locator("#linked > li").count(), 1);
  await page.getByRole("button", { name: "Link my four accounts" }).click();
  await page.getByRole("button", { name: "Unlink all of them" }).waitFor();
  // No switch where the policy leaves none, and that is said.
  assert.ok(await page.locator("#pause").isHidden());
  await page.getByText("leaves no switch for chats as a whole").waitFor();
  // All else: what is known of the accounts.
  await page.getByText("All else that is held of you").click();
  await page.locator("#else").getByText(/WhatsApp: born 17 May 1990; language en; United States since 1 January 2025.*told on 7 October 2025/).waitFor();
  // On the feed, the advertiser is gone at once.
  await ready("/feed");
  assert.ok(!(await page.locator("section[aria-label=Ads]").textContent()).includes("Northpeak"));
  await ready("/interests");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download all that is held" }).click();
  const archive = JSON.parse(readFileSync(await (await download).path(), "utf8"));
  assert.equal(archive.accounts.length, 4);
  assert.ok(!JSON.stringify(archive).includes("sourdough bread?"), "no words in the archive");
  // Delete all: asked first, and a receipt.
  await page.getByRole("button", { name: "Delete all that is held…" }).click();
  await page.getByRole("button", { name: "Keep it" }).click();
  assert.ok((await page.locator("#preferences li").count()) > 1);
  await page.getByRole("button", { name: "Delete all that is held…" }).click();
  await page.getByRole("button", { name: "Delete everything", exact: true }).click();
  await page.getByText("All is deleted. Your receipts:").waitFor();
  await page.getByText("Nothing is held of this account.").waitFor();
  await page.locator("#preferences").getByText("Nothing yet.").waitFor();
  await accessible("interests, all deleted");
}

async function opensTheConsole(stage) {
  const { page, ready, shot, accessible, size, url } = stage;
  await ready("/console");
  const tile = (name) => page.locator("#tiles > div", { has: page.getByText(name, { exact: true }) }).locator("dd");
  const before = Number((await tile("Events since the data was made").textContent()).replaceAll(",", ""));
  // A flow that is live: what is said elsewhere is counted here.
  const turn = { type: "turn", at: "2025-12-20T09:00:00Z", account: "whatsapp:console", conversation: "c", turn: "t", role: "user", audience: "people", encrypted: true, modality: "text", product: "assistant", text: "hello" };
  const sent = await fetch(`${url}/v1/events`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(Array.from({ length: 40 }, (_, n) => ({ ...turn, turn: `t${n}-${size}` }))) });
  assert.equal((await sent.json()).events[0].outcome, "encrypted");
  await page.waitForFunction((least) => [...document.querySelectorAll("#tiles > div")].some((tile) => tile.firstChild.textContent === "Events since the data was made" && Number(tile.lastChild.textContent.replaceAll(",", "")) >= least), before + 40);
  await page.locator("#outcomes").getByText("refused: end-to-end encrypted messages are never read").waitFor();
  await page.locator("#live rect").first().waitFor();
  // The rollout, the notices, the policy, the model, the money, the health.
  const rollout = page.locator("#timeline");
  for (const name of ["European Union", "United Kingdom", "South Korea", "Elsewhere"]) await rollout.getByText(name).waitFor();
  const words = await page.locator("#rollout-words").textContent();
  assert.match(words, /European Union: left out\.United Kingdom: left out\.South Korea: left out\.Elsewhere: not yet, then chats count from 16 December 2025 on\./);
  assert.ok(Number((await tile("Notices still due").textContent()).replaceAll(",", "")) > 0, "the demo's Messenger account was never told");
  await page.getByRole("img", { name: /^Notices delivered: .*\d+ on 7 October 2025/ }).waitFor();
  await page.locator("#told").getByText(/told/).first().waitFor();
  await page.getByRole("heading", { name: "Sensitive texts stopped, by subject" }).waitFor();
  await page.locator("#policy").getByText("European Union").or(page.locator("#policy").getByText(/^EU, UK, KR/)).first().waitFor();
  await page.locator("#past summary", { hasText: "announced-2025-12-16, in force since 1 October 2025" }).waitFor();
  await page.getByRole("img", { name: /Sensitive texts stopped against harmless/ }).waitFor();
  const row = page.locator("#campaigns tbody tr").first();
  assert.match(await row.textContent(), /\d+\.\d\d of 500\.00 \(\d+ %\)/);
  await page.locator("#ready", { hasText: "Ready" }).waitFor();
  await page.locator("#routes").getByText("events", { exact: true }).waitFor();
  await page.locator("#routes").getByText("persons/{account}/profile", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Hold still" }).click();
  await accessible("console");
  await shot("console");
  if (size === "desktop") {
    await page.emulateMedia({ colorScheme: "dark" });
    await shot("console-dark");
  }
}

export const scenes = { "your interests": interests, "the console": opensTheConsole };
