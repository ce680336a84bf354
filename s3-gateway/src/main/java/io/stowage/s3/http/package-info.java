/**
 * HTTP/1.1 on Netty: connections, bodies with back-pressure, responses in order. Knows no S3 beyond
 * its error type: above it stands one {@link io.stowage.s3.http.RequestHandler}.
 */
package io.stowage.s3.http;
