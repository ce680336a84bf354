/**
 * One class an operation of S3. An operation is a row of {@link
 * io.stowage.s3.operation.OperationTable} and a file of its own; what several share (headers,
 * conditions, ranges, the way of bytes in and out) stands beside them.
 */
package io.stowage.s3.operation;
