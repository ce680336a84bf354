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
package io.stowage.common.access;

/**
 * What an authoriser says, and why, for the audit log. Immutable.
 *
 * @param why in a few words, without anything secret
 */
public record Verdict(Outcome outcome, String why) {
  /** Three answers there are. */
  public enum Outcome {
    ALLOWED,
    DENIED,
    /**
     * It depends on the permissions of the files: the object manager asks those of a FILE_SYSTEM
     * bucket, while it walks there. Elsewhere there are none, and this means denied.
     */
    BY_PERMISSIONS
  }

  public static Verdict allowed(String why) {
    return new Verdict(Outcome.ALLOWED, why);
  }

  public static Verdict denied(String why) {
    return new Verdict(Outcome.DENIED, why);
  }

  public static Verdict byPermissions() {
    return new Verdict(Outcome.BY_PERMISSIONS, "the permissions of the files decide");
  }

  public boolean isAllowed() {
    return outcome == Outcome.ALLOWED;
  }
}
