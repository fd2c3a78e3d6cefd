// web.mjs URL PART FOLDER - a browser clicks through the page at URL. PART is "story" (a model that
// writes on and on), or "hostile" (the parrot of web.sh behind an API key). Pictures go to FOLDER.
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const { chromium } = createRequire(path.resolve("build/npm/node_modules/"))("playwright-core");
const [target, part, folder] = process.argv.slice(2);
let passed = 0, failed = 0;
function check(what, ok, seen) {
    if (ok) { passed++; return; }
    failed++;
    console.log(`FAILED ${what}: ${JSON.stringify(seen)?.slice(0, 400)}`);
}
const same = (what, seen, wanted) => check(what, JSON.stringify(seen) === JSON.stringify(wanted), seen);

// Between browser and server: answers can be slowed down, and what was asked for is remembered.
let delay = 0, given = 0, cut = 0;
const asked = [];
const between = http.createServer((req, res) => {
    let body = "";
    req.on("data", d => { body += d; });
    req.on("end", () => {
        asked.push({ path: req.url, body });
        const up = http.request(target + req.url, { method: req.method, headers: req.headers }, async from => {
            res.writeHead(from.statusCode, from.headers);
            for await (const data of from) {
                for (const event of delay ? data.toString().split(/(?<=\n\n)/) : [data]) {
                    if (delay) await new Promise(done => setTimeout(done, delay));
                    res.write(event);
                }
            }
            given++;
            res.end();
        });
        up.on("error", () => res.destroy());
        res.on("close", () => { if (!res.writableEnded) { cut++; up.destroy(); } });
        up.end(body);
    });
});
await new Promise(done => between.listen(0, "127.0.0.1", done));
const url = `http://127.0.0.1:${between.address().port}/`;
const last = where => asked.filter(a => a.path === where).at(-1);

const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const troubles = [], elsewhere = [];
async function open(options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(60000);
    page.on("pageerror", e => troubles.push(String(e)));
    page.on("console", m => {
        if (m.type() === "error" && !/status of (400|401)/.test(m.text())) troubles.push(m.text());
    });
    page.on("request", r => { if (!r.url().startsWith(url) && !r.url().startsWith("data:")) elsewhere.push(r.url()); });
    await page.goto(url);
    return page;
}
const picture = (page, name) => page.screenshot({ path: path.join(folder, `web-${name}.png`) });
const answered = page => page.waitForSelector("#chat-send:not(.stop)");
const text = (page, at) => page.locator(at).innerText();

async function story() {
    const page = await open();
    await page.waitForFunction(() => document.querySelector("#model").value === "default");
    await picture(page, "welcome-light");
    check("the page says what it serves", /context/.test(await text(page, ".welcome p")), await text(page, ".welcome p"));

    // Settings are asked for by name, sent, and still there after a reload.
    await page.getByRole("button", { name: "Settings", exact: true }).click();
    await page.getByLabel("System prompt").fill("You are a bard.");
    await page.getByLabel("Temperature", { exact: true }).fill("0.5");
    await page.getByLabel("Longest answer").fill("24");
    await page.getByLabel("Seed").fill("7");
    await picture(page, "settings-light");
    await page.reload();
    await page.getByRole("button", { name: "Settings", exact: true }).click();
    same("settings outlive a reload", [await page.getByLabel("System prompt").inputValue(),
        await page.getByLabel("Temperature", { exact: true }).inputValue()], ["You are a bard.", "0.5"]);
    await page.keyboard.press("Escape");
    check("Escape closes the settings", await page.locator("#settings").isHidden());

    const input = page.getByLabel("Message");
    await input.click();
    await page.keyboard.type("Tell me");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("a story.");
    await page.keyboard.press("Enter");
    await answered(page);
    const sent = JSON.parse(last("/v1/chat/completions").body);
    same("what was sent", [sent.messages, sent.temperature, sent.max_tokens, sent.seed, sent.stream, sent.top_p], [
        [{ role: "system", content: "You are a bard." }, { role: "user", content: "Tell me\na story." }],
        0.5, 24, 7, true, undefined]);
    const first = await text(page, ".turn.assistant .prose");
    const stats = await text(page, ".turn.assistant .stats");
    check("tokens are counted", /^\d+ tokens? · [\d.,]+ tokens\/s · first after .* · prompt \d+/.test(stats), stats);
    check("the context is shown", /\d+ of \d+ tokens/.test(await text(page, "#context")));

    await page.getByRole("button", { name: "Regenerate" }).click();
    await answered(page);
    same("regenerating with a seed gives the same", await text(page, ".turn.assistant .prose"), first);
    same("and takes its place", await page.locator(".turn").count(), 2);

    // Stopping: by key and by button; the server is told by the connection's end.
    delay = 60;
    for (const how of ["Escape", "button"]) {
        const before = cut;
        await input.fill("And another?");
        await page.keyboard.press("Enter");
        await page.waitForFunction(() => document.querySelector(".turn:last-child .prose")?.textContent.length > 3);
        if (how === "Escape") {
            await picture(page, "streaming-light");
            await page.keyboard.press("Escape");
        } else {
            await page.getByRole("button", { name: "Stop" }).click();
        }
        await answered(page);
        check(`${how} stops`, /stopped/.test(await text(page, ".turn:last-child .stats")));
        check(`${how} keeps what was said`, (await text(page, ".turn:last-child .prose")).length > 3);
        for (let i = 0; i < 100 && cut === before; i++) await page.waitForTimeout(20);
        check(`${how} ends the request`, cut > before, cut);
    }
    delay = 0;

    // Deleting and editing.
    let n = await page.locator(".turn").count();
    await page.locator(".turn:last-child").getByRole("button", { name: "Delete" }).click();
    same("one turn less", await page.locator(".turn").count(), --n);
    await page.locator(".turn").first().hover();
    await page.locator(".turn").first().getByRole("button", { name: "Edit" }).click();
    await page.getByLabel("Text of this turn").fill("A shorter question");
    await page.getByRole("button", { name: "Save and send" }).click();
    await answered(page);
    same("an edited question is asked anew", JSON.parse(last("/v1/chat/completions").body).messages.at(-1).content,
        "A shorter question");
    same("what came after it is gone", await page.locator(".turn").count(), 2);
    await page.reload();
    same("the chat outlives a reload", await page.locator(".turn").count(), 2);

    // What the server refuses, and what the page refuses itself.
    await page.getByLabel("Message").fill("x".repeat(40000));
    await page.getByLabel("Message").press("Enter");
    await answered(page);
    check("the server's error is shown", /context/.test(await text(page, ".turn .error")), await text(page, ".turn .error"));
    await page.getByRole("button", { name: "Settings", exact: true }).click();
    await page.getByLabel("Temperature", { exact: true }).fill("99");
    await page.getByLabel("Message").fill("Hello");
    await page.getByLabel("Message").press("Enter");
    await answered(page);
    check("a wrong setting is named", /Temperature must be/.test(await text(page, ".turn:last-child .error")));
    await page.getByRole("button", { name: "Back to the server's own values" }).click();
    same("and can be put right", await page.getByLabel("Temperature", { exact: true }).inputValue(), "");
    await page.getByLabel("Longest answer").fill("40");
    await page.getByRole("button", { name: "New chat" }).click();
    same("a new chat is empty", await page.locator(".turn").count(), 0);
    await page.getByRole("button", { name: "Close the settings" }).click();

    // Colours.
    await page.getByRole("button", { name: "Dark colours" }).click();
    await page.getByRole("button", { name: "Tell me a short story" }).click();
    await answered(page);
    same("dark", await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(19, 20, 23)");
    await picture(page, "chat-dark");

    // The other tabs, by keyboard.
    await page.getByRole("tab", { name: "Chat" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.getByRole("button", { name: "Complete" }).click();
    await page.waitForFunction(() => /token/.test(document.querySelector("#completion-stats").textContent));
    const all = await text(page, "#completion-output");
    check("a completion goes on from the prompt", all.startsWith("Once upon a time") && all.length > 30, all);
    await picture(page, "completion-dark");
    await page.getByRole("button", { name: "Take into the prompt" }).click();
    same("it can go on from there", (await page.getByLabel("Prompt").first().inputValue()).trim(), all.trim());
    await page.getByRole("tab", { name: "Completion" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.locator("#token-text").fill("Once upon a time\n\u{1f600} <b>é</b>");
    await page.waitForFunction(() => document.querySelectorAll(".piece").length > 6);
    await page.waitForFunction(() => /<b>/.test(JSON.stringify([...document.querySelectorAll(".piece b")].map(b => b.textContent).join(""))));
    const ids = (await page.locator(".piece small").allInnerTexts()).map(Number);
    const direct = await (await fetch(target + "/tokenize", {
        method: "POST", headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ text: "Once upon a time\n\u{1f600} <b>é</b>" }),
    })).json();
    same("the ids are those of /tokenize", ids, direct.token_ids);
    check("pieces are coloured", new Set(await page.locator(".piece").evaluateAll(all => all.map(e => getComputedStyle(e).backgroundColor))).size > 3);
    await picture(page, "tokenizer-dark");
    await page.getByRole("button", { name: "Light colours" }).click();
    await picture(page, "tokenizer-light");
    await page.getByRole("tab", { name: "Completion" }).click();
    await picture(page, "completion-light");

    // A phone: everything within reach, nothing beyond the edge.
    const phone = await open({ viewport: { width: 375, height: 700 }, colorScheme: "dark", hasTouch: true, isMobile: true });
    await phone.getByRole("button", { name: "Tell me a short story" }).click();
    await answered(phone);
    same("no sideways scrolling", await phone.evaluate(() => document.documentElement.scrollWidth), 375);
    await picture(phone, "phone-dark");
    await phone.getByRole("button", { name: "Settings", exact: true }).click();
    await phone.waitForTimeout(100);
    await picture(phone, "phone-settings-dark");
    same("settings fit", await phone.evaluate(() => document.documentElement.scrollWidth), 375);
}

async function hostile() {
    const page = await open();
    await page.getByLabel("API key").waitFor();
    check("the page asks for a key", await page.getByLabel("API key").isVisible());
    await page.getByLabel("Message").fill("Hello");
    await page.getByLabel("Message").press("Enter");
    await page.waitForSelector(".turn .error");
    check("without it there is no answer", /API key/.test(await text(page, ".turn .error")));
    await page.getByLabel("API key").fill("secret");
    await page.getByLabel("API key").press("Tab");
    await page.waitForFunction(() => document.querySelector("#model").value === "default");
    await page.getByRole("button", { name: "Close the settings" }).click();
    delay = 20;
    await page.getByRole("button", { name: "Try again" }).click();
    await answered(page);
    delay = 0;
    const seen = await page.evaluate(() => {
        const said = document.querySelector(".turn.assistant .prose");
        const all = [...said.querySelectorAll("*")];
        return {
            tags: [...new Set(all.map(e => e.tagName))].sort(),
            handlers: all.flatMap(e => e.getAttributeNames()).filter(n => n.startsWith("on")),
            links: [...said.querySelectorAll("a")].map(a => [a.textContent, a.getAttribute("href"), a.rel, a.target]),
            hacked: window.hacked ?? null,
            items: [...said.querySelectorAll("li")].length,
            deep: said.querySelectorAll("li li").length,
            cells: [...said.querySelectorAll("td")].map(e => e.textContent),
            codes: [...said.querySelectorAll("pre code")].map(e => e.textContent),
            heading: said.querySelector("h3")?.textContent,
            text: said.textContent,
        };
    });
    same("elements the page makes, no others", seen.tags.filter(t => !["A", "BLOCKQUOTE", "BR", "BUTTON", "CODE", "DIV",
        "EM", "H3", "LI", "P", "PRE", "SPAN", "STRONG", "TABLE", "TBODY", "TD", "TH", "THEAD", "TR", "UL"].includes(t)), []);
    same("no handlers", seen.handlers, []);
    same("nothing ran", seen.hacked, null);
    check("script is text", seen.text.includes("<script>window.hacked=1</script>") && seen.text.includes("onerror="), seen.text);
    const safe = "noopener noreferrer nofollow";
    same("only web addresses are links", seen.links, [["fine", "https://example.org/a?b=1&c=2", safe, "_blank"],
        ["picture", "http://elsewhere.example/p.png", safe, "_blank"],
        ["https://example.net/x", "https://example.net/x", safe, "_blank"]]);
    check("other addresses are text", seen.text.includes("[click](javascript:window.hacked=3)"), seen.text);
    same("lists", [seen.items, seen.deep], [3, 1]);
    same("tables", seen.cells, ["1", "<b>2</b>"]);
    same("code", seen.codes, ["<script>window.hacked=4</script>", "int main(void) {\n    return 42; // done\n}"]);
    same("a heading", seen.heading, "A heading");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Copy the code" }).last().click();
    same("copied code", await page.evaluate(() => navigator.clipboard.readText()), seen.codes[1]);
    await page.locator("#chat-scroll").evaluate(e => { e.scrollTop = 0; });
    await picture(page, "markdown-light");
    await page.getByRole("button", { name: "Dark colours" }).click();
    await picture(page, "markdown-dark");
    // What a user writes is no markup at all.
    await page.getByLabel("Message").fill("<img src=x onerror=window.hacked=5> **no**");
    await page.getByLabel("Message").press("Enter");
    await answered(page);
    same("a question is text", await page.locator(".turn.user .said").last().evaluate(e => [e.children.length, e.textContent]),
        [0, "<img src=x onerror=window.hacked=5> **no**"]);
    same("nothing ran at all", await page.evaluate(() => window.hacked ?? null), null);
}

try {
    await (part === "story" ? story() : hostile());
} catch (e) {
    check("to the end", false, String(e.message));
}
same("no error in the page", troubles, []);
same("no request leaves the server", elsewhere, []);
await browser.close();
between.closeAllConnections();
between.close();
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
