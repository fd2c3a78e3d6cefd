// lambda.mjs PROGRAM - `PROGRAM lambda` against an emulator of AWS Lambda's runtime API: every kind
// of event, streaming, deadlines, hostile events, failures. Each exchange is printed.
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";

const program = path.resolve(process.argv[2]);
let passed = 0, failed = 0;
function check(what, ok, seen) {
    if (ok) { passed++; return; }
    failed++;
    console.log(`FAILED ${what}: ${JSON.stringify(seen)?.slice(0, 600)}`);
}
const same = (what, seen, wanted) => check(what, JSON.stringify(seen) === JSON.stringify(wanted), seen);
const brief = text => text.toString("latin1").replace(/[^ -~]+/g, " ").slice(0, 90);

// The emulator: `waiting` is the program's call for work, `told` takes what it says of an event.
let waiting = null, told = null, polls = 0, verdict = 202, hangUp = false;
const initErrors = [];
const api = http.createServer((req, res) => {
    const pieces = [];
    req.on("data", d => { pieces.push(d); });
    req.on("error", () => {});
    req.on("end", () => {
        const body = Buffer.concat(pieces), answer = { url: req.url, headers: req.headers, body, pieces: pieces.length, trailers: req.trailers };
        if (hangUp) res.setHeader("Connection", "close");
        if (req.url === "/2018-06-01/runtime/invocation/next") {
            polls++;
            waiting = res;
            nextPoll?.();
        } else if (req.url === "/2018-06-01/runtime/init/error") {
            initErrors.push(JSON.parse(body.toString()));
            res.writeHead(202).end("{}");
        } else {
            const code = verdict;
            verdict = 202;
            res.writeHead(code).end("{}");
            if (code === 202) told?.(answer);
        }
    });
});
await new Promise(done => api.listen(0, "127.0.0.1", done));
const place = `127.0.0.1:${api.address().port}`;
let nextPoll = null;
const polled = async () => {
    if (!waiting) await new Promise(done => { nextPoll = done; });
    nextPoll = null;
};

let child = null, errors = "", ended = null;
function start(args, more = {}, name = program) {
    const env = { ...process.env, AWS_LAMBDA_RUNTIME_API: place, ...more };
    waiting = null;
    errors = "";
    child = spawn(name, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    child.stderr.on("data", d => { errors += d; });
    ended = new Promise(done => child.on("close", (code, signal) => done(code ?? signal)));
}
const within = (what, promise) => Promise.race([promise, ended.then(code => { throw new Error(`${what}: the program ended with ${code}: ${errors}`); }),
    new Promise((_, no) => { setTimeout(() => no(new Error(what + ": nothing for 60 s")), 60000).unref(); })]);

let number = 0;
// Give one event, text or JSON, and take what comes of it.
async function give(event, { left = 60000, trace = "Root=1-5759e988-bd862e3fe1be46a994272793" } = {}) {
    await within("polling", polled());
    const id = `8476a536-e9f4-11e8-9739-${String(++number).padStart(12, "0")}`, res = waiting;
    const answered = new Promise(done => { told = done; });
    waiting = null;
    res.writeHead(200, {
        "Lambda-Runtime-Aws-Request-Id": id, "Lambda-Runtime-Deadline-Ms": String(Date.now() + left),
        "Lambda-Runtime-Trace-Id": trace, "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:story",
    });
    const text = typeof event === "string" ? event : JSON.stringify(event);
    res.end(text);
    const a = await within("answer", answered);
    same(`event ${number} is answered under its id`, a.url.split("/")[4], id);
    a.what = a.url.split("/")[5];
    try { a.json = JSON.parse(a.body.toString()); } catch { a.json = null; }
    console.log(`  ${brief(Buffer.from(text))}\n    -> ${a.what}: ${brief(a.body)}`);
    return a;
}
const v2 = (method, rawPath, more = {}) => ({
    version: "2.0", routeKey: "$default", rawPath, rawQueryString: "", headers: { "content-type": "application/json", host: "abc.lambda-url.eu-central-1.on.aws" },
    requestContext: { http: { method, path: rawPath, protocol: "HTTP/1.1" }, stage: "$default" }, isBase64Encoded: false, ...more,
});
const v1 = (method, where, more = {}) => ({
    resource: "/{proxy+}", path: where, httpMethod: method, headers: { "Content-Type": "application/json" },
    multiValueHeaders: { "Content-Type": ["application/json"], Accept: ["*/*", "text/plain"] }, queryStringParameters: null,
    multiValueQueryStringParameters: null, requestContext: { stage: "prod", httpMethod: method }, body: null, isBase64Encoded: false, ...more,
});
const alb = (method, where, more = {}) => ({
    requestContext: { elb: { targetGroupArn: "arn:aws:elasticloadbalancing:x" } }, httpMethod: method, path: where,
    queryStringParameters: {}, headers: { "content-type": "application/json", host: "lb" }, body: "", isBase64Encoded: false, ...more,
});
const prompt = { prompt: "Once upon a time", max_tokens: 5 };

async function plainEvents() {
    const one = await give(prompt);
    check("a prompt", one.what === "response" && one.json.num_generated === 5 && one.json.text.startsWith("Once upon a time"), one.json);
    same("text to ids", (await give({ text: "Once upon a time" })).json.num_tokens, 7);
    same("a route by path", (await give({ path: "/health" })).json.status, "healthy");
    check("a route by path, with a body", (await give({ path: "/detokenize", body: { token_ids: [317] } })).json.text.includes("On"));
    check("metrics are text", /realizar_requests_total/.test((await give({ action: "metrics" })).json));
    const chat = await give({ messages: [{ role: "user", content: "Hello" }], max_tokens: 4 });
    same("a chat", chat.json.object, "chat.completion");
    const envelope = await give({ body: Buffer.from(JSON.stringify(prompt)).toString("base64"), isBase64Encoded: true });
    same("a bare envelope is the same as what is in it", envelope.json.text, one.json.text);

    for (const [what, event, type, text] of [
        ["an empty prompt", { prompt: "" }, "HTTP.400", "Prompt cannot be empty"],
        ["an unknown route", { path: "/nothing" }, "HTTP.404", "Not found: /nothing"],
        ["no request in it", { hello: 1 }, "Runtime.BadEvent", "no request in it"],
        ["a list", [1], "Runtime.BadEvent", "must be an object"],
        ["no JSON", "{\"prompt\":", "Runtime.BadEvent", "event: "],
        ["nothing", "", "Runtime.BadEvent", "event: "],
        ["too deep", "[".repeat(5000), "Runtime.BadEvent", "event: "],
        ["bytes", "\u0000\u0001\u00ff", "Runtime.BadEvent", "event: "],
        ["a body that is no base64", { body: "***", isBase64Encoded: true }, "Runtime.BadEvent", "base64"],
        ["a path of another kind", { path: 5 }, "Runtime.BadEvent", "must be a string"],
        ["a path that is a request", { path: "/x HTTP/1.1\r\nX: y\r\n\r\nGET /health" }, "HTTP.404", "Not found: /x%20HTTP/1.1%0D%0AX:"],
        ["a method that is none", { path: "/health", method: "GET /" }, "Runtime.BadEvent", "method"],
    ]) {
        const a = await give(event);
        check(what, a.what === "error" && a.json.errorType === type && a.json.errorMessage.includes(text) &&
            a.headers["lambda-runtime-function-error-type"] === type, [a.what, a.json, a.headers]);
    }
    const late = await give({ ...prompt, max_tokens: 180, ignore_eos: true }, { left: -5 });
    same("no time left", [late.what, late.json.errorType], ["error", "Sandbox.Timedout"]);
}

async function envelopes() {
    const health = (await give(v2("GET", "/health"))).json;
    same("function URL", [health.statusCode, health.headers["Content-Type"], health.isBase64Encoded, JSON.parse(health.body).status],
        [200, "application/json", false, "healthy"]);
    check("no header of the connection", !Object.keys(health.headers).some(n => /^(connection|content-length|transfer-encoding)$/i.test(n)), health.headers);
    const coded = (await give(v2("POST", "/generate", { body: Buffer.from(JSON.stringify(prompt)).toString("base64"), isBase64Encoded: true }))).json;
    same("a body in base64", [coded.statusCode, JSON.parse(coded.body).num_generated], [200, 5]);
    same("a named stage", (await give(v2("GET", "/prod/health", { requestContext: { http: { method: "GET" }, stage: "prod" } }))).json.statusCode, 200);
    same("a stage is a whole step", (await give(v2("GET", "/production", { requestContext: { http: { method: "GET" }, stage: "prod" } }))).json.statusCode, 404);
    same("query and cookies", (await give(v2("GET", "/health", { rawQueryString: "a=b&c=%20d", cookies: ["a=b", "c=d"] }))).json.statusCode, 200);
    const head = (await give(v2("HEAD", "/health"))).json;
    same("HEAD", [head.statusCode, head.body], [200, ""]);
    check("an escaped path", (await give(v2("GET", "/v1/models/a%20b"))).json.body.includes("'a%20b' not found"));
    const page = (await give(v2("GET", "/"))).json;
    check("the page", page.headers["Content-Type"] === "text/html; charset=utf-8" && page.body.startsWith("<!doctype html>") && page.headers.ETag, page.headers);
    same("which is known", (await give(v2("GET", "/", { headers: { "if-none-match": page.headers.ETag } }))).json.statusCode, 304);
    const stream = (await give(v2("POST", "/v1/chat/completions", {
        body: JSON.stringify({ messages: [{ role: "user", content: "Hi" }], stream: true, max_tokens: 4 }) }))).json;
    check("a stream comes whole", stream.headers["Content-Type"].startsWith("text/event-stream") && stream.body.endsWith("data: [DONE]\n\n"), stream);
    same("an error of a route", (await give(v2("POST", "/generate", { body: "{}" }))).json.statusCode, 422);

    const rest = (await give(v1("POST", "/tokenize", { body: JSON.stringify({ text: "a" }) }))).json;
    same("API Gateway, REST", [rest.statusCode, JSON.parse(rest.body).num_tokens], [200, 1]);
    same("its query", (await give(v1("GET", "/health", { multiValueQueryStringParameters: { "a b": ["1&2", "3"] } }))).json.statusCode, 200);
    const balanced = (await give(alb("GET", "/health"))).json;
    same("a load balancer", [balanced.statusCode, balanced.statusDescription, balanced.headers["Content-Type"]], [200, "200 OK", "application/json"]);
    const lists = (await give(alb("GET", "/nothing", { headers: undefined, multiValueHeaders: { accept: ["a", "b"] }, multiValueQueryStringParameters: { a: ["b%20c"] } }))).json;
    same("with lists of headers", [lists.statusCode, lists.statusDescription, lists.multiValueHeaders["Content-Type"]], [404, "404 Not Found", ["application/json"]]);

    for (const [what, event, code] of [
        ["a body that is no base64", v2("POST", "/generate", { body: "!", isBase64Encoded: true }), 400],
        ["a header with a line break", v2("GET", "/health", { headers: { a: "b\r\nX-Api-Key: c" } }), 400],
        ["a header's name with a line break", v2("GET", "/health", { headers: { "a\r\nb": "c" } }), 400],
        ["a header that is a number", v2("GET", "/health", { headers: { a: 5 } }), 400],
        ["headers that are a list", v1("GET", "/health", { headers: [1], multiValueHeaders: null }), 400],
        ["a method in small letters", v1("get", "/health"), 400],
        ["a path of another kind", v1("GET", 5), 400],
        ["a path with a request in it", v1("GET", "/health HTTP/1.1\r\nA: b"), 404],
        ["a length that is not the body's", v2("POST", "/tokenize", { headers: { "content-type": "application/json", "content-length": "9999", "transfer-encoding": "chunked" }, body: "{\"text\":\"a\"}" }), 200],
        ["too many headers", v2("GET", "/health", { headers: Object.fromEntries([...Array(200)].map((_, i) => ["h" + i, "v"])) }), 431],
        ["a body beyond the server's limit", v2("POST", "/tokenize", { body: "x".repeat(9 << 20) }), 413],
    ]) {
        const a = await give(event);
        check(what, a.what === "response" && a.json?.statusCode === code, [a.what, a.json]);
    }
    const late = await give(v2("POST", "/generate", { body: JSON.stringify({ ...prompt, max_tokens: 180 }) }), { left: 0 });
    same("no time left", [late.what, late.json.statusCode], ["response", 504]);
    verdict = 413;
    same("an answer Lambda finds too long", (await give(v2("GET", "/health"))).json.errorType, "Function.ResponseSizeTooLarge");
    hangUp = true;
    same("the API closes its connection", (await give(prompt)).what, "response");
    hangUp = false;
    same("and takes another", (await give(prompt)).what, "response");
}

async function streaming() {
    const body = { messages: [{ role: "user", content: "Hi" }], stream: true, max_tokens: 20, ignore_eos: true };
    const a = await give(v2("POST", "/v1/chat/completions", { body: JSON.stringify(body) }));
    same("streaming is said", [a.headers["lambda-runtime-function-response-mode"], a.headers["content-type"], a.headers["transfer-encoding"]],
        ["streaming", "application/vnd.awslambda.http-integration-response", "chunked"]);
    const zeros = a.body.indexOf(Buffer.alloc(8)), prelude = JSON.parse(a.body.subarray(0, zeros).toString());
    same("status and headers go before", [prelude.statusCode, prelude.headers["Content-Type"].split(";")[0], prelude.cookies], [200, "text/event-stream", []]);
    const text = a.body.subarray(zeros + 8).toString();
    check("then the stream as it is", text.startsWith("data: {") && text.endsWith("data: [DONE]\n\n") && text.split("data: ").length > 10, text);
    check("in pieces", a.pieces > 1, a.pieces);
    same("no trailer when all is well", a.trailers, {});
    const whole = await give(v2("GET", "/health"));
    check("what is no stream too", whole.body.includes(Buffer.alloc(8)) && whole.body.toString().endsWith("}"));
    const plain = await give({ ...prompt, path: "/stream/generate", body: prompt });
    check("a plain event has no prelude", plain.headers["content-type"].startsWith("text/event-stream") && plain.body.toString().startsWith("event: token"), plain.headers);
    same("a plain event's error is an error", (await give({ prompt: "" })).json.errorType, "HTTP.400");
    same("a bad event in its envelope", (await give(v2("GET", "/", { headers: { a: 1 } }))).json.statusCode, 400);

    // 256 answers one after the other take seconds; the time is over before.
    const long = { prompt: Array(256).fill("Once"), stream: true, max_tokens: 180, ignore_eos: true };
    const late = await give(v2("POST", "/v1/completions", { body: JSON.stringify(long) }), { left: 1100 });
    same("time over in the middle", late.trailers["lambda-runtime-function-error-type"], "Sandbox.Timedout");
    const why = JSON.parse(Buffer.from(late.trailers["lambda-runtime-function-error-body"] ?? "e30=", "base64").toString());
    same("the trailer says why", [why.errorType, why.errorMessage], ["Sandbox.Timedout", "the deadline has passed"]);
    same("the next event is answered", (await give({ path: "/health" })).what, "response");
}

try {
    let began = performance.now();
    start(["lambda", "--demo"]);
    await within("start", polled());
    console.log(`from start to the first call for work: ${(performance.now() - began).toFixed(1)} ms`);
    await plainEvents();
    await envelopes();
    await polled();
    child.kill("SIGTERM");
    same("SIGTERM while it waits", await ended, 0);

    start(["lambda", "--demo", "--streaming", "--parallel", "1"]);
    await streaming();
    await polled();
    child.kill("SIGTERM");
    same("SIGTERM", await ended, 0);

    // As a package's bootstrap: no arguments.
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "realizar-lambda-")), bootstrap = path.join(folder, "bootstrap");
    fs.symlinkSync(program, bootstrap);
    began = performance.now();
    start([], { _HANDLER: "demo", REALIZAR_API_KEY: "secret" }, bootstrap);
    same("a key is needed", (await give(v2("GET", "/models"))).json.statusCode, 401);
    same("and taken", (await give(v2("GET", "/models", { headers: { authorization: "Bearer secret" } }))).json.statusCode, 200);
    child.kill("SIGTERM");
    await ended;
    start([], { _HANDLER: "x", REALIZAR_ARGS: "--demo  --model-id story" }, bootstrap);
    same("arguments from the environment", (await give({ path: "/models" })).json.models[0].id, "story");
    // The API is out of order: Lambda wants the process to end.
    await polled();
    waiting.writeHead(500).end("{}");
    waiting = null;
    await polled();
    waiting.writeHead(500).end("{}");
    same("a broken API ends it", await ended, 1);
    check("with its reason", /answered 500 to next/.test(errors), errors);
    for (const [args, env, why] of [[["lambda", "none.gguf"], {}, /none\.gguf/], [[], { _HANDLER: "none.gguf" }, /none\.gguf/],
        [[], { REALIZAR_ARGS: "--demo --nonsense" }, /nonsense/]]) {
        initErrors.length = 0;
        start(args, env, args.length ? program : bootstrap);
        check("a failing start ends it", await ended > 0);
        check("which the API is told", initErrors.length === 1 && initErrors[0].errorType === "Runtime.InitFailed" &&
            why.test(initErrors[0].errorMessage), initErrors);
    }
    fs.rmSync(folder, { recursive: true });
} catch (e) {
    check("to the end", false, e.message);
    child?.kill("SIGKILL");
}
api.closeAllConnections();
api.close();
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
