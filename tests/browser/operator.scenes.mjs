// What an operator runs, without --demo: keys, a policy that leaves a choice, no feed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { play, serve } from "./stage.mjs";

const policy = (name) => fileURLToPath(new URL(`../../policies/${name}.toml`, import.meta.url));
const DAY = 86_400_000;

// Of somebody who was told forty days ago, said yes, and asked about hiking yesterday.
function log() {
  const ago = (days) => new Date(Date.now() - days * DAY).toISOString();
  const account = "whatsapp:ana";
  return [
    { type: "account", at: ago(60), account, region: "US", language: "en", birth_date: "1990-05-17" },
    { type: "notice", at: ago(40), account, notice: "ai-chats", version: "1", channel: "in_app", delivered: ago(40) },
    { type: "choice", at: ago(39), account, chats: "in" },
    { type: "turn", at: ago(1), account, conversation: "c", turn: "t", role: "user", audience: "assistant", encrypted: false, modality: "text", product: "assistant", text: "What are good hikes near Boulder for a weekend?" },
  ];
}

async function pausing({ page, url, key, ready, accessible, shot }) {
  assert.equal((await page.request.get(`${url}/feed`)).status(), 404);
  await ready("/");
  assert.match(page.url(), /\/interests$/);
  await page.getByLabel("Your account").fill("whatsapp:ana");
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await page.locator("#status", { hasText: "send a key or a token" }).waitFor();
  await page.getByLabel("Your token, from the app").fill(key);
  await page.getByRole("button", { name: "Show", exact: true }).click();
  const hiking = page.locator("[data-interest='outdoors.hiking']");
  await hiking.waitFor();
  await accessible("interests, an operator's");
  await page.getByRole("button", { name: "Pause: do not use my chats" }).click();
  await hiking.waitFor({ state: "detached" });
  await page.getByText("Your chats are paused: none of them is used").waitFor();
  await page.locator("#linked").getByText("you said no to the use of chats").waitFor();
  await shot("interests-paused");
  await page.getByRole("button", { name: "Use my chats again" }).click();
  await hiking.waitFor();
}

async function withKey({ page, key, ready, accessible, shot }) {
  await ready("/console");
  await page.locator("#campaigns", { hasText: "Not with this key." }).waitFor();
  // What anyone may know is there all the same.
  await page.locator("#policy").getByText("Elsewhere: chats are read and used, once the person has opted in.").waitFor();
  await page.getByLabel("Operator's key").fill(key);
  await page.getByRole("button", { name: "Use this key" }).click();
  await page.locator("#campaigns", { hasText: "No campaign yet." }).waitFor();
  await page.locator("#outcomes").getByText("used: taught an interest").waitFor();
  // What was in force before, and what is new since.
  await page.locator("#past summary", { hasText: "opt-in-1, in force since" }).waitFor();
  await page.locator("#past summary", { hasText: "eu-dsa-1, in force from" }).waitFor();
  await page.locator("#past ins", { hasText: "New: Voice: used." }).waitFor();
  await page.locator("#past del", { hasText: "Voice: not used." }).waitFor();
  await page.locator("#timeline").getByText("chats count, if the person said yes").waitFor();
  await accessible("console, an operator's");
  await shot("console-operator");
}

export async function operator(binary, browser, run, size, folder) {
  const data = mkdtempSync(join(tmpdir(), "tactful-browser-"));
  const flags = (name) => ["serve", "--data", join(data, "data"), "--policy", policy(name)];
  try {
    // A first run makes the folder; keys that are there before the second are asked for from its first request on.
    (await serve(binary, flags("eu-dsa"))).server.kill();
    const made = (name, scopes) => execFileSync(binary, ["keys", "--data", join(data, "data"), "add", name, "--scopes", scopes], { encoding: "utf8" }).match(/tk_[0-9a-f]{64}/)[0];
    const [key, lesser] = [made("all", "admin,advertiser,ingest"), made("lesser", "ingest")];
    const { server, url } = await serve(binary, flags("opt-in"));
    try {
      const sent = await fetch(`${url}/v1/events`, { method: "POST", headers: { "content-type": "application/json", authorization: `Bearer ${key}` }, body: JSON.stringify(log()) });
      assert.equal((await sent.json()).events.at(-1).outcome, "used");
      // Nobody sees how another stands: not without a key, not with one that is for other things.
      for (const path of ["persons/whatsapp:ana/standing", "persons/whatsapp:ana/weights", "overview/outcomes", "overview/notices", "overview/spending"]) {
        assert.equal((await fetch(`${url}/v1/${path}`)).status, 401, path);
        assert.equal((await fetch(`${url}/v1/${path}`, { headers: { authorization: `Bearer ${lesser}` } })).status, 403, path);
      }
      assert.equal((await fetch(`${url}/v1/advertisers`)).status, 401);
      // A browser tells of every answer that is a refusal; here they are what is looked for.
      const expected = /status of (401|404)/;
      for (const [name, scene] of Object.entries({ "pausing, with a token": pausing, "the console, with a key": withKey })) {
        await run(`${size}: ${name}`, () => play(browser, { url, size, folder, name, expected, scene: (stage) => scene({ ...stage, key }) }));
      }
    } finally {
      server.kill();
    }
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}
