/**
 * What any S3 endpoint of ours must do, asked from outside: by the AWS SDK at its defaults, and by
 * hand where no SDK would send such a thing. Run over the in-memory twins here and over the real
 * store by the module cluster-tests.
 */
package io.stowage.s3.suite;
