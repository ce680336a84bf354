/**
 * Who asks and whether they may: Signature Version 4 in its four forms, access keys, and the one
 * place that authorises.
 */
package io.stowage.s3.auth;
