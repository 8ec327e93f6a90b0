// A real Solana runtime with JSON-RPC and WebSocket servers, offline: node surfnet.mjs FOLDER [PROGRAM_ID program.so]…
// FOLDER is where npm installed @solana/surfpool-linux-x64-gnu. Prints one JSON line (rpc, front, ws, secretKey) and
// runs until its standard input ends, so that it cannot outlive the tests that hold the other end.
//
// Quirks of 1.5.0 that matter here:
// - its event channel is bounded: unless drained, RPC calls hang after about 1,000 events;
// - getSignaturesForAddress takes minContextSlot for the lowest slot of the rows, so that older rows vanish without a
//   word: `front` serves the same RPC with the parameter's own meaning (-32016 below it, no filter);
// - getSignaturesForAddress at confirmed lists transactions of the open slot too;
// - a failed transaction's logsNotification at confirmed says err null (getTransaction and getSignaturesForAddress are right);
// - blockTime inside getTransaction and getBlock is divided by 1000 once too often, and getBlockTime is a second late at
//   times: getSignaturesForAddress is right;
// - parentSlot of a block with transactions is its own slot, so skipped slots cannot be proved; there is no transactionIndex;
// - the context slot of programSubscribe and accountSubscribe stays at the subscription's; deleted accounts are not notified;
// - JSON-RPC batches are refused (-32600).
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, ...deployments] = process.argv.slice(2);
const { Surfnet } = createRequire(join(folder, "package.json"))("@solana/surfpool-linux-x64-gnu");
const net = Surfnet.startWithConfig({ offline: true, blockProductionMode: "clock", slotTimeMs: 100 });
for (let i = 0; i < deployments.length; i += 2) {
  net.deploy({ programId: deployments[i], soPath: deployments[i + 1] });
}
setInterval(() => net.drainEvents(), 20);

async function ask(call) {
  const headers = { "content-type": "application/json" };
  return (await fetch(net.rpcUrl, { method: "POST", headers, body: JSON.stringify(call) })).text();
}

async function answer(call) {
  const config = call.params?.[1];
  if (call.method !== "getSignaturesForAddress" || config?.minContextSlot === undefined) return ask(call);
  const { minContextSlot, ...rest } = config;
  const slot = { jsonrpc: "2.0", id: 0, method: "getSlot", params: [{ commitment: rest.commitment }] };
  const contextSlot = JSON.parse(await ask(slot)).result;
  if (contextSlot >= minContextSlot) return ask({ ...call, params: [call.params[0], rest] });
  const message = "Minimum context slot has not been reached";
  return JSON.stringify({ jsonrpc: "2.0", error: { code: -32016, message, data: { contextSlot } }, id: call.id });
}

const front = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = await answer(JSON.parse(Buffer.concat(chunks).toString()));
  response.writeHead(200, { "content-type": "application/json" }).end(body);
});

front.listen(0, "127.0.0.1", () => {
  process.stdin.on("end", () => process.exit(0));
  process.stdin.resume();
  const url = `http://127.0.0.1:${front.address().port}`;
  console.log(JSON.stringify({ rpc: net.rpcUrl, front: url, ws: net.wsUrl, secretKey: Array.from(net.payerSecretKey) }));
});
