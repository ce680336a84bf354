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
package io.stowage.client.crypt;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import java.security.SecureRandom;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * A key service that wraps by remembering: what is wrapped is the number of the key. Knows only the
 * names that it was given. Thread-safe.
 */
public final class MemoryKeys implements KeyService {
  private static final SecureRandom RANDOM = new SecureRandom();

  private final Map<String, byte[]> known = new ConcurrentHashMap<>();
  private final Set<String> names;
  private final AtomicInteger unwraps = new AtomicInteger();

  public MemoryKeys(String... names) {
    this.names = ConcurrentHashMap.newKeySet();
    this.names.addAll(List.of(names));
  }

  /** As an administrator may do it: nothing under that key opens any more. */
  public void destroy(String name) {
    names.remove(name);
  }

  public int unwraps() {
    return unwraps.get();
  }

  @Override
  public NewKey generate(String keyName) throws StoreException {
    require(keyName);
    byte[] key = new byte[32];
    RANDOM.nextBytes(key);
    byte[] id = new byte[16];
    RANDOM.nextBytes(id);
    ByteString wrapped = ByteString.copyFrom(id);
    known.put(id(keyName, wrapped), key);
    return new NewKey(DataKey.of(key), keyName + "@0", ByteString.copyFrom(new byte[16]), wrapped);
  }

  @Override
  public DataKey unwrap(String keyName, String keyVersion, ByteString iv, ByteString wrapped)
      throws StoreException {
    require(keyName);
    unwraps.incrementAndGet();
    byte[] key = known.get(id(keyName, wrapped));
    if (key == null) {
      throw new StoreException(ErrorCode.NO_SUCH_ENCRYPTION_KEY, "Cannot unwrap: not ours");
    }
    return DataKey.of(key);
  }

  private static String id(String keyName, ByteString wrapped) {
    return keyName + ' ' + WriteId.toHex(wrapped);
  }

  private void require(String keyName) throws StoreException {
    if (!names.contains(keyName)) {
      throw new StoreException(
          ErrorCode.NO_SUCH_ENCRYPTION_KEY, "Cannot use key " + keyName + ": there is none");
    }
  }

  @Override
  public void close() {}
}
