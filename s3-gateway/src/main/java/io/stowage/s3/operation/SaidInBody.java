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
package io.stowage.s3.operation;

import io.stowage.common.error.StoreException;
import io.stowage.s3.error.S3Exception;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** Decisions about what stands in a request's body, where conditions of policies ask for it. */
final class SaidInBody {
  private SaidInBody() {}

  /** Reads and checks a body. */
  interface Reading<T> {
    T read() throws S3Exception;
  }

  /**
   * What the body says, when the caller may take the action with that among the facts. What is
   * wrong with a body is told to whom the action is allowed without.
   *
   * @param action of the current version; a request that names one needs that of versions
   */
  static <T> T authorized(
      Backend backend,
      S3Call call,
      String action,
      Reading<T> body,
      Function<T, Map<String, List<String>>> facts)
      throws S3Exception, StoreException {
    String named = Versions.action(action, call.query());
    T said;
    try {
      said = body.read();
    } catch (S3Exception e) {
      authorize(backend, call, named, call.facts());
      throw e;
    }
    authorize(backend, call, named, facts.apply(said));
    return said;
  }

  private static void authorize(
      Backend backend, S3Call call, String action, Map<String, List<String>> facts)
      throws S3Exception, StoreException {
    backend
        .authorizer()
        .authorize(call.caller().subject(), action, call.bucket(), call.key(), facts);
  }
}
