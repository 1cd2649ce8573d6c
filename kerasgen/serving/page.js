"use strict";
for (const section of document.querySelectorAll("section")) {
  section.querySelector("button").addEventListener("click", () => send(section));
}

/** Send what a section asks for, and show the answer as it comes. */
async function send(section) {
  const shown = section.querySelector("pre");
  const body = section.querySelector("textarea")?.value;
  const token = document.getElementById("token").value;
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = "Bearer " + token;
  shown.hidden = false;
  shown.textContent = "";
  try {
    const answer = await fetch(section.dataset.path, { method: section.dataset.method, headers, body });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) shown.textContent += part.value;
  } catch (error) {
    shown.textContent += "\n[the answer broke off: " + error.message + "]";
  }
}
