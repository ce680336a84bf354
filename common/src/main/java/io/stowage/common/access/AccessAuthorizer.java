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

import io.stowage.common.error.StoreException;

/**
 * The seam: who may do what in the whole store, asked by gateways for requests of S3 and by object
 * managers for calls over Hadoop's RPC. The store's own is {@link StoreRules}; another, as a
 * plug-in of Apache Ranger would be, is named by {@code stowage.access.authorizer} and has a public
 * constructor without parameters. {@code AuthorizerContract} says what each has to keep to, and can
 * be run against any.
 *
 * <p>It is asked by many threads at once, with every request, so it answers from memory. What it
 * throws counts as a denial. A superuser is not asked about, unless he uses credentials that were
 * bounded by a policy.
 */
public interface AccessAuthorizer extends AutoCloseable {
  /**
   * Called once, before all else.
   *
   * @param setting {@code stowage.access.authorizer.setting}, whatever it means
   * @param own the store's, to be asked where this one has nothing to say
   */
  default void start(String setting, AccessAuthorizer own) throws StoreException {}

  /** Decides. */
  Verdict decide(AccessRequest request) throws StoreException;

  @Override
  default void close() {}
}
