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
package io.stowage.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.s3.suite.RawS3;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Request;

/** {@code docs/S3.md} names every action and says what a gateway makes of it. */
class S3ReferenceTest {
  @Test
  void thePageInDocsIsWhatAGatewayAnswers() throws Exception {
    Path page = Path.of(System.getProperty("stowage.root", ".."), "docs", "S3.md");
    String rendered;
    try (InMemoryTarget gateway = new InMemoryTarget(Map.of())) {
      rendered =
          S3Reference.render(
              new RawS3(
                  gateway.target().endpoint(),
                  InMemoryTarget.ACCESS_KEY,
                  InMemoryTarget.SECRET_KEY,
                  gateway.target().region()));
    }
    if (Boolean.getBoolean("stowage.regenerate")) {
      Files.writeString(page, rendered);
    }
    assertEquals(
        rendered,
        Files.readString(page),
        "docs/S3.md is not what a gateway answers; the page has the command that writes it anew");
  }

  @Test
  void leavesNoActionOfTheSdkOut() {
    Set<String> missing = new TreeSet<>();
    for (Method method : S3Client.class.getMethods()) {
      Class<?>[] parameters = method.getParameterTypes();
      if (parameters.length > 0 && S3Request.class.isAssignableFrom(parameters[0])) {
        String name = method.getName();
        missing.add(name.substring(0, 1).toUpperCase(Locale.ROOT) + name.substring(1));
      }
    }
    assertTrue(missing.size() > 90, missing.toString());
    // Conveniences of the client over one action.
    missing.removeIf(name -> name.endsWith("AsBytes") || name.endsWith("Paginator"));
    missing.removeAll(S3Reference.names());
    assertEquals(Set.of(), missing);
  }
}
