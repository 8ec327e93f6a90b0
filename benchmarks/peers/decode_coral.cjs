// Times @coral-xyz/anchor's EventParser on a corpus of logs: node decode_coral.cjs IDL CORPUS PROGRAM
const fs = require("fs");
const { createRequire } = require("module");

// The package is installed in an environment of its own; the working directory is that environment.
const load = createRequire(process.cwd() + "/");
const { BorshCoder, EventParser } = load("@coral-xyz/anchor");
const { PublicKey } = load("@solana/web3.js");

const [idlFile, corpusFile, program] = process.argv.slice(2);
const idl = JSON.parse(fs.readFileSync(idlFile, "utf8"));
const corpus = JSON.parse(fs.readFileSync(corpusFile, "utf8"));
const parser = new EventParser(new PublicKey(program), new BorshCoder(idl));

function pass(transactions) {
  let events = 0;
  for (const logs of transactions) {
    for (const _ of parser.parseLogs(logs)) events += 1;
  }
  return events;
}

pass(corpus.slice(0, 2000));
const start = process.hrtime.bigint();
const busy = process.cpuUsage();
const events = pass(corpus);
const seconds = Number(process.hrtime.bigint() - start) / 1e9;
const used = process.cpuUsage(busy);
console.log(JSON.stringify({ events, seconds, cpu_seconds: (used.user + used.system) / 1e6 }));
