// A server of the demo, a browser, and a page that is watched: what it logs, where it asks, whether it can be used by all.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export async function serve(binary, flags = ["serve", "--demo"]) {
  const server = spawn(binary, [...flags, "--listen", "127.0.0.1:0"], { stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface({ input: server.stderr })) {
    const url = line.match(/^listening on (.*)$/)?.[1];
    if (url) {
      // Whatever it says afterwards is not needed, and must not fill the pipe.
      server.stderr.resume();
      return { server, url };
    }
  }
  throw new Error("the server did not start");
}

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

export const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

// Opens a page in a browser of its own (no storage of another scene) and plays a scene on it.
export async function play(browser, { url, size, folder, name, scene, expected = null }) {
  const context = await browser.newContext({ viewport: SIZES[size], reducedMotion: "reduce", acceptDownloads: true });
  // While working on the pages: their files as they are, without building anew. Headers stay the server's own.
  if (process.env.PAGES) {
    await context.route(/\/(assets\/.*|feed|interests|console)$/, async (route) => {
      const response = await route.fetch();
      const name = new URL(route.request().url()).pathname.replace(/^\/(assets\/)?/, "");
      const body = response.ok() ? readFileSync(`${process.env.PAGES}/${name.includes(".") ? name : `${name}.html`}`) : await response.body();
      await route.fulfill({ response, body });
    });
  }
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const troubles = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && !expected?.test(message.text()) && troubles.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => troubles.push(`error: ${error}`));
  page.on("request", (request) => { if (!request.url().startsWith(`${url}/`) && !/^(data|blob):/.test(request.url())) troubles.push(`a request to ${request.url()}`); });
  page.on("response", (response) => { if (response.status() >= 500) troubles.push(`${response.status()} from ${response.url()}`); });
  const stage = {
    page, url, size,
    shot: (what) => page.screenshot({ path: `${folder}/${size}-${what}.png`, fullPage: true }),
    ready: async (path) => {
      await page.goto(url + path);
      await page.locator("body[data-ready]").waitFor();
    },
    // Light and dark, and without a sideways scroll, also where 320 pixels are all there is.
    accessible: async (what) => {
      for (const colorScheme of ["dark", "light"]) {
        await page.emulateMedia({ colorScheme });
        // The page's own policy forbids foreign scripts, so axe is put in by the debugger.
        const found = await page.evaluate(`${axe}; axe.run({ runOnly: ${JSON.stringify(RULES)} }).then((r) => r.violations.map((v) => v.impact + " " + v.id + ": " + v.nodes.map((n) => n.target.join(" ") + " (" + n.failureSummary.split("\\n")[1] + ")").join(", ")))`);
        assert.deepEqual(found, [], `${what}, ${colorScheme}`);
      }
      for (const width of [SIZES[size].width, 320]) {
        await page.setViewportSize({ ...SIZES[size], width });
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(over <= 0, `${what}: ${over} pixels too wide at ${width}`);
      }
      await page.setViewportSize(SIZES[size]);
    },
  };
  try {
    await scene(stage);
    assert.deepEqual(troubles, [], "console errors or requests elsewhere");
  } catch (error) {
    await stage.shot(`FAILED-${name.replaceAll(/\W+/g, "-")}`).catch(() => {});
    throw error;
  } finally {
    await context.close();
  }
}
