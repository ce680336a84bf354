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
package io.stowage.clients;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Other people's clients against a running endpoint, at their defaults but for the address: puts,
 * reads back and compares. {@code ClientsCheck ENDPOINT ACCESS_KEY SECRET_KEY [NAME...]}; a line a
 * client, and status 1 if one failed.
 */
public final class ClientsCheck {
  private ClientsCheck() {}

  /** One client's checks; gives what it did. */
  interface Check {
    String run(Endpoint endpoint) throws Exception;
  }

  /** Where and as whom, and a bucket that is the check's own. */
  record Endpoint(String url, String accessKey, String secretKey, String bucket) {}

  public static void main(String[] args) {
    Map<String, Check> all = new LinkedHashMap<>();
    all.put("sdk-sync", SdkChecks::sync);
    all.put("sdk-async", SdkChecks::asyncNetty);
    all.put("sdk-crt", SdkChecks::crt);
    all.put("sdk-transfer-manager", SdkChecks::transferManager);
    all.put("minio-java", MinioCheck::run);
    all.put("s3a", S3aChecks::fileSystem);
    all.put("s3a-analytics", S3aChecks::analyticsStream);
    all.put("s3a-conditional-create", S3aChecks::conditionalCreate);
    all.put("s3a-magic", e -> S3aChecks.committer(e, "magic"));
    all.put("s3a-directory", e -> S3aChecks.committer(e, "directory"));
    all.put("s3a-partitioned", e -> S3aChecks.committer(e, "partitioned"));
    List<String> names = new ArrayList<>(List.of(args).subList(3, args.length));
    if (names.isEmpty()) {
      names.addAll(all.keySet());
    }
    int failures = 0;
    for (String name : names) {
      long begin = System.nanoTime();
      String bucket = "clients-" + name + "-" + Long.toString(System.nanoTime() & 0xffffffL, 36);
      try {
        String did = all.get(name).run(new Endpoint(args[0], args[1], args[2], bucket));
        System.out.printf("ok     %-24s %5.1f s  %s%n", name, (System.nanoTime() - begin) / 1e9, did);
      } catch (Throwable e) {
        failures++;
        System.out.printf("FAILED %-24s %s%n", name, e);
        e.printStackTrace(System.out);
      }
    }
    System.out.printf("%d of %d clients failed%n", failures, names.size());
    System.exit(failures == 0 ? 0 : 1); // the CRT's threads would keep the JVM
  }

  static void check(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }

  static byte[] bytes(int length, long seed) {
    byte[] bytes = new byte[length];
    new java.util.Random(seed).nextBytes(bytes);
    return bytes;
  }
}
