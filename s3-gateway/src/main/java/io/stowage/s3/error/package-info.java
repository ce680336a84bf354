/** S3's errors: one enum, one exception, one mapping from the store's own codes. */
package io.stowage.s3.error;
