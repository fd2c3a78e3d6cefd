// Tools through OpenAI's client: node tools_openai.mjs URL
import { check, done, load, tools, url } from "./client.mjs";

const { default: OpenAI } = await load("openai");
const client = new OpenAI({ baseURL: url + "/v1", apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "How is the weather in Paris?" }];
const request = { model: "default", messages, tools: tools.map(f => ({ type: "function", function: f })) };
const good = calls => calls?.length === 2 && calls[0].function.name === "weather" &&
    JSON.parse(calls[0].function.arguments).city === "Paris" && calls[1].function.name === "clock" &&
    calls[0].id && calls[0].id !== calls[1].id;

const whole = (await client.chat.completions.create(request)).choices[0];
check("two calls in parallel", good(whole.message.tool_calls), whole);
check("the text in front of them", whole.message.content === "Let me see.", whole.message);
check("why it ended", whole.finish_reason === "tool_calls", whole);

const streamed = (await client.chat.completions.stream(request).finalChatCompletion()).choices[0];
check("the same as a stream", good(streamed.message.tool_calls) &&
    streamed.message.content === "Let me see." && streamed.finish_reason === "tool_calls", streamed);

const none = (await client.chat.completions.create({ ...request, tool_choice: "none" })).choices[0];
check("none when none is wanted", !none.message.tool_calls && none.finish_reason === "stop", none);

const next = await client.chat.completions.create({
    ...request,
    messages: [...messages, whole.message,
        { role: "tool", tool_call_id: whole.message.tool_calls[0].id, content: "Sunny" }],
});
check("the result goes back", next.choices.length === 1, next);

const log = [];
const runner = client.chat.completions.runTools({
    model: "default", messages,
    tools: [{ type: "function", function: { ...tools[0], parse: JSON.parse, function: args => { log.push(args.city); return "Sunny"; } } }],
}, { maxChatCompletions: 1 });
await runner.done().catch(() => {});
check("the client's own runner calls the function", log[0] === "Paris", log);

const flat = { model: "default", input: "How is the weather?", tools: tools.map(f => ({ type: "function", strict: null, ...f })) };
const calls = output => output.filter(o => o.type === "function_call").map(o => o.name + o.arguments).join();
const response = await client.responses.create(flat);
check("a response with text and calls", response.output_text === "Let me see." && response.status === "completed" &&
    calls(response.output) === 'weather{"city":"Paris"},clock{}', response);
const pieces = client.responses.stream(flat);
let heard = "";
pieces.on("response.output_text.delta", e => heard += e.delta);
const put = await pieces.finalResponse();
check("the same as a stream", heard === "Let me see." && calls(put.output) === calls(response.output), put);
done();
