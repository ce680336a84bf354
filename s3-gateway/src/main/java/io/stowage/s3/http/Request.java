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
package io.stowage.s3.http;

import io.netty.handler.codec.http.HttpHeaders;
import java.util.function.Consumer;

/**
 * One HTTP request as it came in. Immutable but for its body, which is confined to the worker.
 *
 * @param id 16 hex digits, for the answer and the log
 * @param method as sent, upper case by HTTP's rules
 * @param target request target as sent: path and query, still encoded
 * @param headers as sent; one char is one byte of the wire
 * @param remoteAddress of the peer, without port
 * @param tlsVersion of the connection, "1.3"; null: it is not encrypted
 * @param patience by which the operation says that its answer may take long, and which headers it
 *     will have as far as they are known
 * @param course told what it turns out to be
 */
public record Request(
    String id,
    String method,
    String target,
    HttpHeaders headers,
    BodySource body,
    String remoteAddress,
    String tlsVersion,
    Consumer<HttpHeaders> patience,
    Course course) {

  /** Whether it came over TLS. */
  public boolean secure() {
    return tlsVersion != null;
  }
}
