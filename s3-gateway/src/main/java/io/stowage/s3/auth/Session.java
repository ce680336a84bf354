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
package io.stowage.s3.auth;

import java.util.List;

/**
 * What temporary credentials add to whom they stand for. Immutable.
 *
 * @param isTemporary false: of long-term keys, and nothing is added
 * @param roleName of an assumed role; empty: of a user
 * @param name of the session, which whoever assumed the role chose
 * @param boundaries policies that have to allow what the session does, beside all others
 */
public record Session(boolean isTemporary, String roleName, String name, List<String> boundaries) {
  /** Of long-term keys. */
  public static final Session NONE = new Session(false, "", "", List.of());

  public boolean isOfRole() {
    return !roleName.isEmpty();
  }
}
