/** S3's documents, out and in. */
package io.stowage.s3.xml;
