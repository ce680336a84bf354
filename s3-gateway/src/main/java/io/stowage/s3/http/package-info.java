/**
 * HTTP/1.1 and HTTP/2 on Netty, with TLS and without: connections, bodies with back-pressure,
 * responses in order, limits for everything that a client can make us hold ({@link
 * io.stowage.s3.http.HttpLimits}, docs/HTTP.md). Knows no S3 beyond its error type: above it stands
 * one {@link io.stowage.s3.http.RequestHandler}.
 */
package io.stowage.s3.http;
