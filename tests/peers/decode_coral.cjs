// Decodes with @coral-xyz/anchor: stdin {cases: [{idl, kind, name, data}]}, stdout [value]; data in base64.
const fs = require("fs");
const { createRequire } = require("module");

// The package is installed elsewhere; the working directory is that place.
const load = createRequire(process.cwd() + "/");
const { BorshCoder, BN } = load("@coral-xyz/anchor");
const { PublicKey } = load("@solana/web3.js");

function plain(value) {
  if (BN.isBN(value)) return value.toString(10);
  if (value instanceof PublicKey) return value.toBase58();
  if (Buffer.isBuffer(value) || value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("hex") };
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  }
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value ?? null;
}

const coders = new Map();
const { idls, cases } = JSON.parse(fs.readFileSync(0, "utf8"));
const answers = cases.map(({ idl, kind, name, data }) => {
  if (!coders.has(idl)) coders.set(idl, new BorshCoder(idls[idl]));
  const coder = coders.get(idl);
  try {
    if (kind === "event") {
      const event = coder.events.decode(data);
      return event && { name: event.name, value: plain(event.data) };
    }
    return { name, value: plain(coder.accounts.decode(name, Buffer.from(data, "base64"))) };
  } catch (error) {
    return { error: String(error) };
  }
});
console.log(JSON.stringify(answers));
