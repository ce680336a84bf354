// Signature Version 4, in the browser: header signatures and presigned links. The secret never leaves the page.

const text = new TextEncoder();

export const UNSIGNED = "UNSIGNED-PAYLOAD";

export function hex(buffer) {
  return Array.from(new Uint8Array(buffer), (b) => b.toString(16).padStart(2, "0")).join("");
}

export async function sha256Hex(data) {
  const bytes = typeof data === "string" ? text.encode(data) : data;
  return hex(await crypto.subtle.digest("SHA-256", bytes));
}

async function hmac(key, message) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, text.encode(message)));
}

async function signingKey(secret, day, region) {
  let key = text.encode("AWS4" + secret);
  for (const step of [day, region, "s3", "aws4_request"]) {
    key = await hmac(key, step);
  }
  return key;
}

/** Percent-encodes as AWS does: all but letters, digits and - . _ ~ */
export function encode(value) {
  return encodeURIComponent(value).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
}

export function encodePath(path) {
  return path.split("/").map(encode).join("/");
}

function canonicalQuery(query) {
  return Object.keys(query)
    .map((name) => [encode(name), encode(String(query[name]))])
    .sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] < b[1] ? -1 : 1))
    .map(([name, value]) => name + "=" + value)
    .join("&");
}

function stamps(now) {
  const time = now.toISOString().replace(/[:-]|\.\d{3}/g, "");
  return { time, day: time.slice(0, 8) };
}

async function signature(keys, region, stamp, request) {
  const scope = `${stamp.day}/${region}/s3/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", stamp.time, scope, await sha256Hex(request)].join("\n");
  return hex(await hmac(await signingKey(keys.secretKey, stamp.day, region), toSign));
}

/** Headers with which a request may be sent to host, path being decoded and beginning with a slash. */
export async function signHeaders(keys, region, { method, host, path, query = {}, headers = {}, payload = UNSIGNED, now = new Date() }) {
  const stamp = stamps(now);
  const all = { ...headers, "x-amz-date": stamp.time, "x-amz-content-sha256": payload };
  if (keys.sessionToken) {
    all["x-amz-security-token"] = keys.sessionToken;
  }
  const signed = { host };
  for (const name of Object.keys(all)) {
    signed[name.toLowerCase()] = String(all[name]).trim().replace(/\s+/g, " ");
  }
  const names = Object.keys(signed).sort();
  const request = [
    method, encodePath(path), canonicalQuery(query),
    ...names.map((name) => name + ":" + signed[name]), "", names.join(";"), payload,
  ].join("\n");
  const proof = await signature(keys, region, stamp, request);
  all.Authorization =
    `AWS4-HMAC-SHA256 Credential=${keys.accessKey}/${stamp.day}/${region}/s3/aws4_request, ` +
    `SignedHeaders=${names.join(";")}, Signature=${proof}`;
  return all;
}

/** A link that anybody may follow for so many seconds. */
export async function presign(keys, region, { endpoint, path, query = {}, seconds, now = new Date() }) {
  const stamp = stamps(now);
  const all = {
    ...query,
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": `${keys.accessKey}/${stamp.day}/${region}/s3/aws4_request`,
    "X-Amz-Date": stamp.time,
    "X-Amz-Expires": seconds,
    "X-Amz-SignedHeaders": "host",
  };
  if (keys.sessionToken) {
    all["X-Amz-Security-Token"] = keys.sessionToken;
  }
  const request = ["GET", encodePath(path), canonicalQuery(all), "host:" + new URL(endpoint).host, "", "host", UNSIGNED].join("\n");
  const proof = await signature(keys, region, stamp, request);
  return `${endpoint}${encodePath(path)}?${canonicalQuery(all)}&X-Amz-Signature=${proof}`;
}
