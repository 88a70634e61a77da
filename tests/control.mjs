// How the tests tell a server of theirs what to do: JSON posted to a path, and JSON back.
import { createServer } from "node:http";

// A server, yet to listen, that has `control(path, body)` answer; what that throws comes back as a 500.
export function controlled(control) {
  const server = createServer(async (request, response) => {
    try {
      let text = "";
      for await (const chunk of request) text += chunk;
      response.end(JSON.stringify(await control(request.url, JSON.parse(text))));
    } catch (error) {
      response.statusCode = 500;
      response.end(String(error));
    }
  });
  // Clients keep connections longer than Node does by itself, and would send into one that is just being closed.
  server.keepAliveTimeout = 10 * 60 * 1000;
  return server;
}
