// One peer over the documents of a text: "MB/s ids hash", the hash as bench_tok's.
//   node tokenizers.mjs tiktoken|hf NAME|TOKENIZER.JSON TEXT OFFSETS
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../build/peers/node_modules/x.js', import.meta.url));
const [kind, what, textPath, offsetsPath] = process.argv.slice(2);
const bytes = readFileSync(textPath);
const at = readFileSync(offsetsPath, 'utf8').trim().split('\n').map(Number);
const documents = at.slice(0, -1).map((from, i) => bytes.subarray(from, at[i + 1]).toString('utf8'));

let encode;
if (kind === 'tiktoken') {
    const encoding = require('tiktoken').get_encoding(what);
    encode = (text) => encoding.encode_ordinary(text);
} else {
    const { Tokenizer } = require('@huggingface/tokenizers');
    const tokenizer = new Tokenizer(JSON.parse(readFileSync(what, 'utf8')), {});
    encode = (text) => tokenizer.encode(text, { add_special_tokens: false }).ids;
}

let ids, seconds;
for (let pass = 0; pass < 2; pass++) {
    const start = process.cpuUsage();
    ids = documents.map(encode);
    const used = process.cpuUsage(start);
    seconds = (used.user + used.system) / 1e6;
}
let hash = 0x811c9dc5, n = 0;
for (const list of ids)
    for (const id of list) {
        hash = Math.imul(hash ^ Number(id), 0x01000193) >>> 0;
        n++;
    }
console.log((bytes.length / seconds / 1e6).toFixed(2), n, hash.toString(16));
