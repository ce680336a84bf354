// The AWS SDK for JavaScript v3 at its defaults, but for the endpoint: node check.mjs ENDPOINT ACCESS_KEY SECRET_KEY
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import {
  CopyObjectCommand, CreateBucketCommand, DeleteBucketCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand,
  ListObjectsV2Command, NoSuchKey, paginateListObjectsV2, PutObjectCommand, S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const [endpoint, accessKeyId, secretAccessKey] = process.argv.slice(2);
const s3 = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
const Bucket = "js-" + Date.now().toString(36);
await s3.send(new CreateBucketCommand({ Bucket }));
for (const size of [0, 1, 70000, 1 << 20]) {
  const Body = randomBytes(size);
  await s3.send(new PutObjectCommand({ Bucket, Key: "size/" + size, Body, Metadata: { colour: "blue" } }));
  const got = await s3.send(new GetObjectCommand({ Bucket, Key: "size/" + size }));
  assert.deepEqual(Buffer.from(await got.Body.transformToByteArray()), Body);
  assert.equal(got.Metadata.colour, "blue");
}
for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "SHA1", "SHA256"]) {
  await s3.send(new PutObjectCommand({ Bucket, Key: "sum/" + ChecksumAlgorithm, Body: "text", ChecksumAlgorithm }));
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "sum/" + ChecksumAlgorithm, ChecksumMode: "ENABLED" }));
  assert.ok(head["Checksum" + ChecksumAlgorithm]);
}
const large = randomBytes(17 << 20);
await new Upload({ client: s3, params: { Bucket, Key: "large ü+", Body: Readable.from([large.subarray(0, 9 << 20), large.subarray(9 << 20)]) } }).done();
const back = await s3.send(new GetObjectCommand({ Bucket, Key: "large ü+" }));
assert.ok(large.equals(Buffer.from(await back.Body.transformToByteArray())));
await s3.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/${encodeURIComponent("large ü+")}` }));
const link = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "copy" }), { expiresIn: 60 });
assert.ok(large.equals(Buffer.from(await (await fetch(link)).arrayBuffer())));
await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key: "none" })), NoSuchKey);
const keys = [];
for await (const page of paginateListObjectsV2({ client: s3, pageSize: 3 }, { Bucket })) {
  keys.push(...page.Contents.map(({ Key }) => ({ Key })));
}
assert.equal(keys.length, 10);
const deleted = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys } }));
assert.equal(deleted.Deleted.length, 10);
assert.equal((await s3.send(new ListObjectsV2Command({ Bucket }))).KeyCount, 0);
await s3.send(new DeleteBucketCommand({ Bucket }));
console.log("sizes, checksums, an upload in parts, copy, presigned, pages, bulk delete");
