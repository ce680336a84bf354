/**
 * A lean S3 client for tools: one blocking connection, requests signed with SigV4, no retries, no
 * copies. It exists beside the AWS SDK because a load tool that shares the machine with the store
 * must not spend more of it than the store does.
 */
package io.stowage.dev.s3;
