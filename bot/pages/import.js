"use strict";
(() => {
  const PIECE = 1000000; // bytes: what web servers in front of the bot let through as they come
  const LAST = new Set(["done", "refused", "stopped"]);
  const WANTED = /^(streaming_?history|endsong|yourlibrary|playlist)(?!.*(video|podcast|audiobook)).*\.json$|\.zip$/i;
  const here = location.pathname.replace(/\/+$/, "");
  const at = (id) => document.getElementById(id);
  const queue = []; // files that were chosen and not announced yet
  const rows = new Map(); // what is shown: a file, or its number on the server -> its row
  let current = null; // the file that is being sent: {file, number, received}
  let known = { files: [] }; // as the server said last
  let sending = false;
  let over = false; // nothing can be sent from here any more
  let looking = false;
  let again = false; // something happened since the last answer

  const count = (number) => number.toLocaleString("en");
  const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
  const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

  function trouble(text) {
    at("trouble").textContent = text || "";
    at("trouble").hidden = !text;
  }

  function end(text) {
    over = true;
    queue.length = 0;
    at("sending").hidden = true;
    trouble(text);
  }

  // What came back: {status, body}; status 0 when nothing did.
  async function ask(path, options) {
    try {
      const response = await fetch(here + path, { credentials: "same-origin", cache: "no-store", ...options });
      const body = await response.json().catch(() => ({}));
      if ([401, 403, 410].includes(response.status)) end(body.message);
      return { status: response.status, body };
    } catch {
      return { status: 0, body: {} };
    }
  }

  async function patiently(path, options) {
    for (let pause = 1; !over; pause = Math.min(2 * pause, 30)) {
      const answer = await ask(path, options);
      if (answer.status !== 0 && answer.status !== 408 && answer.status < 500) {
        trouble("");
        return answer;
      }
      trouble(answer.body.message || "The connection was lost. It goes on by itself when it is back.");
      await wait(pause);
    }
    return { status: 410, body: {} };
  }

  async function announce(file) {
    const body = JSON.stringify({ name: file.name, size: file.size, private: at("private").checked });
    const headers = { "Content-Type": "application/json" };
    return patiently("/files", { method: "POST", headers, body });
  }

  async function send(file) {
    let answer = await announce(file);
    if (answer.status === 422) { // the list says why
      look(); // not waited for: it goes on as long as anything is sent
      return;
    }
    if (answer.status !== 200) {
      if (answer.body.message) trouble(answer.body.message);
      return;
    }
    current = { file, number: answer.body.number, received: answer.body.received };
    while (!over && current.received < file.size) {
      const body = file.slice(current.received, current.received + PIECE);
      const path = `/files/${current.number}?from=${current.received}`;
      answer = await patiently(path, { method: "PUT", body });
      if (answer.status === 200 || answer.status === 409) {
        current.received = answer.body.received;
      } else if (answer.status === 404) { // the bot was restarted: from the beginning
        answer = await announce(file);
        if (answer.status !== 200) break;
        current = { file, number: answer.body.number, received: answer.body.received };
      } else {
        if (answer.body.message) trouble(answer.body.message);
        break;
      }
      draw();
      if (!looking) look();
    }
    current = null;
  }

  async function work() {
    if (sending) return;
    sending = true;
    while (queue.length && !over) {
      const file = queue.shift();
      try {
        await send(file);
      } catch {
        trouble(`${file.name} cannot be read on this device any more. Choose it again.`);
        current = null;
      }
    }
    sending = false;
    look();
  }

  function add(files) {
    trouble("");
    queue.push(...files);
    draw();
    work();
  }

  // Asks the server how far it is, again and again while something goes on.
  async function look() {
    again = true;
    if (looking || over) return;
    looking = true;
    for (;;) {
      again = false;
      const answer = await ask("/progress");
      if (answer.status === 200) known = answer.body;
      draw();
      const moving = known.files.some((one) => !LAST.has(one.stage) && one.stage !== "receiving");
      if (over) break;
      if (again) continue;
      if (!(sending || queue.length || moving)) break;
      await wait(answer.status === 200 ? 0.7 : 3);
    }
    looking = false;
  }

  // Its name stands above already.
  function reason(one) {
    return one.reason.startsWith(`${one.name} `) ? `It ${one.reason.slice(one.name.length + 1)}` : one.reason;
  }

  function said(one) {
    const mine = current !== null && current.number === one.number;
    const received = mine ? Math.max(current.received, one.received) : one.received;
    switch (one.stage) {
      case "receiving":
        return mine
          ? [`sending, ${size(received)} of ${size(one.size)}`, received / one.size, ""]
          : [`broke off at ${Math.floor((100 * received) / one.size)} %: choose it again to go on`, received / one.size, "wait"];
      case "waiting":
        return ["arrived, waits for its turn", 1, ""];
      case "reading":
        return [`reading, ${count(one.read)} entries so far`, null, ""];
      case "storing":
        return [`storing, ${count(one.stored)} of ${count(one.to_store)}`, one.stored / Math.max(1, one.to_store), ""];
      case "done":
        return [one.new ? `${count(one.new)} new` : "was there already", undefined, "good"];
      default:
        return [reason(one), undefined, "bad"];
    }
  }

  function row(key, name, [text, share, tone]) {
    let shown = rows.get(key);
    if (!shown) {
      shown = document.createElement("li");
      shown.append(document.createElement("strong"), document.createElement("span"), document.createElement("progress"));
      rows.set(key, shown);
    }
    const [title, words, bar] = shown.children;
    title.textContent = name;
    words.textContent = text;
    words.className = tone;
    bar.hidden = share === undefined;
    if (share === null || share === undefined) bar.removeAttribute("value");
    else bar.value = share;
    bar.setAttribute("aria-label", name);
    return shown;
  }

  function draw() {
    const shown = known.files.map((one) => row(one.number, one.name, said(one)));
    shown.push(...queue.map((file) => row(file, file.name, ["waits to be sent", 0, ""])));
    const list = at("files");
    if (shown.length !== list.children.length || shown.some((one, place) => list.children[place] !== one)) {
      list.replaceChildren(...shown);
    }
    sum();
  }

  function sum() {
    const [title, list, next] = at("sum").children;
    const done = known.over && !sending && !queue.length;
    at("sum").hidden = !done;
    if (!done) return;
    const refused = known.files.some((one) => one.stage !== "done");
    const anything = known.new || known.already_there;
    title.textContent = known.new
      ? refused ? "A part of your history is imported" : "Your history is imported"
      : anything ? "Everything in it was there already" : "Nothing was imported";
    const lines = [];
    const ones = known.new === 1 ? "play or saved track" : "plays and saved tracks";
    if (known.new) lines.push(`${count(known.new)} new ${ones}`);
    if (known.already_there) lines.push(`${count(known.already_there)} already there`);
    if (known.unmatched) lines.push(`${count(known.unmatched)} of tracks that are not known here yet`);
    for (const [why, number] of known.skipped) lines.push(`left out: ${count(number)} ${why}`);
    list.replaceChildren(...lines.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    if (!anything) {
      next.textContent = "The lines above say why. Choose other files, or close this page.";
      return;
    }
    const command = Object.assign(document.createElement("code"), { textContent: "/recommend" });
    next.replaceChildren(
      "You can close this page, or choose more files. In Discord, ", command, " gives you ten tracks of your own.",
    );
  }

  // Files of a dropped folder, however deep.
  async function inside(entry) {
    if (entry.isFile) {
      const file = await new Promise((good, bad) => entry.file(good, bad));
      return WANTED.test(file.name) ? [file] : [];
    }
    const reader = entry.createReader();
    const found = [];
    for (;;) {
      const some = await new Promise((good, bad) => reader.readEntries(good, bad));
      if (!some.length) return found;
      for (const one of some) found.push(...(await inside(one)));
    }
  }

  async function dropped(transfer) {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry());
    const files = [...transfer.files];
    const found = [];
    for (const [place, file] of files.entries()) {
      const entry = entries[place];
      if (entry && entry.isDirectory) found.push(...(await inside(entry)));
      else found.push(file);
    }
    if (found.length) add(found);
    else trouble("There is no ZIP and no JSON file of Spotify's in there.");
  }

  at("sending").hidden = false;
  at("choose").addEventListener("change", (event) => {
    add([...event.target.files]);
    event.target.value = ""; // the same file may be chosen again
  });
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      at("drop").classList.toggle("over", name === "dragenter" || name === "dragover");
      if (name === "drop" && !over && event.dataTransfer) dropped(event.dataTransfer);
    });
  }
  look();
})();
