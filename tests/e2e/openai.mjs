// OpenAI's client against the server: node openai.mjs URL, with $OPENAI_PACKAGE the module's file.
import { pathToFileURL } from "node:url";

const { default: OpenAI } = await import(pathToFileURL(process.env.OPENAI_PACKAGE).href);
const client = new OpenAI({ baseURL: process.argv[2] + "/v1", apiKey: "none", maxRetries: 0 });
let passed = 0, failed = 0;
function check(what, good, found) {
    if (good) passed++;
    else {
        failed++;
        console.log("FAILED", what, JSON.stringify(found));
    }
}

const models = await client.models.list();
check("models are listed", models.data[0].id === "default", models);
check("one is found", (await client.models.retrieve("default")).object === "model");

const vectors = await client.embeddings.create({ model: "default", input: ["Once upon a time", "The dog"] });
check("texts become vectors", vectors.data.length === 2 && vectors.data[1].embedding.length === 96, vectors);
check("of length 1", Math.abs(vectors.data[0].embedding.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-5, vectors.data[0]);
const plain = await client.embeddings.create({ model: "default", input: "The dog", encoding_format: "float" });
check("as numbers or base64", plain.data[0].embedding.every((x, i) => Math.abs(x - vectors.data[1].embedding[i]) < 1e-7), plain);
const short = await client.embeddings.create({ model: "default", input: "The dog", dimensions: 8 });
check("shorter ones", short.data[0].embedding.length === 8 && short.usage.total_tokens > 0, short);

const messages = [{ role: "system", content: "Be brief." }, { role: "user", content: "Hello!" }];
const chat = await client.chat.completions.create({
    model: "default", messages, max_completion_tokens: 12, temperature: 0,
});
check("a chat answers", chat.choices[0].message.role === "assistant" &&
    typeof chat.choices[0].message.content === "string", chat);
check("usage adds up", chat.usage.prompt_tokens + chat.usage.completion_tokens ===
    chat.usage.total_tokens && chat.usage.completion_tokens === 12, chat.usage);
check("it has an id and a time", chat.id.startsWith("chatcmpl-") &&
    Math.abs(chat.created - Date.now() / 1000) < 60, chat);

let text = "", reason = null, usage = null, role = null;
const stream = await client.chat.completions.create({
    model: "default", messages, max_tokens: 12, temperature: 0, stream: true,
    stream_options: { include_usage: true },
});
for await (const chunk of stream) {
    if (chunk.usage) usage = chunk.usage;
    const choice = chunk.choices[0];
    if (!choice) continue;
    role ??= choice.delta.role;
    text += choice.delta.content ?? "";
    reason ??= choice.finish_reason;
}
check("a stream gives the same text", text === chat.choices[0].message.content, text);
check("it says who, why and how much", role === "assistant" && reason === "length" &&
    usage?.total_tokens === chat.usage.total_tokens, { role, reason, usage });

const helper = client.chat.completions.stream({ model: "default", messages, max_tokens: 12, temperature: 0 });
const final = await helper.finalChatCompletion();
check("the client's stream helper puts it together",
    final.choices[0].message.content === chat.choices[0].message.content, final);

const done = await client.completions.create({ model: "default", prompt: "Once upon a time", max_tokens: 6, temperature: 0, n: 2 });
check("a completion answers twice", done.choices.length === 2 &&
    done.choices[0].text === done.choices[1].text && done.choices[0].text.length > 0, done);
let pieces = "";
for await (const chunk of await client.completions.create({ model: "default", prompt: "Once upon a time", max_tokens: 6, temperature: 0, stream: true }))
    pieces += chunk.choices[0]?.text ?? "";
check("a streamed completion is the same", pieces === done.choices[0].text, pieces);

const stopped = await client.completions.create({ model: "default", prompt: "Once upon a time", max_tokens: 60, temperature: 0, stop: [" "] });
check("a stop text ends it", stopped.choices[0].finish_reason === "stop" &&
    !stopped.choices[0].text.includes(" "), stopped.choices);

const scored = await client.chat.completions.create({ model: "default", messages, max_tokens: 4, temperature: 0, logprobs: true, top_logprobs: 2 });
const list = scored.choices[0].logprobs.content;
check("log probabilities come with their tokens", list.length === 4 && list.every(t => t.logprob <= 0 &&
    t.top_logprobs.length === 2 && t.top_logprobs[0].token === t.token) &&
    list.map(t => t.token).join("") === scored.choices[0].message.content, list);
const older = await client.completions.create({ model: "default", prompt: "Once upon a time", max_tokens: 3, temperature: 0, logprobs: 2 });
check("and as completions had them", older.choices[0].logprobs.tokens.join("") === older.choices[0].text &&
    older.choices[0].logprobs.text_offset.length === 3 &&
    Object.keys(older.choices[0].logprobs.top_logprobs[0]).length === 2, older.choices[0].logprobs);
const three = await client.chat.completions.create({ model: "default", messages, max_tokens: 3, n: 3, seed: 1 });
check("three answers", three.choices.map(c => c.index).join() === "0,1,2", three.choices);

const shape = { type: "object", properties: { name: { type: "string", maxLength: 10 }, age: { type: "integer", minimum: 1, maximum: 99 },
    pets: { type: "array", items: { enum: ["cat", "dog"] }, minItems: 1, maxItems: 3 } }, required: ["name", "age", "pets"], additionalProperties: false };
for (const seed of [1, 2, 3]) {
    const shaped = await client.chat.completions.create({ model: "default", messages, seed, temperature: 1, max_tokens: 200,
        response_format: { type: "json_schema", json_schema: { name: "person", strict: true, schema: shape } } });
    const person = JSON.parse(shaped.choices[0].message.content);
    check("structured output fits its schema", shaped.choices[0].finish_reason === "stop" &&
        Object.keys(person).join() === "name,age,pets" && [...person.name].length <= 10 && Number.isInteger(person.age) &&
        person.age >= 1 && person.age <= 99 && person.pets.length >= 1 && person.pets.length <= 3 &&
        person.pets.every(p => p === "cat" || p === "dog"), shaped.choices[0]);
}
const object = await client.chat.completions.create({ model: "default", messages, max_tokens: 3,
    response_format: { type: "json_schema", json_schema: { name: "long", schema: { type: "string", minLength: 100 } } } });
check("what max_tokens cuts says so", object.choices[0].finish_reason === "length" &&
    object.choices[0].message.content.startsWith('"'), object.choices[0]);

for (const [what, run] of [
    ["an empty conversation", () => client.chat.completions.create({ model: "default", messages: [] })],
    ["a schema that is none", () => client.chat.completions.create({ model: "default", messages, response_format: { type: "json_schema", json_schema: { name: "x", schema: { type: "thing" } } } })],
]) {
    try {
        await run();
        check(what + " is refused", false, "it was not");
    } catch (e) {
        check(what + " is refused with its reason", e.status === 400 && e.type === "invalid_request_error" &&
            e.message.length > 10, { status: e.status, message: e.message });
    }
}

const aborted = await client.completions.create({ model: "default", prompt: "Once", max_tokens: 400, stream: true, ignore_eos: true });
for await (const chunk of aborted) {
    check("the first chunk before leaving", chunk.object === "text_completion", chunk);
    break;
}
check("the server is there after a client left", (await client.models.list()).data.length === 1);

console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
