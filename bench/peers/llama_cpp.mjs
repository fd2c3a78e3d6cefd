// llama_cpp.mjs - one prefill and one decode by the llama.cpp inside the npm package
// node-llama-cpp: prints tokens per second of both. See llama_cpp.sh.
//
//   node llama_cpp.mjs FOLDER-OF-THE-PACKAGE MODEL.gguf THREADS PROMPT-TOKENS ANSWER-TOKENS
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const [folder, modelPath, ...numbers] = process.argv.slice(2);
const [threads, promptTokens, answerTokens] = numbers.map(Number);
const require = createRequire(path.join(path.resolve(folder), "here.js"));
const { getLlama } = await import(pathToFileURL(require.resolve("node-llama-cpp")).href);

const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads });
const model = await llama.loadModel({ modelPath, useMmap: true });
const context = await model.createContext({
    contextSize: promptTokens + answerTokens + 64,
    batchSize: 512,
    threads: { ideal: threads, min: threads },
});
const sequence = context.getSequence();
const tokens = (n, seed) => Array.from({ length: n }, (_, i) => 300 + ((i * 37 + seed) % 20000));

// Warm-up: the pages of the file, the threads.
await sequence.evaluateWithoutGeneratingNewTokens(tokens(32, 1));
await sequence.clearHistory();

let start = performance.now();
await sequence.evaluateWithoutGeneratingNewTokens(tokens(promptTokens, 2));
const prefill = (promptTokens * 1000) / (performance.now() - start);

// The first token that comes is counted from the one before it, so the clock starts there.
let made = -1;
for await (const token of sequence.evaluate(tokens(1, 3), { temperature: 0 })) {
    if (++made === 0) start = performance.now();
    if (made === answerTokens || token === undefined) break;
}
const decode = (made * 1000) / (performance.now() - start);
console.log(prefill.toFixed(2), decode.toFixed(2));
process.exit(0);
