// What the scripts of the clients share: a package by name, counted checks.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

export const url = process.argv[2];
export const tools = [
    { name: "weather", description: "Weather of a city", parameters: { type: "object", properties: { city: { type: "string" } } } },
    { name: "clock", description: "The time", parameters: { type: "object", properties: {} } },
];
let passed = 0, failed = 0;

// Of $NODE_PATH, which only require() looks at.
export function load(name) {
    return import(pathToFileURL(createRequire(import.meta.url).resolve(name)).href);
}

export function check(what, good, found) {
    if (good) passed++;
    else {
        failed++;
        console.log("FAILED", what, JSON.stringify(found));
    }
}

export function done() {
    console.log(`${passed} passed, ${failed} failed, 0 skipped`);
    process.exit(failed ? 1 : 0);
}
