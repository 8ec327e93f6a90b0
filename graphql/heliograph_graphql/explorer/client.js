// Talks to the server: queries by POST, subscriptions by graphql-transport-ws.

export async function ask(query, variables, operationName) {
  const body = JSON.stringify({ query, variables, operationName });
  const response = await fetch("/graphql", { method: "POST", headers: { "content-type": "application/json" }, body });
  return response.text();
}

// Follows a subscription and, when the connection is lost, resumes behind the last message where the operation
// takes its cursor as $after. Returns a function that stops it.
export function follow(query, variables, on) {
  const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`;
  let socket, stopped = false, cursor = null, pause = 500;
  const connect = () => {
    socket = new WebSocket(address, "graphql-transport-ws");
    socket.onopen = () => socket.send(JSON.stringify({ type: "connection_init" }));
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "connection_ack") {
        const resumed = cursor && /\$after\b/.test(query) ? { ...variables, after: cursor } : variables;
        socket.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query, variables: resumed } }));
        on.open();
      } else if (message.type === "ping") socket.send(JSON.stringify({ type: "pong" }));
      else if (message.type === "next") {
        pause = 500;
        cursor = Object.values(message.payload.data ?? {})[0]?.cursor ?? cursor;
        on.next(message.payload);
      } else if (message.type === "error") { on.error(message.payload); stop(); }
      else if (message.type === "complete") stop();
    };
    socket.onclose = ({ code, reason }) => {
      if (stopped) return;
      on.lost(code, reason);
      setTimeout(() => stopped || connect(), pause);
      pause = Math.min(pause * 2, 10000);
    };
  };
  const stop = () => { if (!stopped) { stopped = true; socket.close(1000); on.done(); } };
  connect();
  return stop;
}
