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
package io.stowage.dev.s3;

import java.util.Map;

/**
 * What the endpoint said: status, headers by lower-case name, bytes of body that were read, and for
 * an error the start of its body. Immutable.
 */
public record S3Response(
    int status, Map<String, String> headers, long bodyBytes, String errorText) {
  public boolean isSuccess() {
    return status >= 200 && status < 300;
  }

  /** The {@code <Code>} of an S3 error body, or the status when there is none. */
  public String errorCode() {
    int start = errorText.indexOf("<Code>");
    int end = errorText.indexOf("</Code>");
    return start >= 0 && end > start
        ? errorText.substring(start + "<Code>".length(), end)
        : "HTTP " + status;
  }
}
