// An answer of the API, laid out.
import { code, h, inline } from "./dom.js";

// Where answers are shown. What came is read out in a few words, and not all of it.
export function answerPlace() {
  const said = h("p.hidden", { role: "status" });
  const shown = h("div.result");
  return {
    element: h("div", {}, said, shown),
    show(answer) {
      said.textContent = answer.failed ? "No answer" : `${answer.status} ${answer.body?.title ?? ""}`;
      shown.replaceChildren(answerView(answer));
    },
  };
}

// An answer, with a problem laid out.
function answerView(answer) {
  if (answer.failed) return h("p.bad", {}, `No answer: ${answer.failed}`);
  const { status, time, headers, text, body } = answer;
  const problem = headers.get("content-type")?.startsWith("application/problem+json");
  const shown = body === undefined ? text : JSON.stringify(body, null, 2);
  const list = [...headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  return h("div.reply", {},
    h("p.head", {}, h(`span.status${status < 400 ? ".good" : ""}`, {}, status), h("span.soft", {}, `${Math.round(time)} ms`)),
    problem && problemView(body),
    shown && h("details.answer", { open: !problem }, h("summary", {}, "Body"), code(shown, "the body")),
    h("details.answer", {}, h("summary", {}, "Headers"), code(list, "the headers")));
}

const TOLD = ["type", "title", "status", "code", "detail", "request_id", "errors"];

function problemView(problem) {
  const more = Object.entries(problem).filter(([name]) => !TOLD.includes(name));
  return h("div.problem", {},
    h("p", {}, h("strong", {}, problem.title), h("br"), inline(problem.detail)),
    problem.errors && h("ul", {}, problem.errors.map(({ pointer, detail }) => h("li", {}, h("code", {}, pointer || "/"), " ", inline(detail)))),
    more.length > 0 && h("dl", {}, more.map(([name, value]) => [h("dt", {}, h("code", {}, name)), h("dd", {}, [value].flat().join(", "))])),
    h("p", {}, h("a", { href: problem.type }, "What ", h("code", {}, problem.code), " means, and what to do")));
}
