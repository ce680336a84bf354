// The page: what is shown, and what keys and buttons do. Talks to the store by s3.js only.

import { S3, S3Failure } from "./s3.js";

const $ = (id) => document.getElementById(id);
const KEPT = "stowage-keys"; // in sessionStorage: gone when the tab is closed

/** Where a browser has no place to stream to, a larger download is left to the browser itself, by a link. */
const MOST_IN_MEMORY = 256 << 20;
const TRANSFERS_AT_ONCE = 2;

let s3 = null;
let config = null;
let place = { bucket: "", prefix: "" };
let listing = { folders: [], objects: [], next: null };
let chosen = new Set(); // ids of rows
let shown = null; // entry in the details pane
let reading = 0; // number of the latest listing: answers to earlier ones are dropped

// ---- small things

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const name of Object.keys(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), attributes[name]);
    else if (attributes[name] !== null) element.setAttribute(name, attributes[name]);
  }
  element.append(...children);
  return element;
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = -1;
  do {
    value /= 1024;
    unit++;
  } while (value >= 1024 && unit < units.length - 1);
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

function when(iso) {
  return iso ? new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }) : "";
}

function say(text, wrong = false) {
  $("message").textContent = text;
  $("message").className = wrong ? "error" : "quiet";
}

function tell(error) {
  if (error.name !== "AbortError") {
    say(error.code ? `${error.message} (${error.code})` : error.message, true);
  }
}

/** Asks; gives what was typed (or "yes"), or null. */
function ask(text, { input = null, yes = "Yes" } = {}) {
  const dialog = $("ask");
  $("ask-text").textContent = text;
  $("ask-yes").textContent = yes;
  $("ask-input").hidden = input === null;
  $("ask-input").required = input !== null;
  $("ask-input").value = input ?? "";
  dialog.returnValue = "cancel";
  dialog.showModal();
  (input === null ? $("ask-yes") : $("ask-input")).focus();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue !== "yes" ? null : input === null ? "yes" : $("ask-input").value),
      { once: true },
    );
  });
}

// ---- signing in

async function start() {
  config = await (await fetch("config.json")).json();
  const url = new URL(location.href);
  url.port = config.s3Port;
  config.endpoint = config.endpoint || url.origin;
  if (!window.isSecureContext) {
    $("sign-in").hidden = false;
    $("sign-in-form").querySelector("button").disabled = true;
    $("sign-in-error").textContent =
      "Browsers sign only on secure pages: open this one by HTTPS, or by http://localhost on the gateway's machine.";
    return;
  }
  const kept = sessionStorage.getItem(KEPT);
  if (kept) {
    await enter(JSON.parse(kept)).catch(leave);
  } else {
    leave();
  }
}

async function enter(keys) {
  const candidate = new S3(keys, config);
  const buckets = await candidate.buckets().catch((e) => {
    // Who may not list buckets may still know one by name.
    if (e.code === "AccessDenied") return [];
    throw e;
  });
  s3 = candidate;
  sessionStorage.setItem(KEPT, JSON.stringify(keys));
  $("sign-in").hidden = true;
  $("app").hidden = false;
  $("who").textContent = keys.accessKey;
  showBuckets(buckets);
  await follow();
}

function leave() {
  sessionStorage.removeItem(KEPT);
  s3 = null;
  $("app").hidden = true;
  $("sign-in").hidden = false;
  $("secret-key").value = "";
  $("access-key").focus();
}

$("sign-in-form").addEventListener("submit", async (e) => {
  e.preventDefault();
  $("sign-in-error").textContent = "";
  try {
    await enter({
      accessKey: $("access-key").value.trim(),
      secretKey: $("secret-key").value.trim(),
      sessionToken: $("session-token").value.trim(),
    });
  } catch (error) {
    $("sign-in-error").textContent = error.message;
  }
});
$("sign-out").addEventListener("click", leave);

// ---- where we are: #bucket/prefix

function address(bucket, prefix = "") {
  return "#" + encodeURIComponent(bucket) + (prefix ? "/" + prefix.split("/").map(encodeURIComponent).join("/") : "");
}

async function follow() {
  const parts = location.hash.slice(1).split("/").map(decodeURIComponent);
  place = { bucket: parts[0] || "", prefix: parts.slice(1).join("/") };
  $("filter").value = "";
  closeDetails();
  showPath();
  await read();
}

function showPath() {
  const links = [make("a", { href: "#" }, "Buckets")];
  if (place.bucket) {
    links.push(make("span", {}, " / "), make("a", { href: address(place.bucket) }, place.bucket));
    const folders = place.prefix.split("/").filter((f, i, a) => i < a.length - 1);
    let path = "";
    for (const folder of folders) {
      path += folder + "/";
      links.push(make("span", {}, " / "), make("a", { href: address(place.bucket, path) }, folder || "(empty)"));
    }
  }
  links[links.length - 1].setAttribute("aria-current", "page");
  $("path").replaceChildren(...links);
  document.title = (place.bucket ? place.bucket + "/" + place.prefix + " · " : "") + "Stowage";
  for (const link of $("buckets").querySelectorAll("a")) {
    if (link.textContent === place.bucket) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

window.addEventListener("hashchange", () => s3 && follow());

// ---- buckets

function showBuckets(buckets) {
  $("buckets").replaceChildren(
    ...buckets.map((b) => make("li", {}, make("a", { href: address(b.name), title: "Since " + when(b.created) }, b.name))),
  );
}

async function readBuckets() {
  showBuckets(await s3.buckets());
  showPath();
}

$("new-bucket").addEventListener("click", async () => {
  const name = await ask("Name of the new bucket: 3 to 63 lower-case letters, digits and hyphens", { input: "", yes: "Create" });
  if (!name) return;
  try {
    await s3.createBucket(name.trim());
    await readBuckets();
    location.hash = address(name.trim());
  } catch (e) {
    tell(e);
  }
});

$("delete-bucket").addEventListener("click", async () => {
  if (!(await ask(`Delete the bucket ${place.bucket}? It has to be empty.`, { yes: "Delete" }))) return;
  try {
    await s3.deleteBucket(place.bucket);
    location.hash = "";
    await readBuckets();
  } catch (e) {
    tell(e);
  }
});

// ---- the listing

const withVersions = () => $("show-versions").checked;
const idOf = (o) => o.key + "\n" + (o.version ?? "");

async function read(next = null) {
  const turn = ++reading;
  const { bucket, prefix } = place;
  $("tools").hidden = !bucket;
  if (!next) {
    chosen = new Set();
    listing = { folders: [], objects: [], next: null };
    say("");
  }
  if (!bucket) {
    show();
    $("empty").textContent = $("buckets").children.length ? "Choose a bucket." : "There is no bucket yet. Make one with “New”.";
    $("empty").hidden = false;
    return;
  }
  try {
    const sought = prefix + $("filter").value;
    const page = withVersions()
      ? await s3.listVersions(bucket, sought, "/", next)
      : await s3.list(bucket, sought, "/", next);
    if (turn !== reading) return;
    listing.folders.push(...page.folders);
    listing.objects.push(...page.objects.filter((o) => o.key !== prefix || withVersions()));
    listing.next = page.next;
    show();
  } catch (e) {
    if (turn !== reading) return;
    show();
    tell(e);
  }
}

function row(attributes, ...cells) {
  return make("tr", { tabindex: "-1", ...attributes }, ...cells);
}

function show() {
  const body = $("objects").tBodies[0];
  const cut = place.prefix.length;
  const rows = listing.folders.map((folder) => {
    const open = () => (location.hash = address(place.bucket, folder));
    const r = row({ class: "folder", onclick: open }, make("td"), make("td", { class: "name" }, folder.slice(cut)), make("td"), make("td"), make("td", { class: "version" }));
    r.open = open;
    return r;
  });
  for (const object of listing.objects) {
    const tick = make("input", { type: "checkbox", tabindex: "-1", "aria-label": "Choose " + object.key, onclick: (e) => e.stopPropagation() });
    tick.checked = chosen.has(idOf(object));
    tick.addEventListener("change", () => choose(object, tick.checked));
    const name = object.key.slice(cut) || "(folder itself)";
    const r = row(
      { class: object.marker ? "gone" : null, "data-key": object.key, onclick: () => openDetails(object) },
      make("td", { class: "tick" }, tick),
      make("td", { class: "name" }, name),
      make("td", { class: "number" }, object.marker ? "deleted" : size(object.bytes)),
      make("td", { class: "when" }, when(object.changed)),
      make("td", { class: "version", title: object.version ?? null }, (object.latest ? "● " : "") + (object.version ?? "")),
    );
    r.open = () => openDetails(object);
    r.tick = tick;
    rows.push(r);
  }
  if (rows.length) rows[0].tabIndex = 0;
  body.replaceChildren(...rows);
  $("objects").hidden = rows.length === 0;
  $("objects").classList.toggle("with-versions", withVersions());
  $("empty").hidden = rows.length > 0 || !place.bucket;
  $("empty").textContent = $("filter").value ? "No key begins so." : "Nothing here. Drop files on this page, or press Upload.";
  $("more").hidden = !listing.next;
  showChosen();
}

function choose(object, yes) {
  if (yes) chosen.add(idOf(object));
  else chosen.delete(idOf(object));
  showChosen();
}

function showChosen() {
  $("delete-selected").disabled = chosen.size === 0;
  $("delete-selected").textContent = chosen.size ? `Delete ${chosen.size}` : "Delete";
  $("all").checked = listing.objects.length > 0 && chosen.size === listing.objects.length;
  $("all").indeterminate = chosen.size > 0 && chosen.size < listing.objects.length;
}

$("all").addEventListener("change", () => {
  chosen = new Set($("all").checked ? listing.objects.map(idOf) : []);
  show();
});
$("more").addEventListener("click", () => read(listing.next));
$("refresh").addEventListener("click", () => read());
$("show-versions").addEventListener("change", () => read());
let pause;
$("filter").addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(() => read(), 250);
});

async function remove(objects, question) {
  if (!(await ask(question, { yes: "Delete" }))) return;
  try {
    await s3.remove(place.bucket, objects);
    closeDetails();
    await read();
    say(objects.length === 1 ? `Deleted ${objects[0].key}.` : `Deleted ${objects.length} objects.`);
  } catch (e) {
    await read();
    tell(e);
  }
}

$("delete-selected").addEventListener("click", () => {
  const objects = listing.objects.filter((o) => chosen.has(idOf(o)));
  const what = withVersions() ? (objects.length === 1 ? "this version" : `these ${objects.length} versions for good`) : objects.length === 1 ? objects[0].key : `these ${objects.length} objects`;
  remove(objects, `Delete ${what}?`);
});

// ---- details

async function openDetails(object) {
  shown = object;
  for (const r of $("objects").tBodies[0].rows) {
    r.classList.toggle("shown", r.dataset.key === object.key);
  }
  $("details").hidden = false;
  $("share-form").hidden = true;
  $("details-name").textContent = object.key;
  $("download").disabled = $("share").disabled = !!object.marker;
  $("properties").replaceChildren();
  $("versions").replaceChildren();
  $("versions-title").hidden = true;
  const { bucket } = place;
  if (!object.marker) {
    try {
      const [headers, tags] = await Promise.all([
        s3.head(bucket, object.key, object.version),
        s3.tags(bucket, object.key, object.version).catch(() => []),
      ]);
      if (shown === object) showProperties(headers, tags);
    } catch (e) {
      if (shown === object) tell(e);
    }
  }
  // Delimiter and prefix make one key's versions come first; others behind them are not wanted.
  const page = await s3.listVersions(bucket, object.key, "", null, 50).catch(() => null);
  if (shown !== object || !page) return;
  const versions = page.objects.filter((o) => o.key === object.key);
  if (versions.length > 1 || versions.some((v) => v.version && v.version !== "null")) {
    $("versions-title").hidden = false;
    $("versions").replaceChildren(
      ...versions.map((v) => {
        const text = `${when(v.changed)} · ${v.marker ? "deleted" : size(v.bytes)}${v.latest ? " · current" : ""}`;
        const link = make("a", { href: location.hash, title: v.version, onclick: (e) => { e.preventDefault(); openDetails(v); } }, text);
        if (v.version === object.version) link.setAttribute("aria-current", "true");
        return make("li", {}, link);
      }),
    );
  }
}

const NAMES = {
  "content-type": "Type", etag: "ETag", "last-modified": "Changed", "x-amz-version-id": "Version", "x-amz-storage-class": "Storage class",
  "cache-control": "Cache control", "content-disposition": "Disposition", "content-encoding": "Encoding", "content-language": "Language",
  expires: "Expires", "x-amz-server-side-encryption": "Encryption", "x-amz-object-lock-mode": "Lock",
  "x-amz-object-lock-retain-until-date": "Locked until", "x-amz-object-lock-legal-hold": "Legal hold", "x-amz-expiration": "Expiration",
  "x-amz-website-redirect-location": "Redirects to", "x-amz-mp-parts-count": "Parts",
};

function showProperties(headers, tags) {
  const list = [["Size", `${size(shown.bytes)} (${shown.bytes.toLocaleString()} bytes)`]];
  for (const name of Object.keys(NAMES)) {
    if (headers.has(name)) list.push([NAMES[name], headers.get(name)]);
  }
  for (const [name, value] of headers) {
    if (name.startsWith("x-amz-checksum-") && name !== "x-amz-checksum-type") list.push([name.slice(15).toUpperCase(), value]);
    if (name.startsWith("x-amz-meta-")) list.push([name.slice(11), value]);
  }
  for (const [name, value] of tags) list.push(["Tag " + name, value]);
  $("properties").replaceChildren(...list.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function closeDetails() {
  shown = null;
  $("details").hidden = true;
  for (const r of $("objects").tBodies[0].rows) r.classList.remove("shown");
}

$("details-close").addEventListener("click", closeDetails);
$("delete-one").addEventListener("click", () => {
  const object = shown;
  remove([object], object.version ? `Delete this version of ${object.key} for good?` : `Delete ${object.key}?`);
});
$("share").addEventListener("click", () => {
  $("share-form").hidden = false;
  makeLink();
  $("share-link").focus();
});
$("share-for").addEventListener("change", makeLink);
$("share-form").addEventListener("submit", (e) => e.preventDefault());
async function makeLink() {
  $("share-link").value = await s3.link(place.bucket, shown.key, shown.version, Number($("share-for").value));
  $("share-link").select();
}
$("share-copy").addEventListener("click", async () => {
  $("share-link").select();
  try {
    await navigator.clipboard.writeText($("share-link").value);
    say("The link is copied.");
  } catch {
    say("Press Ctrl+C to copy the link.");
  }
});

// ---- transfers

const waiting = [];
let running = 0;

function transfer(name, bytes, work) {
  const abort = new AbortController();
  const bar = make("progress", { max: Math.max(1, bytes), value: 0, "aria-label": name });
  const state = make("span", { class: "quiet" }, "waiting");
  const button = make("button", { type: "button", onclick: () => abort.abort() }, "Cancel");
  const line = make("div", { class: "transfer" }, make("span", { title: name }, name), bar, state, button);
  $("transfers").append(line);
  const progress = (done) => {
    bar.value = done;
    state.textContent = `${size(done)} of ${size(bytes)}`;
  };
  waiting.push(async () => {
    try {
      abort.signal.throwIfAborted();
      progress(0);
      await work(progress, abort.signal);
      bar.value = bar.max;
      state.textContent = "done";
      line.classList.add("done");
    } catch (e) {
      state.textContent = e.name === "AbortError" ? "cancelled" : e.message;
      state.title = e.message;
      state.className = e.name === "AbortError" ? "quiet" : "error";
    }
    button.textContent = "✕";
    button.setAttribute("aria-label", "Dismiss " + name);
    button.onclick = () => line.remove();
  });
  pump();
}

async function pump() {
  while (running < TRANSFERS_AT_ONCE && waiting.length) {
    running++;
    waiting.shift()().finally(() => {
      running--;
      pump();
    });
  }
}

function upload(files) {
  const { bucket, prefix } = place;
  if (!bucket) return;
  for (const { file, path } of files) {
    const key = prefix + path;
    transfer("↑ " + key, file.size, async (progress, signal) => {
      await s3.upload(bucket, key, file, progress, signal);
      if (place.bucket === bucket && place.prefix === prefix) await read();
    });
  }
}

$("upload").addEventListener("change", () => {
  upload(Array.from($("upload").files, (file) => ({ file, path: file.webkitRelativePath || file.name })));
  $("upload").value = "";
});
$("upload-label").addEventListener("keydown", (e) => {
  if (e.key === "Enter" || e.key === " ") {
    e.preventDefault();
    $("upload").click();
  }
});

const main = $("main");
main.addEventListener("dragover", (e) => {
  if (place.bucket && Array.from(e.dataTransfer.types).includes("Files")) {
    e.preventDefault();
    main.classList.add("drop");
  }
});
main.addEventListener("dragleave", () => main.classList.remove("drop"));
main.addEventListener("drop", (e) => {
  e.preventDefault();
  main.classList.remove("drop");
  upload(Array.from(e.dataTransfer.files, (file) => ({ file, path: file.name })));
});

$("download").addEventListener("click", async () => {
  const { bucket } = place;
  const object = shown;
  const name = object.key.split("/").filter((p) => p).pop() || "object";
  if (window.showSaveFilePicker) {
    let file;
    try {
      file = await window.showSaveFilePicker({ suggestedName: name });
    } catch (e) {
      if (e.name === "AbortError") return;
    }
    if (file) {
      transfer("↓ " + object.key, object.bytes, async (progress, signal) => {
        const out = await file.createWritable();
        try {
          await fetchInto(bucket, object, (bytes) => out.write(bytes), progress, signal);
          await out.close();
        } catch (e) {
          await out.abort().catch(() => {});
          throw e;
        }
      });
      return;
    }
  }
  if (object.bytes > MOST_IN_MEMORY) {
    const disposition = `attachment; filename*=UTF-8''${encodeURIComponent(name)}`;
    save(await s3.link(bucket, object.key, object.version, 3600, { "response-content-disposition": disposition }), name);
    return;
  }
  transfer("↓ " + object.key, object.bytes, async (progress, signal) => {
    const pieces = [];
    await fetchInto(bucket, object, (bytes) => pieces.push(bytes), progress, signal);
    const url = URL.createObjectURL(new Blob(pieces));
    save(url, name);
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  });
});

async function fetchInto(bucket, object, write, progress, signal) {
  let done = 0;
  await s3.download(bucket, object.key, object.version, async (bytes) => {
    await write(bytes);
    progress((done += bytes.length));
  }, signal);
  if (done !== object.bytes) throw new S3Failure(0, "", `got ${done} of ${object.bytes} bytes`);
}

function save(url, name) {
  const link = make("a", { href: url, download: name, rel: "noopener" });
  document.body.append(link);
  link.click();
  link.remove();
}

// ---- keys

function move(from, step) {
  const rows = Array.from($("objects").tBodies[0].rows);
  const to = rows[Math.min(rows.length - 1, Math.max(0, rows.indexOf(from) + step))];
  if (!to) return;
  for (const r of rows) r.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}

$("objects").tBodies[0].addEventListener("keydown", (e) => {
  const at = e.target.closest("tr");
  const act = {
    ArrowDown: () => move(at, 1),
    ArrowUp: () => move(at, -1),
    PageDown: () => move(at, 15),
    PageUp: () => move(at, -15),
    Home: () => move(at, -1e9),
    End: () => move(at, 1e9),
    Enter: () => at.open(),
    ArrowRight: () => at.open(),
    " ": () => at.tick && at.tick.click(),
    Delete: () => (chosen.size ? $("delete-selected").click() : at.tick && at.tick.click()),
  }[e.key];
  if (act && e.target === at) {
    e.preventDefault();
    act();
  }
});

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || $("app").hidden || $("ask").open) return;
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) && e.target.type !== "checkbox";
  if (e.key === "Escape") {
    if (!$("details").hidden) {
      closeDetails();
      const row = $("objects").tBodies[0].querySelector('tr[tabindex="0"]');
      if (row) row.focus();
    }
  } else if (!typing && e.key === "/") {
    e.preventDefault();
    $("filter").focus();
  } else if (!typing && e.key === "r") {
    read();
  } else if (!typing && e.key === "u" && place.bucket) {
    $("upload").click();
  } else if (!typing && (e.key === "Backspace" || e.key === "ArrowLeft") && place.bucket) {
    e.preventDefault();
    const folders = place.prefix.split("/").slice(0, -2);
    location.hash = place.prefix ? address(place.bucket, folders.length ? folders.join("/") + "/" : "") : "";
  }
});

start().catch((e) => {
  $("sign-in").hidden = false;
  $("sign-in-error").textContent = "Cannot start: " + e.message;
});
