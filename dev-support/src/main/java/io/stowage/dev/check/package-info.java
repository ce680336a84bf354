/**
 * Black-box checks of a running store by S3 alone, for {@code dev-support/check-all}: they know
 * nothing of this code base and run against any S3 endpoint.
 */
package io.stowage.dev.check;
