/**
 * Bodies: aws-chunked framing, hashes, and the one place that checks everything a request claims of
 * its body.
 */
package io.stowage.s3.payload;
