// The few calls of S3 that the page makes, over its own origin.

import { encode, encodePath, presign, sha256Hex, signHeaders, UNSIGNED } from "./sigv4.js";

/** S3's own part limits: at most 10,000 parts, of at least 5 MiB. */
const PART_BYTES = 16 << 20;
const MOST_PARTS = 10000;
const PARTS_AT_ONCE = 3;

/** What S3 answered instead of doing it. */
export class S3Failure extends Error {
  constructor(status, code, message) {
    super(message || code || `HTTP status ${status}`);
    this.status = status;
    this.code = code;
  }
}

function child(element, name) {
  for (const c of element.children) {
    if (c.localName === name) return c.textContent;
  }
  return "";
}

function all(root, name) {
  return Array.from(root.children).filter((c) => c.localName === name);
}

function escaped(value) {
  // The control characters have to be references, or the parser would change or refuse them.
  return value.replace(/[<>&"\u0000-\u001f]/g, (c) => `&#${c.charCodeAt(0)};`);
}

export class S3 {
  /** @param keys accessKey, secretKey and perhaps sessionToken; config region and endpoint of the store */
  constructor(keys, config) {
    this.keys = keys;
    this.config = config;
  }

  url(path, query) {
    const text = Object.keys(query).map((name) => encode(name) + "=" + encode(String(query[name]))).join("&");
    return encodePath(path) + (text ? "?" + text : "");
  }

  headers(method, path, query, headers, payload) {
    return signHeaders(this.keys, this.config.region, { method, host: location.host, path, query, headers, payload });
  }

  async call(method, path, { query = {}, headers = {}, body, signal } = {}) {
    const payload = typeof body === "string" ? await sha256Hex(body) : body ? UNSIGNED : await sha256Hex("");
    const response = await fetch(this.url(path, query), {
      method, body, signal, headers: await this.headers(method, path, query, headers, payload), cache: "no-store",
    });
    if (!response.ok) {
      throw await failure(response.status, await response.text());
    }
    return response;
  }

  async document(method, path, options) {
    return parse(await (await this.call(method, path, options)).text());
  }

  // ---- buckets

  async buckets() {
    const found = [];
    let token;
    do {
      const query = { "max-buckets": 1000, ...(token ? { "continuation-token": token } : {}) };
      const root = await this.document("GET", "/", { query });
      for (const list of all(root, "Buckets")) {
        found.push(...all(list, "Bucket").map((b) => ({ name: child(b, "Name"), created: child(b, "CreationDate") })));
      }
      token = child(root, "ContinuationToken");
    } while (token && found.length < 10000);
    return found;
  }

  createBucket(name) {
    return this.call("PUT", "/" + name);
  }

  deleteBucket(name) {
    return this.call("DELETE", "/" + name);
  }

  // ---- listings: {folders, objects, next}

  async list(bucket, prefix, delimiter, next) {
    const query = { "list-type": 2, "max-keys": 200, "encoding-type": "url", prefix, ...(delimiter ? { delimiter } : {}), ...next };
    const root = await this.document("GET", "/" + bucket, { query });
    const token = child(root, "NextContinuationToken");
    return {
      folders: folders(root),
      objects: all(root, "Contents").map(entry),
      next: token ? { "continuation-token": token } : null,
    };
  }

  async listVersions(bucket, prefix, delimiter, next, most = 200) {
    const query = { versions: "", "max-keys": most, "encoding-type": "url", prefix, ...(delimiter ? { delimiter } : {}), ...next };
    const root = await this.document("GET", "/" + bucket, { query });
    const objects = Array.from(root.children)
      .filter((c) => c.localName === "Version" || c.localName === "DeleteMarker")
      .map((c) => ({
        ...entry(c),
        version: child(c, "VersionId"),
        latest: child(c, "IsLatest") === "true",
        marker: c.localName === "DeleteMarker",
      }));
    const key = child(root, "NextKeyMarker");
    return {
      folders: folders(root),
      objects,
      next: key ? { "key-marker": plain(key), "version-id-marker": child(root, "NextVersionIdMarker") } : null,
    };
  }

  // ---- objects

  async head(bucket, key, version) {
    const response = await this.call("HEAD", `/${bucket}/${key}`, {
      query: version ? { versionId: version } : {},
      headers: { "x-amz-checksum-mode": "ENABLED" },
    });
    return response.headers;
  }

  async tags(bucket, key, version) {
    const query = { tagging: "", ...(version ? { versionId: version } : {}) };
    const root = await this.document("GET", `/${bucket}/${key}`, { query });
    return all(root, "TagSet").flatMap((set) => all(set, "Tag").map((t) => [child(t, "Key"), child(t, "Value")]));
  }

  async remove(bucket, things) {
    const errors = [];
    for (let i = 0; i < things.length; i += 1000) {
      const objects = things
        .slice(i, i + 1000)
        .map(({ key, version }) => `<Object><Key>${escaped(key)}</Key>${version ? `<VersionId>${escaped(version)}</VersionId>` : ""}</Object>`);
      const body = `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${objects.join("")}</Delete>`;
      const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
      const root = await this.document("POST", "/" + bucket, {
        query: { delete: "" },
        headers: { "x-amz-checksum-sha256": btoa(String.fromCharCode(...new Uint8Array(sum))) },
        body,
      });
      errors.push(...all(root, "Error").map((e) => `${child(e, "Key")}: ${child(e, "Message")}`));
    }
    if (errors.length) {
      throw new S3Failure(200, "", errors.slice(0, 5).join("\n"));
    }
  }

  link(bucket, key, version, seconds, query = {}) {
    return presign(this.keys, this.config.region, {
      endpoint: this.config.endpoint,
      path: `/${bucket}/${key}`,
      query: { ...query, ...(version ? { versionId: version } : {}) },
      seconds,
    });
  }

  // ---- transfers: progress(bytes so far); an AbortSignal ends one

  async upload(bucket, key, file, progress, signal) {
    const path = `/${bucket}/${key}`;
    const headers = { "content-type": file.type || "application/octet-stream" };
    if (file.size <= PART_BYTES) {
      await this.send(path, {}, headers, file, progress, signal);
      return;
    }
    const partBytes = Math.max(PART_BYTES, Math.ceil(file.size / MOST_PARTS));
    const root = await this.document("POST", path, { query: { uploads: "" }, headers, signal });
    const uploadId = child(root, "UploadId");
    try {
      const count = Math.ceil(file.size / partBytes);
      const sent = new Array(count).fill(0);
      const etags = new Array(count);
      let turn = 0;
      const lane = async () => {
        for (let i = turn++; i < count; i = turn++) {
          const part = file.slice(i * partBytes, Math.min(file.size, (i + 1) * partBytes));
          etags[i] = await this.send(path, { partNumber: i + 1, uploadId }, {}, part, (bytes) => {
            sent[i] = bytes;
            progress(sent.reduce((a, b) => a + b, 0));
          }, signal);
        }
      };
      await Promise.all(Array.from({ length: Math.min(PARTS_AT_ONCE, count) }, lane));
      const parts = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${escaped(etag)}</ETag></Part>`);
      const body = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join("")}</CompleteMultipartUpload>`;
      const done = await this.document("POST", path, { query: { uploadId }, body, signal });
      if (done.localName === "Error") {
        // An answer that began before its outcome was known carries the error in its body.
        throw new S3Failure(200, child(done, "Code"), child(done, "Message"));
      }
    } catch (e) {
      this.call("DELETE", path, { query: { uploadId } }).catch(() => {});
      throw e;
    }
  }

  /** One body; gives its ETag. fetch cannot tell how much of a body is out, XMLHttpRequest can. */
  async send(path, query, headers, blob, progress, signal) {
    const payload = await sha256Hex(await blob.arrayBuffer());
    const signed = await this.headers("PUT", path, query, headers, payload);
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("PUT", this.url(path, query));
      for (const name of Object.keys(signed)) {
        request.setRequestHeader(name, signed[name]);
      }
      request.upload.onprogress = (e) => progress(e.loaded);
      request.onload = async () => {
        if (request.status === 200) {
          progress(blob.size);
          resolve(request.getResponseHeader("ETag"));
        } else {
          reject(await failure(request.status, request.responseText));
        }
      };
      request.onerror = () => reject(new S3Failure(0, "", "The connection was lost"));
      request.onabort = () => reject(new DOMException("Cancelled", "AbortError"));
      signal.addEventListener("abort", () => request.abort());
      request.send(blob);
    });
  }

  /** Streams an object into write(bytes), which may be slower than the network. */
  async download(bucket, key, version, write, signal) {
    const response = await this.call("GET", `/${bucket}/${key}`, { query: version ? { versionId: version } : {}, signal });
    const reader = response.body.getReader();
    for (let chunk; !(chunk = await reader.read()).done; ) {
      await write(chunk.value);
    }
  }
}

function parse(xml) {
  return new DOMParser().parseFromString(xml, "application/xml").documentElement;
}

async function failure(status, body) {
  const root = body ? parse(body) : null;
  return root && root.localName === "Error"
    ? new S3Failure(status, child(root, "Code"), child(root, "Message"))
    : new S3Failure(status, "", "");
}

function plain(encoded) {
  return decodeURIComponent(encoded.replace(/\+/g, " "));
}

function folders(root) {
  return all(root, "CommonPrefixes").map((p) => plain(child(p, "Prefix")));
}

function entry(element) {
  return {
    key: plain(child(element, "Key")),
    bytes: Number(child(element, "Size")),
    changed: child(element, "LastModified"),
  };
}
