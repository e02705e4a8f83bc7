// Puts new messages on top of the list, without touching those that are being read.
"use strict";

const list = document.getElementById("messages");
let next = Number(list.dataset.next);

async function follow() {
  const answer = await fetch(`/inbox/messages?since=${next}&wait=25`, { cache: "no-store" });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const latest = (await answer.json()).next;
  if (latest < next) location.reload(); // The server began anew.
  if (next < latest) await insert();
}

async function insert() {
  const page = await (await fetch("/inbox", { cache: "no-store" })).text();
  const fresh = new DOMParser().parseFromString(page, "text/html").getElementById("messages");
  const isNew = (message) => next < Number(message.dataset.sequence);
  list.prepend(...[...fresh.children].filter(isNew));
  next = Number(fresh.dataset.next);
  document.getElementById("empty")?.remove();
}

async function followForever() {
  for (;;) {
    try {
      await follow();
    } catch {
      await new Promise((resume) => setTimeout(resume, 1000));
    }
  }
}

followForever();
