// The seed's scenes, played by clicking, in real Chromium, on a phone and on a desktop:
// `node scenes.mjs BINARY FOLDER [PART OF A NAME]` writes screenshots to FOLDER.
import { mkdirSync } from "node:fs";
import { client } from "./client.mjs";
import { operator } from "./operator.scenes.mjs";
import { scenes as onFeed } from "./feed.scenes.mjs";
import { scenes as onPages } from "./pages.scenes.mjs";
import { SIZES, launch, play, serve } from "./stage.mjs";

const [binary, folder, only = ""] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const { server, url } = await serve(binary);
const browser = await launch();
let failed = 0;

async function run(name, work) {
  if (!name.includes(only)) return;
  const began = Date.now();
  try {
    await work();
    console.log(`ok      ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}

try {
  for (const size of Object.keys(SIZES)) {
    for (const [name, scene] of Object.entries({ ...onFeed, ...onPages })) {
      // A browser tells of every request that got no answer; where it is offline, that is what is looked for.
      const expected = name === "away" ? /ERR_INTERNET_DISCONNECTED/ : null;
      await run(`${size}: ${name}`, () => play(browser, { url, size, folder, name, scene, expected }));
    }
    await operator(binary, browser, run, size, folder);
  }
  await run("the official client", () => client(url));
} finally {
  await browser.close();
  server.kill();
}
console.log(failed ? `browser scenes: ${failed} failed` : "browser scenes: all played");
process.exitCode = failed ? 1 : 0;
