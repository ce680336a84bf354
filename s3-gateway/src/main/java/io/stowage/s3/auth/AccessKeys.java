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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.secret.AccessKeyIds;
import io.stowage.common.time.StoreClock;
import java.time.Duration;

/**
 * Identities by access key, the users and roles that sessions stand for by name, and the signing
 * keys made from secrets. A change of an identity is seen within {@link #FRESH}. Thread-safe.
 *
 * <p>Users and roles are kept apart from access keys: they have no secret, and whoever could name
 * one as an access key would be it by signing with the empty one.
 */
public final class AccessKeys {
  /** How long an identity is believed without asking; also how long a removed key still works. */
  static final Duration FRESH = Duration.ofSeconds(5);

  /** Far more of each kind than are in use at one gateway within seconds; about 1 KiB each. */
  private static final int CAPACITY = 4096;

  private record Known(Identity identity, long readAtNanos) {}

  private record KeyName(String secret, String date, String region, String service) {}

  private final ObjectManager objectManager;
  private final StoreClock clock;
  private final BoundedCache<String, Known> identities = new BoundedCache<>(CAPACITY);
  private final BoundedCache<String, Known> users = new BoundedCache<>(CAPACITY);
  private final BoundedCache<String, Known> roles = new BoundedCache<>(CAPACITY);
  private final BoundedCache<KeyName, SigningKey> signingKeys = new BoundedCache<>(CAPACITY);

  public AccessKeys(ObjectManager objectManager, StoreClock clock) {
    this.objectManager = objectManager;
    this.clock = clock;
  }

  /** The identity of an access key; null if there is none. */
  Identity find(String accessKey) throws StoreException {
    return AccessKeyIds.isWellFormed(accessKey)
        ? find(
            identities, accessKey, GetIdentityRequest.newBuilder().setAccessKey(accessKey).build())
        : null;
  }

  /** A user, without a key; null if there is none. */
  Identity findUser(String name) throws StoreException {
    return find(users, name, GetIdentityRequest.newBuilder().setUserName(name).build());
  }

  /** A role; null if there is none. */
  Identity findRole(String name) throws StoreException {
    return find(roles, name, GetIdentityRequest.newBuilder().setRoleName(name).build());
  }

  private Identity find(BoundedCache<String, Known> cache, String name, GetIdentityRequest request)
      throws StoreException {
    long now = clock.monotonicNanos();
    Known known = cache.get(name);
    if (known != null && now - known.readAtNanos < FRESH.toNanos()) {
      return known.identity;
    }
    Identity identity;
    try {
      identity = objectManager.getIdentity(request).getIdentity();
    } catch (StoreException e) {
      if (e.code() != ErrorCode.ACCESS_DENIED) {
        throw e;
      }
      identity = null; // remembered too, so that guessing does not become load on the store
    }
    cache.put(name, new Known(identity, now));
    return identity;
  }

  /** Signing key of an identity for a day and region, derived once. */
  SigningKey signingKey(Identity identity, String date, String region, String service) {
    KeyName name = new KeyName(identity.getSecretKey(), date, region, service);
    SigningKey key = signingKeys.get(name);
    if (key == null) {
      key = SigningKey.derive(name.secret, date, region, service);
      signingKeys.put(name, key);
    }
    return key;
  }
}
