/*
 * Copyright 2026 The Stowage Authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */
package io.stowage.s3.error;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.policy.MalformedPolicyException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * A request that is answered with an S3 error. It is ordinary control flow of a busy gateway, so it
 * carries no stack trace of its own; what went wrong inside is its cause. Immutable.
 */
public final class S3Exception extends Exception {
  private static final long serialVersionUID = 1L;

  /** Failures of which the store's own words are for whoever asked. */
  private static final Set<ErrorCode> TELLING =
      Set.of(
          ErrorCode.INVALID_ARGUMENT,
          ErrorCode.BAD_CHECKSUM,
          ErrorCode.TOO_MANY_VERSIONS,
          ErrorCode.NOT_ENOUGH_NODES,
          ErrorCode.DATA_UNAVAILABLE);

  private final S3Error error;
  private final transient Map<String, String> facts;
  private final transient Map<String, String> headers;

  private S3Exception(
      S3Error error,
      String message,
      Throwable cause,
      Map<String, String> facts,
      Map<String, String> headers) {
    super(message, cause, false, false);
    this.error = error;
    this.facts = facts;
    this.headers = headers;
  }

  public S3Exception(S3Error error) {
    this(error, error.message(), null, Map.of(), Map.of());
  }

  public S3Exception(S3Error error, String message) {
    this(error, message, null, Map.of(), Map.of());
  }

  public S3Exception(S3Error error, String message, Throwable cause) {
    this(error, message, cause, Map.of(), Map.of());
  }

  /**
   * What a user is told of a failure of the store. The store's own words are passed on where they
   * help the caller (a bad argument) or the operator (what is missing). All others stay inside, and
   * in the log by the request's id: HBase's name a region by somebody's key, a key service's name
   * hosts and principals.
   */
  public static S3Exception of(StoreException e) {
    S3Error error =
        e instanceof MalformedPolicyException ? S3Error.MALFORMED_POLICY : S3Error.of(e.code());
    String message =
        TELLING.contains(e.code()) && e.getMessage() != null && !e.getMessage().isBlank()
            ? e.getMessage()
            : error.message();
    S3Exception told = new S3Exception(error, message, e);
    return e instanceof MalformedPolicyException policy && !policy.detail().isEmpty()
        ? told.with("Detail", policy.detail())
        : told;
  }

  /** The same with one more element in the XML, as {@code Region} or {@code BucketName}. */
  public S3Exception with(String element, String value) {
    Map<String, String> more = new LinkedHashMap<>(facts);
    more.put(element, value);
    return new S3Exception(error, getMessage(), getCause(), more, headers);
  }

  /** The same with a header of the answer, as {@code x-amz-delete-marker}. */
  public S3Exception withHeader(String name, String value) {
    Map<String, String> more = new LinkedHashMap<>(headers);
    more.put(name, value);
    return new S3Exception(error, getMessage(), getCause(), facts, more);
  }

  public S3Error error() {
    return error;
  }

  /** Further headers of the answer. */
  public Map<String, String> headers() {
    return headers;
  }

  /** Further elements of the error document, in order. */
  public Map<String, String> facts() {
    return facts;
  }
}
